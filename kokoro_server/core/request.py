"""Define the validated request for speech and its parts; all objects are frozen.

A SpeechRequest consists of SpeechSegments, one for each stretch of text with the same Prosody; a segment consists of
TextSpans, which map its text to character ranges of the text as sent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Language
from kokoro_server.core.voices import Voice

MIN_SPEED, MAX_SPEED = 0.25, 4.0
"""Range of the speed as a factor of the voice's own pace; the same as in OpenAI's API."""

WORD_JOINER = "\u2060"
"""Invisible character that fills the places of tags in `SpeechRequest.visible_text`."""
# Joiners between two word characters: a tag stood there without white space around it.
_BETWEEN_WORDS = re.compile(rf"(?<=\w){WORD_JOINER}+(?=\w)")

FINAL_PAUSE = 0.1
"""Default seconds of silence after the last word of a request."""

# C0 and C1 controls other than tab, line feed, form feed, carriage return and NEL, lone surrogates, and two
# noncharacters: no text needs them, and files and C strings break on some of them.
_FORBIDDEN_CHARACTERS = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True)
class TextSpan:
    """Map a text to speak to the half-open character range `start:end` of the text as sent.

    If `text` is as long as the range, character i of it stands for character start + i; otherwise all of it stands for
    the whole range. Non-empty `phonemes` are spoken instead of `text`.
    """

    text: str
    start: int
    end: int
    phonemes: str = ""

    @property
    def is_verbatim(self) -> bool:
        """Return whether the characters map one to one to the text as sent, so that the span may be split."""
        return not self.phonemes and len(self.text) == self.end - self.start

    def with_offset(self, offset: int) -> TextSpan:
        """Return the span for a source text that has `offset` more characters before it."""
        return replace(self, start=self.start + offset, end=self.end + offset)


@dataclass(frozen=True)
class Prosody:
    """Say how a segment is spoken.

    `rate` multiplies the request's speed, `gain` the samples (1.0 changes nothing).
    """

    voice: Voice
    language: Language
    rate: float = 1.0
    gain: float = 1.0


@dataclass(frozen=True)
class SpeechSegment:
    """Hold spans with the same prosody, and the seconds of pause after them; 0 means by the last punctuation mark."""

    spans: tuple[TextSpan, ...]
    prosody: Prosody
    pause: float = 0.0

    @property
    def text(self) -> str:
        """Return the text to speak, without tags."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True)
class SpeechRequest:
    """Hold a text as the client sent it, and how to speak it.

    `speed` is a factor between MIN_SPEED and MAX_SPEED. `tagged_segments` is the result of parsing SSML or inline tags;
    it is empty for a text without tags.
    """

    text: str
    voice: Voice
    language: Language
    speed: float = 1.0
    normalize: bool = True
    """Expand numbers, dates, abbreviations and symbols to words before phonemization."""
    emoji: bool = True
    """Speak the names of emoji; otherwise they are silent."""
    is_phonemes: bool = False
    """Take `text` as phonemes."""
    pronunciations: tuple[tuple[str, str], ...] = ()
    """Pairs of a written word and its pronunciation: /phonemes/ or a respelling."""
    tagged_segments: tuple[SpeechSegment, ...] = ()
    final_pause: float = FINAL_PAUSE
    """Seconds of silence after the last word; longer for a text that continues in another request."""
    is_background: bool = False
    """Give interactive requests priority over this one, and do not shorten its first utterance for low latency."""

    @property
    def segments(self) -> tuple[SpeechSegment, ...]:
        """Return the segments of the text; a text without tags is one segment."""
        # One segment for all: its only span is the text itself.
        whole = SpeechSegment((TextSpan(self.text, 0, len(self.text)),), Prosody(self.voice, self.language))
        return self.tagged_segments or (whole,)

    @property
    def visible_text(self) -> str:
        """Return the text as a reader sees it, as long as `text` and with each character at its own offset.

        Word joiners, which are invisible, replace the tags; a space replaces the first of those between two words.
        Example: "a[pause:1s]b" becomes "a", a space, nine word joiners, "b".
        """
        shown = [WORD_JOINER] * len(self.text)
        for span in (span for segment in self.segments for span in segment.spans):
            size = span.end - span.start
            # A replacement longer than its source (<sub alias>) does not fit: show the source.
            seen = span.text if len(span.text) <= size else self.text[span.start : span.end]
            shown[span.start : span.end] = seen.ljust(size, WORD_JOINER)
        return _BETWEEN_WORDS.sub(lambda found: " " + found[0][1:], "".join(shown))


@dataclass(frozen=True)
class Phonemization:
    """Hold the phonemes of a text, and the network's token ids (1 to 177) of them with a 0 at both ends."""

    phonemes: str
    tokens: tuple[int, ...]


def remove_forbidden_characters(text: str) -> str:
    """Return `text` without the characters that `check_text` rejects."""
    return _FORBIDDEN_CHARACTERS.sub("", text)


def check_text(text: str, max_length: int, field: str = "text") -> str:
    """Return `text` unchanged if it can be spoken.

    Raises BadRequest if it is blank, longer than `max_length` characters, or contains control characters or lone
    surrogates.
    """
    if not text.strip():
        raise BadRequest(f"{field} is empty: expected something to say.", field, text, f"1 to {max_length} characters")
    if len(text) > max_length:
        raise BadRequest(
            f"{field} has {len(text)} characters: expected at most {max_length}.",
            field,
            text,
            f"1 to {max_length} characters",
        )
    bad = _FORBIDDEN_CHARACTERS.search(text)
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
    """Return `speed` unchanged if it is from MIN_SPEED to MAX_SPEED. Raises BadRequest otherwise, also for NaN."""
    if not MIN_SPEED <= speed <= MAX_SPEED:
        allowed = f"{MIN_SPEED} to {MAX_SPEED}"
        raise BadRequest(f"{field} is {speed}: expected a number from {allowed}.", field, speed, allowed)
    return speed
