"""Pack and unpack the answer of the reader process, which travels as JSON over its standard output.

An answer is {"book": {...}}, with the cover in base64, or {"error": {...}}, with the status and the message to answer.
The reader process packs it and the server unpacks it, so that a new field of a book is added here and nowhere else.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import asdict
from typing import Any

from kokoro_server.audiobooks.formats.book import Book, Chapter
from kokoro_server.core.errors import BadRequest, TooLarge

ReaderAnswer = dict[str, dict[str, Any]]
"""Answer of the reader process, as JSON values."""

MAX_MESSAGE_LENGTH = 500
"""Characters of an error's message; parsers may quote much of a damaged file."""


def pack_book(book: Book) -> ReaderAnswer:
    """Return the book as an answer."""
    return {"book": {**asdict(book), "cover": b64encode(book.cover).decode() if book.cover else None}}


def pack_error(error: BadRequest) -> ReaderAnswer:
    """Return the error as an answer."""
    message = error.message[:MAX_MESSAGE_LENGTH]
    return {"error": {"status": error.status, "message": message, "field": error.field, "allowed": error.allowed}}


def unpack_book(answer: ReaderAnswer) -> Book:
    """Return the book in the answer. Raises the BadRequest or TooLarge in it, if there is one."""
    if "error" in answer:
        raise _unpack_error(answer["error"])
    fields = answer["book"]
    chapters = tuple(Chapter(**chapter) for chapter in fields["chapters"])
    cover = b64decode(fields["cover"]) if fields["cover"] else None
    return Book(fields["title"], fields["author"], fields["language"], chapters, cover)


def _unpack_error(fields: dict[str, Any]) -> BadRequest:
    kind = TooLarge if fields["status"] == TooLarge.status else BadRequest
    return kind(fields["message"], fields["field"], None, fields["allowed"])
