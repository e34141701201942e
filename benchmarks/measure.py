"""Measure the targets in turns on the same new texts: one request at a time, then under load."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from benchmarks import texts
from benchmarks.answers import NoAudioError, TimedAnswer, find_speech_problem
from benchmarks.servers import BenchmarkTarget

REQUESTS_PER_CLIENT = 2
MIN_REQUESTS = 4  # at one level of clients


@dataclass(frozen=True)
class TextKind:
    """Describe a kind of text, its number of rounds, and whether slow targets take part."""

    name: str
    draw: texts.Draw
    rounds: int
    includes_slow: bool = False


@dataclass(frozen=True)
class Sample:
    """Hold the measurements of one request, times in seconds. A sample with an `error` does not count."""

    target: str
    kind: str
    round: int
    words: int
    error: str = ""
    first: float = 0.0
    first_audible: float = 0.0
    total: float = 0.0
    audio: float = 0.0
    stall: float = 0.0
    cpu: float = 0.0  # CPU seconds of the target's processes
    others: float = 0.0  # cores that other processes used meanwhile: above a few tenths the times are unreliable


@dataclass(frozen=True)
class Load:
    """Hold the measurements of simultaneous clients, each of which sends again once answered."""

    target: str
    clients: int
    seconds: float
    samples: tuple[Sample, ...]


def make_text_kinds(rounds: int, long_rounds: int) -> list[TextKind]:
    """Return the kinds of text of a run, short ones first."""
    return [
        TextKind("greeting", lambda _: texts.GREETING, rounds, includes_slow=True),
        TextKind("sentence", lambda _: texts.SENTENCE, rounds, includes_slow=True),
        TextKind("short", texts.draw_short, rounds),
        TextKind("medium", texts.draw_medium, rounds),
        TextKind("long", texts.draw_long, long_rounds),
    ]


def measure_in_turns(
    targets: Sequence[BenchmarkTarget], kinds: Sequence[TextKind], voice: str, rng: random.Random, deadline: float
) -> Iterator[Sample]:
    """Yield samples: each round draws one text for all targets and starts with another target. Ends at `deadline`.

    The rotation keeps drift of the machine (heat, other work) from favoring one target.
    """
    turn = 0
    for kind in kinds:
        for round_ in range(kind.rounds):
            text = kind.draw(rng)
            turn += 1
            for speaker in rotate([s for s in targets if kind.includes_slow or not s.is_slow], turn):
                if time.monotonic() > deadline:
                    return
                yield measure_request(speaker, kind.name, round_, text, voice)


def measure_under_load(
    targets: Sequence[BenchmarkTarget], levels: Sequence[int], voice: str, rng: random.Random, deadline: float
) -> Iterator[Load]:
    """Yield a load test for each number of clients and each target that is not slow, on the same short texts."""
    for turn, clients in enumerate(levels):
        asked = [texts.draw_short(rng) for _ in range(max(MIN_REQUESTS, REQUESTS_PER_CLIENT * clients))]
        for speaker in rotate([s for s in targets if not s.is_slow], turn):
            if time.monotonic() > deadline:
                return
            yield measure_load(speaker, clients, asked, voice)


def measure_load(target: BenchmarkTarget, clients: int, request_texts: Sequence[str], voice: str) -> Load:
    """Request all the texts with so many simultaneous clients."""

    def one(text: str) -> Sample:
        return measure_request(target, f"load {clients}", 0, text, voice)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        samples = tuple(pool.map(one, request_texts))
    return Load(target.name, clients, time.perf_counter() - began, samples)


def measure_request(target: BenchmarkTarget, kind: str, round_: int, text: str, voice: str) -> Sample:
    """Send one request and measure it; a failure becomes a sample with an `error`."""
    words = texts.count_words(text)
    began, before, busy = time.perf_counter(), target.get_cpu_seconds(), get_busy_seconds()
    try:
        answer = target.synthesize(text, voice)
    except NoAudioError as exc:
        return Sample(target.name, kind, round_, words, error=str(exc))
    cpu = target.get_cpu_seconds() - before
    others = max(0.0, get_busy_seconds() - busy - cpu) / (time.perf_counter() - began)
    return make_sample(target.name, kind, round_, words, answer, cpu, others)


def make_sample(
    target: str, kind: str, round_: int, words: int, answer: TimedAnswer, cpu: float, others: float
) -> Sample:
    return Sample(
        target,
        kind,
        round_,
        words,
        error=find_speech_problem(answer.sound, words),
        first=answer.first_byte,
        first_audible=answer.first_audible,
        total=answer.total,
        audio=answer.sound.seconds,
        stall=answer.longest_underrun,
        cpu=cpu,
        others=others,
    )


def get_busy_seconds() -> float:
    """Return the CPU seconds that the machine has spent on other processes than this one since it started."""
    times, mine = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) - mine.user - mine.system)


def rotate(targets: Sequence[BenchmarkTarget], turn: int) -> list[BenchmarkTarget]:
    """Return the targets, starting with another one each turn."""
    start = turn % len(targets) if targets else 0
    return [*targets[start:], *targets[:start]]
