"""Store the files of jobs: one folder per job, with its segment file and the renditions built from it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kokoro_server.audiobooks.jobs import is_job_id

SEGMENTS_FILE = "sound.pieces"
"""Name of the file with a job's segments."""
EVICTION_AGE = 86_400.0
"""Seconds that an evictable rendition is kept: a client may resume its download that long."""


class JobStorage:
    """Manage the folder `books` in the data folder, created when first needed.

    Every method raises OSError when the folder can't be used, except those that delete files. Methods that make a path
    from a job id raise ValueError for a string that is no id, so that no path leads outside the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get_segments_path(self, job_id: str) -> Path:
        """Return the path of the job's segment file, after creating its folder."""
        return self._ensure_job_folder(job_id) / SEGMENTS_FILE

    def get_rendition_path(self, job_id: str, name: str) -> Path:
        """Return the path of the job's rendition called `name`, after creating its folder."""
        return self._ensure_job_folder(job_id) / name

    def delete_files(self, job_id: str) -> None:
        """Delete the job's files; on Windows, a file that is open stays until the next sweep."""
        if is_job_id(job_id):
            shutil.rmtree(self._folder / job_id, ignore_errors=True)

    def measure_bytes(self) -> int:
        """Return the size of all stored files in bytes."""
        return sum(_get_size(path) for path in self._folder.rglob("*"))

    @contextmanager
    def create_upload_path(self, suffix: str) -> Iterator[Path]:
        """Yield a path for an upload in a temporary folder, which is deleted afterwards."""
        _ensure_private_folder(self._folder)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / f"upload{suffix}"

    def delete_orphans(self, files_to_keep: dict[str, str]) -> None:
        """Delete the folders of jobs that are not in `files_to_keep`, old uploads and old evictable renditions.

        Args:
            files_to_keep: The file name of the permanent rendition by job id.

        Call it only from the thread that starts jobs: the folder of a job started meanwhile would be deleted.
        """
        self.evict_renditions(files_to_keep, EVICTION_AGE)
        for folder in self._folder.glob("*"):
            if folder.name not in files_to_keep and (is_job_id(folder.name) or _get_age(folder) > EVICTION_AGE):
                shutil.rmtree(folder, ignore_errors=True)

    def evict_renditions(self, files_to_keep: dict[str, str], age: float) -> None:
        """Delete the evictable renditions of at least `age` seconds; one that can't be deleted now stays."""
        for job, edition in files_to_keep.items():
            folder = self._folder / job
            if is_job_id(job) and folder.is_dir():
                _remove_older(folder, {SEGMENTS_FILE, edition}, age)

    def _ensure_job_folder(self, job_id: str) -> Path:
        if not is_job_id(job_id):
            raise ValueError(f"{job_id!r} is no job's id")
        _ensure_private_folder(self._folder)
        folder = self._folder / job_id
        folder.mkdir(exist_ok=True)
        return folder


def _ensure_private_folder(folder: Path) -> None:
    """Create the folder, unless it exists, with access for this user only: the content of books is private."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _remove_older(folder: Path, files_to_keep: set[str], age: float) -> None:
    for path in folder.iterdir():
        if path.name not in files_to_keep and _get_age(path) >= age:
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue  # open in another thread or process, on Windows


def _get_age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _get_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # deleted meanwhile
