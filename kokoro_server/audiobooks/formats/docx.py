"""Read Word documents: paragraphs and tables in document order, chapters from the heading styles."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from docx import Document
from docx.document import Document as WordDocument
from docx.opc.exceptions import OpcError
from docx.oxml.exceptions import XmlchemyError
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml import etree  # type: ignore[import-untyped]

from kokoro_server.audiobooks.formats.archive import Archive
from kokoro_server.audiobooks.formats.book import Book, BookLimits
from kokoro_server.audiobooks.formats.html import Block, split_chapters
from kokoro_server.core.errors import BadRequest

# python-docx does not check that a part has the type that its name implies: a wrong one raises any of these.
_PARSE_ERRORS = (
    *(
        OpcError,
        XmlchemyError,
        etree.LxmlError,
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
    ),
    *(ValueError, LookupError, TypeError, AttributeError, RecursionError),
)
_HEADING_STYLE = re.compile(r"heading (\d)", re.IGNORECASE)


def read_docx(path: Path, limits: BookLimits, field: str) -> Book:
    """Return the book in a .docx file. Raises BadRequest when it is damaged, TooLarge when it unpacks to too much."""
    with closing(Archive(path, limits, field)):
        pass  # checks the sizes only: python-docx would unpack anything
    try:
        document = Document(str(path))
        properties = document.core_properties
        chapters = tuple(split_chapters(list(_iter_blocks(document))))
        return Book(properties.title, properties.author, properties.language, chapters)
    except _PARSE_ERRORS as exc:
        raise BadRequest(f"{field} is damaged: it can't be read as a Word document ({exc}).", field) from exc


def _iter_blocks(document: WordDocument) -> Iterator[Block]:
    for item in document.iter_inner_content():
        if isinstance(item, Table):
            yield from (Block(row) for row in _iter_rows(item))
        elif item.text.strip():
            yield Block(item.text, _get_heading_level(item))


def _iter_rows(table: Table) -> Iterator[str]:
    for row in table.rows:
        cells = (" ".join(cell.text.split()) for cell in row.cells)
        if text := ", ".join(dict.fromkeys(filter(None, cells))):  # a merged cell is listed once for each cell it spans
            yield text


def _get_heading_level(paragraph: Paragraph) -> int:
    name = paragraph.style.name if paragraph.style is not None else None
    heading = _HEADING_STYLE.match(name or "")
    return int(heading[1]) if heading else 0
