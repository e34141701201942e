"""Read EPUB 2 and 3 files.

`META-INF/container.xml` names the package document. Its manifest lists the files, its spine the reading order, and its
metadata title, author and language. The XHTML documents of the spine are read in order as blocks of text, and a chapter
starts at every block that an entry of the table of contents (EPUB 3 nav or EPUB 2 NCX) links to. Without a table of
contents, each document is split at its headings.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree  # type: ignore[import-untyped]

from kokoro_server.audiobooks.formats.archive import Archive, resolve_href
from kokoro_server.audiobooks.formats.book import Book, BookLimits, Chapter
from kokoro_server.audiobooks.formats.html import Block, HtmlPage, parse_page, parse_xml, split_chapters
from kokoro_server.audiobooks.formats.plain_text import decode_text
from kokoro_server.core.errors import BadRequest, TooLarge

CONTAINER_PATH = "META-INF/container.xml"
ENCRYPTION_PATH = "META-INF/encryption.xml"

TocTarget = tuple[str, str]
"""Target of an entry in the table of contents: a member of the archive, and an element id in it or ''."""


def read_epub(path: Path, limits: BookLimits, field: str) -> Book:
    """Return the book in an EPUB file. Raises BadRequest when it is damaged or has DRM, TooLarge over a limit."""
    with closing(Archive(path, limits, field)) as archive:
        try:
            return _EpubReader(archive, field).read_book(limits)
        except etree.XMLSyntaxError as exc:
            raise BadRequest(f"{field} is damaged: its package is not XML ({exc}).", field) from exc


@dataclass(frozen=True)
class _ManifestItem:
    """Hold a manifest item: path in the archive, media type and properties."""

    path: str
    media_type: str
    properties: frozenset[str]


class _EpubReader:
    """Read the package document of an archive and the files that it lists."""

    def __init__(self, archive: Archive, field: str) -> None:
        self._archive = archive
        self._field = field
        container = parse_xml(archive.read(CONTAINER_PATH))
        rootfile = next(container.iter("{*}rootfile"), None)
        self._path = rootfile.get("full-path") or "" if rootfile is not None else ""
        self._package = parse_xml(archive.read(self._path))
        self._items = {
            item.get("id"): _ManifestItem(
                resolve_href(self._path, item.get("href") or ""),
                item.get("media-type") or "",
                frozenset((item.get("properties") or "").split()),
            )
            for item in self._package.iter("{*}item")
        }

    def read_book(self, limits: BookLimits) -> Book:
        """Return the book. Raises BadRequest when its text is encrypted, TooLarge when it is too long."""
        self._check_readable()
        titles = dict(self._read_toc())
        chapters = tuple(_split_at_titles(self._read_pages(limits), titles))
        return Book(
            self._read_metadata("title"),
            self._read_authors(),
            self._read_metadata("language"),
            chapters,
            self._read_cover(),
        )

    def _list_spine(self) -> list[_ManifestItem]:
        """Return the items in reading order, without auxiliary ones (linear="no") and the navigation document."""
        listed = (
            self._items.get(ref.get("idref")) for ref in self._package.iter("{*}itemref") if ref.get("linear") != "no"
        )
        return [item for item in listed if item is not None and "nav" not in item.properties]

    def _read_pages(self, limits: BookLimits) -> Iterator[tuple[str, HtmlPage]]:
        characters = 0
        for item in self._list_spine():
            if "html" not in item.media_type or item.path not in self._archive:
                continue
            page = parse_page(decode_text(self._archive.read(item.path)))
            characters += sum(len(block.text) for block in page.blocks)
            if characters > limits.characters:
                most = f"{limits.characters} characters"
                raise TooLarge(f"{self._field} is too long: expected at most {most}.", self._field, None, most)
            yield item.path, page

    def _read_toc(self) -> Iterator[tuple[TocTarget, str]]:
        """Yield the entries of the table of contents: of the EPUB 3 nav document, or else of the EPUB 2 NCX."""
        for item in self._items.values():
            if "nav" in item.properties and item.path in self._archive:
                yield from _parse_nav(item.path, parse_xml(self._archive.read(item.path)))
                return
        for item in self._items.values():
            if item.media_type == "application/x-dtbncx+xml" and item.path in self._archive:
                yield from _parse_ncx(item.path, parse_xml(self._archive.read(item.path)))
                return

    def _read_metadata(self, name: str) -> str:
        element = next(self._package.iter("{http://purl.org/dc/elements/1.1/}" + name), None)
        return "" if element is None else "".join(element.itertext()).strip()

    def _read_authors(self) -> str:
        creators = self._package.iter("{http://purl.org/dc/elements/1.1/}creator")
        names = (" ".join("".join(element.itertext()).split()) for element in creators)
        return ", ".join(dict.fromkeys(filter(None, names)))

    def _read_cover(self) -> bytes | None:
        # EPUB 3 marks the cover by a property of the item, EPUB 2 by a <meta name="cover" content="item id">
        cover_ids = {meta.get("content") for meta in self._package.iter("{*}meta") if meta.get("name") == "cover"}
        for key, item in self._items.items():
            marked = "cover-image" in item.properties or key in cover_ids
            if marked and item.media_type.startswith("image/") and item.path in self._archive:
                return self._archive.read(item.path)
        return None

    def _check_readable(self) -> None:
        """Raise BadRequest when a document of the spine is encrypted; encrypted fonts are common and harmless."""
        if ENCRYPTION_PATH not in self._archive:
            return
        references = parse_xml(self._archive.read(ENCRYPTION_PATH)).iter("{*}CipherReference")
        encrypted = {unquote(reference.get("URI") or "") for reference in references}
        if any(item.path in encrypted for item in self._list_spine()):
            raise BadRequest(f"{self._field} is protected (DRM): its text can't be read.", self._field, None, "no DRM")


def _split_at_titles(pages: Iterable[tuple[str, HtmlPage]], titles: dict[TocTarget, str]) -> Iterator[Chapter]:
    """Yield chapters that start where the entries point; without entries, one or more per document."""
    if not titles:
        for _, page in pages:
            own = list(split_chapters(page.blocks))
            # a document without a split has no title of its own: take its first heading
            heading = next((block.text for block in page.blocks if block.level), "")
            yield from (replace(chapter, title=chapter.title or heading) for chapter in own)
        return
    title, texts = "", list[str]()
    for path, page in pages:
        for number, block in enumerate(page.blocks):
            begins = _find_title(path, block, number == 0, titles)
            if begins is not None:
                yield Chapter(title, "\n\n".join(texts))
                title, texts = begins, []
            texts.append(block.text)
    yield Chapter(title, "\n\n".join(texts))


def _find_title(path: str, block: Block, is_first: bool, titles: dict[TocTarget, str]) -> str | None:
    """Return the title of the chapter that starts at `block`, or None.

    Where several entries point there, an anchor inside the document comes before the document itself (`first` block).
    """
    here = [titles[path, anchor] for anchor in sorted(block.anchors) if (path, anchor) in titles]
    if is_first and (path, "") in titles:
        here.append(titles[path, ""])
    return here[0] if here else None


def _parse_nav(path: str, root: Any) -> Iterator[tuple[TocTarget, str]]:
    for nav in root.iter("{*}nav"):
        if "toc" in (nav.get("{http://www.idpf.org/2007/ops}type") or "toc").split():
            for link in nav.iter("{*}a"):
                yield _resolve_target(path, link.get("href") or ""), "".join(link.itertext())
            return


def _parse_ncx(path: str, root: Any) -> Iterator[tuple[TocTarget, str]]:
    for point in root.iter("{*}navPoint"):
        label, content = point.find("{*}navLabel"), point.find("{*}content")
        if label is not None and content is not None:
            yield _resolve_target(path, content.get("src") or ""), "".join(label.itertext())


def _resolve_target(path: str, href: str) -> TocTarget:
    return resolve_href(path, href), unquote(href.partition("#")[2])
