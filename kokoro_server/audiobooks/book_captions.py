"""Render the captions of an audiobook as WebVTT or SubRip.

Each segment stores its words by characters of the segment's text and seconds of the segment's audio. They are shifted
to characters of the joined chapters and seconds of the whole audiobook before the text is cut into cues.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from kokoro_server.audio.samples import SAMPLE_RATE, Word
from kokoro_server.audiobooks.formats.book import Chapter
from kokoro_server.audiobooks.jobs import Segment
from kokoro_server.synthesis.captions import render_captions

CHAPTER_SEPARATOR = "\n\n"
"""Separator between chapters in the text that is cut into cues."""


def render_book_captions(chapters: Sequence[Chapter], segments: Sequence[Segment], kind: str) -> str:
    """Return the captions of the segments as `kind`: vtt or srt.

    `segments` are in order from the first one of the book; where the last ones are missing, so are their captions.
    """
    return render_captions(
        CHAPTER_SEPARATOR.join(chapter.text for chapter in chapters), _place_words(chapters, segments), kind
    )


def _place_words(chapters: Sequence[Chapter], segments: Sequence[Segment]) -> Iterator[Word]:
    """Yield every word, in characters of the joined chapters and seconds of the whole audiobook."""
    offsets = [0]
    for chapter in chapters:
        offsets.append(offsets[-1] + len(chapter.text) + len(CHAPTER_SEPARATOR))
    before = 0  # samples of the segments so far
    for segment in segments:
        plan = segment.plan
        text = chapters[plan.chapter].text[plan.start : plan.end]
        for word in _time_words(segment, text):
            start = offsets[plan.chapter] + plan.start
            seconds = before / SAMPLE_RATE
            yield Word(
                word.text,
                *(start + word.start, start + word.end),
                *(seconds + word.start_time, seconds + word.end_time),
            )
        before += segment.samples


def _time_words(segment: Segment, text: str) -> Iterator[Word]:
    """Yield the segment's words; when the engine gave no times, spread them over the audio by character count."""
    for word in segment.words:
        yield Word(text[word.start : word.end], word.start, word.end, word.start_time, word.end_time)
    if segment.words:
        return
    second = segment.samples / SAMPLE_RATE / max(1, len(text))
    for match in re.finditer(r"\S+", text):
        start, end = match.span()
        yield Word(match[0], start, end, start * second, end * second)
