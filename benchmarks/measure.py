"""The measurements: speakers take turns at the same new texts, first one request at a time."""

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
    """A kind of text, how often it is asked for, and whether slow speakers are asked too."""

    name: str
    draw: texts.Draw
    rounds: int
    slow_too: bool = False


@dataclass(frozen=True)
class Sample:
    """One request, times in seconds. It counts only without an `error`: what came is speech of that text."""

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
    cpu: float = 0.0  # of the speaker's processes
    others: float = 0.0  # cores that anything else used meanwhile: above a few tenths the times are not to be trusted


@dataclass(frozen=True)
class Load:
    """So many clients at once, each asking again when it was answered; `samples` are all their requests."""

    target: str
    clients: int
    seconds: float
    samples: tuple[Sample, ...]


def kinds(rounds: int, long_rounds: int) -> list[Kind]:
    """The texts of a run, quick ones first."""
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
    """Samples: in a round one text for all, in the next another speaker first. Ends at `deadline`."""
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
    """Each level of clients for each speaker that is not slow, the same short texts for all."""
    for turn, clients in enumerate(levels):
        asked = [texts.short(rng) for _ in range(max(FEWEST_REQUESTS, REQUESTS_A_CLIENT * clients))]
        for speaker in rotated([s for s in speakers if not s.slow], turn):
            if time.monotonic() > deadline:
                return
            yield load(speaker, clients, asked, voice)


def load(speaker: Speaker, clients: int, asked: Sequence[str], voice: str) -> Load:
    """All the texts, by so many clients at once."""

    def one(text: str) -> Sample:
        return ask(speaker, f"load {clients}", 0, text, voice)

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        samples = tuple(pool.map(one, asked))
    return Load(speaker.name, clients, time.perf_counter() - began, samples)


def ask(speaker: Speaker, kind: str, round_: int, text: str, voice: str) -> Sample:
    """One request, and what it was like."""
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
    """CPU time that the machine has spent on anything but itself being idle and this process."""
    times, mine = psutil.cpu_times(), psutil.Process().cpu_times()
    return float(times.user + times.system + getattr(times, "nice", 0.0) - mine.user - mine.system)


def rotated(speakers: Sequence[Speaker], turn: int) -> list[Speaker]:
    start = turn % len(speakers) if speakers else 0
    return [*speakers[start:], *speakers[:start]]
