"""Measure the targets in turns on the same new texts: one request at a time, then under load."""

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import psutil

from benchmarks import texts
from benchmarks.answers import Answer, NoAnswer, doubt
from benchmarks.servers import Speaker

REQUESTS_A_CLIENT = 2
FEWEST_REQUESTS = 4  # at one level of clients


@dataclass(frozen=True)
class Kind:
    """Describe a kind of text, its number of rounds, and whether slow targets take part."""

    name: str
    draw: texts.Draw
    rounds: int
    slow_too: bool = False


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


def kinds(rounds: int, long_rounds: int) -> list[Kind]:
    """Return the kinds of text of a run, short ones first."""
    return [
        Kind("greeting", lambda _: texts.GREETING, rounds, slow_too=True),
        Kind("sentence", lambda _: texts.SENTENCE, rounds, slow_too=True),
        Kind("short", texts.short, rounds),
        Kind("medium", texts.medium, rounds),
        Kind("long", texts.long, long_rounds),
    ]


def take_turns(
    speakers: Sequence[Speaker], asked: Sequence[Kind], voice: str, rng: random.Random, deadline: float
) -> Iterator[Sample]:
    """Yield samples: each round draws one text for all targets and starts with another target. Ends at `deadline`.

    The rotation keeps drift of the machine (heat, other work) from favoring one target.
    """
    turn = 0
    for kind in asked:
        for round_ in range(kind.rounds):
            text = kind.draw(rng)
            turn += 1
            for speaker in rotated([s for s in speakers if kind.slow_too or not s.slow], turn):
                if time.monotonic() > deadline:
                    return
                yield ask(speaker, kind.name, round_, text, voice)


def under_load(
    speakers: Sequence[Speaker], levels: Sequence[int], voice: str, rng: random.Random, deadline: float
) -> Iterator[Load]:
    """Yield a load test for each number of clients and each target that is not slow, on the same short texts."""
    for turn, clients in enumerate(levels):
        asked = [texts.short(rng) for _ in range(max(FEWEST_REQUESTS, REQUESTS_A_CLIENT * clients))]
        for speaker in rotated([s for s in speakers if not s.slow], turn):
            if time.monotonic() > deadline:
                return
            yield load(speaker, clients, asked, voice)


def load(speaker: Speaker, clients: int, asked: Sequence[str], voice: str) -> Load:
    """Request all the texts with so many simultaneous clients."""

    def one(text: str) -> Sample:
        return ask(speaker, f"load {clients}", 0, text, voice)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        samples = tuple(pool.map(one, asked))
    return Load(speaker.name, clients, time.perf_counter() - began, samples)


def ask(speaker: Speaker, kind: str, round_: int, text: str, voice: str) -> Sample:
    """Send one request and measure it; a failure becomes a sample with an `error`."""
    words = texts.count_words(text)
    began, before, busy = time.perf_counter(), speaker.cpu(), busy_seconds()
    try:
        answer = speaker.speak(text, voice)
    except NoAnswer as exc:
        return Sample(speaker.name, kind, round_, words, error=str(exc))
    cpu = speaker.cpu() - before
    others = max(0.0, busy_seconds() - busy - cpu) / (time.perf_counter() - began)
    return sampled(speaker.name, kind, round_, words, answer, cpu, others)


def sampled(target: str, kind: str, round_: int, words: int, answer: Answer, cpu: float, others: float) -> Sample:
    return Sample(
        target,
        kind,
        round_,
        words,
        error=doubt(answer.sound, words),
        first=answer.first,
        first_audible=answer.first_audible,
        total=answer.total,
        audio=answer.sound.seconds,
        stall=answer.stall,
        cpu=cpu,
        others=others,
    )


def busy_seconds() -> float:
    """Return the CPU seconds that the machine has spent on other processes than this one since it started."""
    times, mine = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) - mine.user - mine.system)


def rotated(speakers: Sequence[Speaker], turn: int) -> list[Speaker]:
    """Return the targets, starting with another one each turn."""
    start = turn % len(speakers) if speakers else 0
    return [*speakers[start:], *speakers[:start]]
