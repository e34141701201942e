"""Answers that a client may fetch once more by a link: files in TEMP_DIR that expire."""

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
"""Seconds that a file can be fetched for."""
MOST = 100
"""Files kept at once: beyond it the oldest go first."""
PREFIX = f"{FILE_PREFIX}link_"
"""What their names begin with, so that start-up removes what an earlier run left."""
UNFINISHED = ".part"

_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{32}}\.(?:{'|'.join(format.extension for format in FORMATS.values())})")


class Copy:
    """A file that an answer is written into while it is sent; it can be fetched once the answer is whole.

    A disk that refuses costs the client the link, never the sound.
    """

    def __init__(self, folder: Path, order: Order) -> None:
        """Open the file, in a folder that is made again when somebody removed it. Raises OSError."""
        folder.mkdir(parents=True, exist_ok=True)
        self._format = FORMATS[order.format]
        self._rate = self._format.rate_for(order.sample_rate)
        self.path = folder / f"{PREFIX}{secrets.token_hex(16)}.{self._format.extension}"
        self._unfinished = self.path.with_name(self.path.name + UNFINISHED)
        self._file = self._unfinished.open("wb")
        self._size = 0

    def of(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks as they come, each written down."""
        for block in blocks:
            self._attempt(partial(self._write, block))
            yield block
        self._attempt(self._finish)

    def close(self) -> None:
        """Let go of the file; one that is not whole is removed."""
        with suppress(OSError):  # what it still holds does not fit
            self._file.close()
        self._unfinished.unlink(missing_ok=True)

    def _attempt(self, step: Callable[[], None]) -> None:
        """Do one more step, unless one has failed."""
        if self._file.closed:
            return
        try:
            step()
        except OSError as exc:
            log.warning("%s is given up: %s", self.path.name, exc)
            self.close()

    def _write(self, block: bytes) -> None:
        self._size += self._file.write(block)

    def _finish(self) -> None:
        if self._format.name == "wav":  # a stream's header could not tell the length, a file's should
            self._file.seek(0)
            self._file.write(wav_header(self._rate, self._size - WAV_HEADER_SIZE))
        self._file.close()
        os.replace(self._unfinished, self.path)


def find(folder: Path, name: str) -> Path:
    """The file of that name. Raises NotFound when it has expired, is not whole yet, or never was one of ours."""
    sweep(folder)
    path = folder / name
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound("There is no such download: links expire, and work once the answer has been sent whole.")
    return path.resolve()


def sweep(folder: Path) -> None:
    """Remove the files that have expired, and the oldest of too many."""
    ages = sorted((time.time() - _changed(path), path) for path in folder.glob(f"{PREFIX}*"))
    for number, (age, path) in enumerate(ages):
        if age > LIFETIME or number >= MOST:
            with suppress(OSError):  # on Windows one that is being sent can't go before that is done
                path.unlink(missing_ok=True)


def _changed(path: Path) -> float:
    """When the file was last written, in Unix seconds; 0 when it has gone meanwhile."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
