"""Cuts a request's text into utterances: what an engine speaks in one go, the first short, the next growing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tts.speech.request import SpeechRequest
from tts.speech.sentences import Boundary, Strength, boundaries
from tts.speech.voices import Voice

RESTS = {
    Strength.PARAGRAPH: 0.5,
    Strength.SENTENCE: 0.3,
    Strength.CLAUSE: 0.18,
    Strength.WORD: 0.04,
    Strength.LETTER: 0.0,
}
"""Seconds of rest after an utterance at speed 1, by what it ends with: what the voices themselves leave inside one."""

DENSITY = {"j": 2.5, "z": 3.5, "h": 1.3}
"""Phonemes a character beside English: a language that writes more with one gets fewer in an utterance."""


@dataclass(frozen=True)
class Sizes:
    """How long utterances may be, in characters of English: the first one, and the longest after `growth`."""

    first: int = 60
    longest: int = 280
    growth: float = 1.8


@dataclass(frozen=True)
class Utterance:
    """What one worker speaks in one go. `start` is its place in the request's text, `rest` the seconds after it."""

    text: str
    voice: Voice
    language: str
    start: int = 0
    speed: float = 1.0
    rest: float = 0.0
    normalize: bool = True
    phonemes: bool = False

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Utterance:
        """The utterance whose `dataclasses.asdict` went through JSON."""
        voice = Voice(tuple((name, weight) for name, weight in fields["voice"]["parts"]))
        return cls(**{**fields, "voice": voice})


def utterances(request: SpeechRequest, sizes: Sizes) -> list[Utterance]:
    """The request's text in order, nothing dropped, cut at the best boundaries that `sizes` allow."""
    text = request.text
    if request.background:
        sizes = replace(sizes, first=sizes.longest)
    return [
        Utterance(
            text=text[start : boundary.end],
            voice=request.voice,
            language=request.language,
            start=start,
            speed=request.speed,
            rest=RESTS[boundary.strength] / request.speed if boundary.end < len(text) else request.rest,
            normalize=request.normalize,
            phonemes=request.phonemes,
        )
        for start, boundary in _cuts(text, sizes, DENSITY.get(request.language, 1.0))
    ]


def _cuts(text: str, sizes: Sizes, density: float) -> Iterator[tuple[int, Boundary]]:
    """(start, the boundary it ends at) of every utterance."""
    places = boundaries(text)
    start, at, limit = 0, 0, float(sizes.first)
    while at < len(places):
        reach = start + limit / density
        last = at
        while last + 1 < len(places) and places[last + 1].end <= reach:
            last += 1
        chosen = _best(places[at : last + 1], start, limit / density)
        yield start, places[at + chosen]
        start, at = places[at + chosen].end, at + chosen + 1
        limit = min(sizes.longest, limit * sizes.growth)


def _best(places: list[Boundary], start: int, limit: float) -> int:
    """The index of the place to cut at: the first paragraph's end, else the last of the strongest, unless too early."""
    for index, place in enumerate(places):
        if place.strength is Strength.PARAGRAPH:
            return index
    late = [i for i, place in enumerate(places) if place.end - start >= limit / 4] or [len(places) - 1]
    return max(late, key=lambda i: (places[i].strength, places[i].end))
