"""Captions of a spoken book: its words, timed from the beginning of the whole, as WebVTT or SubRip."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tts.books.book import Chapter
from tts.books.jobs import Segment
from tts.speech.audio import SAMPLE_RATE, Word
from tts.speech.captions import captions

GAP = "\n\n"
"""What stands between chapters in the text that captions are cut from."""


def book_captions(chapters: Sequence[Chapter], segments: Sequence[Segment], kind: str) -> str:
    """The captions of what the segments say, in `kind`: vtt or srt."""
    return captions(GAP.join(chapter.text for chapter in chapters), _words(chapters, segments), kind)


def _words(chapters: Sequence[Chapter], segments: Sequence[Segment]) -> Iterator[Word]:
    """Every word: characters of the joined chapters, seconds of the whole sound."""
    offsets = [0]
    for chapter in chapters:
        offsets.append(offsets[-1] + len(chapter.text) + len(GAP))
    before = 0
    for segment in segments:
        place = segment.portion
        text = chapters[place.chapter].text[place.start : place.end]
        for word in _timed(segment, text):
            start = offsets[place.chapter] + place.start
            seconds = before / SAMPLE_RATE
            yield Word(
                word.text,
                *(start + word.start, start + word.end),
                *(seconds + word.start_time, seconds + word.end_time),
            )
        before += segment.samples


def _timed(segment: Segment, text: str) -> Iterator[Word]:
    """The segment's words; where the engine tells no times, each gets its share of the sound by its characters."""
    for word in segment.words:
        yield Word(text[word.start : word.end], word.start, word.end, word.start_time, word.end_time)
    if segment.words:
        return
    second = segment.samples / SAMPLE_RATE / max(1, len(text))
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        yield Word(match[0], start, end, start * second, end * second)
