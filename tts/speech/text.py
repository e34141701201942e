"""Cuts a request's text into utterances: what an engine speaks in one go, the first short, the next growing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tts.speech.request import MAX_SPEED, MIN_SPEED, Passage, Run, SpeechRequest
from tts.speech.sentences import Boundary, Strength, boundaries
from tts.speech.voices import Voice

RESTS = {
    Strength.PARAGRAPH: 0.5,
    Strength.SENTENCE: 0.3,
    Strength.CLAUSE: 0.18,
    Strength.PHRASE: 0.06,
    Strength.WORD: 0.04,
    Strength.LETTER: 0.0,
}
"""Seconds of rest after an utterance at speed 1, by what it ends with: what the voices themselves leave inside one."""

DENSITY = {"j": 2.5, "z": 3.5, "h": 1.3}
"""Phonemes a character beside English: a language that writes more with one gets fewer in an utterance."""


@dataclass(frozen=True)
class Sizes:
    """How long utterances may be, in characters of English: the first one, and the longest after `growth`."""

    first: int = 50
    longest: int = 280
    growth: float = 1.8


@dataclass(frozen=True)
class Utterance:
    """What one worker speaks in one go, and `rest`, the seconds of silence after it. Without text it is a pause."""

    runs: tuple[Run, ...]
    voice: Voice
    language: str
    speed: float = 1.0
    rest: float = 0.0
    gain: float = 1.0
    normalize: bool = True
    emoji: bool = True
    phonemes: bool = False
    pronunciations: tuple[tuple[str, str], ...] = ()
    request_id: str = ""
    """What the log calls the request that it belongs to."""
    background: bool = False

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)

    @property
    def start(self) -> int:
        """Its place in the text as sent."""
        return self.runs[0].start if self.runs else 0

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Utterance:
        """The utterance whose `dataclasses.asdict` went through JSON."""
        return cls(
            **{
                **fields,
                "runs": tuple(Run(**run) for run in fields["runs"]),
                "voice": Voice(tuple((name, weight) for name, weight in fields["voice"]["parts"])),
                "pronunciations": tuple((word, said) for word, said in fields["pronunciations"]),
            }
        )


def utterances(request: SpeechRequest, sizes: Sizes) -> list[Utterance]:
    """The request's text in order, nothing dropped, cut at the best boundaries that `sizes` allow."""
    limit = float(sizes.longest if request.background else sizes.first)
    made = []
    for number, passage in enumerate(request.passages, 1):
        last = number == len(request.passages)
        pieces = list(_cuts(passage.text, sizes, limit, DENSITY.get(passage.manner.language, 1.0)))
        start = 0
        for end, strength in pieces:
            limit = min(sizes.longest, limit * sizes.growth)
            at_end = end == len(passage.text)
            rest = RESTS[strength] / request.speed if not at_end else _rest_after(passage, request, last)
            made.append(_utterance(request, passage, start, end, rest))
            start = end
        if not pieces and passage.pause:
            made.append(_utterance(request, passage, 0, 0, passage.pause))
    return made


def _utterance(request: SpeechRequest, passage: Passage, start: int, end: int, rest: float) -> Utterance:
    return Utterance(
        runs=tuple(_between(passage.runs, start, end)),
        voice=passage.manner.voice,
        language=passage.manner.language,
        speed=min(MAX_SPEED, max(MIN_SPEED, request.speed * passage.manner.rate)),
        rest=rest,
        gain=passage.manner.gain,
        normalize=request.normalize,
        emoji=request.emoji,
        phonemes=request.phonemes,
        pronunciations=request.pronunciations,
        background=request.background,
    )


def _between(runs: Sequence[Run], start: int, end: int) -> Iterator[Run]:
    """The runs that cover the characters `start:end` of their text; one that may not be cut goes where it begins."""
    at = 0
    for run in runs:
        size = len(run.text)
        first, last = max(0, start - at), min(size, end - at)
        if run.plain and first < last:
            yield Run(run.text[first:last], run.start + first, run.start + last)
        elif not run.plain and start <= at < end:
            yield run
        at += size


def _rest_after(passage: Passage, request: SpeechRequest, last: bool) -> float:
    """Seconds after a passage: what its mark wants, or what its last sign does."""
    if passage.pause:
        return passage.pause
    if last:
        return request.rest
    after = boundaries(passage.text.rstrip() + " A")
    return RESTS[after[-2].strength if len(after) > 1 else Strength.WORD] / request.speed


def _cuts(text: str, sizes: Sizes, limit: float, density: float) -> Iterator[tuple[int, Strength]]:
    """(its end, how good a place that is) of every utterance; white space alone is none."""
    places = boundaries(text) if text.strip() else []
    start, at = 0, 0
    while at < len(places):
        reach = start + limit / density
        last = at
        while last + 1 < len(places) and places[last + 1].end <= reach:
            last += 1
        chosen = at + _best(places[at : last + 1], start, limit / density)
        limit = min(sizes.longest, limit * sizes.growth)
        if places[chosen].strength < Strength.CLAUSE and _is_little(places, chosen, start + limit / density):
            chosen = len(places) - 1
        yield places[chosen].end, places[chosen].strength
        start, at = places[chosen].end, chosen + 1


def _is_little(places: list[Boundary], at: int, reach: float) -> bool:
    """Whether a little more room holds the rest, which then need not be broken inside a clause: one sentence's end."""
    return places[-1].end <= reach and all(place.strength < Strength.SENTENCE for place in places[at:-1])


def _best(places: list[Boundary], start: int, limit: float) -> int:
    """The index of the place to cut at: the first paragraph's end, else the last of the strongest, unless too early."""
    for index, place in enumerate(places):
        if place.strength is Strength.PARAGRAPH:
            return index
    late = [i for i, place in enumerate(places) if place.end - start >= limit / 4] or [len(places) - 1]
    return max(late, key=lambda i: (places[i].strength, places[i].end))
