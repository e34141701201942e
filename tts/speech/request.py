"""What one client wants spoken: a SpeechRequest, checked once and never wrong afterwards."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tts.speech.errors import BadRequest
from tts.speech.voices import Voice

MIN_SPEED, MAX_SPEED = 0.25, 4.0
"""OpenAI's range, as a factor of the voice's own pace."""

# C0 and C1 controls other than tab, line feed, form feed and carriage return, and lone surrogates: no text has a
# reason to hold them, and some of what lies behind (files, C strings) breaks on them.
_UNSPEAKABLE = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class SpeechRequest:
    """A text to be spoken and how; `text` is as the client sent it, `language` a Kokoro letter."""

    text: str
    voice: Voice
    language: str
    speed: float = 1.0
    normalize: bool = True
    """Read numbers, dates, abbreviations and marks as a person would, rather than letter by letter."""
    phonemes: bool = False
    """`text` is phonemes already."""
    rest: float = 0.0
    """Seconds of rest after the last word, for a text that goes on in another request; 0 is the usual short end."""
    background: bool = False
    """Nobody listens while it is made: those who do go first, and no first utterance is short to be heard soon."""


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
