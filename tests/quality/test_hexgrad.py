"""The server on hexgrad's own `kokoro` command, the real one with torch, from the request to what is heard."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from benchmarks.competitors import ROOT, build_native_body
from benchmarks.hexgrad.rig import Hexgrad, hexgrad_command
from benchmarks.servers import HttpTarget
from benchmarks.sound import measure_speech
from kokoro_server.core.errors import TimedOut
from kokoro_server.engine.command import CommandWorker
from tests.fakes.requests import utterance
from tests.listening.whisper import transcribe
from tests.listening.wording import fold_words, word_error_rate

pytestmark = pytest.mark.hexgrad

PATIENCE = 300.0  # seconds; a run takes ten, and on a busy machine several times that
SAID = "The captain folded his old map and waited for the morning tide."


@pytest.fixture(scope="module")
def hexgrad() -> Hexgrad:
    return hexgrad_command()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("output")


@pytest.fixture(scope="module")
def address(hexgrad: Hexgrad, folder: Path) -> Iterator[str]:
    """A server process whose engine is the command."""
    settings = {
        "KOKORO_ENGINE": "command",
        "KOKORO_COMMAND": " ".join(hexgrad.command),
        "KOKORO_HOST": "127.0.0.1",
        "KOKORO_PORT": "0",
        "KOKORO_TEMP_DIR": str(folder),
        "KOKORO_DATA_DIR": str(folder.with_name("data")),
        "KOKORO_TIMEOUT": str(PATIENCE),
        "KOKORO_WORKERS": "1",
    }
    command = [sys.executable, "kokoro_tts_api.py"]
    server = HttpTarget("command", command, "/synthesize", build_native_body, {**settings, **hexgrad.environment}, ROOT)
    server.start()
    yield server.address
    server.close()


def test_what_the_command_speaks_is_what_is_heard(address: str, folder: Path) -> None:
    text = f"--help me, he said. {SAID}"  # a leading hyphen is an option to a command whose text is an argument
    body = {"text": text, "voice": "bm_george"}
    answer = httpx.post(f"{address}/synthesize/stream", json=body, timeout=PATIENCE)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "audio/wav"
    speech = measure_speech(answer.content, len(fold_words(text)))
    assert not speech.silent and not speech.clipped
    assert 0.2 <= speech.seconds_per_word <= 0.7
    assert word_error_rate(text, transcribe(answer.content)) <= 0.05
    assert list(folder.iterdir()) == []


def test_a_run_over_its_time_is_ended_with_all_its_processes(
    hexgrad: Hexgrad, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in hexgrad.environment.items():
        monkeypatch.setenv(name, value)
    worker = CommandWorker(hexgrad.command, tmp_path, timeout=1.0)
    before = set(psutil.Process(os.getpid()).children(recursive=True))
    with pytest.raises(TimedOut, match="longer than 1 second"):
        list(worker.synthesize(utterance(SAID), threads=1))
    assert set(psutil.Process(os.getpid()).children(recursive=True)) <= before
    assert list(tmp_path.iterdir()) == []
