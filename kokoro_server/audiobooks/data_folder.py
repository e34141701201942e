"""Bring together what a data folder keeps of its jobs, and name it in one place.

The service, the worker thread and each run of a job need the same parts: they share one DataFolder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kokoro_server.audiobooks.job_storage import JobStorage
from kokoro_server.audiobooks.job_store import JobDatabase
from kokoro_server.audiobooks.renditions import RenditionCache


@dataclass(frozen=True)
class DataFolder:
    """Hold the parts of one data folder. Thread-safe, as each of them is.

    Attributes:
        database: Jobs, chapters and segments.
        storage: The files with the audio of the segments and of the finished books.
        renditions: Builds finished books from segments.
        lock_path: File of the lock that the one process holds which runs the jobs.
    """

    database: JobDatabase
    storage: JobStorage
    renditions: RenditionCache
    lock_path: Path

    @classmethod
    def open(cls, folder: Path, max_bytes: int) -> DataFolder:
        """Return the parts of `folder`, whose audio may take `max_bytes`. They create their files when first needed."""
        database = JobDatabase(folder / "jobs.sqlite3")
        storage = JobStorage(folder / "books")
        return cls(database, storage, RenditionCache(database, storage, max_bytes), folder / "speaking.lock")
