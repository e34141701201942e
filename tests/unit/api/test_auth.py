"""Who is let in: keys, and the origins of web pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app

KEYS = ("first-key", "zweiter-schlüssel")
PATHS = ("/v1/models", "/v1/audio/voices", "/audio/models", "/voices", "/v1/nothing", "/v1/download/x")


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer undefined", "Basic eDp5", "nonsense"])
def test_without_keys_anybody_comes_in(tmp_path: Path, header: str | None) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    headers = {} if header is None else {"Authorization": header}
    assert client.post("/v1/audio/speech", json={"input": "Hi."}, headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["Bearer first-key", "bearer first-key", "Bearer  first-key "])
def test_any_of_the_keys_opens(tmp_path: Path, header: str) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=KEYS).test_client()
    assert client.get("/v1/models", headers={"Authorization": header}).status_code == 200


def test_a_key_may_be_any_text(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=KEYS).test_client()
    sent = f"Bearer {KEYS[1]}".encode().decode("latin-1")  # as a WSGI server hands on the bytes that came
    assert client.get("/v1/models", environ_overrides={"HTTP_AUTHORIZATION": sent}).status_code == 200


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer undefined", "Basic first-key", "Bearer first-ke", "Bearer first-key,x"]
)
@pytest.mark.parametrize("path", PATHS)
def test_nothing_else_does(tmp_path: Path, path: str, header: str | None) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=KEYS).test_client()
    answer = client.get(path, headers={} if header is None else {"Authorization": header})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    body = answer.get_json()
    if path == "/voices":
        assert body["error"] == "Unauthorized" and body["message"]
    else:
        assert set(body["error"]) == {"message", "type", "param", "code"}
        assert body["error"]["code"] == "invalid_api_key"
    assert answer.headers["X-Request-Id"]


@pytest.mark.parametrize("path", ["/health", "/docs", "/openapi.json"])
def test_what_stays_open(tmp_path: Path, path: str) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=KEYS).test_client()
    assert client.get(path).status_code == 200


def test_no_key_reaches_the_engine_without_being_right(tmp_path: Path) -> None:
    engine = FakeEngine()
    client = make_app(tmp_path, engine, API_KEY=KEYS).test_client()
    for path in ("/synthesize", "/synthesize/stream", "/v1/audio/speech", "/audio/speech"):
        assert client.post(path, json={"input": "Hi.", "text": "Hi."}).status_code == 401
    assert engine.requests == []


@pytest.mark.parametrize("key", [(), KEYS])
def test_pages_of_any_origin_may_call_by_default(tmp_path: Path, key: tuple[str, ...]) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=key).test_client()
    asked = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    allowed = client.options("/v1/audio/speech", headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "*"
    assert "POST" in allowed.headers["Access-Control-Allow-Methods"]
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization, content-type"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    refused = client.post("/v1/audio/speech", json={}, headers={"Origin": "https://page.example"})
    assert refused.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Request-Id" in refused.headers["Access-Control-Expose-Headers"]


def test_origins_can_be_named(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), CORS_ORIGINS=("https://a.example", "https://b.example")).test_client()
    told = {
        origin: client.get("/voices", headers={"Origin": origin}).headers.get("Access-Control-Allow-Origin")
        for origin in ("https://a.example", "https://b.example", "https://c.example", "https://aXexample")
    }
    assert told == {
        "https://a.example": "https://a.example",
        "https://b.example": "https://b.example",
        "https://c.example": None,
        "https://aXexample": None,
    }


def test_origins_can_be_none(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), CORS_ORIGINS=()).test_client()
    answer = client.get("/voices", headers={"Origin": "https://a.example"})
    assert answer.status_code == 200 and "Access-Control-Allow-Origin" not in answer.headers
