"""The files of the books: a folder for each job, with its sound and the editions bound from it."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tts.books.jobs import is_id

SOUND = "sound.pieces"
LOOSE_SECONDS = 86_400.0
"""How long an edition is kept that can be bound again: a download may be gone on with that long."""


class Shelf:
    """The folder `books` in the data folder; made when first needed. Everything but sweeping raises OSError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def sound(self, job: str) -> Path:
        """The job's sound file; its folder is there."""
        return self._place(job) / SOUND

    def edition(self, job: str, name: str) -> Path:
        """The file called `name` of the job; its folder is there."""
        return self._place(job) / name

    def discard(self, job: str) -> None:
        """Remove the job's files; one that is open on Windows stays until it is swept."""
        if is_id(job):
            shutil.rmtree(self._folder / job, ignore_errors=True)

    def used(self) -> int:
        """Bytes of everything on the shelf."""
        return sum(_size(path) for path in self._folder.rglob("*"))

    @contextmanager
    def incoming(self, suffix: str) -> Iterator[Path]:
        """A place for a file on its way in, which is gone afterwards; only we know its name."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / f"upload{suffix}"

    def sweep(self, kept: dict[str, str], age: float = LOOSE_SECONDS) -> None:
        """Remove what belongs to no job of `kept` (the edition to keep by job), and other editions older than `age`
        (seconds). What can't be removed stays for the next time."""
        for folder in self._folder.glob("*"):
            if is_id(folder.name) and folder.name in kept:
                _remove_older(folder, {SOUND, kept[folder.name]}, age)
            elif is_id(folder.name) or _age(folder) > LOOSE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)

    def _place(self, job: str) -> Path:
        if not is_id(job):
            raise ValueError(f"{job!r} is no job's id")
        folder = self._folder / job
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def _remove_older(folder: Path, kept: set[str], age: float) -> None:
    for path in folder.iterdir():
        if path.name not in kept and _age(path) >= age:
            try:
                path.unlink(missing_ok=True)
            except OSError:
                continue  # still open, on Windows


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # gone meanwhile
