"""Everything about books behind one door: take them in, tell how far they are, hand them out, have them spoken."""

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
"""Of English speech at speed 1."""


@dataclass(frozen=True)
class Terms:
    """What a library may hold: where, which books, how many unfinished, how many bytes, for how many seconds."""

    folder: Path
    limits: BookLimits = BookLimits()
    unfinished: int = 100
    space: int = 20_000_000_000
    keep: float | None = None


class Library:
    """The jobs of a data folder, and the thread that speaks them once it is started. Any thread may call.

    Everything raises StorageUnavailable when the folder can't be used, and NotFound for a job that isn't there.
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
        """Begin to speak; a job that was interrupted goes on where it was."""
        self._runner.start()

    def stop(self) -> None:
        """Stop speaking, soon; whoever follows a job's progress sees `stopped`."""
        self._runner.stop()

    def close(self) -> None:
        """Stop and let go of the folder; the engine must still be there."""
        self._runner.stop()
        if self._runner.is_alive():
            self._runner.join()
        self._store.close()

    @property
    def stopped(self) -> bool:
        return self._runner.stopped

    def incoming(self, suffix: str) -> AbstractContextManager[Path]:
        """A place for a file on its way in."""
        return self._shelf.incoming(suffix)

    def submit(self, book: Book, narration: Narration, format: str) -> Job:
        """Have a book spoken. Raises Busy when too many wait, StorageFull when its sound would not fit."""
        left = [job for job in self._store.jobs() if not job.state.ended]
        coming = sum(_bytes(job.characters - job.characters_done, job.narration, job.format) for job in left)
        check_room(self._shelf.used() + coming + _bytes(book.characters, narration, format), self.terms.space)
        job = self._store.add(book, narration, format, self.terms.unfinished)
        self._runner.wake()
        return job

    def jobs(self) -> list[Job]:
        """Every job, the newest first."""
        return self._store.jobs()

    def find(self, job: str) -> Job:
        if not is_id(job):
            raise NotFound("There is no such job: an id has 32 of the digits 0-9a-f.")
        return self._store.find(job)

    def headings(self, job: str) -> list[tuple[str, int, int | None]]:
        """Of every chapter: its title, its characters, and the samples before it once that much is spoken."""
        return self._store.headings(job)

    def audio(self, job: Job, format: str, listener: Listener, partial: bool) -> Path:
        """The file of an edition; see Editions."""
        try:
            return self._editions.edition(job, format, listener, partial)
        except OSError as exc:
            raise unavailable(self.terms.folder, exc) from exc

    def captions(self, job: Job, kind: str, partial: bool) -> str:
        """What is said when, as vtt or srt. Raises Conflict unless it is done, or `partial` will do."""
        if job.state is State.CANCELLED or (job.state is not State.DONE and not partial):
            raise Conflict(f"The job is {job.state}; its captions are there when it is done.")
        return book_captions(self._store.chapters(job.id), self._store.spoken(job.id), kind)

    def remove(self, job: str) -> None:
        """Cancel a job that has not ended, which stays to be seen as that; forget one that has. Its files go."""
        if self._store.end(self.find(job).id, State.CANCELLED):
            self._runner.cancel(job)
        else:
            self._store.remove(job)
        self._shelf.discard(job)


def _bytes(characters: int, narration: Narration, format: str) -> int:
    """About how much disk a text takes once it is spoken and bound."""
    seconds = characters * DENSITY.get(narration.language, 1.0) / CHARACTERS_A_SECOND / narration.speed
    return round(seconds * (SOUND_BYTES + BYTES_A_SECOND[format]))
