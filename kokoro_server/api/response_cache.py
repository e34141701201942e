"""Cache complete audio responses on disk, evicting the least recently used ones when the space is full.

The key is a SHA-256 digest of everything that determines a response's bytes: the salt (program version and model), the
SpeechJob, and whether the response is a complete file or a stream (their headers differ). The key is also the
response's ETag. Only complete responses are stored.
"""

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

from kokoro_server.api.schemas import SpeechJob

log = logging.getLogger(__name__)

BYTES_PER_MEGABYTE = 1_000_000
MAX_ENTRY_DIVISOR = 20
"""Divisor of the cache size: a response over 1/20 of it is not stored. diskcache evicts ten entries at a time; ten of
the largest then take at most half of the space."""


class _BytesOnlyDisk(diskcache.Disk):  # type: ignore[misc]
    """Refuse stored values other than plain bytes: diskcache unpickles those, which can run arbitrary code."""

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode not in (diskcache.core.MODE_RAW, diskcache.core.MODE_BINARY):
            raise OSError(f"the cache holds a value of mode {mode}, which this server never writes")
        return super().fetch(mode, filename, value, read)


class ResponseCache:
    """Store complete responses by key; with `megabytes` 0 the cache is off. Methods may be called from any thread.

    Disk and database errors are logged and count as a miss; they never fail a request.
    """

    def __init__(self, folder: Path, megabytes: int, cache_salt: str) -> None:
        """Open the cache in `folder`, which is created when missing. Raises OSError when it can't be used.

        Args:
            folder: Where the SQLite index and the files lie.
            megabytes: Size limit in 10**6 bytes.
            cache_salt: Names what determines the sound besides the job: program version and engine.
        """
        self._salt = cache_salt
        self._max_entry_bytes = megabytes * BYTES_PER_MEGABYTE // MAX_ENTRY_DIVISOR
        self._cache: Any = None
        if megabytes:
            self._cache = diskcache.Cache(
                str(folder),
                disk=_BytesOnlyDisk,
                size_limit=megabytes * BYTES_PER_MEGABYTE,
                eviction_policy="least-recently-used",
                cull_limit=0,  # `put` evicts instead: by default each insert evicts up to ten entries of any size
            )
            self._cache.close()  # each thread reopens it as needed

    def make_tag(self, job: SpeechJob, buffered: bool) -> str:
        """Return the response's cache key and ETag, 40 hex digits, or '' when the cache is off."""
        if self._cache is None:
            return ""
        shaped_by = json.dumps([self._salt, buffered, asdict(job)], sort_keys=True)
        return hashlib.sha256(shaped_by.encode()).hexdigest()[:40]

    def get(self, tag: str) -> bytes | None:
        """Return the cached response, or None. An empty `tag` is always a miss."""
        if not tag:
            return None
        try:
            with self._cache as cache:  # `with` closes this thread's SQLite connection; threads come and go
                kept: bytes | None = cache.get(tag)
                return kept
        except (OSError, sqlite3.Error, diskcache.Timeout) as exc:
            log.warning("The cache can't be read: %s", exc)
            return None

    def put(self, tag: str, body: bytes) -> bytes:
        """Store `answer` unless `tag` is empty or it is too large, and return it."""
        if tag and len(body) <= self._max_entry_bytes:
            try:
                with self._cache as cache:
                    cache.set(tag, body)
                    cache.cull()
            except (OSError, sqlite3.Error, diskcache.Timeout) as exc:
                log.warning("The cache can't be written: %s", exc)
        return body

    def put_stream(self, tag: str, blocks: Generator[bytes, None, None]) -> Generator[bytes, None, None]:
        """Pass `blocks` through, and store them once the last one has been taken; a partial response is never stored.

        At most the size of the largest allowed entry, plus one block, is held in memory.
        """
        copy = bytearray()
        with closing(blocks):
            for block in blocks:
                if tag and len(copy) <= self._max_entry_bytes:
                    copy += block
                yield block
        self.put(tag, bytes(copy))
