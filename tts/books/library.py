"""Offer the audiobook jobs of a data folder as one service: submit, inspect, download and remove.

Nothing outside this package uses the database, the file storage or the worker thread directly.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tts.books.book import Book, BookLimits
from tts.books.captions import book_captions
from tts.books.editions import BYTES_A_SECOND, SOUND_BYTES, Editions, check_room
from tts.books.jobs import Job, Narration, State, is_id
from tts.books.runner import Runner
from tts.books.shelf import Shelf
from tts.books.store import Store, unavailable
from tts.engines.base import Engine, Listener
from tts.speech.errors import Conflict, NotFound
from tts.speech.text import DENSITY

log = logging.getLogger(__name__)

CHARACTERS_A_SECOND = 14.0
"""Characters of English text per second of speech at speed 1."""


@dataclass(frozen=True)
class Terms:
    """Configure an AudiobookService.

    Attributes:
        folder: The data folder, created when needed.
        book_limits: Limits of one book.
        max_unfinished: Jobs that may be queued or running at a time.
        max_bytes: Disk space for the audio of all jobs.
        retention_seconds: How long a job is kept after its end; None keeps it until it is removed.
    """

    folder: Path
    limits: BookLimits = BookLimits()
    unfinished: int = 100
    space: int = 20_000_000_000
    keep: float | None = None


class Library:
    """Manage the jobs of a data folder and the thread that works on them once `start` was called. Thread-safe.

    Every method raises StorageUnavailable when the folder can't be used, and NotFound for a job that doesn't exist.
    """

    def __init__(self, terms: Terms, engine: Engine, ahead: int) -> None:
        self.terms = terms
        self._store = Store(terms.folder / "jobs.sqlite3")
        self._shelf = Shelf(terms.folder / "books")
        self._editions = Editions(self._store, self._shelf, terms.space)
        self._runner = Runner(
            self._store, self._shelf, self._editions, engine, ahead, terms.folder / "speaking.lock", terms.keep
        )

    def start(self) -> None:
        """Start the worker thread; it resumes an interrupted job at its first missing segment."""
        self._runner.start()

    def stop(self) -> None:
        """Ask the worker thread to stop, without waiting for it; `is_stopped` ends the event streams of jobs."""
        self._runner.stop()

    def close(self) -> None:
        """Stop the worker thread, wait for it and close the database. The engine must still be open."""
        self._runner.stop()
        if self._runner.is_alive():
            self._runner.join()
        self._store.close()

    @property
    def stopped(self) -> bool:
        """Whether `stop` or `close` was called."""
        return self._runner.stopped

    def incoming(self, suffix: str) -> AbstractContextManager[Path]:
        """Return a context manager that yields a temporary path for an uploaded file and deletes it afterwards."""
        return self._shelf.incoming(suffix)

    def submit(self, book: Book, narration: Narration, format: str) -> Job:
        """Queue a book and return its job.

        Raises:
            Busy: `max_unfinished` jobs are queued or running.
            StorageFull: The estimated size of this book and of the unfinished ones exceeds `max_bytes`.
        """
        left = [job for job in self._store.jobs() if not job.state.ended]
        coming = sum(_bytes(job.characters - job.characters_done, job.narration, job.format) for job in left)
        check_room(self._shelf.used() + coming + _bytes(book.characters, narration, format), self.terms.space)
        job = self._store.add(book, narration, format, self.terms.unfinished)
        self._runner.wake()
        return job

    def jobs(self) -> list[Job]:
        """Return all jobs, newest first."""
        return self._store.jobs()

    def find(self, job: str) -> Job:
        """Return the job with this id. Raises NotFound, also for a string that is no id."""
        if not is_id(job):
            raise NotFound("There is no such job: an id has 32 of the digits 0-9a-f.")
        return self._store.find(job)

    def headings(self, job: str) -> list[tuple[str, int, int | None]]:
        """Return (title, characters, first sample) of every chapter.

        The sample is None until all chapters before are synthesized.
        """
        return self._store.headings(job)

    def audio(self, job: Job, format: str, listener: Listener, partial: bool) -> Path:
        """Return the path of the audiobook in `format`; arguments and errors as in `RenditionCache.get_or_build`."""
        try:
            return self._editions.edition(job, format, listener, partial)
        except OSError as exc:
            raise unavailable(self.terms.folder, exc) from exc

    def captions(self, job: Job, kind: str, partial: bool) -> str:
        """Return the captions as `kind`, vtt or srt.

        Raises Conflict when the job is cancelled, or when it is not done and `partial` is false.
        """
        if job.state is State.CANCELLED or (job.state is not State.DONE and not partial):
            raise Conflict(f"The job is {job.state}; its captions are there when it is done.")
        return book_captions(self._store.chapters(job.id), self._store.spoken(job.id), kind)

    def remove(self, job: str) -> None:
        """Cancel an unfinished job, or delete an ended one; either way, delete its files.

        A cancelled job stays listed as such until it is removed once more or expires.
        """
        if self._store.end(self.find(job).id, State.CANCELLED):
            self._runner.cancel(job)
        else:
            self._store.remove(job)
        self._shelf.discard(job)


def _bytes(characters: int, narration: Narration, format: str) -> int:
    """Estimate the disk space of a text: its stored segments and one rendition in `format`."""
    seconds = characters * DENSITY.get(narration.language, 1.0) / CHARACTERS_A_SECOND / narration.speed
    return round(seconds * (SOUND_BYTES + BYTES_A_SECOND[format]))
