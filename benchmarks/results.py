"""Reduce the samples of a run to rows: medians, and how many times better the first target is."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measure import Load, Sample
from benchmarks.processes import MemoryUse

Measure = Callable[[Sample], float]

# Label, measure, whether less is better (None: neither), digits.
MEASURES: tuple[tuple[str, Measure, bool | None, int], ...] = (
    ("first audio s", lambda s: s.first, True, 3),
    ("first audible s", lambda s: s.first_audible, True, 3),
    ("total s", lambda s: s.total, True, 2),
    ("× real time", lambda s: s.audio / s.total, False, 2),
    ("audio s", lambda s: s.audio, None, 2),
    ("player stall s", lambda s: s.stall, None, 2),
    ("CPU s per audio s", lambda s: s.cpu / s.audio, True, 3),
)


@dataclass(frozen=True)
class Results:
    """Hold everything a run measured; the first target is compared with the others. `about` has machine and plan."""

    targets: Sequence[str]
    about: dict[str, Any]
    samples: Sequence[Sample]
    loads: Sequence[Load] = ()
    idle: dict[str, MemoryUse] = field(default_factory=dict)
    peak: dict[str, MemoryUse] = field(default_factory=dict)
    overhead: float | None = None  # seconds per request whose engine takes no time


@dataclass(frozen=True)
class Row:
    """Hold one measure of all targets; `gains` are how many times better the first target is than each other one."""

    label: str
    values: dict[str, float]
    gains: dict[str, float]
    digits: int


def compute_rows(results: Results) -> Iterator[Row]:
    """Yield the rows of the table, in their order."""
    for kind in dict.fromkeys(sample.kind for sample in results.samples):
        for label, measure, less, digits in MEASURES:
            yield _make_sample_row(results, kind, label, measure, less, digits)
    for clients in dict.fromkeys(load.clients for load in results.loads):
        yield from _make_load_rows(results, clients)
    yield _make_plain_row(results, "idle PSS MB", {name: memory.pss / 2**20 for name, memory in results.idle.items()})
    yield _make_plain_row(results, "peak PSS MB", {name: memory.pss / 2**20 for name, memory in results.peak.items()})
    yield _make_plain_row(results, "peak RSS MB", {name: memory.rss / 2**20 for name, memory in results.peak.items()})


def select_valid(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples without an error."""
    return [sample for sample in samples if not sample.error]


def interpolate_percentile(values: Sequence[float], share: float) -> float:
    """Return the percentile (`share` 0 to 1), linearly interpolated; NaN for no values."""
    ordered = sorted(values)
    if not ordered:
        return float("nan")
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def compute_audio_rate(load: Load) -> float:
    """Return the seconds of audio per second, of all clients together."""
    return sum(sample.audio for sample in select_valid(load.samples)) / load.seconds


def list_latencies(load: Load) -> list[float]:
    """Return the total times in seconds of the samples without an error."""
    return [sample.total for sample in select_valid(load.samples)]


def count_errors(results: Results) -> dict[str, int]:
    """Count the errors by target, kind and message."""
    counts: dict[str, int] = {}
    every = [*results.samples, *(sample for load in results.loads for sample in load.samples)]
    for sample in every:
        if sample.error:
            line = f"{sample.target}, {sample.kind}: {sample.error}"
            counts[line] = counts.get(line, 0) + 1
    return counts


def _make_sample_row(results: Results, kind: str, label: str, measure: Measure, less: bool | None, digits: int) -> Row:
    """Compute medians; a gain is the median of the ratios per round, since all targets get the same text in a round."""
    by_target = {
        target: {
            sample.round: measure(sample)
            for sample in select_valid(results.samples)
            if (sample.target, sample.kind) == (target, kind)
        }
        for target in results.targets
    }
    values = {target: statistics.median(rounds.values()) for target, rounds in by_target.items() if rounds}
    first, *others = results.targets
    gains = {}
    if less is not None:
        for other in others:
            pairs = [
                (by_target[first][n], by_target[other][n]) for n in by_target[first].keys() & by_target[other].keys()
            ]
            ratios = [(b / a if less else a / b) for a, b in pairs if a and b]
            if ratios:
                gains[other] = statistics.median(ratios)
    return Row(f"{kind}: {label}", values, gains, digits)


def _make_load_rows(results: Results, clients: int) -> Iterator[Row]:
    here = {load.target: load for load in results.loads if load.clients == clients}
    label = f"{clients} clients"
    yield _make_plain_row(
        results, f"{label}: audio s/s", {name: compute_audio_rate(load) for name, load in here.items()}, False
    )
    yield _make_plain_row(
        results,
        f"{label}: p50 s",
        {name: interpolate_percentile(list_latencies(load), 0.5) for name, load in here.items()},
    )
    yield _make_plain_row(
        results,
        f"{label}: p95 s",
        {name: interpolate_percentile(list_latencies(load), 0.95) for name, load in here.items()},
    )
    failed = {name: float(len(load.samples) - len(select_valid(load.samples))) for name, load in here.items()}
    yield Row(f"{label}: errors", failed, {}, 0)


def _make_plain_row(results: Results, label: str, values: dict[str, float], less: bool = True) -> Row:
    first = values.get(results.targets[0], 0.0)
    others = {name: value for name, value in values.items() if name != results.targets[0] and value and first}
    gains = {name: value / first if less else first / value for name, value in others.items()}
    return Row(label, values, gains, 0 if "MB" in label else 2)
