"""Has a file read in a process of its own: what strangers send may make a parser run for ever or eat all memory."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from base64 import b64decode
from dataclasses import asdict
from pathlib import Path, PurePath
from typing import Any

from tts.books.book import Book, BookLimits, Chapter
from tts.engines.base import ROOT
from tts.speech.errors import BadRequest, Busy, TooLarge, UnsupportedMedia

log = logging.getLogger(__name__)

SUFFIXES = (".txt", ".md", ".markdown", ".html", ".htm", ".xhtml", ".epub", ".pdf", ".docx", ".srt")
CONTENT_TYPES = {
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
"""Seconds for one file: a PDF of 5,000 pages takes one of them for about 60."""
AT_ONCE = 2
"""Files that are read at the same time: each may take a core and READER_MEMORY."""

_turn = threading.BoundedSemaphore(AT_ONCE)


def suffix_of(name: str, content_type: str, field: str) -> str:
    """What kind of file it is, by its name or else its media type, as one of SUFFIXES. Raises UnsupportedMedia."""
    suffix = PurePath(name).suffix.lower()
    if suffix in SUFFIXES:
        return suffix
    if content_type in CONTENT_TYPES:
        return CONTENT_TYPES[content_type]
    raise UnsupportedMedia(
        f"{field} is a {suffix or content_type or 'file without a name'}: expected {', '.join(SUFFIXES)}.",
        field,
        name,
        list(SUFFIXES),
    )


def read_file(path: Path, limits: BookLimits, field: str = "file") -> Book:
    """The book in a file whose name ends with one of SUFFIXES.

    Raises BadRequest, naming `field`, when it can't be read, TooLarge when it is over one of the limits or takes
    longer than READ_TIMEOUT, and Busy when AT_ONCE others are being read all that time.
    """
    if not _turn.acquire(timeout=READ_TIMEOUT):
        raise Busy("Other files are being read: try again later.", 30.0)
    try:
        answer = _answer(path.resolve(), limits, field)
    finally:
        _turn.release()
    if "error" in answer:
        raise _error(answer["error"])
    return _book(answer["book"])


def _answer(path: Path, limits: BookLimits, field: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tts.books.reader", str(path), json.dumps(asdict(limits)), field]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=ROOT, timeout=READ_TIMEOUT, check=True
        )
    except subprocess.TimeoutExpired as exc:
        raise TooLarge(f"{field} takes longer to read than {READ_TIMEOUT:g} seconds.", field) from exc
    except subprocess.CalledProcessError as exc:
        log.warning("The reader of a %s file ended with exit code %d", path.suffix, exc.returncode)
        raise BadRequest(f"{field} can't be read as {path.suffix}; the server's log says why.", field) from exc
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _error(fields: dict[str, Any]) -> BadRequest:
    kind = TooLarge if fields["status"] == TooLarge.status else BadRequest
    return kind(fields["message"], fields["field"], None, fields["allowed"])


def _book(fields: dict[str, Any]) -> Book:
    chapters = tuple(Chapter(**chapter) for chapter in fields["chapters"])
    cover = b64decode(fields["cover"]) if fields["cover"] else None
    return Book(fields["title"], fields["author"], fields["language"], chapters, cover)
