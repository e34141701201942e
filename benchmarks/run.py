"""Run the benchmark: start the targets, warm them up, measure, and stop them whatever happens."""

import os
import platform
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import psutil

from benchmarks import texts
from benchmarks.answers import NoAnswer
from benchmarks.measure import Load, Sample, kinds, take_turns, under_load
from benchmarks.processes import memory_of
from benchmarks.results import Results, audio_rate
from benchmarks.servers import Speaker
from benchmarks.watch import Watch

OVERHEAD_REQUESTS = 40

Found = TypeVar("Found", Sample, Load)


@dataclass(frozen=True)
class Plan:
    """Hold the parameters of a run: rounds per kind of text, numbers of clients, and a time limit in minutes."""

    rounds: int = 5
    long_rounds: int = 2
    clients: tuple[int, ...] = (1, 2, 4, 8)
    voice: str = "af_heart"
    seed: int = 1
    minutes: float = 30.0


def carry_out(plan: Plan, speakers: Sequence[Speaker], instant: Speaker | None = None) -> Results:
    """Take all measurements of the plan; `instant` is a server whose engine takes no time. Raises ServerStartError."""
    rng = random.Random(plan.seed)
    deadline = time.monotonic() + 60 * plan.minutes
    with ExitStack() as running:
        for speaker in speakers:
            running.callback(speaker.close)
            speaker.start()
        warm_up(speakers, rng, plan.voice)
        idle = {speaker.name: memory_of(speaker.processes()) for speaker in speakers if not speaker.slow}
        with Watch(speakers) as watch:
            asked = kinds(plan.rounds, plan.long_rounds)
            samples = list(told(take_turns(speakers, asked, plan.voice, rng, deadline)))
            loads = list(told(under_load(speakers, plan.clients, plan.voice, rng, deadline)))
    beyond = overhead(instant, rng, plan.voice) if instant else None
    names = [speaker.name for speaker in speakers]
    return Results(names, {**asdict(plan), **machine()}, samples, loads, idle, watch.peaks, beyond)


def warm_up(speakers: Sequence[Speaker], rng: random.Random, voice: str) -> None:
    """Send one request to each target that does not count: it triggers what is loaded on first use."""
    for speaker in speakers:
        try:
            speaker.speak(texts.short(rng), voice)
        except NoAnswer as exc:
            say(f"{speaker.name} gave nothing when warming up: {exc}")


def overhead(speaker: Speaker, rng: random.Random, voice: str) -> float:
    """Return the median seconds of a short request to a server whose engine takes no time."""
    with ExitStack() as running:
        running.callback(speaker.close)
        speaker.start()
        warm_up([speaker], rng, voice)
        return statistics.median(speaker.speak(texts.short(rng), voice).total for _ in range(OVERHEAD_REQUESTS))


def machine() -> dict[str, Any]:
    """Describe the machine: time, system, processor, cores, memory in GiB, Python."""
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "system": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


def processor() -> str:
    """Return the CPU's name, on Linux from /proc/cpuinfo."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def told(found: Iterable[Found]) -> Iterator[Found]:
    """Pass the results on, and print each to stderr as it arrives: a run takes minutes."""
    for each in found:
        say(describe(each))
        yield each


def describe(found: Sample | Load) -> str:
    """Format a result as one line."""
    if isinstance(found, Load):
        return f"{found.target}, {found.clients} clients: {audio_rate(found):.2f} s of audio a second"
    times = f"first {found.first:.3f} s, total {found.total:.2f} s, audio {found.audio:.2f} s"
    return f"{found.target}, {found.kind} {found.round}: {found.error or times}"


def say(line: str) -> None:
    """Print a line to stderr."""
    print(line, file=sys.stderr, flush=True)
