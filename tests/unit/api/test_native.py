"""The native routes: what they take, what they answer, and in which words they refuse."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from kokoro_server.api.native import TEMP_FILE_PREFIX
from kokoro_server.audio.samples import UNKNOWN_RIFF_SIZE
from kokoro_server.core.errors import Busy, SpeechError, SynthesisFailed, TimedOut, WorkerUnavailable
from kokoro_server.core.voices import VOICES
from kokoro_server.engine.command import RUN_FOLDER_PREFIX
from kokoro_server.setup.folders import ensure_temp_directory
from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app

BOTH = ("/synthesize", "/synthesize/stream")
LONG = "One sentence comes after another, and each of them is spoken. " * 20


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> FlaskClient:
    return make_app(tmp_path, engine).test_client()


def files(folder: Path) -> list[str]:
    """What lies in the temp folder, but for the model's."""
    return sorted(path.name for path in folder.iterdir() if path.name != "models")


def post(client: FlaskClient, path: str, **more: Any) -> TestResponse:
    """The answer, read to its end and closed."""
    return client.post(path, buffered=True, **more)


def samples(data: bytes) -> int:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 24_000)
        return file.getnframes()  # type: ignore[no-any-return]


# --- Answers ---------------------------------------------------------------------------------------------------------


def test_health(client: FlaskClient) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    expected = {"status": "healthy", "service": "Kokoro TTS API", "supported_format": "wav", "engine": "fake"}
    assert answer.json is not None and expected.items() <= answer.json.items()
    assert answer.json["version"]


def test_voices(client: FlaskClient) -> None:
    answer = client.get("/voices").json
    assert answer is not None
    assert (answer["default"], answer["supported_format"]) == ("af_heart", "wav")
    assert "af_heart" in answer["voices"] and set(answer["voices"]) <= set(VOICES)
    assert set(answer["languages"]) == set(answer["voices"])
    assert answer["languages"]["bf_emma"] == "en-gb"


@pytest.mark.parametrize(("path", "disposition"), [(BOTH[0], "attachment"), (BOTH[1], "inline")])
def test_a_short_text_is_a_wav_of_exact_size(client: FlaskClient, path: str, disposition: str, tmp_path: Path) -> None:
    answer = post(client, path, json={"text": "Hello there."})
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    assert answer.headers["Content-Disposition"] in (
        f"{disposition}; filename=tts_output.wav",
        f'{disposition}; filename="tts_output.wav"',
    )
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert int.from_bytes(answer.data[4:8], "little") == len(answer.data) - 8
    assert int.from_bytes(answer.data[40:44], "little") == len(answer.data) - 44
    assert samples(answer.data) == 2400
    assert "Transfer-Encoding" not in answer.headers
    answer.close()
    assert files(tmp_path) == []


def test_a_long_text_streams_behind_a_header_of_unknown_size(client: FlaskClient) -> None:
    answer = post(client, "/synthesize/stream", json={"text": LONG})
    assert answer.status_code == 200
    assert "Content-Length" not in answer.headers
    assert answer.data[:4] == b"RIFF" and answer.data[8:16] == b"WAVEfmt "
    assert (
        int.from_bytes(answer.data[4:8], "little") == int.from_bytes(answer.data[40:44], "little") == UNKNOWN_RIFF_SIZE
    )
    assert answer.data[44:] == post(client, "/synthesize", json={"text": LONG}).data[44:]


