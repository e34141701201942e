"""Keep what is costly to make between runs of benchmarks and tests, in the user's cache folder."""

import hashlib
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import platformdirs

APPLICATION = "kokoro-tts-api"  # the server keeps its model in the same place
LOCK_TIMEOUT = 1800.0  # seconds; another run may be installing torch over a slow line


def cache_folder() -> Path:
    """The project's folder in the user's cache; made when missing."""
    folder = platformdirs.user_cache_path(APPLICATION, appauthor=False)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def key_of(parts: Iterable[bytes]) -> str:
    """Twelve hex digits that change when any of the parts does."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:12]


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made by `make(empty folder)` beside it and renamed: it is there whole or not at all.

    Two runs at once wait for each other. Not for what holds its own path, like a virtual environment.
    """
    with _lock(folder):
        if not folder.exists():
            partial = emptied(folder.with_name(folder.name + ".part"))
            try:
                make(partial)
                partial.replace(folder)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    return folder


def made_in_place(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made where it stays; a stamp written last tells a finished one from an interrupted one."""
    stamp = folder / "complete"
    with _lock(folder):
        if not stamp.exists():
            make(emptied(folder))
            stamp.touch()
    return folder


def emptied(folder: Path) -> Path:
    """The folder, new and empty."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _lock(folder: Path) -> AbstractContextManager[object]:
    """Return a lock that other processes heed; none without filelock, which only requirements-dev.txt installs."""
    try:
        from filelock import FileLock
    except ModuleNotFoundError:
        return nullcontext()
    return FileLock(folder.with_name(folder.name + ".lock"), timeout=LOCK_TIMEOUT)
