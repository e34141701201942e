"""Define the data of an audiobook job: its state, narration options, planned segments and synthesized segments."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE, Format
from kokoro_server.core.languages import Language
from kokoro_server.core.request import SpeechRequest
from kokoro_server.core.voices import Voice

BOOK_FORMATS = {name: FORMATS[name] for name in ("wav", "mp3", "opus", "flac")} | {
    "m4b": Format("m4b", "audio/mp4", "m4b"),
}
DEFAULT_BOOK_FORMAT = "m4b"

_JOB_ID = re.compile(r"[0-9a-f]{32}")


class JobStatus(StrEnum):
    """Name the state of a job.

    QUEUED -> RUNNING -> DONE or FAILED; CANCELLED from QUEUED or RUNNING. A job stays RUNNING when the server stops:
    the next one resumes it.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Return whether the state is DONE, FAILED or CANCELLED: it does not change any more."""
        return self in (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED)


@dataclass(frozen=True)
class Narration:
    """Hold the options that a whole book is synthesized with."""

    voice: Voice
    language: Language
    speed: float = 1.0
    normalize: bool = True
    pronunciations: tuple[tuple[str, str], ...] = ()
    emoji: bool = True

    def make_request(self, text: str, pause: float = 0.0) -> SpeechRequest:
        """Return a background request for `text`, read without markup and followed by `pause` seconds of silence."""
        return SpeechRequest(
            text,
            self.voice,
            self.language,
            self.speed,
            self.normalize,
            self.emoji,
            pronunciations=self.pronunciations,
            final_pause=pause,
            is_background=True,
        )


@dataclass(frozen=True)
class Job:
    """Hold a snapshot of a job.

    Moments are seconds since 1970. `work_seconds` is the time spent on synthesis, `samples` the length of the audio so
    far at SAMPLE_RATE.
    """

    id: str
    state: JobStatus
    narration: Narration
    format: str
    title: str
    author: str
    characters: int
    created_at: float
    started_at: float | None
    ended_at: float | None
    work_seconds: float
    characters_done: int
    samples: int
    error: str | None
    """Why the job failed, or what a running job is waiting for."""

    @property
    def seconds(self) -> float:
        """Return the length of the audio so far, in seconds."""
        return self.samples / SAMPLE_RATE

    @property
    def times_real_time(self) -> float | None:
        """Return the seconds of audio per second of work; None before any work."""
        return self.seconds / self.work_seconds if self.work_seconds else None

    @property
    def seconds_left(self) -> float | None:
        """Return the estimated seconds of work left; None for a job that has ended or has no segment yet."""
        if self.state.is_terminal or not self.characters_done:
            return None
        return (self.characters - self.characters_done) * self.work_seconds / self.characters_done


@dataclass(frozen=True)
class SegmentPlan:
    """Plan a segment, the unit that is synthesized and stored at once.

    It consists of the characters `start` to `end` (exclusive) of a chapter and the pause after them, in seconds.
    `number` counts from 0 through the whole book, `chapter` is the index of the chapter.
    """

    number: int
    chapter: int
    start: int
    end: int
    pause: float


@dataclass(frozen=True)
class WordTiming:
    """Time a word of a segment: characters of the segment's text, seconds of the segment's audio."""

    start: int
    end: int
    start_time: float
    end_time: float


@dataclass(frozen=True)
class Segment:
    """Locate a segment's audio in the job's segment file, by offset and size in bytes, and hold its words.

    `samples` is the decoded length. `words` is empty when the engine gave no times.
    """

    plan: SegmentPlan
    offset: int
    size: int
    samples: int
    words: tuple[WordTiming, ...] = ()


def create_job_id() -> str:
    """Return 128 random bits as 32 hex digits, so that an id cannot be guessed from another one."""
    return secrets.token_hex(16)


def is_job_id(text: str) -> bool:
    """Return whether `text` has the form of a job id, which also makes it safe as a folder name."""
    return _JOB_ID.fullmatch(text) is not None
