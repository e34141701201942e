"""Files read into chapters, and what is refused."""

import io
import zipfile
from pathlib import Path

import av
import pytest

from kokoro_server.audiobooks import reading
from kokoro_server.audiobooks.formats.book import Book, BookLimits, Chapter, clean_book, clean_text
from kokoro_server.audiobooks.formats.html import parse_xml
from kokoro_server.audiobooks.formats.plain_text import decode_text
from kokoro_server.audiobooks.formats.reader import read_book
from kokoro_server.core.errors import BadRequest, TooLarge, UnsupportedMedia
from tests import documents


def chapters(book: Book) -> list[tuple[str, str]]:
    return [(chapter.title, chapter.text) for chapter in book.chapters]


def read_as(tmp_path: Path, name: str, text: str) -> Book:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_book(path, BookLimits(), "file")


TEXT = "By nobody.\n\nCHAPTER I. Down\n\nAlice fell.\n\nChapter II\n\nShe   swam.\r\nOn.\n\nThe chapter ended there.\n"


def test_text_is_cut_at_lines_that_are_headings(tmp_path: Path) -> None:
    assert chapters(read_as(tmp_path, "alice.txt", TEXT)) == [
        ("Opening", "By nobody."),
        ("CHAPTER I. Down", "CHAPTER I. Down\n\nAlice fell."),
        ("Chapter II", "Chapter II\n\nShe swam.\nOn.\n\nThe chapter ended there."),
    ]


def test_text_without_headings_is_one_chapter(tmp_path: Path) -> None:
    assert chapters(read_as(tmp_path, "note.txt", "Chapter 1\n\nOnly one.")) == [
        ("Chapter 1", "Chapter 1\n\nOnly one.")
    ]


def test_markdown(tmp_path: Path) -> None:
    front = "---\ntitle: A Tale\nauthor: 'Me'\nlang: en\n---\n\n"
    text = f"{front}# One\n\nHello *dear* [reader](http://x).\n\n# Two\n\n- a\n- b\n"
    book = read_as(tmp_path, "tale.md", text)
    assert (book.title, book.author, book.language) == ("A Tale", "Me", "en")
    assert chapters(book) == [("One", "One\n\nHello dear reader."), ("Two", "Two\n\na\n\nb")]


HTML = """<!doctype html><html lang=en><head><title>Page &amp; more</title><meta name=author content="Web Ster">
<style>p{}</style></head><body><nav>Menu</nav><h1>Page</h1><h2>A</h2><p>One<br>two&nbsp;three <script>x()</script>
<span hidden>secret</span>four</p><h2>B</h2><table><tr><td>l</td><td>r</td></tr></table><p>unclosed<p>next
</body></html>"""


def test_html(tmp_path: Path) -> None:
    book = read_as(tmp_path, "page.html", HTML)
    assert (book.title, book.author, book.language) == ("Page & more", "Web Ster", "en")
    assert chapters(book) == [
        ("Chapter 1", "Page"),
        ("A", "A\n\nOne\ntwo three four"),
        ("B", "B\n\nl, r\n\nunclosed\n\nnext"),
    ]


def test_subtitles(tmp_path: Path) -> None:
    first = "1\n00:00:01,000 --> 00:00:02,000\n<i>Hello</i>\nthere.\n\n"
    text = f"{first}2\n00:00:03,000 --> 00:00:04,000\n{{\\an8}}It is\n1984.\n"
    assert chapters(read_as(tmp_path, "film.srt", text)) == [("Chapter 1", "Hello there.\nIt is 1984.")]


PAGES = {
    "one.xhtml": '<h1 id="c1">I</h1><p>First<a epub:type="noteref">7</a>&nbsp;words.</p><h1 id="c2">II</h1><p>M.</p>',
    "two.xhtml": "<p>Still the second.</p>",
    "three.xhtml": "<title/><p>Third.</p><ruby>漢<rt>kan</rt></ruby>",
}
CONTENTS = {"The First": "one.xhtml#c1", "The Second": "one.xhtml#c2", "The Third": "three.xhtml"}


