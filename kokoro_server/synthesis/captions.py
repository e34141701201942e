"""Format timed words as WebVTT or SubRip captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kokoro_server.audio.samples import Word
from kokoro_server.core.request import WORD_JOINER
from kokoro_server.text.segmentation import Strength, find_boundaries

MAX_CUE_CHARACTERS = 84
"""Maximum number of characters of a cue: two lines of 42, the usual limit of broadcasters."""

CAPTION_MEDIA_TYPES = {"vtt": "text/vtt", "srt": "application/x-subrip"}
"""Media types of the two caption formats."""


@dataclass(frozen=True)
class Cue:
    """Hold a caption's text and the seconds between which it is shown."""

    text: str
    start: float
    end: float


def split_into_cues(text: str, words: Iterable[Word]) -> Iterator[Cue]:
    """Split the text as sent at sentences and clauses into cues, each shown while its words are spoken.

    `words` are ordered, with spans in `text` and times from the start of the audio. Text before the first word of a
    cue, or without any word, gets no cue of its own.
    """
    pending: list[Word] = []
    ends = _find_cue_ends(text)
    end = next(ends, len(text))
    start = 0
    for word in words:
        # The word is beyond the present cue: emit that, and skip cues without words.
        while word.start >= end:
            if pending:
                yield _make_cue(text[start:end], pending)
            pending, start, end = [], end, next(ends, len(text))
        pending.append(word)
    if pending:
        yield _make_cue(text[start:], pending)


def _find_cue_ends(text: str) -> Iterator[int]:
    """Yield the end offsets of the cues: every sentence end, and the best boundary before a cue gets too long.

    The best boundary is the last one of the highest strength since the start of the cue.
    """
    start, best = 0, None
    for place in find_boundaries(text):
        # Too long up to here: end the cue at the best boundary before, if there is one.
        if place.end - start > MAX_CUE_CHARACTERS and best is not None:
            yield best.end
            start, best = best.end, None
        if place.strength >= Strength.SENTENCE:
            yield place.end
            start, best = place.end, None
        elif best is None or place.strength >= best.strength:
            best = place


def _make_cue(text: str, words: list[Word]) -> Cue:
    """Make a cue of a piece of text on one line, without word joiners, and the words spoken in it."""
    return Cue(" ".join(text.replace(WORD_JOINER, "").split()), words[0].start_time, words[-1].end_time)


def render_captions(text: str, words: Iterable[Word], kind: str) -> str:
    """Format the captions of `text` as `kind`: `vtt` (W3C WebVTT) or `srt` (SubRip)."""
    comma = "," if kind == "srt" else "."
    lines = ["WEBVTT", ""] if kind == "vtt" else []
    for number, cue in enumerate(split_into_cues(text, words), 1):
        # WebVTT reserves & and <; --> separates the times in both formats.
        shown = cue.text.replace("&", "&amp;").replace("<", "&lt;") if kind == "vtt" else cue.text
        times = f"{_format_time(cue.start, comma)} --> {_format_time(cue.end, comma)}"
        lines += [str(number), times, shown.replace("-->", "→"), ""]
    return "\n".join(lines)


def _format_time(seconds: float, decimal_mark: str) -> str:
    """Format seconds as HH:MM:SS and milliseconds after `decimal_mark`: 3661.5 -> 01:01:01.500."""
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{decimal_mark}{rest % 1000:03}"
