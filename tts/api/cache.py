"""Finished answers on disk, the least recently used ones given up when they fill the space that they may have."""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import diskcache  # type: ignore[import-untyped]

from tts.api.bodies import Order

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
LARGEST = 20
"""An answer may take one part in so many of the space: diskcache gives up ten at a time, which should not be all."""


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]
    """Keeps bytes and nothing else: diskcache reads other things with pickle, which runs whatever it finds there."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
            raise OSError(f"the cache holds a value of mode {mode}, which this server never writes")
        return super().fetch(mode, filename, value, read)


class Answers:
    """The answers that are kept; `megabytes` 0 keeps none. Methods may be called from any thread.

    A fault of the disk costs an answer its place here, never the client its sound.
    """

    def __init__(self, folder: Path, megabytes: int, made_by: str) -> None:
        """`made_by` names all that shapes every answer's sound: this program's version and what it speaks with.

        Raises OSError when the folder can't be used.
        """
        self._made_by = made_by
        self._largest = megabytes * MEGABYTE // LARGEST
        self._cache: Any = None
        if megabytes:
            self._cache = diskcache.Cache(
                str(folder),
                disk=_PlainDisk,
                size_limit=megabytes * MEGABYTE,
                eviction_policy="least-recently-used",
                cull_limit=0,  # by itself it gives up ten for one that is added, however large that is
            )
            self._cache.close()

    def tag(self, order: Order, whole: bool) -> str:
        """What names the answer, '' when none is kept: all that shapes its bytes, hashed."""
        if self._cache is None:
            return ""
        shaped_by = json.dumps([self._made_by, whole, asdict(order)], sort_keys=True)
        return hashlib.sha256(shaped_by.encode()).hexdigest()[:40]

    def get(self, tag: str) -> bytes | None:
        """The answer's bytes, if they are kept."""
        if not tag:
            return None
        try:
            with self._cache as cache:  # closes this thread's connection, which nobody else ever would
                kept: bytes | None = cache.get(tag)
                return kept
        except (OSError, sqlite3.Error, diskcache.Timeout) as exc:
            log.warning("The cache can't be read: %s", exc)
            return None

    def keep(self, tag: str, answer: bytes) -> bytes:
        """The answer itself, kept where that is wanted and it is not too large."""
        if tag and len(answer) <= self._largest:
            try:
                with self._cache as cache:
                    cache.set(tag, answer)
                    cache.cull()
            except (OSError, sqlite3.Error, diskcache.Timeout) as exc:
                log.warning("The cache can't be written: %s", exc)
        return answer

    def keeping(self, tag: str, blocks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        """The blocks as they come; once they have all been taken they are kept, and never a part of them."""
        copy = bytearray()
        with closing(blocks):
            for block in blocks:
                if tag and len(copy) <= self._largest:
                    copy += block
                yield block
        self.keep(tag, bytes(copy))