@pytest.mark.parametrize("more", [{"json": {"text": LONG, "stream": False}}, {"environ_overrides": "1.0"}])
def test_a_long_text_has_its_size_where_that_is_wanted(client: FlaskClient, more: dict[str, Any]) -> None:
    if "environ_overrides" in more:
        more = {"json": {"text": LONG}, "environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}}
    answer = post(client, "/synthesize/stream", **more)
    assert answer.headers["Content-Length"] == str(len(answer.data))
    assert samples(answer.data) * 2 + 44 == len(answer.data)


class TooLoud(FakeEngine):
    """Makes samples far beyond what a WAV holds."""

    def synthesize(self, *arguments: Any) -> Any:
        for chunk in super().synthesize(*arguments):
            yield type(chunk)(chunk.samples * 100)


def test_loud_sound_is_clipped_never_wrapped(tmp_path: Path) -> None:
    quiet, loud = (
        np.frombuffer(post(make_app(tmp_path, each).test_client(), BOTH[0], json={"text": "Hi."}).data[44:], "<i2")
        for each in (FakeEngine(), TooLoud())
    )
    assert loud.max() == 32767 and loud.min() == -32767
    assert (np.sign(loud[quiet != 0]) == np.sign(quiet[quiet != 0])).all()


def test_options_reach_the_engine(client: FlaskClient, engine: FakeEngine) -> None:
    fields = {"text": " Hi. ", "voice": "BF_Emma", "speed": 2, "language": "en", "format": "WAV", "extra": [1]}
    assert post(client, "/synthesize", json=fields).status_code == 200
    (request,) = engine.requests
    assert (request.text, request.voice.name, request.language, request.speed) == (" Hi. ", "bf_emma", "b", 2.0)


@pytest.mark.parametrize("fields", [{}, {"voice": None, "speed": None, "language": None, "format": None}])
def test_options_have_defaults(client: FlaskClient, engine: FakeEngine, fields: dict[str, None]) -> None:
    assert post(client, "/synthesize", json={"text": "Hi.", **fields}).status_code == 200
    (request,) = engine.requests
    assert (request.voice.name, request.language, request.speed) == ("af_heart", "a", 1.0)


WEIRD = [
    "-x --help",
    "--",
    "@file",
    "\"'`",
    "$(reboot) `reboot`; rm -rf / | x && y > z",
    "%s %n {0} {{x}} ${x} <b>&amp;</b>",
    "one\ntwo\r\nthree\rfour\tfive",
    "🎉👩‍👩‍👧‍👦",
    "\u202eשלום\u202c مرحبا",
    "こんにちは。",
    "a" * 10_000,
    "😀" * 10_000,
    "/etc/passwd",
    ".",
    "\\u0000 \\ud800",
    "\ufeffHi.",
]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize("text", WEIRD, ids=[text[:9].encode("ascii", "replace").decode() for text in WEIRD])
def test_weird_texts_are_just_texts(client: FlaskClient, engine: FakeEngine, path: str, text: str) -> None:
    assert post(client, path, json={"text": text}).status_code == 200
    assert post(client, path, data=json.dumps({"text": text}, ensure_ascii=False), content_type=JSON).status_code == 200
    assert {request.text for request in engine.requests} == {text}


# --- Refusals --------------------------------------------------------------------------------------------------------

JSON = "application/json"
T = '"text": "Hi."'
DEEP = "[" * 50_000
REFUSED: list[tuple[str, Any, str | None, int, str | None, str]] = [
    # what it is, body, content type, status, field, words of the message
    ("no body", b"", JSON, 400, "body", "no body"),
    ("blank body", b" \n", JSON, 400, "body", "no body"),
    ("no JSON", b"text=Hi.", JSON, 400, "body", "not JSON"),
    ("cut JSON", b'{"text": "Hi', JSON, 400, "body", "not JSON"),
    ("two documents", b'{"text": "Hi."} {}', JSON, 400, "body", "not JSON"),
    ("no UTF-8", b'{"text": "\xff\xfe"}', JSON, 400, "body", "not JSON"),
    ("nulls", b"\x00\x00\x00\x00", JSON, 400, "body", "not JSON"),
    ("no content type", b'{"text": "Hi."}', None, 415, "Content-Type", "expected application/json"),
    (
        "a form",
        b'{"text": "Hi."}',
        "application/x-www-form-urlencoded",
        415,
        "Content-Type",
        "expected application/json",
    ),
    ("plain text", b'{"text": "Hi."}', "text/plain", 415, "Content-Type", "'text/plain'"),
    ("a list", "[]", JSON, 400, "body", "a JSON array: expected an object"),
    ("a list with an object", "[{}]", JSON, 400, "body", "a JSON array"),
    ("a number", "3", JSON, 400, "body", "a JSON number"),
    ("a string", '"text"', JSON, 400, "body", "a JSON string"),
    ("true", "true", JSON, 400, "body", "a JSON boolean"),
    ("null", "null", JSON, 400, "body", "a JSON null"),
    ("a deep list", DEEP + "]" * 50_000, JSON, 400, "body", "not JSON"),
    ("an open deep list", DEEP, JSON, 400, "body", "not JSON"),
    ("a deep field", f'{{{T}, "voice": {"[" * 900}{"]" * 900}}}', JSON, 400, "voice", "voice is a JSON array"),
    ("a number too long", f'{{{T}, "speed": {"1" * 5000}}}', JSON, 400, "body", "not JSON"),
    ("no text", "{}", JSON, 400, "text", "text is missing: expected what to say"),
    ("another name", '{"input": "Hi."}', JSON, 400, "text", "text is missing"),
    ("null text", '{"text": null}', JSON, 400, "text", "text is a JSON null"),
    ("number text", '{"text": 5}', JSON, 400, "text", "text is 5: expected a text"),
    ("list text", '{"text": ["Hi."]}', JSON, 400, "text[0]", "text[0] is 'Hi.'"),
    ("no turns", '{"text": []}', JSON, 400, "text", "text is empty"),
    ("hours of pauses", json.dumps({"text": "[pause:60s]" * 30}), JSON, 400, "text", "pauses of 1800 seconds together"),
    (
        "hours in turns",
        json.dumps({"text": [{"text": "[pause:60s]"}] * 30}),
        JSON,
        400,
        "text",
        "pauses of 1800 seconds",
    ),
    ("a turn of text", '{"text": ["Hi."]}', JSON, 400, "text[0]", "text[0] is 'Hi.': expected a JSON object"),
    ("a list of words", f'{{{T}, "pronunciations": ["a"]}}', JSON, 400, "pronunciations", "expected a JSON object"),
    ("a turn of nothing", '{"text": [{}]}', JSON, 400, "text[0].text", "text[0].text is missing"),
    ("a blank turn", '{"text": [{"text": " "}]}', JSON, 400, "text[0].text", "text[0].text is empty"),
    ("a turn's voice", '{"text": [{"text": "Hi.", "voice": "af_hart"}]}', JSON, 400, None, "Did you mean af_heart"),
    ("a turn's speed", '{"text": [{"text": "Hi.", "speed": 9}]}', JSON, 400, "text[0].speed", "text[0].speed is 9"),
    ("long turns", json.dumps({"text": [{"text": "a" * 5001}] * 2}), JSON, 400, "text", "at most 10000"),
    ("list of pronunciations", f'{{{T}, "pronunciations": []}}', JSON, 400, "pronunciations", "a JSON array"),
    ("a long word", json.dumps({"text": "a", "pronunciations": {"x" * 9999: 1}}), JSON, 400, None, "x… is 1"),
    ("a surrogate word", f'{{{T}, "pronunciations": {{"\\ud800": 1}}}}', JSON, 400, None, "is 1"),
    ("a street", f'{{{T}, "pronunciations": {{"street": 1}}}}', JSON, 400, "pronunciations.street", "is 1"),
    ("a number said", f'{{{T}, "pronunciations": {{"a": 1}}}}', JSON, 400, "pronunciations.a", "is 1"),
    ("object text", '{"text": {"a": 1}}', JSON, 400, "text", "text is a JSON object"),
    ("true text", '{"text": true}', JSON, 400, "text", "text is True"),
    ("empty text", '{"text": ""}', JSON, 400, "text", "text is empty"),
    ("blank text", '{"text": " \\n\\t\\u3000"}', JSON, 400, "text", "text is empty"),
    ("long text", json.dumps({"text": "a" * 10_001}), JSON, 400, "text", "10001 characters: expected at most 10000"),
    ("NUL", '{"text": "a\\u0000"}', JSON, 400, "text", "U+0000 at position 1"),
    ("a bell", '{"text": "a\\u0007"}', JSON, 400, "text", "U+0007"),
    ("an escape", '{"text": "\\u001b[31m"}', JSON, 400, "text", "U+001B"),
    ("a C1 control", '{"text": "a\\u009b"}', JSON, 400, "text", "U+009B"),
    ("a high surrogate", '{"text": "a\\ud800"}', JSON, 400, "text", "U+D800"),
    ("a low surrogate", '{"text": "\\udc00a"}', JSON, 400, "text", "U+DC00"),
    ("a raw control", b'{"text": "a\x07"}', JSON, 400, "body", "not JSON"),
    ("a near voice", f'{{{T}, "voice": "af_hart"}}', JSON, 400, "voice", "Did you mean af_heart"),
    ("a half voice", f'{{{T}, "voice": "emma"}}', JSON, 400, "voice", "Did you mean bf_emma?"),
    ("an unknown voice", f'{{{T}, "voice": "xyzzy"}}', JSON, 400, "voice", "Unknown voice 'xyzzy'. GET /voices"),
    ("an empty voice", f'{{{T}, "voice": ""}}', JSON, 400, "voice", "voice is empty"),
    ("a number voice", f'{{{T}, "voice": 1}}', JSON, 400, "voice", "voice is 1: expected a text"),
    ("a list voice", f'{{{T}, "voice": ["af_heart"]}}', JSON, 400, "voice", "voice is a JSON array"),
    ("a path voice", f'{{{T}, "voice": "../../etc/passwd"}}', JSON, 400, "voice", "Unknown voice"),
    ("a surrogate voice", f'{{{T}, "voice": "\\ud800"}}', JSON, 400, "voice", "Unknown voice"),
    ("a NUL voice", f'{{{T}, "voice": "af_heart\\u0000"}}', JSON, 400, "voice", "Unknown voice"),
    ("a long voice", f'{{{T}, "voice": "{"x" * 9000}"}}', JSON, 400, "voice", "neither a voice nor a blend"),
    ("a blend of languages", f'{{{T}, "voice": "af_heart+jf_alpha"}}', JSON, 400, "voice", "mixes several"),
    ("no format", f'{{{T}, "format": "ogg"}}', JSON, 400, "format", "Unsupported format 'ogg': expected wav"),
    ("a number format", f'{{{T}, "format": 1}}', JSON, 400, "format", "format is 1"),
    ("a surrogate format", f'{{{T}, "format": "\\udfff"}}', JSON, 400, "format", "Unsupported format"),
    ("a text speed", f'{{{T}, "speed": "1.0"}}', JSON, 400, "speed", "speed is '1.0': expected a number"),
    ("a true speed", f'{{{T}, "speed": true}}', JSON, 400, "speed", "speed is True"),
    ("a list speed", f'{{{T}, "speed": [1]}}', JSON, 400, "speed", "speed is a JSON array"),
    ("NaN speed", f'{{{T}, "speed": NaN}}', JSON, 400, "speed", "speed is nan"),
    ("infinite speed", f'{{{T}, "speed": Infinity}}', JSON, 400, "speed", "speed is inf"),
    ("minus infinite speed", f'{{{T}, "speed": -Infinity}}', JSON, 400, "speed", "speed is -inf"),
    ("overflowing speed", f'{{{T}, "speed": 1e999}}', JSON, 400, "speed", "speed is inf"),
    ("huge speed", f'{{{T}, "speed": 1{"0" * 400}}}', JSON, 400, "speed", "speed is 1000"),
    ("slow speed", f'{{{T}, "speed": 0.249}}', JSON, 400, "speed", "0.25"),
    ("fast speed", f'{{{T}, "speed": 4.001}}', JSON, 400, "speed", "expected a number from 0.25 to 4"),
    ("a fast turn", '{"text": [{"text": "Hi.", "speed": 5}]}', JSON, 400, "text[0].speed", "a number from 0.25 to 4"),
    ("half a rate", f'{{{T}, "sample_rate": 24000.5}}', JSON, 400, "sample_rate", "expected a whole number"),
    ("a yes", f'{{{T}, "stream": "yes"}}', JSON, 400, "stream", "stream is 'yes': expected true or false"),
    ("a marked voice", '{"text": "[voice:xyzzy]a[/voice]"}', JSON, 400, "text", "0: Unknown voice 'xyzzy'"),
    ("no speed", f'{{{T}, "speed": 0}}', JSON, 400, "speed", "speed is 0"),
    ("backwards", f'{{{T}, "speed": -1}}', JSON, 400, "speed", "speed is -1"),
    (
        "no language",
        f'{{{T}, "language": "klingon"}}',
        JSON,
        400,
        "language",
        "Unknown language 'klingon': expected one of",
    ),
    ("a number language", f'{{{T}, "language": 7}}', JSON, 400, "language", "language is 7"),
    ("a text stream", f'{{{T}, "stream": "yes"}}', JSON, 400, "stream", "stream is 'yes'"),
    (
        "a low rate",
        f'{{{T}, "sample_rate": 7999}}',
        JSON,
        400,
        "sample_rate",
        "7999: expected a number from 8000 to 48000",
    ),
    ("half a rate", f'{{{T}, "sample_rate": 24000.5}}', JSON, 400, "sample_rate", "sample_rate is 24000.5"),
]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(
    ("body", "content_type", "status", "field", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_refusals(
    client: FlaskClient,
    engine: FakeEngine,
    tmp_path: Path,
    path: str,
    body: Any,
    content_type: str | None,
    status: int,
    field: str | None,
    words: str,
) -> None:
    answer = post(client, path, data=body, content_type=content_type)
    assert_refused(answer, status, "Invalid request", words)
    assert answer.json is not None
    assert field is None or answer.json["field"] == field
    assert len(str(answer.json["value"])) <= 80
    assert engine.requests == []
    assert files(tmp_path) == []


def assert_refused(answer: TestResponse, status: int, title: str, words: str) -> None:
    assert (answer.status_code, answer.mimetype) == (status, "application/json")
    assert answer.json is not None
    assert answer.json["error"] == title
    assert words in answer.json["message"]
    assert len(answer.json["message"]) < 500
    assert sum(voice in answer.json["message"] for voice in VOICES) <= 5
    assert answer.headers["X-Request-Id"]
    assert b"Traceback" not in answer.data and b"/kokoro_server/" not in answer.data


def test_a_content_type_with_a_charset_is_fine(client: FlaskClient) -> None:
    for content_type in ("application/json; charset=utf-8", "APPLICATION/JSON", "application/vnd.x+json"):
        answer = post(client, "/synthesize", data=b'{"text": "Hi."}', content_type=content_type)
        assert answer.status_code == 200, content_type


def test_what_is_not_there(client: FlaskClient) -> None:
    for path in (
        "/",
        "/synth",
        "/synthesize/",
        "/synthesize/stream/x",
        "/../etc/passwd",
        "/%00",
        "/\ud83d"[:1] + "%ff",
    ):
        answer = client.get(path)
        if path != "/":
            assert_refused(answer, 404, "Not found", "There is no /")
        assert answer.status_code in (200, 404)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/synthesize", {"POST", "OPTIONS"}),
        ("DELETE", "/synthesize/stream", {"POST", "OPTIONS"}),
        ("POST", "/health", {"GET", "HEAD", "OPTIONS"}),
        ("PUT", "/voices", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_methods_that_a_route_does_not_have(client: FlaskClient, method: str, path: str, allowed: set[str]) -> None:
    answer = client.open(path, method=method)
    assert_refused(answer, 405, "Method not allowed", f"{method} is not allowed for {path}")
    assert set(answer.headers["Allow"].split(", ")) == allowed


@pytest.mark.parametrize("path", BOTH)
def test_a_body_over_its_limit(client: FlaskClient, path: str) -> None:
    limit = client.application.config["MAX_CONTENT_LENGTH"]
    answer = post(client, path, data=b" " * (limit + 1), content_type=JSON)
    assert_refused(answer, 413, "Invalid request", f"over its limit of {limit} bytes")


def test_the_longest_text_is_under_the_bodys_limit_however_it_is_written(tmp_path: Path, engine: FakeEngine) -> None:
    client = make_app(tmp_path, engine, MAX_TEXT_LENGTH=50_000).test_client()
    body = json.dumps({"text": "😀" * 50_000})
    assert len(body) > 12 * 50_000 and len(body) < body_limit_of(client)
    assert post(client, "/synthesize", data=body, content_type=JSON).status_code == 200


def body_limit_of(client: FlaskClient) -> int:
    limit: int = client.application.config["MAX_CONTENT_LENGTH"]
    return limit


ERRORS = [
    (SynthesisFailed("The speech worker ended unexpectedly."), 500, "TTS synthesis failed", None),
    (WorkerUnavailable("A worker could not start."), 503, "Service unavailable", "5"),
    (TimedOut("The speech worker did not answer within 60 seconds."), 504, "TTS synthesis timed out", None),
    (Busy("16 requests are waiting already.", 2.1), 429, "Too many requests", "3"),
]


@pytest.mark.parametrize("path", BOTH)
@pytest.mark.parametrize(("error", "status", "title", "retry_after"), ERRORS)
def test_an_engines_errors(
    tmp_path: Path, path: str, error: SpeechError, status: int, title: str, retry_after: str | None
) -> None:
    client = make_app(tmp_path, FakeEngine(fail_at=0, error=error)).test_client()
    answer = post(client, path, json={"text": "Hi."})
    assert_refused(answer, status, title, error.message)
    assert answer.headers.get("Retry-After") == retry_after
    assert files(tmp_path) == []


class Buggy(FakeEngine):
    """Breaks in a way that nobody foresaw."""

    def plan(self, request: Any) -> Any:
        raise ZeroDivisionError("/home/somebody/secret.py")


@pytest.mark.parametrize("path", BOTH)
def test_a_bug_is_logged_but_not_told(tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = post(make_app(tmp_path, Buggy()).test_client(), path, json={"text": "Hi."})
    assert_refused(answer, 500, "Internal server error", "its log says how")
    assert b"secret" not in answer.data and b"ZeroDivision" not in answer.data
    assert "ZeroDivisionError: /home/somebody/secret.py" in caplog.text
    assert answer.headers["X-Request-Id"] in caplog.text
    assert files(tmp_path) == []


@pytest.mark.parametrize("header", ["soon", "0", "-1", "nan", "inf", "1e9", "", "\xff"])
def test_a_wrong_time_limit(client: FlaskClient, header: str) -> None:
    answer = post(client, "/synthesize", json={"text": "Hi."}, headers={"X-Request-Timeout": header})
    assert_refused(answer, 400, "Invalid request", "X-Request-Timeout is")


def test_a_time_limit_that_is_hit(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(gated=True), REQUEST_TIMEOUT=60).test_client()
    answer = post(client, "/synthesize", json={"text": LONG}, headers={"X-Request-Timeout": "0.05"})
    assert_refused(answer, 504, "TTS synthesis timed out", "time limit was hit")
    assert files(tmp_path) == []


# --- Files -----------------------------------------------------------------------------------------------------------


def test_an_answers_file_goes_when_the_answer_has_gone(client: FlaskClient, tmp_path: Path) -> None:
    answer = client.post("/synthesize", json={"text": LONG}, buffered=False)
    assert [name.startswith(TEMP_FILE_PREFIX) for name in files(tmp_path)] == [True]
    assert samples(answer.data) > 0
    answer.close()
    assert files(tmp_path) == []


def test_an_answers_file_goes_when_the_client_leaves_in_the_middle(client: FlaskClient, tmp_path: Path) -> None:
    answer = client.post("/synthesize", json={"text": LONG}, buffered=False)
    next(answer.iter_encoded())
    answer.close()
    assert files(tmp_path) == []


@pytest.mark.parametrize("fail_at", [0, 1, 3])
def test_an_error_leaves_no_file(tmp_path: Path, fail_at: int) -> None:
    client = make_app(tmp_path, FakeEngine(fail_at=fail_at, error=SynthesisFailed("no"))).test_client()
    assert post(client, "/synthesize", json={"text": LONG}).status_code == 500
    assert files(tmp_path) == []


def test_files_are_kept_where_that_is_wanted(tmp_path: Path, engine: FakeEngine) -> None:
    client = make_app(tmp_path, engine, CLEANUP_FILES=False).test_client()
    answers = [client.post("/synthesize", json={"text": "Hi."}) for _ in range(2)]
    for answer in answers:
        answer.close()
    assert [(tmp_path / name).read_bytes() for name in files(tmp_path)] == [answers[0].data] * 2


def test_a_temp_folder_that_vanished_is_made_again(tmp_path: Path, engine: FakeEngine) -> None:
    client = make_app(tmp_path / "gone", engine).test_client()
    with client.post("/synthesize", json={"text": "Hi."}) as answer:
        assert (answer.status_code, answer.data[:4]) == (200, b"RIFF")
    assert files(tmp_path / "gone") == []


def test_a_temp_folder_that_takes_no_files_is_told(tmp_path: Path, engine: FakeEngine) -> None:
    (tmp_path / "gone").touch()
    client = make_app(tmp_path / "gone" / "folder", engine).test_client()
    answer = client.post("/synthesize", json={"text": "Hi."})
    assert_refused(answer, 507, "Insufficient storage", "no room for the file")
    assert b"gone" not in answer.data


@pytest.mark.parametrize("cleanup", [True, False])
def test_the_start_removes_what_an_earlier_run_left_and_nothing_else(tmp_path: Path, cleanup: bool) -> None:
    folder = tmp_path / "new" / "folder"
    ensure_temp_directory(folder)
    (folder / f"{TEMP_FILE_PREFIX}abc.wav").write_bytes(b"x")
    (folder / f"{RUN_FOLDER_PREFIX}abc").mkdir()
    (folder / f"{RUN_FOLDER_PREFIX}abc" / "text.txt").write_text("x")
    others = ["tts", "tts_notes.txt", "run-1", "my.wav"]
    for name in others:
        (folder / name).write_text("not ours")
    ensure_temp_directory(folder, cleanup)
    assert files(folder) == sorted(others + ([] if cleanup else [f"{TEMP_FILE_PREFIX}abc.wav"]))
