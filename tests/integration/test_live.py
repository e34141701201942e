"""The API on a real server: OpenAI's own client, slow and leaving listeners, and many at once."""

from __future__ import annotations

import io
import json
import socket
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import openai
import pytest

from benchmarks.waiting import until
from kokoro_server.core.errors import SynthesisFailed
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.sound import decoded

pytestmark = pytest.mark.serial

SEVERAL = (
    "This is a text of several sentences. They are spoken one after the other, each in its own piece. "
    "The first is short, so that it can be heard at once. The others are longer."
)
LONG = SEVERAL * 40


def client_of(address: str, key: str = "none", retries: int = 2) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=retries)


def test_the_sdk_streams(tmp_path: Path) -> None:
    engine = FakeEngine()
    with (
        live(make_app(tmp_path, engine)) as address,
        client_of(address) as client,
        client.audio.speech.with_streaming_response.create(
            model="gpt-4o-mini-tts",
            voice="coral",
            input=SEVERAL,
            instructions="Cheerfully.",
            response_format="wav",
            speed=1.25,
        ) as answer,
    ):
        assert answer.headers["x-request-id"]
        assert answer.headers["transfer-encoding"] == "chunked"
        data = b"".join(answer.iter_bytes())
    assert len(decoded(data, "wav")[0]) == len(engine.plan(engine.requests[0])) * round(0.08 * 24_000)


@pytest.mark.parametrize("format", ["mp3", "opus", "aac", "flac", "wav", "pcm"])
def test_the_sdk_gets_every_format(tmp_path: Path, format: str) -> None:
    with live(make_app(tmp_path, FakeEngine(0.5))) as address, client_of(address) as client:
        answer = client.audio.speech.create(model="tts-1", voice="alloy", input="Hello.", response_format=format)  # type: ignore[arg-type]
        samples, rate = decoded(answer.content, format)
    assert len(samples) / rate == pytest.approx(0.5, abs=0.05)


def test_the_sdk_lists_models(tmp_path: Path) -> None:
    with live(make_app(tmp_path, FakeEngine())) as address, client_of(address) as client:
        assert "tts-1" in [model.id for model in client.models.list()]
        assert client.models.retrieve("Kokoro").id == "kokoro"


def test_the_sdk_knows_our_errors(tmp_path: Path) -> None:
    app = make_app(tmp_path, FakeEngine(), API_KEY=("right",))
    with live(app) as address, client_of(address, "right") as client, client_of(address, "wrong") as stranger:
        with pytest.raises(openai.BadRequestError) as refused:
            client.audio.speech.create(model="tts-1", voice="nobody", input="Hi.")
        assert (refused.value.param, refused.value.code) == ("voice", "invalid_value")
        assert refused.value.request_id
        with pytest.raises(openai.NotFoundError) as unknown:
            client.audio.speech.create(model="whisper-1", voice="alloy", input="Hi.")
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.AuthenticationError) as locked:
            stranger.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
        assert locked.value.code == "invalid_api_key"


def test_the_sdk_comes_back_when_it_was_told_to(tmp_path: Path) -> None:
    engine = FakeEngine(gated=True, slots=1, retry_after=1)
    body = {"input": SEVERAL, "response_format": "pcm"}
    with (
        live(make_app(tmp_path, engine)) as address,
        client_of(address) as client,
        httpx.stream("POST", f"{address}/v1/audio/speech", json=body) as first,
        ThreadPoolExecutor(1) as other,
    ):
        heard = first.iter_bytes()
        next(heard)
        began = time.monotonic()
        later = other.submit(client.audio.speech.create, model="tts-1", voice="alloy", input="Hi.")
        refused = httpx.post(f"{address}/v1/audio/speech", json=body)
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1")
        for _ in range(10):
            engine.gate.release()
        assert sum(map(len, heard))
        assert decoded(later.result(10).content, "mp3")[0].size
        assert time.monotonic() - began >= 0.9


