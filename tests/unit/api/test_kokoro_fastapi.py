"""What callers of Kokoro-FastAPI use beside OpenAI's routes."""

from __future__ import annotations

import io
import os
import pickle
import time
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from kokoro_server.api import downloads
from kokoro_server.api.voice_file import to_pt
from kokoro_server.core.errors import SynthesisFailed, Unsupported
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import RequestContext
from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app

SEVERAL = (
    "This is a text of several sentences. They are spoken one after the other, each in its own piece. "
    "The first is short, so that it can be heard at once. The others are longer."
)
SHAPE = (510, 256)


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine) -> FlaskClient:
    return make_app(tmp_path, engine).test_client()


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Any]:
    """Tables of two voices, where the server looks for them."""
    folder = tmp_path / "models" / "voices"
    folder.mkdir(parents=True)
    random = np.random.default_rng(1)
    made = {name: random.normal(size=SHAPE).astype("<f4") for name in ("af_bella", "af_sky")}
    for name, table in made.items():
        (folder / f"{name}.bin").write_bytes(table.tobytes())
    return made


class _Opener(pickle.Unpickler):
    """Reads a tensor's pickle without PyTorch: its parts by name."""

    def find_class(self, module: str, name: str) -> Any:
        return {
            ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: parts,
            ("torch", "FloatStorage"): "floats",
            ("collections", "OrderedDict"): dict,
        }[module, name]

    def persistent_load(self, pid: Any) -> Any:
        return pid


def read_pt(data: bytes) -> np.ndarray[Any, Any]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        folder = archive.namelist()[0].split("/")[0]
        assert archive.read(f"{folder}/version").strip() == b"3"
        storage, offset, shape, strides, gradient, hooks = _Opener(archive.open(f"{folder}/data.pkl")).load()
        values = np.frombuffer(archive.read(f"{folder}/data/0"), "<f4")
    assert storage == ("storage", "floats", "0", "cpu", len(values))
    assert (offset, gradient, hooks) == (0, False, {}) and strides == (256, 256, 1)
    return values.reshape(shape)


def test_a_voice_file_holds_what_pytorch_reads() -> None:
    table = np.arange(510 * 256, dtype=np.float32).reshape(SHAPE)
    found = read_pt(to_pt(table))
    assert found.shape == (510, 1, 256) and (found[:, 0] == table).all()


@pytest.mark.parametrize(
    ("body", "weights"),
    [
        ("af_bella(2)+af_sky(1)", (2 / 3, 1 / 3)),
        (["af_bella", "af_sky"], (0.5, 0.5)),
        ({"voices": ["af_bella(3)", "af_sky"]}, (0.75, 0.25)),
        ({"voices": "af_bella"}, (1, 0)),
    ],
)
def test_combines_voices_into_a_file(
    client: FlaskClient, tables: dict[str, Any], body: Any, weights: tuple[float, float]
) -> None:
    answer = client.post("/v1/audio/voices/combine", json=body)
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    assert answer.headers["Content-Disposition"].endswith('.pt"')
    blend = weights[0] * tables["af_bella"] + weights[1] * tables["af_sky"]
    assert np.allclose(read_pt(answer.data)[:, 0], blend, atol=1e-6)


def test_tells_a_blends_name_to_who_wants_json(client: FlaskClient, engine: FakeEngine) -> None:
    headers = {"Accept": "application/json"}
    told = client.post("/v1/audio/voices/combine", json=["af_bella", "af_sky"], headers=headers).get_json()
    assert told == {"voice": "af_bella(0.5)+af_sky(0.5)", "voices": ["af_bella", "af_sky"]}
    assert client.post("/v1/audio/speech", json={"input": "Hi.", "voice": told["voice"]}).status_code == 200
    assert engine.requests[0].voice.name == told["voice"]


@pytest.mark.parametrize("body", ["nobody", "af_bella+", [], [1], {}, {"voices": None}, 5, True, ["af_bella"] * 11])
def test_refuses_what_is_no_blend(client: FlaskClient, tables: dict[str, Any], body: Any) -> None:
    answer = client.post("/v1/audio/voices/combine", json=body)
    assert answer.status_code == 400
    assert answer.get_json()["error"]["param"] == "voices"


def test_says_so_where_there_are_no_tables(client: FlaskClient) -> None:
    answer = client.post("/v1/audio/voices/combine", json="af_bella+af_sky")
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (501, "not_supported")


@pytest.mark.parametrize(("fields", "letter"), [({}, "a"), ({"language": "b"}, "b"), ({"language": "fr"}, "f")])
def test_tells_phonemes(client: FlaskClient, fields: dict[str, str], letter: str) -> None:
    answer = client.post("/dev/phonemize", json={"text": "Hi", **fields})
    assert answer.get_json() == {"phonemes": f"{letter}:hi", "tokens": [0, 1, 2, 0]}


