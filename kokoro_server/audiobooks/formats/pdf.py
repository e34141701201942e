"""Read PDF files.

pypdf extracts the lines of each page. Running heads and page numbers are removed: a first or last line that, with its
numbers masked, stands on many pages. Lines are joined into paragraphs by their length and last character, and words
hyphenated at a line's or page's end are joined. Chapters start on the pages that the outline's top level points to.
"""

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

from kokoro_server.audiobooks.formats.book import Book, BookLimits, Chapter
from kokoro_server.core.errors import BadRequest, TooLarge

# Damaged files make pypdf raise any of these; see the "Robustness" notes in its documentation.
_PARSE_ERRORS = (
    *(PyPdfError, ValueError, LookupError, TypeError, AttributeError, AssertionError, RecursionError, ArithmeticError),
    *(zlib.error, struct.error, OSError),
)
RUNNING_HEAD_SHARE = 0.3
"""Share of the pages that must have a first or last line for it to be a running head; odd and even pages differ."""
SHORT_LINE_SHARE = 0.8
"""Share of the typical line length below which a line that ends a sentence also ends its paragraph."""
_SENTENCE_ENDS = (".", "!", "?", "…", '"', "”", "’", "»", ":", "。", "！", "？", "」")


def read_pdf(path: Path, limits: BookLimits, field: str) -> Book:
    """Return the book in a PDF file.

    Raises:
        BadRequest: The file is damaged, or encrypted with a password; the message names `field`.
        TooLarge: The file has too many pages or characters, or unpacks to more than pypdf's limits.
    """
    try:
        with PdfReader(path) as reader:
            _check_readable(reader, limits, field)
            pages = _build_paragraphs(_extract_lines(reader, limits, field))
            chapters = tuple(_split_at_outline(pages, _read_outline(reader)))
            info = reader.metadata
            title, author = (str(info.title or ""), str(info.author or "")) if info else ("", "")
            return Book(title, author, _read_language(reader), chapters)
    except LimitReachedError as exc:
        raise TooLarge(f"{field} unpacks to more than a PDF should ({exc}).", field) from exc
    except (DependencyError, NotImplementedError) as exc:  # an encryption scheme that pypdf lacks
        raise _make_protected_error(field) from exc
    except _PARSE_ERRORS as exc:
        raise BadRequest(f"{field} is damaged: it can't be read as PDF ({exc}).", field) from exc


def _check_readable(reader: PdfReader, limits: BookLimits, field: str) -> None:
    if reader.is_encrypted and not reader.decrypt(""):
        raise _make_protected_error(field)
    if len(reader.pages) > limits.pages:
        most = f"{limits.pages} pages"
        raise TooLarge(f"{field} has {len(reader.pages)} pages: expected at most {most}.", field, None, most)


def _make_protected_error(field: str) -> BadRequest:
    return BadRequest(f"{field} is protected: it needs a password.", field, None, "a PDF without a password")


def _extract_lines(reader: PdfReader, limits: BookLimits, field: str) -> list[list[str]]:
    """Return the lines of every page. Raises TooLarge when there are too many characters."""
    pages, characters = [], 0
    for page in reader.pages:
        text = page.extract_text()
        characters += len(text)
        if characters > 2 * limits.characters:  # a factor of 2, as running heads are still included
            most = f"{limits.characters} characters"
            raise TooLarge(f"{field} is too long: expected at most {most}.", field, None, most)
        pages.append([" ".join(line.split()) for line in text.splitlines()])
    return pages


def _build_paragraphs(pages: list[list[str]]) -> list[str]:
    """Return the text of every page, without running heads and with its lines joined into paragraphs."""
    bodies = _strip_running_heads(pages)
    lengths = sorted(len(line) for body in bodies for line in body if line)
    # the third quartile: most lines of a paragraph are full, and headings and last lines are shorter
    usual = lengths[3 * len(lengths) // 4] if lengths else 0
    return [_join_lines(body, usual) for body in bodies]


def _strip_running_heads(pages: list[list[str]]) -> list[list[str]]:
    """Return the pages without first and last lines that many of them share, apart from numbers."""
    filled = [[line for line in page if line] for page in pages]
    ends = Counter(_mask_numbers(line) for page in filled for line in {*page[:1], *page[-1:]})
    often = {shape for shape, count in ends.items() if count >= max(3, RUNNING_HEAD_SHARE * len(pages))}
    bodies = []
    for page in filled:
        first = 1 if page and _mask_numbers(page[0]) in often else 0
        last = len(page) - 1 if len(page) > first and _mask_numbers(page[-1]) in often else len(page)
        bodies.append(page[first:last])
    return bodies


def _mask_numbers(line: str) -> str:
    """Return `line` in lower case with digits and Roman numerals masked: "Chapter IV 12" -> "chapter # #"."""
    return re.sub(r"\d+|\b[ivxlc]+\b", "#", line.lower())


def _join_lines(lines: list[str], typical_length: int) -> str:
    """Join lines into paragraphs: a short line that ends a sentence is the last of its paragraph."""
    text = ""
    for line in lines:
        text = _append(text, line, " ")
        if len(line) < SHORT_LINE_SHARE * typical_length and line.endswith(_SENTENCE_ENDS):
            text += "\n\n"
    return text


def _split_at_outline(pages: list[str], outline: list[tuple[int, str]]) -> Iterator[Chapter]:
    """Yield chapters of whole pages: a chapter ends before the page on which the next one starts."""
    starts = dict(reversed(outline))  # of several entries on one page, the first wins
    title, texts = "", list[str]()
    for number, text in enumerate(pages):
        if number in starts:
            yield Chapter(title, _join_pages(texts))
            title, texts = starts[number], []
        texts.append(text)
    yield Chapter(title, _join_pages(texts))


def _join_pages(pages: list[str]) -> str:
    """Join pages into one text, continuing sentences and hyphenated words across page ends."""
    text = ""
    for page in filter(None, pages):
        text = _append(text, page, "\n\n" if text.endswith(_SENTENCE_ENDS) else " ")
    return text


def _append(text: str, part: str, separator: str) -> str:
    """Append a line or a page: to a word hyphenated before it ("exam-" + "ple" -> "example"), or after `separator`."""
    # Before a capital or a digit the hyphen is part of the word and stays: "Anglo-" + "Saxon", "Covid-" + "19".
    if re.search(r"[^\W\d_]-$", text) and part[:1].islower():
        return text[:-1] + part
    return text + part if not text or text.endswith("\n") else text + separator + part


def _read_outline(reader: PdfReader) -> list[tuple[int, str]]:
    """Return (page index, title) of the outline's top level, or of the level below while there is only one entry."""
    entries: list[Any] = list(reader.outline)  # the children of an entry are a list after it
    while sum(not isinstance(entry, list) for entry in entries) == 1 and isinstance(entries[-1], list):
        entries = entries[-1]
    return [found for entry in entries if not isinstance(entry, list) and (found := _resolve_entry(reader, entry))]


def _resolve_entry(reader: PdfReader, entry: Any) -> tuple[int, str] | None:
    try:
        page = reader.get_destination_page_number(entry)
    except PdfReadError:
        return None
    return None if page is None else (page, str(entry.title))


def _read_language(reader: PdfReader) -> str:
    root: Any = reader.root_object
    return str(root.get("/Lang") or "")