def test_the_sdk_tells_that_it_is_busy(tmp_path: Path) -> None:
    app = make_app(tmp_path, FakeEngine(slots=0))
    with live(app) as address, client_of(address, retries=0) as client, pytest.raises(openai.RateLimitError) as busy:
        client.audio.speech.create(model="tts-1", voice="alloy", input="Hi.")
    assert busy.value.code == "rate_limit_exceeded"


@pytest.mark.parametrize("format", ["wav", "mp3", "opus", "aac", "flac", "pcm"])
def test_the_first_sound_comes_before_the_next_is_made(tmp_path: Path, format: str) -> None:
    engine = FakeEngine(1.0, gated=True)
    body = {"input": SEVERAL, "response_format": format}
    with (
        live(make_app(tmp_path, engine)) as address,
        httpx.stream("POST", f"{address}/v1/audio/speech", json=body, timeout=5) as answer,
    ):
        heard = b""
        blocks = answer.iter_raw()
        while len(heard) < 400:
            heard += next(blocks)
        assert engine.chunk_count == 1
        for _ in range(10):
            engine.gate.release()
        heard += b"".join(blocks)
    pieces = len(engine.plan(engine.requests[0]))
    samples, rate = decoded(heard, format)
    assert engine.chunk_count == pieces and len(samples) / rate == pytest.approx(pieces, abs=0.1)


def test_the_first_event_comes_before_the_next_is_made(tmp_path: Path) -> None:
    engine = FakeEngine(1.0, gated=True)
    body = {"input": SEVERAL, "response_format": "pcm", "stream_format": "sse"}
    with (
        live(make_app(tmp_path, engine)) as address,
        httpx.stream("POST", f"{address}/v1/audio/speech", json=body, timeout=5) as answer,
    ):
        lines = (line for line in answer.iter_lines() if line)
        assert json.loads(next(lines).removeprefix("data: "))["type"] == "speech.audio.delta"
        assert engine.chunk_count == 1
        for _ in range(10):
            engine.gate.release()
        assert json.loads(list(lines)[-1].removeprefix("data: "))["type"] == "speech.audio.done"


def test_the_first_block_is_a_whole_header(tmp_path: Path) -> None:
    engine = FakeEngine(gated=True)
    with (
        live(make_app(tmp_path, engine)) as address,
        httpx.stream("POST", f"{address}/v1/audio/speech", json={"input": SEVERAL, "response_format": "wav"}) as answer,
    ):
        first = next(answer.iter_raw())
        assert first[:4] == b"RIFF" and len(first) >= 44


def test_a_client_that_leaves_is_noticed_while_it_waits(tmp_path: Path) -> None:
    engine = FakeEngine(1.0, gated=True)
    with live(make_app(tmp_path, engine)) as address:
        with httpx.stream("POST", f"{address}/v1/audio/speech", json={"input": SEVERAL}) as answer:
            heard = answer.iter_bytes()
            next(heard)
            assert engine.open_count == 1
        until(lambda: engine.open_count == 0)
    assert engine.chunk_count == 1


def test_a_client_that_leaves_is_noticed_while_it_is_sent_to(tmp_path: Path) -> None:
    engine = FakeEngine(30.0)
    with live(make_app(tmp_path, engine)) as address:
        body = {"input": LONG, "response_format": "pcm"}
        with httpx.stream("POST", f"{address}/v1/audio/speech", json=body) as answer:
            next(answer.iter_bytes())
        until(lambda: engine.open_count == 0)
        assert engine.chunk_count < len(engine.plan(engine.requests[0]))


