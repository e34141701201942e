"""Parse an uploaded file in a child process with a time limit and a memory limit.

Uploads are untrusted: a crafted file may make a parser loop forever, exhaust memory or crash.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path, PurePath

from kokoro_server.audiobooks.formats.book import Book, BookLimits
from kokoro_server.audiobooks.formats.messages import ReaderAnswer, unpack_book
from kokoro_server.core.errors import BadRequest, Busy, TooLarge, UnsupportedMedia
from kokoro_server.core.extras import require_extra
from kokoro_server.engine.base import IMPORT_ROOT

log = logging.getLogger(__name__)

SUFFIXES = (".txt", ".md", ".markdown", ".html", ".htm", ".xhtml", ".epub", ".pdf", ".docx", ".srt")
SUFFIX_BY_CONTENT_TYPE = {
    "text/plain": ".txt",
    "text/markdown": ".md",
    "text/html": ".html",
    "application/xhtml+xml": ".xhtml",
    "application/epub+zip": ".epub",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/x-subrip": ".srt",
}
READ_TIMEOUT = 120.0
"""Time limit for one file in seconds; a PDF of 5,000 pages takes about 60."""
MAX_CONCURRENT = 2
"""Files parsed at the same time; each may take a core and MAX_READER_MEMORY bytes."""

_slots = threading.BoundedSemaphore(MAX_CONCURRENT)


def detect_suffix(name: str, content_type: str, field: str) -> str:
    """Return the file type as one of SUFFIXES, by name or else by media type. Raises UnsupportedMedia."""
    suffix = PurePath(name).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    if content_type in SUFFIX_BY_CONTENT_TYPE:
        return SUFFIX_BY_CONTENT_TYPE[content_type]
    raise UnsupportedMedia(
        f"{field} is a {suffix or content_type or 'file without a name'}: expected {', '.join(SUFFIXES)}.",
        field,
        name,
        list(SUFFIXES),
    )


def read_book_file(path: Path, limits: BookLimits, field: str = "file") -> Book:
    """Parse a file whose name ends with one of SUFFIXES and return the cleaned book. Thread-safe; blocks.

    Raises:
        BadRequest: The file can't be parsed; the message names `field`.
        TooLarge: The file exceeds one of the limits, or parsing takes longer than READ_TIMEOUT.
        MissingExtra: The extra "books" is not installed.
        Busy: MAX_CONCURRENT other files were being parsed for READ_TIMEOUT.
    """
    require_extra("books", "Books")
    if not _slots.acquire(timeout=READ_TIMEOUT):
        raise Busy("Other files are being read: try again later.", 30.0)
    try:
        answer = _run_reader(path.resolve(), limits, field)
    finally:
        _slots.release()
    return unpack_book(answer)


def _run_reader(path: Path, limits: BookLimits, field: str) -> ReaderAnswer:
    """Run the reader process and return what it printed. Raises TooLarge on timeout, BadRequest when it crashed."""
    command = [
        sys.executable,
        "-m",
        "kokoro_server.audiobooks.formats.reader",
        str(path),
        json.dumps(asdict(limits)),
        field,
    ]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=IMPORT_ROOT, timeout=READ_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired as exc:
        raise TooLarge(f"{field} takes longer to read than {READ_TIMEOUT:g} seconds.", field) from exc
    except subprocess.CalledProcessError as exc:
        log.warning("The reader process for a %s file failed with exit code %d", path.suffix, exc.returncode)
        raise BadRequest(f"{field} can't be read as {path.suffix}; the server's log says why.", field) from exc
    answer: ReaderAnswer = json.loads(done.stdout)
    return answer
