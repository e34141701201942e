"""Captions of speech: the words of a sound as WebVTT or SubRip."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tts.speech.audio import Word
from tts.speech.request import WORD_JOINER
from tts.speech.sentences import Strength, boundaries

LONGEST_CUE = 84
"""Characters on the screen at once: two lines of 42, as broadcasters have it."""

CAPTION_TYPES = {"vtt": "text/vtt", "srt": "application/x-subrip"}
"""Content types of the two kinds of captions."""


@dataclass(frozen=True)
class Cue:
    """A line of captions, shown from `start` to `end` seconds."""

    text: str
    start: float
    end: float


def cues(text: str, words: Iterable[Word]) -> Iterator[Cue]:
    """The text as it was sent, cut at its sentences and clauses, each piece shown while its words are spoken."""
    pending: list[Word] = []
    ends = _cue_ends(text)
    end = next(ends, len(text))
    start = 0
    for word in words:
        while word.start >= end:
            if pending:
                yield _cue(text[start:end], pending)
            pending, start, end = [], end, next(ends, len(text))
        pending.append(word)
    if pending:
        yield _cue(text[start:], pending)


def _cue_ends(text: str) -> Iterator[int]:
    """Where the cues end: at every sentence, and at the best place before one gets too long."""
    start, best = 0, None
    for place in boundaries(text):
        if place.end - start > LONGEST_CUE and best is not None:
            yield best.end
            start, best = best.end, None
        if place.strength >= Strength.SENTENCE:
            yield place.end
            start, best = place.end, None
        elif best is None or place.strength >= best.strength:
            best = place


def _cue(text: str, words: list[Word]) -> Cue:
    return Cue(" ".join(text.replace(WORD_JOINER, "").split()), words[0].start_time, words[-1].end_time)


def captions(text: str, words: Iterable[Word], kind: str) -> str:
    """The captions of `text` in `kind`, vtt (W3C WebVTT) or srt (SubRip)."""
    comma = "," if kind == "srt" else "."
    lines = ["WEBVTT", ""] if kind == "vtt" else []
    for number, cue in enumerate(cues(text, words), 1):
        # WebVTT reads & and < as its own marks, and --> parts the times in both
        shown = cue.text.replace("&", "&amp;").replace("<", "&lt;") if kind == "vtt" else cue.text
        times = f"{_clock(cue.start, comma)} --> {_clock(cue.end, comma)}"
        lines += [str(number), times, shown.replace("-->", "→"), ""]
    return "\n".join(lines)


def _clock(seconds: float, comma: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{comma}{rest % 1000:03}"
