"""What is fuzzed: each function takes one case, and raises when the server's code does what it must not.

TARGETS are cases that are made by rules; MUTATED are texts that are made of the corpus (bytes written as Latin-1).
"""

from __future__ import annotations

import atexit
import io
import json
import math
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flask.testing import FlaskClient
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from kokoro_server.api.downloads import find_download
from kokoro_server.audiobooks.formats import reader
from kokoro_server.audiobooks.formats.book import BookLimits
from kokoro_server.audiobooks.formats.messages import pack_book
from kokoro_server.core.errors import BadRequest, NotFound, SpeechError, SynthesisFailed
from kokoro_server.core.languages import Language
from kokoro_server.core.pronunciations import PronunciationFileError, check_pronunciations, read_pronunciation_file
from kokoro_server.core.request import Prosody, SpeechSegment, check_text
from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.engine.cluster.messages import unpack_phonemes, unpack_sound
from kokoro_server.engine.worker_process import parse_chunk
from kokoro_server.synthesis.frames import FRAME_PREFIX, FrameError, read_frame
from kokoro_server.text.g2p import LANGUAGES, Phonemizer
from kokoro_server.text.g2p.vocabulary import VOCABULARY
from kokoro_server.text.inline_tags import parse_inline_tags
from kokoro_server.text.normalization import normalize
from kokoro_server.text.segmentation import find_boundaries
from kokoro_server.text.ssml import is_ssml, parse_ssml
from tests.documents import CONTAINER, NAV, PAGE, docx, zipped
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.raw import connect, parsed, read_all
from tests.fuzz import texts

MANNER = Prosody(find_voice("af_heart"), Language.AMERICAN_ENGLISH)
KEY = "a-key-that-nobody-may-see"
POSTS = (
    *("/synthesize", "/synthesize/stream", "/v1/audio/speech", "/dev/captioned_speech", "/dev/phonemize", "/jobs"),
    *("/dev/generate_from_phonemes", "/v1/audio/voices/combine", "/audio/speech"),
)
GETS = ("/v1/download/{}", "/static/{}", "/jobs/{}", "/jobs/{}/audio", "/v1/models/{}", "/{}", "/voices?legacy={}")
HEADER_NAMES = (
    *("X-Request-Timeout", "Accept", "If-None-Match", "Range", "Origin", "Host", "Cookie", "traceparent"),
    *("X-Forwarded-For", "Content-Type", "Authorization", "X-Request-Id"),
)
REFUSED = (400, 401, 403, 404, 405, 409, 413, 415, 429, 501, 503, 504, 507)
"""Statuses that tell of no fault of ours."""


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="kokoro-fuzz-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


@cache
def client() -> FlaskClient:
    """The application on an engine that takes no time, with a key."""
    app = make_app(folder(), FakeEngine(0.001), API_KEY=(KEY,), MAX_TEXT_LENGTH=500, JOBS=1)
    return app.test_client(use_cookies=False)  # which a Host that is none would trip, in the client


def ask(method: str, path: str, headers: Mapping[str, str] | None = None, **what: Any) -> TestResponse:
    """The server answers, with no fault of its own and without telling its key."""
    sent = {"Authorization": f"Bearer {KEY}", **(headers or {})}
    with client().open(path, method=method, headers=sent, **what) as answer:
        body = answer.get_data()
    assert answer.status_code < 400 or answer.status_code in REFUSED, (answer.status_code, body[:300])
    assert KEY.encode() not in body and KEY not in str(answer.headers)
    assert not any("\r" in value or "\n" in value for value in answer.headers.values())
    return answer  # type: ignore[return-value]


def request_body(case: tuple[str, Any]) -> None:
    path, body = case
    ask("POST", path, data=json.dumps(body), content_type="application/json")


def request_bytes(case: tuple[str, bytes, str]) -> None:
    path, body, kind = case
    ask("POST", path, data=body, content_type=kind)


