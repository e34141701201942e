"""Measure throughput and overhead of a cluster on simulated machines: `python -m benchmarks.cluster`.

Redis, Celery, the front server's engine and the worker programs are real; only the neural networks are simulated: each
takes a fixed time per character, and returns noise that FLAC compresses as well as speech. So one machine holds many.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis as Client

from benchmarks.cluster_machine import BUILD_ID
from benchmarks.hosts import Machine, redis
from benchmarks.waiting import until
from kokoro_server.core.languages import Language
from kokoro_server.core.request import SpeechRequest
from kokoro_server.core.voices import find_voice
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.cluster.engine import ClusterEngine
from kokoro_server.engine.cluster.messages import ClusterSettings

SECONDS_PER_CHARACTER, AUDIO_MS_PER_CHARACTER = 0.005, 60
"""Seconds of work and milliseconds of audio per character: English on a worker at twelve times real time."""
TEXT = " ".join(f"This is sentence {number} of a text that is long enough to be shared out." for number in range(40))


@dataclass(frozen=True)
class ClusterMeasurement:
    """Hold the measurements of one number of machines; times in seconds, traffic in bytes, all totals."""

    machines: int
    characters: int
    utterances: int
    seconds: float
    front_cpu: float
    redis_cpu: float
    commands: int
    bytes_in: int
    bytes_out: int

    @property
    def efficiency(self) -> float:
        """Return the share of the machines' time that was spent on synthesis, 0 to 1."""
        return self.characters * SECONDS_PER_CHARACTER / self.seconds / self.machines

    @property
    def audio_seconds(self) -> float:
        """Return the seconds of audio."""
        return self.characters * AUDIO_MS_PER_CHARACTER / 1000

    def format_row(self) -> str:
        """Format the measurements as a line under HEADINGS."""
        each, second = self.utterances, self.audio_seconds
        return (
            f"{self.machines:8} {self.audio_seconds / self.seconds:9.1f} {self.efficiency:10.1%}"
            f" {1000 * self.front_cpu / each:12.1f} {1000 * self.front_cpu / second:12.2f}"
            f" {1000 * self.redis_cpu / second:12.2f} {self.commands / each:10.0f}"
            f" {self.bytes_in / second / 1000:10.1f} {self.bytes_out / second / 1000:10.1f}"
        )


HEADINGS = (
    f"{'machines':>8} {'x real':>9} {'efficiency':>10} {'front ms/utt':>12} {'front ms/s':>12}"
    f" {'redis ms/s':>12} {'cmds/utt':>10} {'kB in/s':>10} {'kB out/s':>10}"
)


@contextmanager
def start_cluster(machines: int, folder: Path) -> Iterator[tuple[ClusterEngine, Client, psutil.Process]]:
    """Start Redis, worker machines and a front server's engine; yield the engine, a Redis client and Redis' process."""
    with ExitStack() as stack:
        server = stack.enter_context(redis(folder))
        for _ in range(machines):
            machine = Machine(
                server.url(),
                folder,
                "--pace",
                str(SECONDS_PER_CHARACTER),
                "--ms",
                str(AUDIO_MS_PER_CHARACTER),
                "--noise",
                "--pieces",
                "1",
            )
            stack.callback(machine.end)
        engine = ClusterEngine(ClusterSettings(server.url(), server.url(), 60, 60, BUILD_ID), 1000, 2 * machines, 32)
        stack.enter_context(closing(engine))
        engine.start()
        until(lambda: engine.get_status()["workers"] == machines, 120)
        yield engine, stack.enter_context(closing(Client(port=server.port))), psutil.Process(server.pid)


def measure_cluster(machines: int, clients: int, folder: Path) -> ClusterMeasurement:
    """Synthesize a long text for each of so many simultaneous clients, and measure it."""
    request = SpeechRequest(TEXT, find_voice("af_heart"), Language.AMERICAN_ENGLISH)
    with start_cluster(machines, folder) as (engine, client, process), ThreadPoolExecutor(clients) as threads:
        client.config_resetstat()
        redis_before, front_before, began = get_process_cpu_seconds(process), time.process_time(), time.monotonic()
        list(threads.map(lambda _: [None for _ in engine.synthesize(request, RequestContext())], range(clients)))
        seconds, front = time.monotonic() - began, time.process_time() - front_before
        found = client.info("stats")
        return ClusterMeasurement(
            machines=machines,
            characters=clients * len(TEXT),
            utterances=clients * len(engine.plan(request)),
            seconds=seconds,
            front_cpu=front,
            redis_cpu=get_process_cpu_seconds(process) - redis_before,
            commands=found["total_commands_processed"],
            bytes_in=found["total_net_input_bytes"],
            bytes_out=found["total_net_output_bytes"],
        )


def get_process_cpu_seconds(process: psutil.Process) -> float:
    """Return the user and system time of a process in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def main() -> None:
    """Print a row for each number of machines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("machines", type=int, nargs="*", default=[1, 2, 4, 8])
    options = parser.parse_args()
    print(HEADINGS)
    for machines in options.machines:
        with tempfile.TemporaryDirectory() as folder:
            print(measure_cluster(machines, clients=2 * machines, folder=Path(folder)).format_row(), flush=True)


if __name__ == "__main__":
    main()
