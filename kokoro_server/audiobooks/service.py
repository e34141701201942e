"""Offer the audiobook jobs of a data folder as one service: submit, inspect, download and remove.

Nothing outside this package uses the database, the file storage or the worker thread directly.
"""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from kokoro_server.audiobooks.book_captions import render_book_captions
from kokoro_server.audiobooks.data_folder import DataFolder
from kokoro_server.audiobooks.formats.book import Book, BookLimits
from kokoro_server.audiobooks.job_store import make_storage_error
from kokoro_server.audiobooks.job_worker import JobWorker
from kokoro_server.audiobooks.jobs import Job, JobStatus, Narration, is_job_id
from kokoro_server.audiobooks.renditions import (
    BYTES_PER_SECOND,
    STORED_BYTES_PER_SECOND,
    check_disk_space,
)
from kokoro_server.core.errors import Conflict, NotFound
from kokoro_server.engine.base import Engine, RequestContext
from kokoro_server.text.chunking import PHONEME_DENSITY

log = logging.getLogger(__name__)

CHARACTERS_PER_SECOND = 14.0
"""Characters of English text per second of speech at speed 1."""


@dataclass(frozen=True)
class AudiobookSettings:
    """Configure an AudiobookService.

    Attributes:
        folder: The data folder, created when needed.
        book_limits: Limits of one book.
        max_unfinished: Jobs that may be queued or running at a time.
        max_bytes: Disk space for the audio of all jobs.
        retention_seconds: How long a job is kept after its end; None keeps it until it is removed.
    """

    folder: Path
    book_limits: BookLimits = BookLimits()  # noqa: RUF009 - frozen
    max_unfinished: int = 100
    max_bytes: int = 20_000_000_000
    retention_seconds: float | None = None


class AudiobookService:
    """Manage the jobs of a data folder and the thread that works on them once `start` was called. Thread-safe.

    Every method raises StorageUnavailable when the folder can't be used, and NotFound for a job that doesn't exist.
    """

    def __init__(self, settings: AudiobookSettings, engine: Engine, max_in_flight: int) -> None:
        self.settings = settings
        self._data = DataFolder.open(settings.folder, settings.max_bytes)
        self._worker = JobWorker(self._data, engine, max_in_flight, settings.retention_seconds)

    def start(self) -> None:
        """Start the worker thread; it resumes an interrupted job at its first missing segment."""
        self._worker.start()

    def stop(self) -> None:
        """Ask the worker thread to stop, without waiting for it; `is_stopped` ends the event streams of jobs."""
        self._worker.stop()

    def close(self) -> None:
        """Stop the worker thread, wait for it and close the database. The engine must still be open."""
        self._worker.stop()
        if self._worker.is_alive():
            self._worker.join()
        self._data.database.close()

    @property
    def is_stopped(self) -> bool:
        """Return whether `stop` or `close` was called."""
        return self._worker.is_stopped

    def create_upload_path(self, suffix: str) -> AbstractContextManager[Path]:
        """Return a context manager that yields a temporary path for an uploaded file and deletes it afterwards."""
        return self._data.storage.create_upload_path(suffix)

    def submit(self, book: Book, narration: Narration, format: str) -> Job:
        """Queue a book and return its job.

        Raises:
            Busy: `max_unfinished` jobs are queued or running.
            StorageFull: The estimated size of this book and of the unfinished ones exceeds `max_bytes`.
        """
        left = [job for job in self._data.database.list_jobs() if not job.state.is_terminal]
        coming = sum(_estimate_bytes(job.characters - job.characters_done, job.narration, job.format) for job in left)
        check_disk_space(
            self._data.storage.measure_bytes() + coming + _estimate_bytes(book.characters, narration, format),
            self.settings.max_bytes,
        )
        job = self._data.database.add_job(book, narration, format, self.settings.max_unfinished)
        self._worker.wake()
        return job

    def list_jobs(self) -> list[Job]:
        """Return all jobs, newest first."""
        return self._data.database.list_jobs()

    def find_job(self, job_id: str) -> Job:
        """Return the job with this id. Raises NotFound, also for a string that is no id."""
        if not is_job_id(job_id):
            raise NotFound("There is no such job: an id has 32 of the digits 0-9a-f.")
        return self._data.database.find_job(job_id)

    def list_chapter_starts(self, job_id: str) -> list[tuple[str, int, int | None]]:
        """Return (title, characters, first sample) of every chapter.

        The sample is None until all chapters before are synthesized.
        """
        return self._data.database.list_chapter_starts(job_id)

    def get_audio_file(self, job: Job, format: str, context: RequestContext, partial: bool) -> Path:
        """Return the path of the audiobook in `format`; arguments and errors as in `RenditionCache.get_or_build`."""
        try:
            return self._data.renditions.get_or_build(job, format, context, partial)
        except OSError as exc:
            raise make_storage_error(self.settings.folder, exc) from exc

    def get_captions(self, job: Job, kind: str, partial: bool) -> str:
        """Return the captions as `kind`, vtt or srt.

        Raises Conflict when the job is cancelled, or when it is not done and `partial` is false.
        """
        if job.state is JobStatus.CANCELLED or (job.state is not JobStatus.DONE and not partial):
            raise Conflict(f"The job is {job.state}; its captions are there when it is done.")
        return render_book_captions(
            self._data.database.load_chapters(job.id), self._data.database.list_segments(job.id), kind
        )

    def remove_job(self, job_id: str) -> None:
        """Cancel an unfinished job, or delete an ended one; either way, delete its files.

        A cancelled job stays listed as such until it is removed once more or expires.
        """
        if self._data.database.end_job(self.find_job(job_id).id, JobStatus.CANCELLED):
            self._worker.cancel_job(job_id)
        else:
            self._data.database.remove_job(job_id)
        self._data.storage.delete_files(job_id)


def _estimate_bytes(characters: int, narration: Narration, format: str) -> int:
    """Estimate the disk space of a text: its stored segments and one rendition in `format`."""
    seconds = characters * PHONEME_DENSITY.get(narration.language, 1.0) / CHARACTERS_PER_SECOND / narration.speed
    return round(seconds * (STORED_BYTES_PER_SECOND + BYTES_PER_SECOND[format]))
