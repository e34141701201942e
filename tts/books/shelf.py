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
        _private(self._folder)
        with tempfile.TemporaryDirectory(prefix="incoming-", dir=self._folder, ignore_cleanup_errors=True) as folder:
            yield Path(folder) / f"upload{suffix}"

    def sweep(self, kept: dict[str, str]) -> None:
        """Remove what belongs to no job of `kept` (the edition to keep by job), and other editions after a while. For
        whoever begins jobs alone: a folder made meanwhile would seem to be nobody's."""
        self.loosen(kept, LOOSE_SECONDS)
        for folder in self._folder.glob("*"):
            if folder.name not in kept and (is_id(folder.name) or _age(folder) > LOOSE_SECONDS):
                shutil.rmtree(folder, ignore_errors=True)

    def loosen(self, kept: dict[str, str], age: float) -> None:
        """Remove the editions older than `age` (seconds) that can be bound again. One that can't be removed stays for
        the next time."""
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
    """Make the folder, if it isn't there, for nobody but us: what people have read to them is their business."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


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
