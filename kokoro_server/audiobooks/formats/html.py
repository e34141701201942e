"""Read HTML and XHTML as a sequence of paragraphs and headings, without content that is only visual.

The document is parsed as XML, and with libxml2's tolerant HTML parser when it isn't well-formed. One walk over the
tree collects text; the start or end of a block element, such as <p>, completes the block collected so far. Scripts,
tables of contents, footnote references, page numbers and hidden elements are skipped with everything inside them.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lxml import etree  # type: ignore[import-untyped]

from kokoro_server.audiobooks.formats.book import Book, Chapter


def _split_names(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_BLOCK_TAGS = _split_names(
    "address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hr html li main ol p pre section summary table tbody tfoot thead tr ul"
)
_SKIPPED_TAGS = _split_names(
    "head script style template noscript nav svg math iframe object button select textarea audio video rt rp"
)
_SKIPPED_ROLES = _split_names("noteref pagebreak toc doc-noteref doc-pagebreak doc-toc landmarks")
_EPUB_TYPE = "{http://www.idpf.org/2007/ops}type"
_XML_DECLARATION = re.compile(r"\A\s*<\?xml[^>]{0,200}\?>")
_ENTITY = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)([A-Za-z][A-Za-z0-9]{1,31};)")
_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True)
class Block:
    """Hold a paragraph (`level` 0) or a heading (`level` 1 to 6).

    `anchors` are the element ids found since the end of the previous block, so links into either lead here.
    """

    text: str
    level: int = 0
    anchors: frozenset[str] = frozenset()


@dataclass(frozen=True)
class HtmlPage:
    """Hold a parsed HTML document: its metadata, each "" when missing, and its blocks in document order."""

    title: str
    author: str
    language: str
    blocks: tuple[Block, ...]


def read_html(text: str) -> Book:
    """Return the book in one HTML document, split into chapters by `split_chapters`."""
    page = parse_page(text)
    headings = [block.text for block in page.blocks if block.level == 1]
    title = page.title or (headings[0] if len(headings) == 1 else "")
    return Book(title, page.author, page.language, tuple(split_chapters(page.blocks)))


def split_chapters(blocks: Sequence[Block]) -> Iterator[Chapter]:
    """Yield chapters, one for each heading of the highest level that occurs more than once.

    The text before the first such heading is a chapter without title; without such headings, so is the whole text.
    Example: one h1 and five h2 give a chapter with the text before the first h2, then one for each h2.
    """
    levels = Counter(block.level for block in blocks if block.level)
    level = min((each for each, count in levels.items() if count > 1), default=0)
    title, texts = "", list[str]()
    for block in blocks:
        if level and block.level == level:
            yield Chapter(title, "\n\n".join(texts))
            title, texts = block.text, []
        texts.append(block.text)
    yield Chapter(title, "\n\n".join(texts))


def parse_page(text: str) -> HtmlPage:
    """Parse a document as XML, or leniently as HTML when it isn't well-formed. Never raises for damaged documents."""
    root = _parse(text)
    if root is None:
        return HtmlPage("", "", "", ())
    title = author = ""
    for element in root.iter("{*}title", "{*}meta"):
        if _get_tag(element) == "title":
            title = title or "".join(element.itertext())
        elif (element.get("name") or "").lower() == "author":
            author = element.get("content") or ""
    language = root.get(_XML_LANG) or root.get("lang") or ""
    return HtmlPage(title, author, language, tuple(_BlockCollector().collect(root)))


def parse_xml(data: bytes) -> Any:
    """Return the root element, without expanding entities or loading DTDs and URLs. Raises etree.XMLSyntaxError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
    )
    return etree.fromstring(data, parser)


def _parse(text: str) -> Any:
    text = _XML_DECLARATION.sub("", text)
    if not text.strip():
        return None
    try:
        return parse_xml(_ENTITY.sub(_expand_entity, text).encode("utf-8", "replace"))
    except etree.XMLSyntaxError:
        parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(text.encode("utf-8", "replace"), parser)


def _expand_entity(entity: re.Match[str]) -> str:
    """Return the character of an HTML entity (&nbsp; -> U+00A0): XML takes these from a DTD, and none is loaded."""
    return html.escape(html.unescape(entity[0]), quote=False)


class _BlockCollector:
    """Collect the blocks of one document in one walk over its tree."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._anchors: set[str] = set()
        self._level = 0

    def collect(self, root: Any) -> Iterator[Block]:
        """Yield the blocks below `root`, without recursion: documents may nest deeper than Python's limit."""
        skipped = None  # the outermost skipped element around the current position
        for event, element in etree.iterwalk(root, ("start", "end")):
            tag = _get_tag(element)
            if event == "start":
                if skipped is None and _is_skipped(tag, element):
                    skipped = element
                if skipped is None:
                    yield from self._enter_element(tag)
                    self._pieces.append(element.text or "")
                # ids count even inside skipped elements: links may point to page numbers
                self._anchors.update(filter(None, (element.get("id"), element.get("name") if tag == "a" else None)))
                continue
            if skipped is None:
                yield from self._leave_element(tag)
            if skipped is element:
                skipped = None
            if skipped is None:
                self._pieces.append(element.tail or "")  # the tail follows the end tag, outside of the element
        yield from self._flush()

    def _enter_element(self, tag: str) -> Iterator[Block]:
        if tag in _BLOCK_TAGS:
            yield from self._flush()
            self._level = _get_heading_level(tag)
        elif tag == "br":
            self._pieces.append("\0")  # a line break: newlines in the source are mere spaces
        elif tag in ("td", "th") and "".join(self._pieces).strip():
            self._pieces.append(", ")

    def _leave_element(self, tag: str) -> Iterator[Block]:
        if tag in _BLOCK_TAGS:
            yield from self._flush()
            self._level = 0

    def _flush(self) -> Iterator[Block]:
        lines = "".join(self._pieces).split("\0")
        text = "\n".join(" ".join(line.split()) for line in lines).strip()
        self._pieces.clear()
        if text:
            yield Block(text, self._level, frozenset(self._anchors))
            self._anchors.clear()


def _get_tag(element: Any) -> str:
    """Return the element's lower-case name without its namespace, or '' for an unresolved entity."""
    # etree.QName would raise for names that the HTML parser makes of damaged documents, such as `p<`.
    return element.tag.rpartition("}")[2].lower() if isinstance(element.tag, str) else ""


def _get_heading_level(tag: str) -> int:
    return int(tag[1]) if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit() else 0


def _is_skipped(tag: str, element: Any) -> bool:
    roles: Iterable[str] = (element.get(name) or "" for name in (_EPUB_TYPE, "epub:type", "role"))
    hidden = element.get("hidden") is not None or element.get("aria-hidden") == "true"
    return not tag or tag in _SKIPPED_TAGS or hidden or not _SKIPPED_ROLES.isdisjoint(" ".join(roles).split())
