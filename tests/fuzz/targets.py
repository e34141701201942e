"""What is fuzzed: each function takes one case, and raises when the server's code does what it must not."""

from __future__ import annotations

import io
import json
import math
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from flask.testing import FlaskClient
from hypothesis import strategies as st

from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app
from tests.fuzz import texts
from tts.api.downloads import find
from tts.engines.child import chunk_of
from tts.engines.protocol import LENGTHS, BadFrame, read_frame
from tts.speech.errors import BadRequest, NotFound, SynthesisFailed
from tts.speech.markup import passages
from tts.speech.pronunciations import BadDictionary, check_pronunciations, parse_dictionary
from tts.speech.request import Manner, Passage
from tts.speech.sentences import boundaries
from tts.speech.ssml import is_ssml, ssml_passages
from tts.speech.voices import VOICES, find_voice

MANNER = Manner(find_voice("af_heart"), "a")
KEY = "a-key-that-nobody-may-see"
POSTS = (
    *("/synthesize", "/synthesize/stream", "/v1/audio/speech", "/dev/captioned_speech", "/dev/phonemize", "/jobs"),
    *("/dev/generate_from_phonemes", "/v1/audio/voices/combine", "/audio/speech"),
)
GETS = ("/v1/download/{}", "/static/{}", "/jobs/{}", "/jobs/{}/audio", "/v1/models/{}", "/{}", "/voices?legacy={}")
REFUSED = (400, 401, 403, 404, 405, 409, 413, 415, 429, 501, 503, 507)
"""Statuses that tell of no fault of ours."""


@cache
def folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="kokoro-fuzz-"))


@cache
def client() -> FlaskClient:
    """The application on an engine that takes no time, with a key."""
    app = make_app(folder(), FakeEngine(0.001), API_KEY=(KEY,), MAX_TEXT_LENGTH=500, JOBS=1)
    return app.test_client()


def ask(method: str, path: str, headers: Mapping[str, str] | None = None, **what: Any) -> None:
    """The server answers, with no fault of its own and without telling its key."""
    sent = {"Authorization": f"Bearer {KEY}", **(headers or {})}
    with client().open(path, method=method, headers=sent, **what) as answer:
        body = answer.get_data()
    assert answer.status_code < 400 or answer.status_code in REFUSED, (answer.status_code, body[:300])
    assert KEY.encode() not in body and KEY not in str(answer.headers)
    assert not any("\r" in value or "\n" in value for value in answer.headers.values())


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
        found = passages(text, MANNER, VOICES)
    except BadRequest as exc:
        assert exc.message
        return
    check_runs(text, found)


def ssml(text: str) -> None:
    if not is_ssml(text):
        return
    for ignore in (False, True):
        try:
            check_runs(text, ssml_passages(text, MANNER, VOICES, "text", ignore))
        except BadRequest as exc:
            assert exc.message


def check_runs(text: str, found: list[Passage]) -> None:
    """Every run stands in the text, in order; a plain one is what stands there, unless an entity is."""
    at = 0
    for passage in found:
        assert 0 <= passage.pause <= 60
        for run in passage.runs:
            assert at <= run.start <= run.end <= len(text), (run, at)
            at = run.end


def cutting(text: str) -> None:
    places = boundaries(text)
    ends = [place.end for place in places]
    assert ends == sorted(set(ends)) and (not text or ends[-1] == len(text))


def pronunciation_file(content: bytes) -> None:
    path = folder() / "dictionary.txt"
    path.write_bytes(content)
    try:
        entries = parse_dictionary(path)
    except BadDictionary as exc:
        assert str(path) in str(exc)
        return
    assert check_pronunciations(entries) == entries


def voice_blend(name: str) -> None:
    try:
        voice = find_voice(name)
    except BadRequest as exc:
        assert len(exc.message) < 400
        return
    weights = [weight for _, weight in voice.parts]
    assert 0 < len(weights) <= 10 and all(map(math.isfinite, weights))
    assert math.isclose(sum(weights), 1.0) or math.isclose(sum(map(abs, weights)), 1.0)
    assert all(part in VOICES for part, _ in voice.parts)


def download_name(name: str) -> None:
    try:
        found = find(folder(), name)
    except NotFound:
        return
    assert found.parent == folder().resolve() and found.name.startswith("tts_output_link_")


def worker_frame(case: tuple[bytes, bytes, int]) -> None:
    header, payload, cut = case
    pipe = io.BytesIO((LENGTHS.pack(len(header), len(payload)) + header + payload)[:cut])
    try:
        frame = read_frame(pipe)
        if frame is not None:
            chunk_of(*frame)
    except (BadFrame, SynthesisFailed):
        return


PATHS = st.sampled_from(POSTS)
KINDS = st.sampled_from(
    ["application/json", "application/json; charset=utf-16", "text/plain", "multipart/form-data; boundary=x", ""]
)
HEADERS = st.sampled_from(
    [
        "X-Request-Timeout",
        "Accept",
        "If-None-Match",
        "Range",
        "Origin",
        "Host",
        "Cookie",
        "traceparent",
        "X-Forwarded-For",
    ]
)
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
