"""Read Markdown by rendering it to HTML and parsing that."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from kokoro_server.audiobooks.formats.book import Book
from kokoro_server.audiobooks.formats.html import read_html

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_FRONT_MATTER_FIELD = re.compile(r"^(title|author|language|lang)[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)


def read_markdown(text: str) -> Book:
    """Return the book in CommonMark text with tables; YAML front matter may give title, author and language."""
    text = text.replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    fields = (
        {name.lower(): _unquote(value.strip()) for name, value in _FRONT_MATTER_FIELD.findall(front[1])}
        if front
        else {}
    )
    html = MarkdownIt("commonmark").enable("table").render(text[front.end() :] if front else text)
    book = read_html(html)
    language = fields.get("language") or fields.get("lang", "")
    return Book(fields.get("title", book.title), fields.get("author", ""), language, book.chapters)


def _unquote(value: str) -> str:
    """Return a front matter value without the quotes that YAML allows around it."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