def request_path(case: tuple[str, str]) -> None:
    pattern, name = case
    sent = pattern.format(name).encode("utf-8", "surrogatepass").decode("latin-1")  # as a WSGI server hands it on
    ask("GET", "/", environ_overrides={"PATH_INFO": sent})


def request_header(case: tuple[str, str]) -> None:
    name, value = case
    body = json.dumps({"text": "Hi."})
    ask("POST", "/synthesize/stream", {name: value}, data=body, content_type="application/json")


def markup(text: str) -> None:
    try:
        found = parse_inline_tags(check_text(text, len(text)), MANNER, VOICES)
    except BadRequest as exc:
        assert exc.message
        return
    check_runs(text, found)


def ssml(text: str) -> None:
    if not is_ssml(text):
        return
    for ignore in (False, True):
        try:
            check_runs(text, parse_ssml(check_text(text, len(text)), MANNER, VOICES, "text", ignore))
        except BadRequest as exc:
            assert exc.message


def check_runs(text: str, found: list[SpeechSegment]) -> None:
    """Every run stands in the text, in order; a plain one is what stands there, unless an entity is."""
    at = 0
    for passage in found:
        assert 0 <= passage.pause <= 60
        for run in passage.spans:
            assert at <= run.start <= run.end <= len(text), (run, at)
            at = run.end


def cutting(text: str) -> None:
    places = find_boundaries(text)
    ends = [place.end for place in places]
    assert ends == sorted(set(ends)) and (not text or ends[-1] == len(text))


def pronunciation_file(content: bytes) -> None:
    path = folder() / "dictionary.txt"
    path.write_bytes(content)
    try:
        entries = read_pronunciation_file(path)
    except PronunciationFileError as exc:
        assert str(path) in str(exc)
        return
    assert check_pronunciations(entries) == entries


def voice_blend(name: str) -> None:
    try:
        voice = find_voice(name)
    except BadRequest as exc:
        assert len(exc.message) < 1_000
        return
    weights = [weight for _, weight in voice.parts]
    assert 0 < len(weights) <= 10 and all(map(math.isfinite, weights))
    assert math.isclose(sum(weights), 1.0) or math.isclose(sum(map(abs, weights)), 1.0)
    assert all(part in VOICES for part, _ in voice.parts)


def download_name(name: str) -> None:
    try:
        found = find_download(folder(), name)
    except NotFound:
        return
    assert found.parent == folder().resolve() and found.name.startswith("tts_output_link_")


def worker_frame(case: tuple[bytes, bytes, int]) -> None:
    header, payload, cut = case
    pipe = io.BytesIO((FRAME_PREFIX.pack(len(header), len(payload)) + header + payload)[:cut])
    try:
        frame = read_frame(pipe)
        if frame is not None:
            parse_chunk(*frame)
    except (FrameError, SynthesisFailed):
        return


# --- Texts that are made of the corpus -------------------------------------------------------------------------------

LIMITS = BookLimits(unpacked_bytes=2_000_000, pages=50, characters=200_000)
SPOKEN_AT_ONCE = 1_500
"""Characters: more than any utterance has, with what its marks have said for it."""


def picked(options: Sequence[str], text: str) -> str:
    """One of the options, always the same for the same text."""
    return options[zlib.crc32(text.encode("utf-8", "surrogatepass")) % len(options)]


def as_bytes(text: str) -> bytes:
    return text.encode("latin-1", "replace")


def json_text(text: str) -> None:
    ask("POST", picked(POSTS, text), data=text.encode("utf-8", "surrogatepass"), content_type="application/json")


def form(text: str) -> None:
    """A book as a form's file; one that is taken is cancelled, so that the next finds room."""
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = ask("POST", "/jobs", kind, data=as_bytes(text))
    if answer.status_code == 202:
        ask("DELETE", answer.headers["Location"])


def header_text(text: str) -> None:
    if picked(HEADER_NAMES, text) == "Host" and "[" in text:
        return  # trips the test's own client; raw requests bring such ones, too
    printed = "".join(sign for sign in text if sign.isprintable()).encode("latin-1", "ignore").decode("latin-1")
    request_header((picked(HEADER_NAMES, text), printed))


