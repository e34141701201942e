"""What one client wants spoken: a SpeechRequest, checked once and never wrong afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from tts.speech.errors import BadRequest
from tts.speech.voices import Voice

MIN_SPEED, MAX_SPEED = 0.25, 4.0
"""OpenAI's range, as a factor of the voice's own pace."""

WORD_JOINER = "\u2060"
_BETWEEN_WORDS = re.compile(rf"(?<=\w){WORD_JOINER}+(?=\w)")

LAST_REST = 0.1
"""Seconds of rest after the last word of a request."""

# C0 and C1 controls other than tab, line feed, form feed and carriage return, and lone surrogates: no text has a
# reason to hold them, and some of what lies behind (files, C strings) breaks on them.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class Run:
    """Text to be read, for the characters `start:end` of the text as sent: one for one where the lengths are equal,
    else as a whole. `phonemes` replace its reading."""

    text: str
    start: int
    end: int
    phonemes: str = ""

    @property
    def plain(self) -> bool:
        """Whether it may be cut: its characters are those of the text as sent."""
        return not self.phonemes and len(self.text) == self.end - self.start

    def moved(self, offset: int) -> Run:
        """The same run in a longer text that has `offset` characters before it."""
        return replace(self, start=self.start + offset, end=self.end + offset)


@dataclass(frozen=True)
class Manner:
    """How a passage is spoken: `rate` is a factor of the request's speed, `gain` one of the samples."""

    voice: Voice
    language: str
    rate: float = 1.0
    gain: float = 1.0


@dataclass(frozen=True)
class Passage:
    """Runs spoken in one manner, and `pause`, the seconds of rest after them; 0 leaves it to their last mark."""

    runs: tuple[Run, ...]
    manner: Manner
    pause: float = 0.0

    @property
    def text(self) -> str:
        return "".join(run.text for run in self.runs)


@dataclass(frozen=True)
class SpeechRequest:
    """A text to be spoken and how; `text` is as the client sent it, `language` a Kokoro letter.

    `marked` are the passages that its marks make of it; a text without marks needs none.
    """

    text: str
    voice: Voice
    language: str
    speed: float = 1.0
    normalize: bool = True
    """Read numbers, dates, abbreviations and marks as a person would, rather than letter by letter."""
    emoji: bool = True
    """Say what emoji are called; without it they are silent."""
    phonemes: bool = False
    """`text` is phonemes already."""
    pronunciations: tuple[tuple[str, str], ...] = ()
    """Written words and what to say for them: /phonemes/ or a respelling."""
    marked: tuple[Passage, ...] = ()
    rest: float = LAST_REST
    """Seconds of rest after the last word: more for a text that goes on in another request."""
    background: bool = False
    """Nobody listens while it is made: those who do go first, and no first utterance is short to be heard soon."""

    @property
    def passages(self) -> tuple[Passage, ...]:
        whole = Passage((Run(self.text, 0, len(self.text)),), Manner(self.voice, self.language))
        return self.marked or (whole,)

    @property
    def unmarked(self) -> str:
        """The text as a reader sees it, each character in its place: word joiners, which show nothing, stand for marks,
        and a space for one between two words."""
        shown = [WORD_JOINER] * len(self.text)
        for run in (run for passage in self.passages for run in passage.runs):
            size = run.end - run.start
            seen = run.text if len(run.text) <= size else self.text[run.start : run.end]
            shown[run.start : run.end] = seen.ljust(size, WORD_JOINER)
        return _BETWEEN_WORDS.sub(lambda found: " " + found[0][1:], "".join(shown))


@dataclass(frozen=True)
class Pronunciation:
    """How a text is read: its phonemes, and the network's ids of them with a 0 at both ends."""

    phonemes: str
    tokens: tuple[int, ...]


def printable(text: str) -> str:
    """`text` without the characters that `check_text` refuses."""
    return _UNSPEAKABLE.sub("", text)


def check_text(text: str, longest: int, field: str = "text") -> str:
    """`text` itself when it can be spoken. Raises BadRequest when it is blank, longer than `longest` characters,
    or holds control characters or lone surrogates."""
    if not text.strip():
        raise BadRequest(f"{field} is empty: expected something to say.", field, text, f"1 to {longest} characters")
    if len(text) > longest:
        raise BadRequest(
            f"{field} has {len(text)} characters: expected at most {longest}.",
            field,
            text,
            f"1 to {longest} characters",
        )
    bad = _UNSPEAKABLE.search(text)
    if bad:
        raise BadRequest(
            f"{field} holds the character U+{ord(bad[0]):04X} at position {bad.start()}: expected no control "
            "characters and no lone surrogates.",
            field,
            bad[0],
            "printable text",
        )
    return text


def check_speed(speed: float, field: str = "speed") -> float:
    """`speed` itself when it is in range. Raises BadRequest, for NaN too."""
    if not MIN_SPEED <= speed <= MAX_SPEED:
        allowed = f"{MIN_SPEED} to {MAX_SPEED}"
        raise BadRequest(f"{field} is {speed}: expected a number from {allowed}.", field, speed, allowed)
    return speed
