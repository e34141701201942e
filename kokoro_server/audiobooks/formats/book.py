"""Represent a book as chapters of plain text with title, author, language and cover, and clean up its text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from kokoro_server.core.errors import BadRequest, TooLarge
from kokoro_server.core.request import remove_forbidden_characters

MAX_CHAPTERS = 2_000
MAX_NAME_LENGTH = 300
"""Characters of a title or an author; longer ones are cut."""

# Soft hyphen, zero-width space and word joiner (some converters leave them inside words) and the byte order mark. The
# joiners U+200C and U+200D stay: Hindi needs them.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028]")
_PARAGRAPH_ENDS = re.compile("[\f\u2029]")


@dataclass(frozen=True)
class BookLimits:
    """Limit a book: bytes that its file unpacks to, pages of a PDF, characters of its text."""

    unpacked_bytes: int = 500_000_000
    pages: int = 5_000
    characters: int = 5_000_000


@dataclass(frozen=True)
class Chapter:
    """Hold one chapter. `text` includes the heading, if there is one; an empty line separates paragraphs."""

    title: str
    text: str


@dataclass(frozen=True)
class Book:
    """Hold a parsed book.

    `language` is the tag that the file states, such as "en" or "de-AT", or "". `cover` is an image file of any type as
    the format's parser found it, and a JPEG or None once `reader` has converted it.
    """

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    cover: bytes | None = None

    @property
    def characters(self) -> int:
        """Number of characters in all chapters."""
        return sum(len(chapter.text) for chapter in self.chapters)


def clean_text(text: str) -> str:
    """Return `text` without control and invisible characters, repeated spaces and repeated empty lines."""
    text = _PARAGRAPH_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text))
    text = remove_forbidden_characters(_INVISIBLE.sub("", text))
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()


def clean_name(text: str) -> str:
    """Return a title or a name on one line, cut to MAX_NAME_LENGTH characters."""
    return " ".join(clean_text(text).split())[:MAX_NAME_LENGTH].strip()


def clean_book(book: Book, limits: BookLimits, field: str) -> Book:
    """Return the book with cleaned texts and without chapters that have nothing to read.

    Raises:
        BadRequest: No chapter has a letter or a digit, as in a scan without OCR; the message names `field`.
        TooLarge: The cleaned text exceeds `limits.characters`.
    """
    chapters = tuple(_clean_chapters(book.chapters))
    whole = replace(book, title=clean_name(book.title), author=clean_name(book.author), chapters=chapters)
    if not chapters:
        raise BadRequest(f"{field} holds no text to speak; scanned pages need OCR first.", field, None, "text")
    if whole.characters > limits.characters:
        raise TooLarge(
            f"{field} has {whole.characters} characters: expected at most {limits.characters}.",
            field,
            None,
            f"up to {limits.characters} characters",
        )
    return whole


def _clean_chapters(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Return the cleaned chapters that have a letter or a digit; append those beyond MAX_CHAPTERS to the last one."""
    spoken: list[Chapter] = []
    for chapter in chapters:
        text = clean_text(chapter.text)
        if not any(map(str.isalnum, text)):
            continue
        if len(spoken) < MAX_CHAPTERS:
            spoken.append(Chapter(clean_name(chapter.title), text))
        else:
            spoken[-1] = replace(spoken[-1], text=f"{spoken[-1].text}\n\n{text}")
    return [c if c.title else replace(c, title=f"Chapter {number}") for number, c in enumerate(spoken, 1)]