def path_text(text: str) -> None:
    request_path((picked(GETS, text), text))


PATIENCE = 0.1
"""Seconds that a server which waits for the rest of a request is waited for."""

_SERVERS = ExitStack()


@cache
def address() -> str:
    """A server that listens until the process ends."""
    app = make_app(folder(), FakeEngine(0.001), API_KEY=(KEY,), MAX_TEXT_LENGTH=500, JOBS=1)
    return _SERVERS.enter_context(live(app))


def raw_request(text: str) -> None:
    """Whatever comes over the wire, what goes back is HTTP, and of errors JSON."""
    end = "\r\nConnection: close\r\n\r\n"
    with closing(connect(address())) as connection:
        connection.settimeout(PATIENCE)
        received = b""
        try:
            connection.sendall(as_bytes(text.replace("{key}", KEY).rstrip() + end) + b"x" * 300)
            received = read_all(connection)
        except (TimeoutError, ConnectionError):  # it waits for more, or has closed the door
            pass
    assert KEY.encode() not in received
    if received:
        answer = parsed(received)
        assert answer.status < 400 or answer.status in REFUSED or answer.status in (408, 411, 417, 431), answer.status
        if answer.status >= 400 and not text.startswith("HEAD"):
            assert "error" in json.loads(answer.body[: int(answer.headers["content-length"])])


def dictionary_text(text: str) -> None:
    pronunciation_file(as_bytes(text))


def frame_text(text: str) -> None:
    worker_frame((b"", b"", 0)) if not text else _frame(as_bytes(text))


def _frame(sent: bytes) -> None:
    """A header up to the first line feed and a payload behind it, of that length or of what the text says it has."""
    header, _, payload = sent.partition(b"\n")
    worker_frame((header, payload, 1000))
    try:
        read_frame(io.BytesIO(sent))
    except FrameError:
        return


def cluster_answer(text: str) -> None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(answer, dict):
        return
    if isinstance(answer.get("sound"), str):
        answer["sound"] = as_bytes(answer["sound"])
    for opened in (unpack_sound, unpack_phonemes):
        try:
            opened(answer)
        except SpeechError:
            continue


def readings(text: str) -> None:
    """Every character stands for a place in the text, in order."""
    text = text[:SPOKEN_AT_ONCE]
    found = normalize(text, Language(picked(LANGUAGES, text)))
    assert len(found.spans) == len(found.text)
    assert list(found.spans) == sorted(found.spans, key=lambda span: span[0])
    assert all(0 <= start <= end <= len(text) for start, end in found.spans)


@cache
def phonemizer() -> Phonemizer:
    return Phonemizer(LANGUAGES)


def phonemes(text: str) -> None:
    """Words in order, within the text, of symbols that the network knows."""
    text = text[:SPOKEN_AT_ONCE]
    at = 0
    for word in phonemizer()(text, picked(LANGUAGES, text), {"SQL": "sequel", "word": "/wˈɜɹd/"}):
        assert at <= word.start <= word.end <= len(text), word
        assert set(word.phonemes) <= set(VOCABULARY), word
        at = word.end


def _read_book(suffix: str, content: bytes) -> None:
    path = folder() / f"book{suffix}"
    path.write_bytes(content)
    try:
        book = reader.read_book(path, LIMITS, "file")
    except BadRequest as exc:
        assert exc.message
        return
    assert book.chapters and 0 < book.characters <= LIMITS.characters
    json.dumps(pack_book(book))


def book_text(text: str) -> None:
    _read_book(picked((".txt", ".md", ".html", ".xhtml", ".srt"), text), text.encode("utf-8", "surrogatepass"))


def book_bytes(text: str) -> None:
    """Encodings that nobody named."""
    _read_book(picked((".txt", ".md", ".html", ".xhtml", ".srt"), text), as_bytes(text))