def test_epub(tmp_path: Path) -> None:
    path = documents.epub(tmp_path / "book.epub", PAGES, CONTENTS, {"OPS/front.png": documents.png(3000, 100)})
    book = read_book(path, BookLimits(), "file")
    assert (book.title, book.author, book.language) == ("The Small Book", "Ann Author, Bo Writer", "en-GB")
    assert chapters(book) == [
        ("The First", "I\n\nFirst words."),
        ("The Second", "II\n\nM.\n\nStill the second."),
        ("The Third", "Third.\n\n漢"),
    ]
    assert book.cover is not None
    with av.open(io.BytesIO(book.cover), "r") as picture:
        assert (picture.streams.video[0].codec.name, picture.streams.video[0].width) == ("mjpeg", 1400)


def test_epub_without_contents_has_a_chapter_a_document(tmp_path: Path) -> None:
    path = documents.epub(tmp_path / "book.epub", PAGES, {}, {"OPS/front.png": b"no picture"})
    book = read_book(path, BookLimits(), "file")
    assert [chapter.title for chapter in book.chapters] == ["I", "II", "Chapter 3", "Chapter 4"]
    assert book.cover is None


LOCKED = """<encryption><EncryptedData><CipherData><CipherReference URI="OPS/two.xhtml"/></CipherData></EncryptedData>
</encryption>"""
XXE = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><container>&x;</container>'
LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha"}">' for n in range(10))


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"META-INF/encryption.xml": LOCKED}, "protected"),
        ({"META-INF/container.xml": "<oops"}, "not XML"),
        ({"META-INF/container.xml": "<container/>"}, "it has no"),
        ({"META-INF/container.xml": XXE}, "it has no"),
        ({"META-INF/container.xml": f"<!DOCTYPE a [{LAUGHS}]><container>&l9;</container>"}, "amplification"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_bad_epubs(tmp_path: Path, more: dict[str, str], message: str) -> None:
    path = documents.epub(tmp_path / "book.epub", PAGES, CONTENTS, more)
    with pytest.raises(BadRequest, match=message) as caught:
        read_book(path, BookLimits(), "file")
    assert (caught.value.status, caught.value.field) == (400, "file")


def test_no_entity_is_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    kinds = f'<!ENTITY x SYSTEM "{secret.as_uri()}"><!ENTITY y "secret">'
    root = parse_xml(f"<!DOCTYPE a [{kinds}]><a>open &x; &y;</a>".encode())
    assert root.text == "open " and "secret" not in "".join(root.itertext())


PRINTED = [
    ["The Printed Book 1", "It was a bright cold day in April, and the clocks were strik-", "ing thirteen.", "Winston"],
    ["The Printed Book 2", "went in through the glass doors of Victory Mansions, quickly."],
    ["The Printed Book 3", "The hallway smelt of cabbage."],
]


def test_pdf(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "book.pdf", PRINTED, {"Clocks": 0, "Smells": 2})
    book = read_book(path, BookLimits(), "file")
    assert (book.title, book.author) == ("The Printed Book", "Pat Printer")
    first = "It was a bright cold day in April, and the clocks were striking thirteen.\n\n"
    second = "Winston went in through the glass doors of Victory Mansions, quickly."
    assert chapters(book) == [("Clocks", first + second), ("Smells", "The hallway smelt of cabbage.")]


@pytest.mark.parametrize(
    ("lines", "password", "limits", "error", "message"),
    [
        ([["x"]] * 3, "", BookLimits(pages=2), TooLarge, "has 3 pages: expected at most 2"),
        ([["x"]], "secret", BookLimits(), BadRequest, "needs a password"),
        ([[]], "", BookLimits(), BadRequest, "holds no text"),
        ([["many words"]], "", BookLimits(characters=4), TooLarge, "too long"),
    ],
)
def test_bad_pdfs(
    tmp_path: Path, lines: list[list[str]], password: str, limits: BookLimits, error: type[BadRequest], message: str
) -> None:
    path = documents.pdf(tmp_path / "book.pdf", lines, {}, password)
    with pytest.raises(error, match=message) as caught:
        read_book(path, limits, "file")
    assert type(caught.value) is error


def test_docx(tmp_path: Path) -> None:
    book = read_book(documents.docx(tmp_path / "book.docx"), BookLimits(), "file")
    assert (book.title, book.author) == ("The Typed Book", "Ty Pist")
    assert chapters(book) == [("One", "One\n\nFirst words.\n\nleft, right"), ("Two", "Two\n\nLast words.")]


@pytest.mark.parametrize("suffix", [".epub", ".pdf", ".docx"])
@pytest.mark.parametrize("data", [b"", b"PK\x03\x04rubbish", b"%PDF-1.7\nrubbish", b"\0" * 1000])
def test_rubbish_is_refused(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"rubbish{suffix}"
    path.write_bytes(data)
    with pytest.raises(BadRequest, match="file is damaged"):
        read_book(path, BookLimits(), "file")


@pytest.mark.parametrize("suffix", [".epub", ".docx"])
def test_a_zip_bomb_is_too_large(tmp_path: Path, suffix: str) -> None:
    path = documents.zipped(tmp_path / f"bomb{suffix}", {"META-INF/container.xml": b"\0" * 20_000_000})
    assert path.stat().st_size < 30_000
    with pytest.raises(TooLarge, match="unpacks to 20000000 bytes") as caught:
        reading.read_book_file(path, BookLimits(unpacked_bytes=10_000_000))
    assert caught.value.status == 413


def test_a_zip_that_understates_its_size_is_damaged(tmp_path: Path) -> None:
    path = documents.zipped(tmp_path / "liar.epub", {"META-INF/container.xml": b"\0" * 1_000_000})
    path.write_bytes(path.read_bytes().replace((1_000_000).to_bytes(4, "little"), (1_000).to_bytes(4, "little")))
    with pytest.raises(BadRequest, match="can't be unpacked"):
        read_book(path, BookLimits(unpacked_bytes=10_000), "file")


def test_a_zip_of_another_method_is_refused(tmp_path: Path) -> None:
    path = documents.zipped(tmp_path / "odd.epub", {"a": b"x"}, zipfile.ZIP_LZMA)
    with pytest.raises(BadRequest, match="other than deflate"):
        read_book(path, BookLimits(), "file")


def test_a_file_is_read_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = documents.epub(tmp_path / "book.epub", PAGES, CONTENTS, {"OPS/front.png": documents.png()})
    assert reading.read_book_file(path, BookLimits()) == read_book(path, BookLimits(), "file")


def test_refusals_and_broken_readers_reach_the_caller(tmp_path: Path) -> None:
    path = documents.pdf(tmp_path / "book.pdf", [["x"]] * 3, {})
    with pytest.raises(TooLarge, match="upload has 3 pages") as caught:
        reading.read_book_file(path, BookLimits(pages=2), "upload")
    assert (caught.value.field, caught.value.allowed) == ("upload", "2 pages")
    with pytest.raises(BadRequest, match="can't be read"):
        reading.read_book_file(tmp_path / "missing.txt", BookLimits())


@pytest.mark.parametrize(
    ("name", "content_type", "suffix"),
    [("A.Book.EPUB", "", ".epub"), ("x", "application/pdf", ".pdf"), ("../../a.txt", "image/png", ".txt")],
)
def test_kinds_of_files(name: str, content_type: str, suffix: str) -> None:
    assert reading.detect_suffix(name, content_type, "file") == suffix


def test_other_files_are_refused() -> None:
    with pytest.raises(UnsupportedMedia, match=r"file is a \.exe: expected \.txt, "):
        reading.detect_suffix("setup.exe", "application/octet-stream", "file")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    text = "Où est le café ? Là-bas, près de l’hôtel — “c’est ça”, répond-elle à sa mère, déjà fâchée."
    assert decode_text(text.encode(encoding)) == text


def test_tidy() -> None:
    assert clean_text("a\u00adb\x00 \t c\r\nd\u2029e\n \n\n\nf\ufeff") == "ab c\nd\n\ne\n\nf"


def test_long_books_are_refused() -> None:
    with pytest.raises(TooLarge, match="text has 5 characters: expected at most 4"):
        clean_book(Book("", "", "", (Chapter("", "abcde"),)), BookLimits(characters=4), "text")
