"""OpenAI's routes: what they take, what they answer, and in which words they refuse."""

from __future__ import annotations

import base64
import io
import json
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from kokoro_server.audio.samples import FORMATS, UNKNOWN_RIFF_SIZE
from kokoro_server.core.errors import SynthesisFailed, TimedOut, WorkerUnavailable
from kokoro_server.core.models import MODELS
from kokoro_server.core.voices import OPENAI_VOICES, VOICES
from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app
from tests.fakes.sound import decoded

ONE = "Hello there."
SEVERAL = (
    "This is a text of several sentences. They are spoken one after the other, each in its own piece. "
    "The first is short, so that it can be heard at once. The others are longer."
)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(0.5)


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> FlaskClient:
    return make_app(tmp_path, engine).test_client()


def speak(client: FlaskClient, path: str = "/v1/audio/speech", **fields: Any) -> Any:
    return client.post(path, json={"model": "tts-1", "voice": "alloy", "input": ONE, **fields})


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/audio/speech"])
def test_answers_mp3_unless_told_otherwise(client: FlaskClient, path: str) -> None:
    answer = speak(client, path)
    assert (answer.status_code, answer.content_type) == (200, "audio/mpeg")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="speech.mp3"'
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("rate", [24_000, 16_000])
def test_every_format_decodes_to_what_was_spoken(
    client: FlaskClient, engine: FakeEngine, format: str, stream: bool, rate: int
) -> None:
    answer = speak(client, input=SEVERAL, response_format=format, stream=stream, sample_rate=rate)
    assert answer.content_type == FORMATS[format].content_type
    samples, found = decoded(answer.data, format, rate)
    seconds = 0.5 * len(engine.plan(engine.requests[0]))
    assert len(samples) / found == pytest.approx(seconds, abs=1_024 / rate)  # AAC's frame, the longest
    assert np.abs(samples).max() == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("given", "spoken"),
    [
        *((name, ours) for name, ours in OPENAI_VOICES.items()),
        ("Nova", "af_nova"),
        ("AF_HEART", "af_heart"),
        ({"id": "bm_george"}, "bm_george"),
        ({"id": "af_bella(2)+af_sky"}, "af_bella(0.6667)+af_sky(0.3333)"),
        ("af_bella-af_sky", "af_bella(0.5)-af_sky(0.5)"),
        (None, "af_heart"),
    ],
)
def test_knows_voices_by_all_their_names(client: FlaskClient, engine: FakeEngine, given: Any, spoken: str) -> None:
    assert speak(client, voice=given).status_code == 200
    assert engine.requests[0].voice.name == spoken


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"speed": 2}, "speed", 2.0),
        ({"speed": 0.25}, "speed", 0.25),
        ({"lang_code": "b"}, "language", "b"),
        ({"lang_code": "en-gb"}, "language", "b"),
        ({"language": "English"}, "language", "a"),
        ({"lang_code": "", "language": ""}, "language", "a"),
        ({"voice": "ef_dora"}, "language", "e"),
        ({"normalize": False}, "normalize", False),
        ({"normalization_options": {"normalize": False, "url_normalization": True}}, "normalize", False),
        ({"normalization_options": {}}, "normalize", True),
        ({}, "emoji", True),
        ({"emoji": "named"}, "emoji", True),
        ({"emoji": "silent"}, "emoji", False),
        ({"instructions": "Whisper.", "foo": [1], "stream_format": "audio"}, "text", ONE),
        ({"input": "."}, "text", "."),
    ],
)
def test_heeds_every_field(
    client: FlaskClient, engine: FakeEngine, fields: dict[str, Any], attribute: str, value: Any
) -> None:
    assert speak(client, **fields).status_code == 200
    assert getattr(engine.requests[0], attribute) == value


def test_multiplies_the_volume(client: FlaskClient) -> None:
    loud, soft = (
        np.frombuffer(speak(client, response_format="pcm", volume_multiplier=factor).data, "<i2")
        for factor in (1.0, 0.5)
    )
    assert np.abs(loud / 2 - soft).max() <= 1


