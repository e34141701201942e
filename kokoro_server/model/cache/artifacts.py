"""Cache artifacts (compiled kernels, packed models) on disk: built once for a model and a machine, shared by workers.

An artifact is a folder named by a key, a hash of all that its contents depend on, among them the network's sources.

1. If the folder has a manifest and every file has the checksum in it, the folder is used.
2. Else it is built in a temporary folder beside it. The manifest is written last, and the folder is renamed: an
   atomic step, so no worker sees half of an artifact, and of two workers that build at once the first one wins.
3. Before a build, folders that no start used for 30 days, and unfinished ones older than an hour, are removed.

No lock is needed. The manifest's modification time records the last use.
"""

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

READ_BYTES = 1 << 20
"""Bytes that are read from a file at a time."""
MANIFEST = "seal.json"
"""File name of an artifact's manifest: the checksum of each file."""
UNUSED_LIFETIME = 30 * 86_400.0
"""Seconds after which an unused artifact is removed: it belongs to an earlier version."""
BUILD_LIFETIME = 3_600.0
"""Seconds after which a folder without a manifest is removed: the process that built it was killed."""

log = logging.getLogger(__name__)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compute_source_digest() -> str:
    """Return a digest of the source in `model/`: artifacts of changed code are not used again."""
    package = Path(__file__).parents[1]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(package.rglob("*.py")))).hexdigest()


def make_cache_key(*parts: str) -> str:
    """Return a folder name for all that an artifact depends on; the machine's CPU is added here."""
    text = "|".join((*parts, platform.machine(), platform.processor()))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def prepare_artifact(cache: Path, key: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of an artifact, after building it if it is missing or damaged.

    Args:
        cache: Folder of all artifacts; it is created if need be.
        key: Result of make_cache_key.
        build: Writes the artifact's files to the folder that it is given. What it raises passes through.

    Raises:
        OSError: If the folder cannot be written.
    """
    folder = cache / key
    if _is_intact(folder):
        with suppress(OSError):  # the folder may be read-only
            os.utime(folder / MANIFEST)
        return folder
    _remove_unused(cache)
    cache.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{key}-", dir=cache))
    try:
        build(fresh)
        _write_manifest(fresh)
        return _publish(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _publish(fresh: Path, folder: Path) -> Path:
    """Rename a finished folder into place; if another worker was faster, use its folder."""
    if folder.exists() and not _is_intact(folder):
        log.warning("Rebuilding the prepared model in %s: a file is missing or damaged", folder)
        shutil.rmtree(folder, ignore_errors=True)
    try:
        fresh.rename(folder)
    except OSError:
        if not _is_intact(folder):
            raise
    return folder


def _remove_unused(cache: Path) -> None:
    """Remove unused and unfinished artifacts: each takes hundreds of megabytes."""
    for folder in (path for path in cache.glob("*") if path.is_dir()):
        seal = folder / MANIFEST
        last, kept = (seal, UNUSED_LIFETIME) if seal.exists() else (folder, BUILD_LIFETIME)
        with suppress(OSError):  # another worker may be removing it, too
            if time.time() - last.stat().st_mtime > kept:
                shutil.rmtree(folder, ignore_errors=True)


def _write_manifest(folder: Path) -> None:
    """Write the manifest: each file's checksum. It comes last, so a folder that has one is complete."""
    seal = {path.name: _compute_checksum(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps(seal), encoding="utf-8")


def _is_intact(folder: Path) -> bool:
    """Return whether an artifact has a manifest and every file the checksum in it."""
    try:
        seal = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return bool(seal) and all(_compute_checksum(folder / name) == value for name, value in seal.items())
    except (OSError, ValueError, AttributeError):
        return False


def _compute_checksum(path: Path) -> int:
    """Compute the Adler-32 of a file: fast, and enough to notice a torn write, not tampering."""
    value = 1
    with path.open("rb") as file:
        while block := file.read(READ_BYTES):
            value = zlib.adler32(block, value)
    return value
