"""Reads HTML and XHTML: paragraphs and headings in the order they are heard, nothing of what is only seen."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from tts.books.book import Book, Chapter


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_BLOCKS = _words(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr html li main ol p pre section summary table tbody tfoot thead tr ul"
)
_UNHEARD = _words(
    "head script style template noscript nav svg math iframe object button select textarea audio video rt rp"
)
_UNHEARD_ROLES = _words("noteref pagebreak toc doc-noteref doc-pagebreak doc-toc landmarks")
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{1,31};)")
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True)
class Block:
    """A paragraph, or a heading of `level` 1 to 6; `anchors` are the ids between the block before it and its end."""

    text: str
    level: int = 0
    anchors: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    title: str
    author: str
    language: str
    blocks: tuple[Block, ...]


def read_markup(text: str) -> Book:
    """The book that one page of HTML is, a chapter for each of its headings of the highest level with several."""
    page = read_page(text)
    headings = [block.text for block in page.blocks if block.level == 1]
    title = page.title or (headings[0] if len(headings) == 1 else "")
    return Book(title, page.author, page.language, tuple(chapters_of(page.blocks)))


def chapters_of(blocks: Sequence[Block]) -> Iterator[Chapter]:
    """Chapters, begun by the headings of the highest level that has more than one."""
    levels = Counter(block.level for block in blocks if block.level)
    level = min((each for each, count in levels.items() if count > 1), default=0)
    title, texts = "", list[str]()
    for block in blocks:
        if level and block.level == level:
            yield Chapter(title, "\n\n".join(texts))
            title, texts = block.text, []
        texts.append(block.text)
    yield Chapter(title, "\n\n".join(texts))


def read_page(text: str) -> Page:
    """What a document says, read as XML where it is that and as a browser would where it isn't."""
    root = _parsed(text)
    if root is None:
        return Page("", "", "", ())
    title = author = ""
    for element in root.iter("{*}title", "{*}meta"):
        if _tag(element) == "title":
            title = title or "".join(element.itertext())
        elif (element.get("name") or "").lower() == "author":
            author = element.get("content") or ""
    language = root.get(_LANGUAGE) or root.get("lang") or ""
    return Page(title, author, language, tuple(_Walk().blocks(root)))


def parse_xml(data: bytes) -> Any:
    """The root element; no entity is expanded and nothing is loaded. Raises etree.XMLSyntaxError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def _parsed(text: str) -> Any:
    text = _DECLARATION.sub("", text)
    if not text.strip():
        return None
    try:
        return parse_xml(_ENTITY.sub(_character, text).encode("utf-8", "replace"))
    except etree.XMLSyntaxError:
        parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(text.encode("utf-8", "replace"), parser)


def _character(entity: re.Match[str]) -> str:
    """What a name such as &nbsp; stands for: XML knows it only from a DTD, and none is loaded."""
    return html.escape(html.unescape(entity[0]), quote=False)


class _Walk:
    """One walk through a document, gathering the text of a block until the next one begins."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._anchors: set[str] = set()
        self._level = 0

    def blocks(self, root: Any) -> Iterator[Block]:
        """The blocks below `root`. Not recursive: documents may be nested deeper than Python likes."""
        unheard = None
        for event, element in etree.iterwalk(root, ("start", "end")):
            tag = _tag(element)
            if event == "start":
                if unheard is None and _is_unheard(tag, element):
                    unheard = element
                if unheard is None:
                    yield from self._start(tag)
                    self._pieces.append(element.text or "")
                self._anchors.update(filter(None, (element.get("id"), element.get("name") if tag == "a" else None)))
                continue
            if unheard is None:
                yield from self._end(tag)
            if unheard is element:
                unheard = None
            if unheard is None:
                self._pieces.append(element.tail or "")
        yield from self._flush()

    def _start(self, tag: str) -> Iterator[Block]:
        if tag in _BLOCKS:
            yield from self._flush()
            self._level = _level(tag)
        elif tag == "br":
            self._pieces.append("\0")
        elif tag in ("td", "th") and "".join(self._pieces).strip():
            self._pieces.append(", ")

    def _end(self, tag: str) -> Iterator[Block]:
        if tag in _BLOCKS:
            yield from self._flush()
            self._level = 0

    def _flush(self) -> Iterator[Block]:
        lines = "".join(self._pieces).split("\0")
        text = "\n".join(" ".join(line.split()) for line in lines).strip()
        self._pieces.clear()
        if text:
            yield Block(text, self._level, frozenset(self._anchors))
            self._anchors.clear()


def _tag(element: Any) -> str:
    """The element's name without its namespace; '' for an entity, which is no element."""
    # Not by etree.QName, which refuses the names that a browser's reading of damaged HTML brings about, such as `p<`.
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit() else 0


def _is_unheard(tag: str, element: Any) -> bool:
    roles: Iterable[str] = (element.get(name) or "" for name in (_EPUB_TYPE, "epub:type", "role"))
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return not tag or tag in _UNHEARD or hidden or not _UNHEARD_ROLES.isdisjoint(" ".join(roles).split())
