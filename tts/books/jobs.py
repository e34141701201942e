"""What a job is: a book on its way to being an audiobook."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from tts.speech.audio import FORMATS, SAMPLE_RATE, Format
from tts.speech.request import SpeechRequest
from tts.speech.voices import Voice

BOOK_FORMATS = {name: FORMATS[name] for name in ("wav", "mp3", "opus", "flac")} | {
    "m4b": Format("m4b", "audio/mp4", "m4b"),
}
DEFAULT_FORMAT = "m4b"

_ID = re.compile(r"[0-9a-f]{32}")


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self in (State.DONE, State.FAILED, State.CANCELLED)


@dataclass(frozen=True)
class Narration:
    """How a book is spoken; `language` is a Kokoro letter."""

    voice: Voice
    language: str
    speed: float = 1.0
    normalize: bool = True
    pronunciations: tuple[tuple[str, str], ...] = ()
    emoji: bool = True

    def request(self, text: str, rest: float = 0.0) -> SpeechRequest:
        """The request for `text`, with seconds of rest after it; nothing in it is taken for a mark."""
        return SpeechRequest(
            text,
            self.voice,
            self.language,
            self.speed,
            self.normalize,
            self.emoji,
            pronunciations=self.pronunciations,
            rest=rest,
            background=True,
        )


@dataclass(frozen=True)
class Job:
    """A book's job as it stands. Times are seconds since 1970; `spent` is how many were spent on speaking it."""

    id: str
    state: State
    narration: Narration
    format: str
    title: str
    author: str
    characters: int
    created: float
    started: float | None
    ended: float | None
    spent: float
    characters_done: int
    samples: int
    error: str | None
    """Why it failed, or what it waits for at the moment."""

    @property
    def seconds(self) -> float:
        """How much sound there is."""
        return self.samples / SAMPLE_RATE

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound that a second of work makes."""
        return self.seconds / self.spent if self.spent else None

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the pace so far; unknown before anything is spoken."""
        if self.state.ended or not self.characters_done:
            return None
        return (self.characters - self.characters_done) * self.spent / self.characters_done


@dataclass(frozen=True)
class Portion:
    """What is spoken in one go and kept as one piece: characters of a chapter, and seconds of rest after them."""

    number: int
    chapter: int
    start: int
    end: int
    rest: float


@dataclass(frozen=True)
class Timing:
    """A word of a portion: its characters in the portion's text, its seconds in the portion's sound."""

    start: int
    end: int
    start_time: float
    end_time: float


@dataclass(frozen=True)
class Segment:
    """A portion's sound: which bytes of the job's sound file it is, and its words where they are known."""

    portion: Portion
    offset: int
    size: int
    samples: int
    words: tuple[Timing, ...] = ()


def new_id() -> str:
    """128 random bits: knowing one job's id tells nothing of another's."""
    return secrets.token_hex(16)


def is_id(text: str) -> bool:
    """Whether it can be a job's id; what can is a safe name of a folder."""
    return _ID.fullmatch(text) is not None
