"""Store the files of jobs: one folder per job, with its segment file and the renditions built from it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tts.books.jobs import is_id

SOUND = "sound.pieces"
"""Name of the file with a job's segments."""
LOOSE_SECONDS = 86_400.0
"""Seconds that an evictable rendition is kept: a client may resume its download that long."""


class Shelf:
    """Manage the folder `books` in the data folder, created when first needed.

    Every method raises OSError when the folder can't be used, except those that delete files. Methods that make a path
    from a job id raise ValueError for a string that is no id, so that no path leads outside the folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sound(self, job: str) -> Path:
        """Return the path of the job's segment file, after creating its folder."""
        return self._place(job) / SOUND

    def edition(self, job: str, name: str) -> Path:
        """Return the path of the job's rendition called `name`, after creating its folder."""
        return self._place(job) / name

    def discard(self, job: str) -> None:
        """Delete the job's files; on Windows, a file that is open stays until the next sweep."""
        if is_id(job):
            shutil.rmtree(self._folder / job, ignore_errors=True)

    def used(self) -> int:
        """Return the size of all stored files in bytes."""
        return sum(_size(path) for path in self._folder.rglob("*"))

    @contextmanager
    def incoming(self, suffix: str) -> Iterator[Path]:
        """Yield a path for an upload in a temporary folder, which is deleted afterwards."""
        _private(self._folder)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / f"upload{suffix}"

    def sweep(self, kept: dict[str, str]) -> None:
        """Delete the folders of jobs that are not in `files_to_keep`, old uploads and old evictable renditions.

        Args:
            files_to_keep: The file name of the permanent rendition by job id.

        Call it only from the thread that starts jobs: the folder of a job started meanwhile would be deleted.
        """
        self.loosen(kept, LOOSE_SECONDS)
        for folder in self._folder.glob("*"):
            if folder.name not in kept and (is_id(folder.name) or _age(folder) > LOOSE_SECONDS):
                shutil.rmtree(folder, ignore_errors=True)

    def loosen(self, kept: dict[str, str], age: float) -> None:
        """Delete the evictable renditions of at least `age` seconds; one that can't be deleted now stays."""
        for job, edition in kept.items():
            folder = self._folder / job
            if is_id(job) and folder.is_dir():
                _remove_older(folder, {SOUND, edition}, age)

    def _place(self, job: str) -> Path:
        if not is_id(job):
            raise ValueError(f"{job!r} is no job's id")
        _private(self._folder)
        folder = self._folder / job
        folder.mkdir(exist_ok=True)
        return folder


def _private(folder: Path) -> None:
    """Create the folder, unless it exists, with access for this user only: the content of books is private."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def _remove_older(folder: Path, kept: set[str], age: float) -> None:
    for path in folder.iterdir():
        if path.name not in kept and _age(path) >= age:
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue  # open in another thread or process, on Windows


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # deleted meanwhile