@pytest.mark.parametrize(
    "name",
    [*MODELS, "Kokoro", "TTS-1", "hexgrad/Kokoro-82M", "openai/tts-1", "gpt-4o-mini-tts-2025-12-15", "", None],
)
def test_takes_every_name_of_its_model(client: FlaskClient, name: str | None) -> None:
    assert speak(client, model=name).status_code == 200


@pytest.mark.parametrize("name", ["whisper-1", "gpt-4o", "piper"])
def test_refuses_a_model_that_is_something_else(client: FlaskClient, name: str) -> None:
    answer = speak(client, model=name)
    error = answer.get_json()["error"]
    assert answer.status_code == 404
    assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")
    assert name in error["message"]
    assert client.get(f"/v1/models/{name}").status_code == 404


@pytest.mark.parametrize(
    ("fields", "param", "says"),
    [
        ({"input": None}, "input", "null"),
        ({"input": 5}, "input", "5"),
        ({"input": ["a"]}, "input[0]", "is 'a'"),
        ({"input": {"a": 1}}, "input", "object"),
        ({"input": "  "}, "input", "empty"),
        ({"input": "x" * 10_001}, "input", "10001"),
        ({"input": "\x00"}, "input", "U+0000"),
        ({"model": 1}, "model", "1"),
        ({"voice": "nobody"}, "voice", "nobody"),
        ({"voice": 5}, "voice", "5"),
        ({"voice": {"id": 5}}, "voice.id", "5"),
        ({"voice": {}}, "voice.id", "missing"),
        ({"voice": "af_bella(x)+af_sky"}, "voice", "weight"),
        ({"voice": "af_bella+ff_siwis"}, "voice", "one language"),
        ({"response_format": "ogg"}, "response_format", "ogg"),
        ({"speed": 5}, "speed", "5"),
        ({"speed": "1.0"}, "speed", "1.0"),
        ({"speed": True}, "speed", "True"),
        ({"speed": 10**400}, "speed", "number"),
        ({"stream": "yes"}, "stream", "yes"),
        ({"stream_format": "xml"}, "stream_format", "xml"),
        ({"sample_rate": 7_999}, "sample_rate", "7999"),
        ({"lang_code": "klingon"}, "lang_code", "klingon"),
        ({"language": "klingon"}, "language", "klingon"),
        ({"volume_multiplier": -1}, "volume_multiplier", "-1"),
        ({"normalization_options": 1}, "normalization_options", "1"),
    ],
)
def test_refuses_in_openais_shape_and_names_the_field(
    client: FlaskClient, fields: dict[str, Any], param: str, says: str
) -> None:
    answer = speak(client, **fields)
    assert answer.status_code == 400
    error = answer.get_json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["param"], error["type"]) == (param, "invalid_request_error")
    assert says in error["message"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b""}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b"[]", "content_type": "application/json"}, 400),
        ({"data": b"[" * 100_000, "content_type": "application/json"}, 400),
        ({"data": b"{}", "content_type": "text/plain"}, 415),
        ({"data": b"x" * 300_000, "content_type": "application/json"}, 413),
    ],
)
def test_refuses_bodies_that_are_no_order(client: FlaskClient, sent: dict[str, Any], status: int) -> None:
    answer = client.post("/v1/audio/speech", **sent)
    assert answer.status_code == status
    assert set(answer.get_json()["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SynthesisFailed("It broke."), 500, "synthesis_failed"),
        (TimedOut("Too slow."), 504, "timeout"),
        (WorkerUnavailable("Nobody here."), 503, "engine_unavailable"),
    ],
)
@pytest.mark.parametrize("fields", [{}, {"stream_format": "sse"}, {"stream": False}])
def test_a_fault_before_the_first_sound_has_its_status(
    tmp_path: Path, error: Any, status: int, code: str, fields: dict[str, Any]
) -> None:
    client = make_app(tmp_path, FakeEngine(fail_at=0, error=error)).test_client()
    answer = speak(client, input=SEVERAL, **fields)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)


