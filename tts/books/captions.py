"""Captions of a spoken book as WebVTT: short lines, shown while they are heard."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from tts.books.book import Chapter
from tts.books.jobs import Manner, Segment
from tts.speech.audio import SAMPLE_RATE
from tts.speech.text import Sizes, Utterance, utterances

LINE = 42
"""Characters a line, and two lines a caption: what subtitles usually keep to."""
SHORTEST = 0.1
"""Seconds a caption stays at least."""


def captions(chapters: Sequence[Chapter], segments: Iterable[Segment], manner: Manner) -> Iterator[str]:
    """The file, piece by piece; a cue never runs over the end of a segment. Format: www.w3.org/TR/webvtt1."""
    yield "WEBVTT\n\n"
    before = 0
    for segment in segments:
        place = segment.passage
        text = chapters[place.chapter].text[place.start : place.end]
        for piece in utterances(manner.request(text), Sizes(2 * LINE, 2 * LINE)):
            times = _times(piece, segment, len(text))
            if times is not None and piece.text.strip():
                yield _cue(piece.text, *(seconds + before / SAMPLE_RATE for seconds in times))
        before += segment.samples


def _times(piece: Utterance, segment: Segment, characters: int) -> tuple[float, float] | None:
    """When a piece of the segment's text is heard: by its words, or by its share of the text where none are known."""
    end = piece.start + len(piece.text)
    if not segment.words:
        second = segment.samples / SAMPLE_RATE / characters
        return piece.start * second, end * second
    spoken = [word for word in segment.words if piece.start <= word.start < end]
    return (spoken[0].start_time, spoken[-1].end_time) if spoken else None


def _cue(text: str, begins: float, ends: float) -> str:
    lines = "\n".join(textwrap.wrap(text, LINE, break_on_hyphens=False))
    safe = html.escape(lines, quote=False)
    return f"{_clock(begins)} --> {_clock(max(ends, begins + SHORTEST))}\n{safe}\n\n"


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
