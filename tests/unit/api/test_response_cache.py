"""Kept answers: the same bytes again without an engine, never a part of them, never somebody else's."""

from __future__ import annotations

import pickle
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.schemas import SpeechJob
from kokoro_server.core.errors import SynthesisFailed
from kokoro_server.core.languages import Language
from kokoro_server.core.request import SpeechRequest
from kokoro_server.core.voices import find_voice
from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app

SEVERAL = (
    "This is a text of several sentences. They are spoken one after the other, each in its own piece. "
    "The first is short, so that it can be heard at once. The others are longer."
)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> FlaskClient:
    return make_app(tmp_path, engine, CACHE_MB=8).test_client()


def speak(client: FlaskClient, path: str = "/v1/audio/speech", headers: Any = None, **fields: Any) -> Any:
    return client.post(path, json={"input": SEVERAL, "text": SEVERAL, **fields}, headers=headers, buffered=True)


def listen(client: FlaskClient) -> Any:
    """An answer whose stream has not been read."""
    return client.post("/v1/audio/speech", json={"input": SEVERAL, "response_format": "pcm"})


@pytest.mark.parametrize("path", ["/v1/audio/speech", "/synthesize/stream", "/synthesize"])
@pytest.mark.parametrize("fields", [{}, {"stream": False}])
def test_speaks_once_and_answers_twice(
    client: FlaskClient, engine: FakeEngine, path: str, fields: dict[str, Any]
) -> None:
    first, second = (speak(client, path, **fields) for _ in range(2))
    assert first.data == second.data and len(engine.requests) == 1
    assert first.content_type == second.content_type
    assert second.headers["Content-Length"] == str(len(second.data))


def test_without_space_nothing_is_kept(tmp_path: Path, engine: FakeEngine) -> None:
    client = make_app(tmp_path, engine).test_client()
    assert "ETag" not in speak(client).headers
    speak(client)
    assert len(engine.requests) == 2
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    "other",
    [
        {"input": SEVERAL.upper()},
        {"voice": "af_sky"},
        {"voice": "af_heart(2)+af_sky"},
        {"speed": 1.1},
        {"lang_code": "b"},
        {"normalize": False},
        {"emoji": "silent"},
        {"response_format": "wav"},
        {"sample_rate": 16_000},
        {"volume_multiplier": 0.5},
        {"stream": False},
    ],
)
def test_whatever_shapes_the_sound_makes_another_answer(
    client: FlaskClient, engine: FakeEngine, other: dict[str, Any]
) -> None:
    assert speak(client).headers["ETag"] != speak(client, **other).headers["ETag"]
    assert len(engine.requests) == 2


def test_another_version_or_model_makes_another_answer(tmp_path: Path) -> None:
    order = SpeechJob(SpeechRequest("Hi.", find_voice("af_sky"), Language.AMERICAN_ENGLISH), "wav")
    tags = {ResponseCache(tmp_path, 1, made_by).make_tag(order, True) for made_by in ("1 pool", "2 pool", "1 command")}
    assert len(tags) == 3


def test_a_client_that_has_it_already_is_told_so(client: FlaskClient, engine: FakeEngine) -> None:
    tag = speak(client).headers["ETag"]
    answer = speak(client, headers={"If-None-Match": f'"other", {tag}'})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert speak(client, headers={"If-None-Match": '"other"'}).status_code == 200
    assert len(engine.requests) == 1


def test_a_part_is_never_kept(tmp_path: Path) -> None:
    failing = FakeEngine(fail_at=1, error=SynthesisFailed("It broke."))
    with pytest.raises(SynthesisFailed):
        speak(make_app(tmp_path, failing, CACHE_MB=8).test_client(), response_format="pcm")
    engine = FakeEngine()
    client = make_app(tmp_path, engine, CACHE_MB=8).test_client()
    left = listen(client)
    next(iter(left.response))
    left.close()
    assert engine.open_count == 0
    whole = speak(client, response_format="pcm")
    assert len(whole.data) > 4_800 and len(engine.requests) == 2


def test_the_stream_is_not_held_up(tmp_path: Path) -> None:
    engine = FakeEngine(gated=True)
    answer = listen(make_app(tmp_path, engine, CACHE_MB=8).test_client())
    blocks = iter(answer.response)
    assert next(blocks) and engine.chunk_count == 1
    engine.gate.release()
    assert next(blocks) and engine.chunk_count == 2
    answer.close()


def test_space_is_bounded_and_one_answer_gets_a_part_of_it(tmp_path: Path) -> None:
    answers = ResponseCache(tmp_path, 1, "test")
    answers.put("large", b"x" * 60_000)
    assert answers.get("large") is None
    for number in range(30):
        answers.put(f"small {number}", bytes(1_000))
    for number in range(40):
        answers.put(str(number), bytes(40_000))
        used = sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())
        assert used <= 1_050_000
    assert used >= 400_000
    assert answers.get("39") is not None and answers.get("small 0") is None


def test_a_disk_that_fails_costs_no_sound(client: FlaskClient, engine: FakeEngine, tmp_path: Path) -> None:
    speak(client)
    for path in (tmp_path / "models" / "answers").rglob("*.db"):
        path.write_bytes(b"not a database at all, " * 100)
    assert speak(client).status_code == 200
    assert len(engine.requests) == 2


def test_never_unpickles(tmp_path: Path) -> None:
    answers = ResponseCache(tmp_path, 1, "test")
    answers.put("tag", b"good")
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("UPDATE Cache SET mode = 4, value = ?", (pickle.dumps("evil"),))
    database.close()
    assert answers.get("tag") is None