def pdf_bytes(text: str) -> None:
    _read_book(".pdf", as_bytes(text))


PACKAGE = """<?xml version="1.0"?><package xmlns="http://www.idpf.org/2007/opf" version="3.0">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>Small</dc:title></metadata>
<manifest><item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest>
<spine><itemref idref="a"/></spine></package>"""
EPUB = {
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": PACKAGE,
    "OPS/nav.xhtml": NAV.format('<li><a href="a.xhtml">One</a></li>'),
    "OPS/a.xhtml": PAGE.format("<h1>One</h1><p>First words.</p>"),
}


def epub_member(text: str) -> None:
    """One of an EPUB's files."""
    odd = picked(tuple(EPUB), text)
    path = zipped(folder() / "made.epub", {**EPUB, odd: text.encode("utf-8", "surrogatepass")}, zipfile.ZIP_STORED)
    _read_book(".epub", path.read_bytes())


@cache
def word_members() -> Mapping[str, bytes]:
    with zipfile.ZipFile(docx(folder() / "typed.docx")) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def docx_member(text: str) -> None:
    """One of a Word document's files; the mutated ones are small, so that mutations reach what matters."""
    odd = picked(
        ("word/document.xml", "docProps/core.xml", "word/_rels/document.xml.rels", "[Content_Types].xml"), text
    )
    members = {**word_members(), odd: text.encode("utf-8", "surrogatepass")}
    _read_book(".docx", zipped(folder() / "made.docx", members, zipfile.ZIP_STORED).read_bytes())


def archive_bytes(text: str) -> None:
    """A zip archive that is none, or another one than it says."""
    _read_book(picked((".epub", ".docx"), text), as_bytes(text))


MUTATED: Mapping[str, Callable[[str], None]] = MappingProxyType(
    {
        "json": json_text,
        "form": form,
        "header": header_text,
        "path": path_text,
        "raw request": raw_request,
        "markup": markup,
        "ssml": ssml,
        "cutting": cutting,
        "dictionary": dictionary_text,
        "blend": voice_blend,
        "download": download_name,
        "frame": frame_text,
        "cluster answer": cluster_answer,
        "readings": readings,
        "phonemes": phonemes,
        "book text": book_text,
        "book bytes": book_bytes,
        "epub": epub_member,
        "docx": docx_member,
        "archive": archive_bytes,
        "pdf": pdf_bytes,
    }
)

# --- Cases that are made by rules ------------------------------------------------------------------------------------

PATHS = st.sampled_from(POSTS)
KINDS = st.sampled_from(
    ["application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data; boundary=x", ""]
)
HEADERS = st.sampled_from(HEADER_NAMES)
PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=40)
FRAME_HEADERS = st.dictionaries(
    st.sampled_from(["kind", "words", "message"]), texts.VALUES | st.sampled_from(["chunk", "done"]), max_size=3
).map(json.dumps).map(str.encode) | st.binary(max_size=60)

TARGETS: Mapping[str, tuple[Callable[[Any], None], st.SearchStrategy[Any]]] = MappingProxyType(
    {
        "request body": (request_body, st.tuples(PATHS, texts.BODIES)),
        "request bytes": (request_bytes, st.tuples(PATHS, st.binary(max_size=300), KINDS)),
        "request path": (request_path, st.tuples(st.sampled_from(GETS), texts.NAMES)),
        "request header": (request_header, st.tuples(HEADERS, PRINTABLE | texts.BLENDS.map(ascii))),
        "markup": (markup, texts.MARKED),
        "ssml": (ssml, texts.SSML),
        "cutting": (cutting, texts.MARKED | texts.SSML | st.text(max_size=300)),
        "pronunciation file": (pronunciation_file, texts.DICTIONARY),
        "voice blend": (voice_blend, texts.BLENDS),
        "download name": (download_name, texts.NAMES),
        "worker frame": (worker_frame, st.tuples(FRAME_HEADERS, st.binary(max_size=40), st.integers(0, 400))),
    }
)
