"""The prepared graph on disk: built once for a model and a machine, mapped by every worker."""

import hashlib
import json
import logging
import os
import platform
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

BLOCK = 1 << 20
SEAL = "seal.json"
UNUSED = 30 * 86_400.0  # seconds; a graph that no start wanted for so long was of an earlier version
BUILDING = 3_600.0  # seconds; what is not sealed after so long was left by a start that was killed

log = logging.getLogger(__name__)


def fingerprint(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sources() -> str:
    """Return a digest of the source in `model/`: what a changed pass or kernel prepared is not used again."""
    package = Path(__file__).parents[1]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))).hexdigest()


def cache_key(*parts: str) -> str:
    """A folder name from all that the prepared graph depends on; the CPU is added here."""
    text = "|".join((*parts, platform.machine(), platform.processor()))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def prepared(cache: Path, key: str, build: Callable[[Path], None]) -> Path:
    """The folder of this key, built by `build(folder)` when it is missing or not as it was written.

    A folder appears whole: it is built beside its place and renamed. Raises OSError when the disk refuses.
    """
    folder = cache / key
    if _intact(folder):
        with suppress(OSError):  # of a folder that may only be read
            os.utime(folder / SEAL)
        return folder
    _sweep(cache)
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=cache))
    try:
        build(fresh)
        _seal(fresh)
        return _publish(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _publish(fresh: Path, folder: Path) -> Path:
    """Rename into place; when another worker was faster its folder serves as well as ours."""
    if folder.exists() and not _intact(folder):
        log.warning("the prepared graph in %s is damaged: built again", folder)
        shutil.rmtree(folder, ignore_errors=True)
    try:
        os.rename(fresh, folder)
    except OSError:
        if not _intact(folder):
            raise
    return folder


def _sweep(cache: Path) -> None:
    """Remove the graphs that nobody uses any more, and halves of some: each takes hundreds of megabytes."""
    for folder in (path for path in cache.glob("*") if path.is_dir()):
        seal = folder / SEAL
        last, kept = (seal, UNUSED) if seal.exists() else (folder, BUILDING)
        with suppress(OSError):  # another worker sweeps, too
            if time.time() - last.stat().st_mtime > kept:
                shutil.rmtree(folder, ignore_errors=True)


def _seal(folder: Path) -> None:
    """Write down each file's size and checksum, last of all."""
    seal = {path.name: _checksum(path) for path in sorted(folder.iterdir())}
    (folder / SEAL).write_text(json.dumps(seal), encoding="utf-8")


def _intact(folder: Path) -> bool:
    try:
        seal = json.loads((folder / SEAL).read_text(encoding="utf-8"))
        return bool(seal) and all(_checksum(folder / name) == value for name, value in seal.items())
    except (OSError, ValueError, AttributeError):
        return False


def _checksum(path: Path) -> int:
    """Adler-32 of a file: it has to notice a torn write, not an attack, within a start of two seconds."""
    value = 1
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            value = zlib.adler32(block, value)
    return value
