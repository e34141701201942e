"""Parse one book file in a process of its own: `python -m kokoro_server.audiobooks.formats.reader PATH LIMITS FIELD`.

LIMITS is BookLimits as JSON, FIELD the request field that error messages name. The reader finds the parser by the
suffix of PATH, cleans the book that it returns, and prints one JSON object: the book or the error, see `messages`.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from kokoro_server.audiobooks.formats.book import Book, BookLimits, clean_book
from kokoro_server.audiobooks.formats.cover import as_jpeg
from kokoro_server.audiobooks.formats.docx import read_docx
from kokoro_server.audiobooks.formats.epub import read_epub
from kokoro_server.audiobooks.formats.html import read_html
from kokoro_server.audiobooks.formats.markdown import read_markdown
from kokoro_server.audiobooks.formats.messages import pack_book, pack_error
from kokoro_server.audiobooks.formats.pdf import read_pdf
from kokoro_server.audiobooks.formats.plain_text import decode_text, read_plain_text, read_subtitles
from kokoro_server.core.errors import BadRequest, TooLarge

MAX_READER_MEMORY = 2 << 30
"""Limit on the address space in bytes, on systems with the `resource` module (not Windows)."""

TEXT_READERS: dict[str, Callable[[str], Book]] = {
    ".txt": read_plain_text,
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".html": read_html,
    ".htm": read_html,
    ".xhtml": read_html,
    ".srt": read_subtitles,
}
FILE_READERS: dict[str, Callable[[Path, BookLimits, str], Book]] = {
    ".epub": read_epub,
    ".pdf": read_pdf,
    ".docx": read_docx,
}


def read_book(path: Path, limits: BookLimits, field: str) -> Book:
    """Parse a file by its suffix and return the cleaned book, its cover as a JPEG.

    Raises BadRequest when the file can't be parsed, TooLarge when it exceeds a limit; messages name `field`.
    """
    suffix = path.suffix.lower()
    book = (
        FILE_READERS[suffix](path, limits, field)
        if suffix in FILE_READERS
        else TEXT_READERS[suffix](decode_text(path.read_bytes()))
    )
    cover = as_jpeg(book.cover) if book.cover else None
    return clean_book(replace(book, cover=cover), limits, field)


def main(arguments: list[str]) -> None:
    """Parse the file that the arguments name and print the book or the error."""
    path, limits, field = arguments
    logging.basicConfig(level="ERROR", format="%(asctime)s %(levelname)s reader: %(message)s")
    _limit_memory()
    try:
        answer = pack_book(read_book(Path(path), BookLimits(**json.loads(limits)), field))
    except BadRequest as exc:
        answer = pack_error(exc)
    except MemoryError:
        answer = pack_error(TooLarge(f"{field} takes more memory to read than {MAX_READER_MEMORY} bytes.", field))
    json.dump(answer, sys.stdout)


def _limit_memory() -> None:
    """Limit the address space of this process; beyond it, allocations raise MemoryError."""
    try:
        import resource  # POSIX only
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MAX_READER_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_READER_MEMORY, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
