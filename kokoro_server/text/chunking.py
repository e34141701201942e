"""Plan a request: split its text into utterances, each of which an engine synthesizes in one call.

The first utterance is short, so that audio starts early; each of the next may be `growth` times longer, up to
`longest`. Within these limits `plan_utterances` splits each segment greedily:

1. List the boundaries that fit within the limit from the start of the utterance.
2. Take the end of the first paragraph among them. Otherwise take the last of the strongest boundaries, but none in the
   first quarter of the limit.
3. If that boundary is inside a clause, and the rest of the segment is one sentence that fits within the next limit in
   all, take the rest too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kokoro_server.core.languages import Language
from kokoro_server.core.request import MAX_SPEED, MIN_SPEED, SpeechRequest, SpeechSegment, TextSpan
from kokoro_server.core.voices import Voice
from kokoro_server.text.segmentation import Boundary, Strength, find_boundaries

BOUNDARY_PAUSES = {
    Strength.PARAGRAPH: 0.5,
    Strength.SENTENCE: 0.3,
    Strength.CLAUSE: 0.18,
    Strength.PHRASE: 0.06,
    Strength.WORD: 0.04,
    Strength.LETTER: 0.0,
}
"""Seconds of pause after an utterance at speed 1, by its last boundary: the pauses of the voices inside one."""

PHONEME_DENSITY = {Language.JAPANESE: 2.5, Language.MANDARIN: 3.5, Language.HINDI: 1.3}
"""Phonemes per character relative to English (1.0), by language; divides the limits in characters."""


@dataclass(frozen=True)
class UtteranceSizes:
    """Limit the length of utterances in English characters: the first, the longest, and the growth between two."""

    first: int = 50
    longest: int = 280
    growth: float = 1.8


@dataclass(frozen=True)
class Utterance:
    """Hold what a worker synthesizes in one call, and the seconds of pause after it; without spans it is a pause alone.

    `speed` is a factor from MIN_SPEED to MAX_SPEED, `gain` a factor of the samples. The other fields are as in
    SpeechRequest. It crosses process borders as JSON: `dataclasses.asdict` and `from_json`.
    """

    spans: tuple[TextSpan, ...]
    voice: Voice
    language: Language
    speed: float = 1.0
    pause: float = 0.0
    gain: float = 1.0
    normalize: bool = True
    emoji: bool = True
    is_phonemes: bool = False
    pronunciations: tuple[tuple[str, str], ...] = ()
    request_id: str = ""
    """Id of its request in the log."""
    is_background: bool = False

    @property
    def text(self) -> str:
        """Return the text of all spans."""
        return "".join(span.text for span in self.spans)

    @property
    def start(self) -> int:
        """Return the offset of its first span in the text as sent; 0 for a pause."""
        return self.spans[0].start if self.spans else 0

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Utterance:
        """Restore an utterance from `dataclasses.asdict` after a round trip through JSON."""
        return cls(
            **{
                **fields,
                "language": Language(fields["language"]),
                "spans": tuple(TextSpan(**span) for span in fields["spans"]),
                "voice": Voice(tuple((name, weight) for name, weight in fields["voice"]["parts"])),
                "pronunciations": tuple((word, pronunciation) for word, pronunciation in fields["pronunciations"]),
            }
        )


def plan_utterances(request: SpeechRequest, sizes: UtteranceSizes) -> list[Utterance]:
    """Split a request into utterances, in order, at the best boundaries that `sizes` allow.

    Segments of white space alone without a pause are dropped; all other text is kept.
    """
    # A background request needs no early audio, so its first utterance may be as long as any.
    limit = float(sizes.longest if request.is_background else sizes.first)
    planned = []
    for number, segment in enumerate(request.segments, 1):
        is_last = number == len(request.segments)
        ends = list(_find_split_points(segment.text, sizes, limit, PHONEME_DENSITY.get(segment.prosody.language, 1.0)))
        start = 0
        for end, strength in ends:
            limit = min(sizes.longest, limit * sizes.growth)  # the next segment goes on with it
            is_end = end == len(segment.text)
            rest = BOUNDARY_PAUSES[strength] / request.speed if not is_end else _choose_pause(segment, request, is_last)
            planned.append(_make_utterance(request, segment, start, end, rest))
            start = end
        # A pause without text: an utterance without spans.
        if not ends and segment.pause:
            planned.append(_make_utterance(request, segment, 0, 0, segment.pause))
    return planned


def _make_utterance(request: SpeechRequest, segment: SpeechSegment, start: int, end: int, pause: float) -> Utterance:
    """Make the utterance of the characters `start:end` of a segment."""
    return Utterance(
        spans=tuple(_slice_spans(segment.spans, start, end)),
        voice=segment.prosody.voice,
        language=segment.prosody.language,
        speed=min(MAX_SPEED, max(MIN_SPEED, request.speed * segment.prosody.rate)),
        pause=pause,
        gain=segment.prosody.gain,
        normalize=request.normalize,
        emoji=request.emoji,
        is_phonemes=request.is_phonemes,
        pronunciations=request.pronunciations,
        is_background=request.is_background,
    )


def _slice_spans(spans: Sequence[TextSpan], start: int, end: int) -> Iterator[TextSpan]:
    """Yield the parts of spans in `start:end` of their joined text; one that must not be split goes where it begins."""
    at = 0
    for span in spans:
        size = len(span.text)
        first, last = max(0, start - at), min(size, end - at)  # the overlap, relative to the span
        if span.is_verbatim and first < last:
            yield TextSpan(span.text[first:last], span.start + first, span.start + last)
        elif not span.is_verbatim and start <= at < end:
            yield span
        at += size


def _choose_pause(segment: SpeechSegment, request: SpeechRequest, is_last: bool) -> float:
    """Return the seconds of pause after a segment: those of its tag, or by its last punctuation mark."""
    if segment.pause:
        return segment.pause
    if is_last:
        return request.final_pause
    # A capital word stands for the next segment, so that the boundary before it shows how the segment ends.
    after = find_boundaries(segment.text.rstrip() + " A")
    return BOUNDARY_PAUSES[after[-2].strength if len(after) > 1 else Strength.WORD] / request.speed


def _find_split_points(
    text: str, sizes: UtteranceSizes, limit: float, density: float
) -> Iterator[tuple[int, Strength]]:
    """Yield (end offset, strength) of every utterance of a segment; none if the segment is white space alone."""
    places = find_boundaries(text) if text.strip() else []
    start, at = 0, 0  # start: offset of the utterance; at: index of the first boundary after it
    while at < len(places):
        # places[at : last + 1] are the boundaries within reach, or the first one if it is beyond.
        reach = start + limit / density
        last = at
        while last + 1 < len(places) and places[last + 1].end <= reach:
            last += 1
        chosen = at + _choose_boundary(places[at : last + 1], start, limit / density)
        limit = min(sizes.longest, limit * sizes.growth)
        # A split inside a clause is audible; avoid it if one somewhat longer utterance takes the rest.
        if places[chosen].strength < Strength.CLAUSE and _is_short_remainder(places, chosen, start + limit / density):
            chosen = len(places) - 1
        yield places[chosen].end, places[chosen].strength
        start, at = places[chosen].end, chosen + 1


def _is_short_remainder(places: list[Boundary], at: int, reach: float) -> bool:
    """Return whether the rest of the segment up to `reach` is the end of one sentence, which need not be split."""
    return places[-1].end <= reach and all(place.strength < Strength.SENTENCE for place in places[at:-1])


def _choose_boundary(places: list[Boundary], start: int, limit: float) -> int:
    """Return the index of the boundary to split at.

    That is the first paragraph's end, else the last of the strongest boundaries after a quarter of the limit.
    """
    for index, place in enumerate(places):
        if place.strength is Strength.PARAGRAPH:
            return index
    # A strong boundary right at the start would make a tiny utterance.
    late = [i for i, place in enumerate(places) if place.end - start >= limit / 4] or [len(places) - 1]
    return max(late, key=lambda i: (places[i].strength, places[i].end))