def test_busy_says_when_to_come_back(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(slots=0, retry_after=2.4)).test_client()
    answer = speak(client)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")
    assert answer.get_json()["error"]["type"] == "rate_limit_error"


def test_a_stream_begins_with_a_whole_header_and_a_whole_answer_knows_its_size(client: FlaskClient) -> None:
    streamed = speak(client, input=SEVERAL, response_format="wav")
    blocks = list(streamed.response)
    assert blocks[0][:4] == b"RIFF" and len(blocks[0]) == 44
    assert int.from_bytes(blocks[0][40:44], "little") == UNKNOWN_RIFF_SIZE
    assert "Content-Length" not in streamed.headers
    for fields in ({"input": SEVERAL, "stream": False}, {"input": ONE}):
        whole = speak(client, response_format="wav", **fields)
        assert int(whole.headers["Content-Length"]) == len(whole.data)
        with wave.open(io.BytesIO(whole.data)) as file:
            assert 2 * file.getnframes() + 44 == len(whole.data)


def events(data: bytes) -> list[dict[str, Any]]:
    lines = data.decode("ascii").split("\n\n")
    assert lines.pop() == "" and all(line.startswith("data: ") for line in lines)
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_server_sent_events_hold_one_container_and_then_the_usage(client: FlaskClient, format: str) -> None:
    answer = speak(client, input=SEVERAL, response_format=format, stream_format="sse")
    assert answer.mimetype == "text/event-stream"
    *deltas, done = events(answer.data)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"} and len(deltas) > 2
    assert b"".join(base64.b64decode(event["audio"]) for event in deltas) == (
        speak(client, input=SEVERAL, response_format=format).data
    )
    usage = done.pop("usage")
    assert done == {"type": "speech.audio.done"}
    assert usage["input_tokens"] == len(SEVERAL) and usage["output_tokens"] % 4 == 0
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


def test_events_that_end_early_say_so_and_are_not_done(tmp_path: Path) -> None:
    app = make_app(tmp_path, FakeEngine(fail_at=1, error=SynthesisFailed("It broke.")))
    answer = speak(app.test_client(), input=SEVERAL, response_format="pcm", stream_format="sse")
    seen = []
    with pytest.raises(SynthesisFailed):
        for event in answer.response:
            seen += events(event)
    assert seen[-1]["type"] == "error" and seen[-1]["error"]["code"] == "synthesis_failed"
    assert len(seen) == 2


@pytest.mark.parametrize("prefix", ["", "/v1"])
def test_lists_models_and_voices_as_each_client_reads_them(client: FlaskClient, prefix: str) -> None:
    models = client.get(f"{prefix}/models").get_json()
    assert models["object"] == "list" and [model["id"] for model in models["data"]] == list(MODELS)
    assert client.get(f"{prefix}/models/Kokoro").get_json() == models["data"][0]
    assert [each["id"] for each in client.get(f"{prefix}/audio/models").get_json()["models"]] == list(MODELS)
    voices = client.get(f"{prefix}/audio/voices").get_json()["voices"]
    assert [voice["id"] for voice in voices] == [voice["name"] for voice in voices] == list(VOICES)
    assert client.get(f"{prefix}/audio/voices?legacy=true").get_json() == {"voices": list(VOICES)}
    assert client.get(f"{prefix}/audio/voices?legacy=maybe").status_code == 400


def test_is_there_and_is_not_localai(client: FlaskClient) -> None:
    assert client.get("/v1/test").get_json() == {"status": "ok"}
    for path in ("/v1/readyz", "/readyz"):
        assert client.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/v1/nothing", "/dev/nothing", "/models/a/b", "/audio/nothing"])
def test_every_openai_path_is_refused_in_openais_shape(client: FlaskClient, path: str) -> None:
    assert set(client.get(path).get_json()["error"]) == {"message", "type", "param", "code"}


def test_a_wrong_method_names_the_right_ones(client: FlaskClient) -> None:
    answer = client.get("/v1/audio/speech")
    assert answer.status_code == 405 and "POST" in answer.headers["Allow"]
    assert set(answer.get_json()["error"]) == {"message", "type", "param", "code"}
