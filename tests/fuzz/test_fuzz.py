"""A little of what `python -m tests.fuzz` does for long."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.__main__ import fuzz, mutate, try_case
from tests.fuzz.mutations import LONGEST
from tests.fuzz.targets import MUTATED, TARGETS

CASES = 60
MUTATIONS = 300
QUICK = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", TARGETS)
def test_no_case_breaks_it(name: str) -> None:
    check, strategy = TARGETS[name]

    @QUICK
    @given(strategy)
    def case(sent: object) -> None:
        check(sent)

    case()


FOUND = [
    ("ssml", "<speak>\r0</speak>"),  # a lone carriage return ends a line, too
    ("ssml", "<speak>\r\n\r<p>0</p></speak>"),
    ("voice blend", "af_heart" + " " * 5_000 + "x"),
]


@pytest.mark.parametrize(("name", "case"), FOUND)
def test_what_it_found_once(name: str, case: object) -> None:
    TARGETS[name][0](case)


TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
FOUND_BY_MUTATION = {
    "a damaged tag's name, which lxml makes but will not read": ("book text", "<div<div<div>x  "),
    "a control character in a tag's name": ("book bytes", "\u4e00<p\x1bp\xf6><p>\xe9</p> "),
    "the same in an EPUB": ("epub", '<html><body><mlns="http://x"><p>a</p></body></html>'),
    "an archive that begins before its file does": (
        "archive",
        "\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00T\x99_\x93\x0c\x00\x00\x00\x0c\x00\x00\x00\x16\x00\x00\x00META-INF/con"
        "tainer.xml<container\x00/>PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00T"
        "\x99_\x93\x0c\x00\x00\x00\x0c\x00\x00\x00\x16\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00META-INF/co"
        "ntainer.xmlPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00D\x00\x00\x00@\x00\x00\x00\x00\x00",
    ),
    "content types that list none": (
        "archive",
        "PK\x03\x04\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xc7\x1c\x17<\x08\x00\x00\x00\x08\x00\x00\x00\x13\x00\x00\x00[Content_T"
        "ypes].xml<Types/>PK\x01\x02\x14\x03\x14\x00\x00\x00\x00\x00\x00\x00!\x00\xc7\x1c\x17<\x08\x00\x00"
        "\x00\x08\x00\x00\x00\x13\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80\x01\x00\x00\x00\x00[Content_Types].x"
        "mlPK\x05\x06\x00\x00\x00\x00\x01\x00\x01\x00A\x00\x00\x009\x00\x00\x00\x00\x00\x06\x00\x00\x00\x00\x01\x00\x01\x00A\x00\x00\x009\x00\x00"
        "\x00\x00\x00\x06\x00\x00\x00\x00\x01\x00\x01\x00A\x00\x00\x009\x00\x00\x00\x00\x00",
    ),
    "relationships in a document's place": (
        "docx",
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>',
    ),
    "a document in the place of its properties": ("docx", f'<w:document xmlns:w="{WORD}"><w:body/></w:document> '),
    "a type for files without an ending": ("docx", f'<Types xmlns="{TYPES}"><Default ContentType="x"/></Types>'),
    "a document where content types are listed": (
        "docx",
        f'<w:document xmlns:w="{WORD}"><w:body><w:tbl><w:tr><w:tc><w:tcPr><w:vMerge/></w:tcPr></w:tc></w:tr></w:tbl>'
        "</w:body></w:document>",
    ),
    "a style that names none": (
        "docx",
        f'<w:document xmlns:w="{WORD}"><w:body><w:p><w:pPr><w:pStyle/></w:pPr><w:r><w:t>a</w:t></w:r></w:p></w:body>'
        "</w:document>",
    ),
    "a PDF's protection of another kind": (
        "pdf",
        "%PDF-1.4\ntrailer<</Root 1 0 R/Prev 9/Enc"
        "rypt<</Fi;lter/Strandard/V 1/R 2/O()/U()"
        "/P 1>>>>\n0 R/Prev 9/Encrypt<</Filter/Sta"
        "ndard/V 1/R 2/O()/U()/P 1>>>>\nstartxref\n"
        "0\n%%EOF",
    ),
    "a PDF's protection of another version": (
        "pdf",
        "%PDF-1.4\ntrailer<</Root 1 0 /V 1/R 2/O()/U()/P 1R/Prev 9/Encrypt<</Filter/Standard>>>>\nstartxref\n0\n%%EOF",
    ),
    "a page that sets its matrix to words": (
        "pdf",
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/Outlines 5 0 R>>endobj\n2 0 obj<</Type/Pages/Ki"
        "ds[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 "
        "R/Resources<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>>>endobj\n4 0 obj"
        "<</Length 36>>stream\nBT /F1 12 Tf 1 0 0 1 0 0 lines 9 0 R\n>>\nendobTm (Hi there.) Tj ET\nend"
        "stream endobn \n0000000102 00000 n \n0000000161 00000 n \n0000000226 00000 n \n0000000296 0000"
        "0 n \n0000000428 00000 n \n0000000527 00000 n \n0000000575 00000 n \n0000000639 00000 n \ntrail"
        "er\n<<\n/Size 10\n/Root 3 0 R\n/Info 1 0 R\n>>\nstartxref\n694\n%%EO",
    ),
    "a failure that is a list": ("cluster answer", '{"failure": [1]}'),
    "a file that has no sound": ("cluster answer", '{"sound": "[[]]", "words": "[]"}'),
    "a key in the line after the one it belongs to, repeated in the refusal": (
        "raw request",
        "POST /v1/audio/speech HTTP/1.1\r\nHost: \nAuthorization: Bearer {key}",
    ),
    "letters and digits that can be shared out in a million ways": ("readings", ("a7" + "a" * 70 + "_") * 20 + " "),
}


@pytest.mark.parametrize("what", FOUND_BY_MUTATION)
def test_what_mutations_found_once(what: str) -> None:
    name, text = FOUND_BY_MUTATION[what]
    try_case(name, text)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pyopenjtalk")  # how it calls sudachipy for rare kanji
@pytest.mark.filterwarnings("ignore:Unclosed file <tempfile.Spooled:ResourceWarning")  # Werkzeug's, of a broken form
@pytest.mark.parametrize("name", MUTATED)
def test_no_mutation_breaks_it(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # A form goes through a server and its database, which takes a hundred times as long as a parser.
    broken = mutate(name, MUTATIONS // 3 if name == "form" else MUTATIONS, seed=1, found=tmp_path)
    assert not broken, capsys.readouterr().err


def test_a_mutation_that_breaks_something_is_shown_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(text: str) -> None:
        if len(text) > LONGEST:  # the repeated ones: nobody could wait for them
            end = time.thread_time() + 0.1
            while time.thread_time() < end:
                pass
        assert "+" not in text, "plus"

    monkeypatch.setattr("tests.fuzz.__main__.MUTATED", {"blend": breaks})
    monkeypatch.setattr("tests.fuzz.__main__.ALLOWED", 0.05)
    assert mutate("blend", 2000, 0, tmp_path) == 2
    shown = capsys.readouterr().err
    assert "plus" in shown and "TooSlow" in shown
    assert len(list(tmp_path.iterdir())) == 2


def test_a_case_that_breaks_something_is_shown_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(name: str) -> None:
        assert "(" not in name, "brackets"

    _, strategy = TARGETS["voice blend"]
    monkeypatch.setattr("tests.fuzz.__main__.TARGETS", {"voice blend": (breaks, strategy)})
    assert fuzz("voice blend", 200, tmp_path) == 1
    assert "brackets" in capsys.readouterr().err
    assert any(path.is_file() for path in tmp_path.rglob("*"))
