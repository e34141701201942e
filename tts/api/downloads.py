"""Keep a copy of a streamed response in TEMP_DIR, which the client can download again for 15 minutes.

A copy is written as NAME.part while the response is sent and renamed to NAME when it is complete, so that a name
without the suffix is always a complete file. Names hold 128 random bits: who knows the link may read the file. Expired
files are removed whenever a copy is begun or asked for.
"""

from __future__ import annotations

import logging
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from tts.api.bodies import Order
from tts.api.native import FILE_PREFIX
from tts.speech.audio import FORMATS, WAV_HEADER_SIZE, wav_header
from tts.speech.errors import NotFound

log = logging.getLogger(__name__)

LIFETIME = 900.0
"""Seconds from completion for which a file can be downloaded."""
MOST = 100
"""Number of files kept at once; beyond it the oldest are removed."""
PREFIX = f"{FILE_PREFIX}link_"
"""File name prefix; start-up removes files with TEMP_FILE_PREFIX, which it begins with."""
UNFINISHED = ".part"
"""File name suffix of a copy that is not complete."""

_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{32}}\.(?:{'|'.join(format.extension for format in FORMATS.values())})")


class Copy:
    """Write a response to a file while it is sent; the file can be downloaded once the response is complete.

    A disk error ends the copy and is logged; the response itself continues. Not thread-safe: one response, one thread.
    """

    def __init__(self, folder: Path, order: Order) -> None:
        """Open the file in `folder`, which is created when missing. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._format = FORMATS[order.format]
        self._rate = self._format.rate_for(order.sample_rate)
        self.path = folder / f"{PREFIX}{secrets.token_hex(16)}.{self._format.extension}"
        self._unfinished = self.path.with_name(self.path.name + UNFINISHED)
        self._file = self._unfinished.open("wb")
        self._size = 0

    def of(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Pass `blocks` through, writing each to the file, and complete the file after the last one."""
        for block in blocks:
            self._attempt(partial(self._write, block))
            yield block
        self._attempt(self._finish)

    def close(self) -> None:
        """Close the file, and remove it unless it is complete. May be called more than once."""
        with suppress(OSError):  # the buffered rest may not fit on the disk
            self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _attempt(self, step: Callable[[], None]) -> None:
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
            self._file.write(wav_header(self._rate, self._size - WAV_HEADER_SIZE))
        self._file.close()
        os.replace(self._unfinished, self.path)


def find(folder: Path, name: str) -> Path:
    """Return the path of the download `name`. Raises NotFound when it is expired, incomplete or not a download."""
    sweep(folder)
    path = folder / name  # _NAME, below, admits no separators and no dots but the suffix's: it stays in `folder`
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such download: links expire, and work once the answer has been sent whole.")
    return path.resolve()


def sweep(folder: Path) -> None:
    """Remove downloads older than DOWNLOAD_LIFETIME and, beyond MAX_DOWNLOADS, the oldest."""
    ages = sorted((time.time() - _changed(path), path) for path in folder.glob(f"{PREFIX}*"))
    for number, (age, path) in enumerate(ages):
        if age > LIFETIME or number >= MOST:
            with suppress(OSError):  # on Windows a file that is being sent can't be removed
                path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """Return the file's modification time in Unix seconds, or 0 when it has been removed meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