@pytest.mark.parametrize(
    ("fields", "param"), [({}, "text"), ({"text": ""}, "text"), ({"text": "Hi", "language": "x"}, "language")]
)
def test_refuses_what_has_no_phonemes(client: FlaskClient, fields: dict[str, str], param: str) -> None:
    answer = client.post("/dev/phonemize", json=fields)
    assert (answer.status_code, answer.get_json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(("setting", "named"), [("named", True), ("silent", False)])
def test_phonemes_follow_the_setting_for_emoji(tmp_path: Path, setting: str, named: bool) -> None:
    class Telling(FakeEngine):
        def phonemize(self, text: str, language: str, context: RequestContext, emoji: bool = True) -> Phonemization:
            return Phonemization(f"emoji {emoji}", (0, 0))

    answer = make_app(tmp_path, Telling(), EMOJI=setting).test_client().post("/dev/phonemize", json={"text": "Hi"})
    assert answer.get_json()["phonemes"] == f"emoji {named}"


def test_an_engine_that_knows_no_phonemes_says_so(tmp_path: Path) -> None:
    class Mute(FakeEngine):
        def phonemize(self, text: str, language: str, context: RequestContext, emoji: bool = True) -> Phonemization:
            raise Unsupported("It only speaks.")

    answer = make_app(tmp_path, Mute()).test_client().post("/dev/phonemize", json={"text": "Hi"})
    assert answer.status_code == 501


def test_speaks_phonemes(client: FlaskClient, engine: FakeEngine) -> None:
    body = {"phonemes": "həlˈO", "voice": "bf_emma", "speed": 2}
    answer = client.post("/dev/generate_from_phonemes", json=body)
    assert answer.content_type == "audio/wav"
    with wave.open(io.BytesIO(answer.data)) as file:
        assert file.getnframes() == 1_200
    (request,) = engine.requests
    assert (request.text, request.is_phonemes, request.language, request.speed) == ("həlˈO", True, "b", 2.0)
    refused = client.post("/dev/generate_from_phonemes", json={"phonemes": " "})
    assert refused.get_json()["error"]["param"] == "phonemes"


def linked(client: FlaskClient, **fields: Any) -> Any:
    body = {"input": SEVERAL, "return_download_link": True, **fields}
    return client.post("/v1/audio/speech", json=body)


@pytest.mark.parametrize("format", ["mp3", "wav", "opus", "aac", "flac", "pcm"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_link_leads_to_the_answer(client: FlaskClient, format: str, stream: bool) -> None:
    answer = linked(client, response_format=format, stream=stream)
    path, sound = answer.headers["X-Download-Path"], answer.data
    answer.close()
    again = client.get(path, buffered=True)
    assert (again.status_code, again.content_type) == (200, answer.content_type)
    assert again.headers["Content-Disposition"].startswith("attachment")
    if format == "wav":
        with wave.open(io.BytesIO(again.data)) as file:
            assert 2 * file.getnframes() + 44 == len(again.data)
        assert again.data[44:] == sound[44:]
    else:
        assert again.data == sound


def test_a_link_works_once_the_answer_is_whole(tmp_path: Path) -> None:
    engine = FakeEngine(gated=True)
    client = make_app(tmp_path, engine).test_client()
    answer = linked(client, response_format="pcm")
    next(iter(answer.response))
    assert client.get(answer.headers["X-Download-Path"]).status_code == 404
    answer.close()
    assert list(tmp_path.glob("tts_*")) == [] and engine.open_count == 0


def test_an_answer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(fail_at=1, error=SynthesisFailed("It broke."))).test_client()
    answer = linked(client)
    with pytest.raises(SynthesisFailed):
        list(answer.response)
    answer.close()
    assert list(tmp_path.glob("tts_*")) == []


def test_links_expire(client: FlaskClient, tmp_path: Path) -> None:
    paths = []
    for _ in range(2):
        answer = linked(client)
        paths.append((answer.headers["X-Download-Path"], answer.data)[0])
        answer.close()
    old = tmp_path / paths[0].rpartition("/")[2]
    past = time.time() - downloads.DOWNLOAD_LIFETIME - 1
    os.utime(old, (past, past))
    assert client.get(paths[0]).status_code == 404 and not old.exists()
    assert client.get(paths[1], buffered=True).status_code == 200


def test_no_more_than_a_number_of_files_is_kept(tmp_path: Path) -> None:
    for number in range(downloads.MAX_DOWNLOADS + 5):
        path = tmp_path / f"{downloads.DOWNLOAD_PREFIX}{number:032x}.mp3"
        path.write_bytes(b"x")
        os.utime(path, (time.time() - 200 + number,) * 2)
    downloads.remove_expired_downloads(tmp_path)
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == downloads.MAX_DOWNLOADS and left[0].endswith(f"{5:032x}.mp3")


def test_nothing_else_can_be_fetched(client: FlaskClient, tmp_path: Path) -> None:
    name = f"{downloads.DOWNLOAD_PREFIX}{'0' * 32}"
    (tmp_path.parent / "secret.wav").write_bytes(b"x")
    for other in (f"{downloads.DOWNLOAD_PREFIX}0.wav", f"{name}.mp3.part", f"{name}.txt", "x.wav"):
        (tmp_path / other).write_bytes(b"x")
        assert client.get(f"/v1/download/{other}").status_code == 404
    for other in (f"{name}.wav", "..%2fsecret.wav", "..\\secret.wav", "%2e%2e/secret.wav"):
        assert client.get(f"/v1/download/{other}").status_code == 404
    (tmp_path / f"{name}.wav").write_bytes(b"x")
    assert client.get(f"/v1/download/{name}.wav", buffered=True).status_code == 200
