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
from benchmarks.competitors import ours
from benchmarks.servers import START_TIMEOUT, Speaker
from config import Config
from tts.engines import memory
from tts.speech.request import Run
from tts.speech.text import Utterance
from tts.speech.voices import find_voice
from tts.synth.assets import ensure
from tts.synth.speaker import Speaker as Engine

VOICE = "af_heart"
WARM = 3.0
"""Seconds of load before the measurement starts."""
HEADINGS = (
    f"{'turn':>4} {'server s/s':>10} {'alone s/s':>10} {'share':>7}"
    f" {'p50 s':>6} {'p95 s':>6} {'server':>7} {'clients':>7}"
)


@dataclass(frozen=True)
class Turn:
    """Hold one turn: seconds of audio per second from the server and from its synthesizers alone, the latencies of the
    server in seconds, and the shares of all cores used by its process (without workers) and by the clients."""

    served: float
    alone: float
    latencies: list[float]
    server_cpu: float
    client_cpu: float

    @property
    def share(self) -> float:
        """Return the throughput of the server relative to its synthesizers alone."""
        return self.served / self.alone

    def row(self, number: int) -> str:
        """Format the turn as a line under HEADINGS."""
        cuts = statistics.quantiles(self.latencies, n=20)
        return (
            f"{number:4} {self.served:10.2f} {self.alone:10.2f} {self.share:7.1%} {cuts[9]:6.2f} {cuts[18]:6.2f}"
            f" {self.server_cpu:7.1%} {self.client_cpu:7.1%}"
        )


def serve(
    speaker: Speaker, clients: int, seconds: float, rng: random.Random
) -> tuple[float, list[float], float, float]:
    """Measure the server under load: audio seconds per second, latencies, and CPU shares of server and clients."""
    (server, *_) = speaker.processes()
    answers: list[tuple[float, float, float]] = []
    lock = threading.Lock()
    done = threading.Event()

    def ask() -> None:
        while not done.is_set():
            with lock:
                text = texts.short(rng)
            answer = speaker.speak(text, VOICE)
            with lock:
                answers.append((time.perf_counter(), answer.sound.seconds, answer.total))

    with ThreadPoolExecutor(clients) as crowd:
        asking = [crowd.submit(ask) for _ in range(clients)]
        time.sleep(WARM)
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


def engine(seed: int, seconds: float, ready: threading.Barrier) -> float:
    """Measure one synthesizer on one core in this process; return audio seconds per second.

    `ready` makes all processes start at the same moment, after each has warmed up.
    """
    rng, config = random.Random(seed), Config.from_environment(os.environ)
    memory.keep_little(memory.LARGE_FOR_THE_NETWORK)
    speaker = Engine(ensure(config.MODEL_DIR), config.graphs, threads=1)

    def speak() -> float:
        text = texts.short(rng)
        utterance = Utterance((Run(text, 0, len(text)),), find_voice(VOICE), "a")
        return sum(chunk.seconds for chunk in speaker.speak(utterance, 1))

    speak()
    ready.wait()
    began, sound = time.perf_counter(), 0.0
    while time.perf_counter() - began < seconds:
        sound += speak()
    return sound / (time.perf_counter() - began)


def alone(workers: int, seconds: float, rng: random.Random) -> float:
    """Measure so many synthesizers at once, each in a process; return the sum of their rates."""
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(workers, spawn) as crowd:
        ready = manager.Barrier(workers, timeout=START_TIMEOUT)
        return sum(
            each.result()
            for each in [crowd.submit(engine, rng.randrange(1 << 32), seconds, ready) for _ in range(workers)]
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
            speaker = ours(Path(folder), options.workers)
            speaker.start()
            try:
                served, waits, server, clients = serve(speaker, options.clients, options.seconds, rng)
            finally:
                speaker.close()
        turn = Turn(served, alone(options.workers, options.seconds, rng), waits, server, clients)
        shares.append(turn.share)
        print(turn.row(number), flush=True)
    print(f"median share {statistics.median(shares):.1%}")


if __name__ == "__main__":
    main()