def test_a_slow_client_holds_the_engine_back_and_gets_everything(tmp_path: Path) -> None:
    engine = FakeEngine(10.0)
    body = {"input": LONG, "response_format": "pcm"}
    with (
        live(make_app(tmp_path, engine)) as address,
        httpx.stream("POST", f"{address}/v1/audio/speech", json=body) as answer,
    ):
        blocks = answer.iter_bytes(65_536)
        size = len(next(blocks))
        pieces = len(engine.plan(engine.requests[0]))
        time.sleep(0.3)
        assert engine.chunk_count < pieces
        size += sum(map(len, blocks))
    assert size == 2 * 240_000 * pieces


def test_an_answer_that_fails_in_mid_stream_is_cut_short(tmp_path: Path) -> None:
    engine = FakeEngine(fail_at=2, error=SynthesisFailed("It broke."))
    with live(make_app(tmp_path, engine)) as address:
        got = b""
        with (
            pytest.raises(httpx.RemoteProtocolError),
            httpx.stream("POST", f"{address}/v1/audio/speech", json={"input": SEVERAL}) as answer,
        ):
            assert answer.status_code == 200
            for block in answer.iter_bytes():
                got += block
        assert got
        assert httpx.get(f"{address}/health").status_code == 200


def exchange(address: str, request: bytes) -> tuple[bytes, bytes]:
    """(head, body) of the answer to the bytes of a request, after which the server closes."""
    host, port = address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(request)
        head, _, body = b"".join(iter(lambda: connection.recv(65_536), b"")).partition(b"\r\n\r\n")
    return head, body


def test_http_1_0_gets_a_length(tmp_path: Path) -> None:
    sent = json.dumps({"input": SEVERAL, "response_format": "wav"}).encode()
    asked = b"POST /v1/audio/speech HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    with live(make_app(tmp_path, FakeEngine())) as address:
        head, body = exchange(address, asked % len(sent) + sent)
    assert f"Content-Length: {len(body)}".encode() in head and b"chunked" not in head
    with wave.open(io.BytesIO(body)) as file:
        assert 44 + 2 * file.getnframes() == len(body)


def test_what_is_refused_at_the_door_can_be_asked_about(tmp_path: Path) -> None:
    with live(make_app(tmp_path, FakeEngine())) as address:
        head, body = exchange(address, b"POST /synthesize HTTP/1.1\r\nContent-Length: 999999999\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ") and b"X-Request-Id: " in head
    assert json.loads(body)["message"]


def test_thirty_two_clients_at_once(tmp_path: Path) -> None:
    """As Open WebUI does it: a request for every sentence, all of them at once, no response_format."""
    engine = FakeEngine(0.5)
    voices = ["alloy", "nova", "af_heart", "bm_george"]
    with live(make_app(tmp_path, engine)) as address, httpx.Client(timeout=30) as client:

        def ask(number: int) -> bytes:
            body = {"model": "tts-1", "input": SEVERAL if number % 2 else "One.", "voice": voices[number % 4]}
            answer = client.post(f"{address}/v1/audio/speech", json=body)
            assert (answer.status_code, answer.headers["content-type"]) == (200, "audio/mpeg")
            return answer.content

        with ThreadPoolExecutor(32) as many:
            answers = list(many.map(ask, range(32)))
    assert engine.open_count == 0 and len(engine.requests) == 32
    pieces = len(engine.plan(next(request for request in engine.requests if request.text == SEVERAL)))
    for number, answer in enumerate(answers):
        samples, rate = decoded(answer, "mp3")
        assert len(samples) / rate == pytest.approx(0.5 * (pieces if number % 2 else 1), abs=0.1)


def test_two_mp3s_in_a_row_play_both(tmp_path: Path) -> None:
    """As LibreChat puts the parts of a long text together."""
    with live(make_app(tmp_path, FakeEngine(1.0))) as address:
        parts = [httpx.post(f"{address}/v1/audio/speech", json={"input": f"Part {n}."}).content for n in (1, 2)]
    samples, rate = decoded(b"".join(parts), "mp3")
    assert len(samples) / rate == pytest.approx(2.0, abs=0.1)
    assert all(np.abs(half).max() > 0.4 for half in np.array_split(samples, 2))
