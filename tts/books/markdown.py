"""Reads Markdown, by way of the HTML that it stands for."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from tts.books.book import Book
from tts.books.markup import read_markup

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*\n", re.DOTALL)
_NAMED = re.compile(r"^(title|author|language|lang)[ \t]*:(.*)$", re.MULTILINE | re.IGNORECASE)


def read_markdown(text: str) -> Book:
    """Markdown (CommonMark and tables), with what its front matter names."""
    text = text.replace("\r\n", "\n")
    front = _FRONT_MATTER.match(text)
    named = {name.lower(): _unquoted(value.strip()) for name, value in _NAMED.findall(front[1])} if front else {}
    html = MarkdownIt("commonmark").enable("table").render(text[front.end() :] if front else text)
    book = read_markup(html)
    language = named.get("language") or named.get("lang", "")
    return Book(named.get("title", book.title), named.get("author", ""), language, book.chapters)


def _unquoted(value: str) -> str:
    """A value of the front matter without the quotes that YAML may have round it."""
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "\"'"
    return value[1:-1] if quoted else value
