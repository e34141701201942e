"""Parse one book file in a process of its own: `python -m tts.books.reader PATH LIMITS FIELD`.

LIMITS is BookLimits as JSON, FIELD the request field that error messages name. Standard output is one JSON object:
{"book": {...}} with the cover in base64, or {"error": {...}} with the status and message to answer.
"""

from __future__ import annotations

import json
import logging
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from tts.books.book import Book, BookLimits, tidied
from tts.books.cover import as_jpeg
from tts.books.docx import read_docx
from tts.books.epub import read_epub
from tts.books.markdown import read_markdown
from tts.books.markup import read_markup
from tts.books.pdf import read_pdf
from tts.books.plain import decode, read_subtitles, read_text
from tts.speech.errors import BadRequest, TooLarge

READER_MEMORY = 2 << 30
"""Limit on the address space in bytes, on systems with the `resource` module (not Windows)."""

TEXTS: dict[str, Callable[[str], Book]] = {
    ".txt": read_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_markup,
    ".htm": read_markup,
    ".xhtml": read_markup,
    ".srt": read_subtitles,
}
FILES: dict[str, Callable[[Path, BookLimits, str], Book]] = {".epub": read_epub, ".pdf": read_pdf, ".docx": read_docx}


def read(path: Path, limits: BookLimits, field: str) -> Book:
    """Parse a file by its suffix and return the cleaned book, its cover as a JPEG.

    Raises BadRequest when the file can't be parsed, TooLarge when it exceeds a limit; messages name `field`.
    """
    suffix = path.suffix.lower()
    book = FILES[suffix](path, limits, field) if suffix in FILES else TEXTS[suffix](decode(path.read_bytes()))
    cover = as_jpeg(book.cover) if book.cover else None
    return tidied(replace(book, cover=cover), limits, field)


def main(arguments: list[str]) -> None:
    """Parse the file that the arguments name and print the book or the error."""
    path, limits, field = arguments
    logging.basicConfig(level="ERROR", format="%(asctime)s %(levelname)s reader: %(message)s")
    _limit_memory()
    try:
        answer = {"book": _fields(read(Path(path), BookLimits(**json.loads(limits)), field))}
    except BadRequest as exc:
        answer = _refusal(exc)
    except MemoryError:
        answer = _refusal(TooLarge(f"{field} takes more memory to read than {READER_MEMORY} bytes.", field))
    json.dump(answer, sys.stdout)


def _refusal(exc: BadRequest) -> dict[str, Any]:
    return {
        "error": {"status": exc.status, "message": exc.message[:500], "field": exc.field, "allowed": exc.allowed},
    }


def _fields(book: Book) -> dict[str, Any]:
    return {**asdict(book), "cover": b64encode(book.cover).decode() if book.cover else None}


def _limit_memory() -> None:
    """Limit the address space of this process; beyond it, allocations raise MemoryError."""
    try:
        import resource  # POSIX only
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = READER_MEMORY if hard == resource.RLIM_INFINITY else min(READER_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
