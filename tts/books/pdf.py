"""Reads PDF: pages into paragraphs, without the lines that every page repeats, and chapters from the outline."""

from __future__ import annotations

import re
import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pypdf import PdfReader
from pypdf.errors import DependencyError, LimitReachedError, PdfReadError, PyPdfError

from tts.books.book import Book, BookLimits, Chapter
from tts.speech.errors import BadRequest, TooLarge

# Damaged files make the parser trip in many ways; see the "Robustness" notes of pypdf.
_DAMAGED = (
    *(PyPdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError, ArithmeticError),
    *(zlib.error, struct.error, OSError),
)
REPEATED = 0.3
"""Share of the pages on which a first or last line must stand to be a running head: odd and even pages differ."""
ENDS = 0.8
"""Share of the usual line's length below which a line that ends a sentence ends its paragraph as well."""
_STOPS = (".", "!", "?", "…", '"', "”", "’", "»", ":", "。", "！", "？", "」")


def read_pdf(path: Path, limits: BookLimits, field: str) -> Book:
    """The book in a PDF file. Raises BadRequest when it is damaged or protected, TooLarge when it is too long."""
    try:
        with PdfReader(path) as reader:
            _check_readable(reader, limits, field)
            pages = _paragraphs(_pages(reader, limits, field))
            chapters = tuple(_chapters(pages, _outline(reader)))
            info = reader.metadata
            title, author = (str(info.title or ""), str(info.author or "")) if info else ("", "")
            return Book(title, author, _language(reader), chapters)
    except LimitReachedError as exc:
        raise TooLarge(f"{field} unpacks to more than a PDF should ({exc}).", field) from exc
    except (DependencyError, NotImplementedError) as exc:  # a protection that is not known
        raise _protected(field) from exc
    except _DAMAGED as exc:
        raise BadRequest(f"{field} is damaged: it can't be read as PDF ({exc}).", field) from exc


def _check_readable(reader: PdfReader, limits: BookLimits, field: str) -> None:
    if reader.is_encrypted and not reader.decrypt(""):
        raise _protected(field)
    if len(reader.pages) > limits.pages:
        most = f"{limits.pages} pages"
        raise TooLarge(f"{field} has {len(reader.pages)} pages: expected at most {most}.", field, None, most)


def _protected(field: str) -> BadRequest:
    return BadRequest(f"{field} is protected: it needs a password.", field, None, "a PDF without a password")


def _pages(reader: PdfReader, limits: BookLimits, field: str) -> list[list[str]]:
    """The lines of every page."""
    pages, characters = [], 0
    for page in reader.pages:
        text = page.extract_text()
        characters += len(text)
        if characters > 2 * limits.characters:  # what repeats on each page is still in it
            most = f"{limits.characters} characters"
            raise TooLarge(f"{field} is too long: expected at most {most}.", field, None, most)
        pages.append([" ".join(line.split()) for line in text.splitlines()])
    return pages


def _paragraphs(pages: list[list[str]]) -> list[str]:
    """The text of every page; a paragraph that runs over two pages is one, and belongs to the first of them."""
    bodies = _without_running_heads(pages)
    lengths = sorted(len(line) for body in bodies for line in body if line)
    usual = lengths[3 * len(lengths) // 4] if lengths else 0
    return [_joined(body, usual) for body in bodies]


def _without_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """Pages without first and last lines that many of them share but for their numbers."""
    filled = [[line for line in page if line] for page in pages]
    ends = Counter(_shape(line) for page in filled for line in {*page[:1], *page[-1:]})
    often = {shape for shape, count in ends.items() if count >= max(3, REPEATED * len(pages))}
    bodies = []
    for page in filled:
        first = 1 if page and _shape(page[0]) in often else 0
        last = len(page) - 1 if len(page) > first and _shape(page[-1]) in often else len(page)
        bodies.append(page[first:last])
    return bodies


def _shape(line: str) -> str:
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.lower())


def _joined(lines: list[str], usual: int) -> str:
    """Lines made into paragraphs: words that a line's end broke are whole again."""
    text = ""
    for line in lines:
        if re.search(r"[^\W\d_]-$", text) and line[:1].islower():
            text = text[:-1] + line
        elif text.endswith("\n") or not text:
            text += line
        else:
            text += " " + line
        if len(line) < ENDS * usual and line.endswith(_STOPS):
            text += "\n\n"
    return text


def _chapters(pages: list[str], outline: list[tuple[int, str]]) -> Iterator[Chapter]:
    """Whole pages: a chapter ends where the page begins that the next one is on."""
    starts = dict(reversed(outline))  # of several on a page the first
    title, texts = "", list[str]()
    for number, text in enumerate(pages):
        if number in starts:
            yield Chapter(title, _run_on(texts))
            title, texts = starts[number], []
        texts.append(text)
    yield Chapter(title, _run_on(texts))


def _run_on(pages: list[str]) -> str:
    """Pages as one text; a sentence that a page's end broke goes on."""
    text = ""
    for page in filter(None, pages):
        if re.search(r"[^\W\d_]-$", text) and page[:1].islower():
            text = text[:-1] + page
        elif text and not text.endswith("\n"):
            text += ("\n\n" if text.endswith(_STOPS) else " ") + page
        else:
            text += page
    return text


def _outline(reader: PdfReader) -> list[tuple[int, str]]:
    """(page, title) of the outline's top entries, or of those under the only one."""
    entries: list[Any] = list(reader.outline)
    while sum(not isinstance(entry, list) for entry in entries) == 1 and isinstance(entries[-1], list):
        entries = entries[-1]
    return [found for entry in entries if not isinstance(entry, list) and (found := _place(reader, entry))]


def _place(reader: PdfReader, entry: Any) -> tuple[int, str] | None:
    try:
        page = reader.get_destination_page_number(entry)
    except PdfReadError:
        return None
    return None if page is None else (page, str(entry.title))


def _language(reader: PdfReader) -> str:
    root: Any = reader.root_object
    return str(root.get("/Lang") or "")
