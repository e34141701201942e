"""Keep a copy of a streamed response in TEMP_DIR, which the client can download again for 15 minutes.

A copy is written as NAME.part while the response is sent and renamed to NAME when it is complete, so that a name
without the suffix is always a complete file. Names hold 128 random bits: who knows the link may read the file. Expired
files are removed whenever a copy is begun or asked for.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from kokoro_server.api.native import TEMP_FILE_PREFIX
from kokoro_server.api.schemas import SpeechJob
from kokoro_server.audio.samples import FORMATS, WAV_HEADER_SIZE, build_wav_header
from kokoro_server.core.errors import NotFound

log = logging.getLogger(__name__)

DOWNLOAD_LIFETIME = 900.0
"""Seconds from completion for which a file can be downloaded."""
MAX_DOWNLOADS = 100
"""Number of files kept at once; beyond it the oldest are removed."""
DOWNLOAD_PREFIX = f"{TEMP_FILE_PREFIX}link_"
"""File name prefix; start-up removes files with TEMP_FILE_PREFIX, which it begins with."""
PARTIAL_SUFFIX = ".part"
"""File name suffix of a copy that is not complete."""

_DOWNLOAD_NAME = re.compile(
    rf"{DOWNLOAD_PREFIX}[0-9a-f]{{32}}\.(?:{'|'.join(format.extension for format in FORMATS.values())})"
)


class DownloadFile:
    """Write a response to a file while it is sent; the file can be downloaded once the response is complete.

    A disk error ends the copy and is logged; the response itself continues. Not thread-safe: one response, one thread.
    """

    def __init__(self, folder: Path, job: SpeechJob) -> None:
        """Open the file in `folder`, which is created when missing. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._format = FORMATS[job.format]
        self._rate = self._format.choose_rate(job.sample_rate)
        self.path = folder / f"{DOWNLOAD_PREFIX}{secrets.token_hex(16)}.{self._format.extension}"
        self._partial_path = self.path.with_name(self.path.name + PARTIAL_SUFFIX)
        self._file = self._partial_path.open("wb")
        self._size = 0

    def copy_blocks(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass `blocks` through, writing each to the file, and complete the file after the last one."""
        for block in blocks:
            self._try_step(partial(self._write, block))
            yield block
        self._try_step(self._finish)

    def close(self) -> None:
        """Close the file, and remove it unless it is complete. May be called more than once."""
        with suppress(OSError):  # the buffered rest may not fit on the disk
            self._file.close()
        self._partial_path.unlink(missing_ok=True)

    def _try_step(self, step: Callable[[], None]) -> None:
        """Call `step` unless an earlier one has failed; on OSError log it and abandon the copy."""
        if self._file.closed:
            return
        try:
            step()
        except OSError as exc:
            log.warning("No copy of the response in %s: %s", self.path.name, exc)
            self.close()

    def _write(self, block: bytes) -> None:
        self._size += self._file.write(block)

    def _finish(self) -> None:
        if self._format.name == "wav":  # the streamed header has no length: rewrite it with the size now known
            self._file.seek(0)
            self._file.write(build_wav_header(self._rate, self._size - WAV_HEADER_SIZE))
        self._file.close()
        self._partial_path.replace(self.path)


def find_download(folder: Path, name: str) -> Path:
    """Return the path of the download `name`. Raises NotFound when it is expired, incomplete or not a download."""
    remove_expired_downloads(folder)
    path = folder / name  # _NAME, below, admits no separators and no dots but the suffix's: it stays in `folder`
    if not _DOWNLOAD_NAME.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such download: links expire, and work once the answer has been sent whole.")
    return path.resolve()


def remove_expired_downloads(folder: Path) -> None:
    """Remove downloads older than DOWNLOAD_LIFETIME and, beyond MAX_DOWNLOADS, the oldest."""
    ages = sorted((time.time() - _get_modified_time(path), path) for path in folder.glob(f"{DOWNLOAD_PREFIX}*"))
    for number, (age, path) in enumerate(ages):
        if age > DOWNLOAD_LIFETIME or number >= MAX_DOWNLOADS:
            with suppress(OSError):  # on Windows a file that is being sent can't be removed
                path.unlink(missing_ok=True)


def _get_modified_time(path: Path) -> float:
    """Return the file's modification time in Unix seconds, or 0 when it has been removed meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
