"""Measure the share of its synthesizers' throughput that a server delivers: `python -m benchmarks.share`.

Server and synthesizers run in turns on the same kind of texts for the same time: the server for clients that send again
once answered, the synthesizers in one process per worker without a server. The clients use part of the same cores.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import texts
from benchmarks.competitors import make_kokoro_server
from benchmarks.servers import START_TIMEOUT, BenchmarkTarget
from kokoro_server.config import Config
from kokoro_server.core import malloc as memory
from kokoro_server.core.languages import Language
from kokoro_server.core.request import TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.model.assets import ensure_assets
from kokoro_server.synthesis.synthesizer import UtteranceSynthesizer as Engine
from kokoro_server.text.chunking import Utterance

VOICE = "af_heart"
WARM_UP = 3.0
"""Seconds of load before the measurement starts."""
HEADINGS = (
    f"{'turn':>4} {'server s/s':>10} {'alone s/s':>10} {'share':>7}"
    f" {'p50 s':>6} {'p95 s':>6} {'server':>7} {'clients':>7}"
)


@dataclass(frozen=True)
class ShareMeasurement:
    """Hold one turn: seconds of audio per second from the server and from its synthesizers alone, the latencies of the
    server in seconds, and the shares of all cores used by its process (without workers) and by the clients."""

    server_rate: float
    synthesizer_rate: float
    latencies: list[float]
    server_cpu: float
    client_cpu: float

    @property
    def share(self) -> float:
        """Return the throughput of the server relative to its synthesizers alone."""
        return self.server_rate / self.synthesizer_rate

    def format_row(self, number: int) -> str:
        """Format the turn as a line under HEADINGS."""
        cuts = statistics.quantiles(self.latencies, n=20)
        return (
            f"{number:4} {self.server_rate:10.2f} {self.synthesizer_rate:10.2f} {self.share:7.1%} "
            f"{cuts[9]:6.2f} {cuts[18]:6.2f} {self.server_cpu:7.1%} {self.client_cpu:7.1%}"
        )


def measure_server(
    target: BenchmarkTarget, clients: int, seconds: float, rng: random.Random
) -> tuple[float, list[float], float, float]:
    """Measure the server under load: audio seconds per second, latencies, and CPU shares of server and clients."""
    (server, *_) = target.list_processes()
    answers: list[tuple[float, float, float]] = []
    lock = threading.Lock()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            with lock:
                text = texts.draw_short(rng)
            answer = target.synthesize(text, VOICE)
            with lock:
                answers.append((time.perf_counter(), answer.sound.seconds, answer.total))

    with ThreadPoolExecutor(clients) as crowd:
        asking = [crowd.submit(ask) for _ in range(clients)]
        time.sleep(WARM_UP)
        began, before, mine = time.perf_counter(), sum(server.cpu_times()[:2]), time.process_time()
        time.sleep(seconds)
        end, after, later = time.perf_counter(), sum(server.cpu_times()[:2]), time.process_time()
        done.set()
        for each in asking:
            each.result()
    measured = sorted(answer for answer in answers if began <= answer[0] <= end)
    sound = sum(seconds for _, seconds, _ in measured[1:])  # from the end of the first to the end of the last
    cores = (end - began) * (os.cpu_count() or 1)
    waits = [wait for _, _, wait in measured]
    return sound / (measured[-1][0] - measured[0][0]), waits, (after - before) / cores, (later - mine) / cores


def measure_synthesizer(seed: int, seconds: float, ready: threading.Barrier) -> float:
    """Measure one synthesizer on one core in this process; return audio seconds per second.

    `ready` makes all processes start at the same moment, after each has warmed up.
    """
    rng, config = random.Random(seed), Config.from_environment(os.environ)
    memory.tune_malloc(memory.NETWORK_MMAP_THRESHOLD)
    speaker = Engine(ensure_assets(config.MODEL_DIR), config.graphs, threads=1)

    def speak() -> float:
        text = texts.draw_short(rng)
        utterance = Utterance((TextSpan(text, 0, len(text)),), find_voice(VOICE), Language.AMERICAN_ENGLISH)
        return sum(chunk.seconds for chunk in speaker.synthesize(utterance, 1))

    speak()
    ready.wait()
    began, sound = time.perf_counter(), 0.0
    while time.perf_counter() - began < seconds:
        sound += speak()
    return sound / (time.perf_counter() - began)


def measure_synthesizers(workers: int, seconds: float, rng: random.Random) -> float:
    """Measure so many synthesizers at once, each in a process; return the sum of their rates."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(workers, spawn) as crowd:
        ready = manager.Barrier(workers, timeout=START_TIMEOUT)
        return sum(
            each.result()
            for each in [
                crowd.submit(measure_synthesizer, rng.randrange(1 << 32), seconds, ready) for _ in range(workers)
            ]
        )


def main() -> None:
    """Print a row for each turn, and the median share."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.share", description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--workers", type=int, default=psutil.cpu_count(logical=False) or 1)
    parser.add_argument("--seconds", type=float, default=15.0, help="of each measurement")
    parser.add_argument("--turns", type=int, default=4)
    options = parser.parse_args()
    rng = random.Random()
    print(HEADINGS)
    shares = []
    for number in range(1, options.turns + 1):
        with tempfile.TemporaryDirectory() as folder:
            speaker = make_kokoro_server(Path(folder), options.workers)
            speaker.start()
            try:
                served, waits, server, clients = measure_server(speaker, options.clients, options.seconds, rng)
            finally:
                speaker.close()
        turn = ShareMeasurement(
            served, measure_synthesizers(options.workers, options.seconds, rng), waits, server, clients
        )
        shares.append(turn.share)
        print(turn.format_row(number), flush=True)
    print(f"median share {statistics.median(shares):.1%}")


if __name__ == "__main__":
    main()
