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
from pathlib import Path
from typing import Any, TypeVar

import psutil

from benchmarks import texts
from benchmarks.answers import NoAudioError
from benchmarks.measure import Load, Sample, make_text_kinds, measure_in_turns, measure_under_load
from benchmarks.processes import sum_memory
from benchmarks.results import Results, compute_audio_rate
from benchmarks.servers import BenchmarkTarget
from benchmarks.watch import MemoryWatch

OVERHEAD_REQUESTS = 40

Measured = TypeVar("Measured", Sample, Load)


@dataclass(frozen=True)
class BenchmarkPlan:
    """Hold the parameters of a run: rounds per kind of text, numbers of clients, and a time limit in minutes."""

    rounds: int = 5
    long_rounds: int = 2
    clients: tuple[int, ...] = (1, 2, 4, 8)
    voice: str = "af_heart"
    seed: int = 1
    minutes: float = 30.0


def run_plan(
    plan: BenchmarkPlan, targets: Sequence[BenchmarkTarget], instant: BenchmarkTarget | None = None
) -> Results:
    """Take all measurements of the plan; `instant` is a server whose engine takes no time. Raises ServerStartError."""
    rng = random.Random(plan.seed)
    deadline = time.monotonic() + 60 * plan.minutes
    with ExitStack() as running:
        for speaker in targets:
            running.callback(speaker.close)
            speaker.start()
        warm_up_targets(targets, rng, plan.voice)
        idle = {speaker.name: sum_memory(speaker.list_processes()) for speaker in targets if not speaker.is_slow}
        with MemoryWatch(targets) as watch:
            asked = make_text_kinds(plan.rounds, plan.long_rounds)
            samples = list(report_progress(measure_in_turns(targets, asked, plan.voice, rng, deadline)))
            loads = list(report_progress(measure_under_load(targets, plan.clients, plan.voice, rng, deadline)))
    beyond = measure_overhead(instant, rng, plan.voice) if instant else None
    names = [speaker.name for speaker in targets]
    return Results(names, {**asdict(plan), **describe_machine()}, samples, loads, idle, watch.peaks, beyond)


def warm_up_targets(targets: Sequence[BenchmarkTarget], rng: random.Random, voice: str) -> None:
    """Send one request to each target that does not count: it triggers what is loaded on first use."""
    for speaker in targets:
        try:
            speaker.synthesize(texts.draw_short(rng), voice)
        except NoAudioError as exc:
            print_progress(f"{speaker.name} gave nothing when warming up: {exc}")


def measure_overhead(target: BenchmarkTarget, rng: random.Random, voice: str) -> float:
    """Return the median seconds of a short request to a server whose engine takes no time."""
    with ExitStack() as running:
        running.callback(target.close)
        target.start()
        warm_up_targets([target], rng, voice)
        return statistics.median(
            target.synthesize(texts.draw_short(rng), voice).total for _ in range(OVERHEAD_REQUESTS)
        )


def describe_machine() -> dict[str, Any]:
    """Describe the machine: time, system, processor, cores, memory in GiB, Python."""
    return {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "system": platform.platform(),
        "processor": get_processor_name(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
    }


def get_processor_name() -> str:
    """Return the CPU's name, on Linux from /proc/cpuinfo."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            return next(line.partition(":")[2].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def report_progress(results: Iterable[Measured]) -> Iterator[Measured]:
    """Pass the results on, and print each to stderr as it arrives: a run takes minutes."""
    for each in results:
        print_progress(describe_result(each))
        yield each


def describe_result(found: Sample | Load) -> str:
    """Format a result as one line."""
    if isinstance(found, Load):
        return f"{found.target}, {found.clients} clients: {compute_audio_rate(found):.2f} s of audio a second"
    times = f"first {found.first:.3f} s, total {found.total:.2f} s, audio {found.audio:.2f} s"
    return f"{found.target}, {found.kind} {found.round}: {found.error or times}"


def print_progress(line: str) -> None:
    """Print a line to stderr."""
    print(line, file=sys.stderr, flush=True)
