"""A book as it is spoken: chapters of plain text, and what its cover says."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from tts.speech.errors import BadRequest, TooLarge
from tts.speech.request import printable

MAX_CHAPTERS = 2_000
LONGEST_NAME = 300
"""Characters of a title or an author; what is longer is not one."""

# Hyphens that only show where a word may be broken, zero-width marks that some converters leave in words, and the
# byte order mark. The joiners U+200C and U+200D stay: Hindi is written with them.
_INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")
_LINE_ENDS = re.compile("\r\n|[\r\x85\u2028]")
_PARAGRAPH_ENDS = re.compile("[\f\u2029]")


@dataclass(frozen=True)
class BookLimits:
    """What a book may be: bytes that its file unpacks to, pages of a PDF, characters of its text."""

    unpacked: int = 500_000_000
    pages: int = 5_000
    characters: int = 5_000_000


@dataclass(frozen=True)
class Chapter:
    """A part of a book; `text` holds its heading too, if it has one, and paragraphs apart by an empty line."""

    title: str
    text: str


@dataclass(frozen=True)
class Book:
    """`language` is what the file says (en, de-AT, or nothing); `cover` a JPEG."""

    title: str
    author: str
    language: str
    chapters: tuple[Chapter, ...]
    cover: bytes | None = None

    @property
    def characters(self) -> int:
        return sum(len(chapter.text) for chapter in self.chapters)


def tidy(text: str) -> str:
    """`text` without what can't be spoken: spaces single, at most one empty line, no control or invisible marks."""
    text = _PARAGRAPH_ENDS.sub("\n\n", _LINE_ENDS.sub("\n", text))
    text = printable(_INVISIBLE.sub("", text))
    text = re.sub(r"[^\S\n]+", " ", text)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r" ?\n ?", "\n", text)).strip()


def tidy_name(text: str) -> str:
    """A title or a name on one line, cut where it is too long for one."""
    return " ".join(tidy(text).split())[:LONGEST_NAME].strip()


def tidied(book: Book, limits: BookLimits, field: str) -> Book:
    """The book with tidy texts, and chapters that say nothing left out. Raises BadRequest or TooLarge for `field`."""
    chapters = tuple(_spoken(book.chapters))
    whole = replace(book, title=tidy_name(book.title), author=tidy_name(book.author), chapters=chapters)
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


def _spoken(chapters: Iterable[Chapter]) -> list[Chapter]:
    """Chapters with something to say; what is beyond MAX_CHAPTERS becomes part of the last one."""
    spoken: list[Chapter] = []
    for chapter in chapters:
        text = tidy(chapter.text)
        if not any(map(str.isalnum, text)):
            continue
        if len(spoken) < MAX_CHAPTERS:
            spoken.append(Chapter(tidy_name(chapter.title), text))
        else:
            spoken[-1] = replace(spoken[-1], text=f"{spoken[-1].text}\n\n{text}")
    return [c if c.title else replace(c, title=f"Chapter {number}") for number, c in enumerate(spoken, 1)]
