"""One run of a `kokoro` command an utterance, with a real command that writes a tone or goes wrong."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.core.errors import (
    ClientGone,
    StorageUnavailable,
    SynthesisFailed,
    TimedOut,
    WorkerUnavailable,
)
from kokoro_server.engine.command import RUN_FOLDER_PREFIX, CommandWorker
from kokoro_server.text.chunking import Utterance
from tests.fakes.requests import utterance
from tests.paths import FAKES

FAKE = str(FAKES / "fake_kokoro.py")
WEIRD = [
    "-x --help",
    "@file",
    "'q' \"Q\"",
    "$(reboot) `reboot` ; rm -rf / | cat > x",
    "%PATH% ^& %0",
    "one\ntwo\r\nthree\rfour\x0cfive",
    "🎉👩‍👩‍👧‍👦",
    "\u202eשלום עולם مرحبا",
    "こんにちは。",
    "a" * 10_000,
    "\ufeffwith a mark",
]


def command(folder: Path, mode: str = "ok", timeout: float = 30.0, *more: str) -> CommandWorker:
    return CommandWorker([sys.executable, FAKE, "--mode", mode, *more], folder, timeout)


def speak(worker: CommandWorker, what: Utterance) -> list[Chunk]:
    return list(worker.synthesize(what, 1))


def runs(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def test_it_speaks_a_run_an_utterance(tmp_path: Path) -> None:
    (chunk,) = speak(command(tmp_path), utterance("Hello there."))
    assert len(chunk.samples) == 12 * 24
    assert chunk.samples.dtype == np.float32
    assert 0.2 < np.abs(chunk.samples).max() < 0.3
    assert list(tmp_path.iterdir()) == []


def test_an_utterances_rest_follows_it(tmp_path: Path) -> None:
    what = utterance(voice="bf_emma", pause=0.5)
    (chunk,) = speak(command(tmp_path), what)
    assert len(chunk.samples) == 12 * 24 + SAMPLE_RATE // 2


@pytest.mark.parametrize("text", WEIRD, ids=[text[:12].encode("ascii", "replace").decode() for text in WEIRD])
def test_text_goes_by_file_never_by_the_command_line(tmp_path: Path, text: str) -> None:
    log = tmp_path / "log"
    speak(command(tmp_path, "ok", 30.0, "--log", str(log)), utterance(text))
    (run,) = runs(log)
    assert run["text"].replace("\r\n", "\n").replace("\r", "\n") == text.replace("\r\n", "\n").replace("\r", "\n")
    assert not any(text in argument for argument in run["arguments"])
    assert list(tmp_path.iterdir()) == [log]


@pytest.mark.parametrize(("emoji", "told"), [(True, "named"), (False, "silent")])
def test_our_own_command_is_told_about_emoji(tmp_path: Path, emoji: bool, told: str) -> None:
    log = tmp_path / "log"
    what = dataclasses.replace(utterance("Hello."), emoji=emoji)
    speak(command(tmp_path, "ok", 30.0, "--log", str(log)), what)
    assert runs(log)[0]["emoji"] == told


def test_voice_language_and_speed_are_handed_on(tmp_path: Path) -> None:
    log = tmp_path / "log"
    what = utterance("Hello.", "bf_emma", speed=1.25)
    speak(command(tmp_path, "ok", 30.0, "--log", str(log)), what)
    arguments = runs(log)[0]["arguments"]
    assert arguments[-10:-4] == ["--voice", "bf_emma", "--language", "b", "--speed", "1.25"]


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("fails", "failed with exit code 7"),
        ("writes-nothing", "ended without writing sound"),
        ("writes-rubbish", "ended without writing sound"),
        ("wrong-rate", "expected 24 kHz mono, 16 bits"),
        ("stereo", "expected 24 kHz mono, 16 bits"),
    ],
)
def test_what_goes_wrong_is_told_and_nothing_is_left(tmp_path: Path, mode: str, words: str) -> None:
    with pytest.raises(SynthesisFailed, match=words) as caught:
        speak(command(tmp_path, mode), utterance())
    assert str(tmp_path) not in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_the_last_lines_of_stderr_are_logged_but_not_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(SynthesisFailed) as caught:
        speak(command(tmp_path, "fails"), utterance())
    assert "line 15 | line 16 | line 17 | line 18 | line 19" in caplog.text
    assert "line 14" not in caplog.text
    assert "line" not in caught.value.message


def family() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_a_run_over_its_limit_is_killed_with_its_tree(tmp_path: Path) -> None:
    worker = command(tmp_path, "hangs", 1.0)
    seen: list[psutil.Process] = []
    watch = threading.Thread(target=lambda: until(lambda: seen.extend(family()) or len(set(seen)) >= 2))  # type: ignore[func-returns-value]
    watch.start()
    with pytest.raises(TimedOut, match="longer than 1 seconds"):
        speak(worker, utterance())
    watch.join(10)
    assert len(set(seen)) == 2  # the run and its own child
    until(lambda: not any(alive(process) for process in seen))
    assert list(tmp_path.iterdir()) == []


def alive(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_cancel_kills_the_run_with_its_tree(tmp_path: Path) -> None:
    worker = command(tmp_path, "hangs")
    threading.Timer(0.3, worker.cancel).start()
    before = time.monotonic()
    with pytest.raises(ClientGone):
        speak(worker, utterance())
    assert time.monotonic() - before < 5
    until(lambda: not any(alive(process) for process in family()))
    assert list(tmp_path.iterdir()) == []


def test_a_cancel_between_speak_and_its_first_chunk_counts(tmp_path: Path) -> None:
    worker = command(tmp_path, "hangs")
    chunks = worker.synthesize(utterance(), 1)
    worker.cancel()
    with pytest.raises(ClientGone):
        list(chunks)


def test_a_cancel_is_over_with_its_utterance(tmp_path: Path) -> None:
    worker = command(tmp_path)
    worker.cancel()
    assert speak(worker, utterance())


def test_close_is_for_good(tmp_path: Path) -> None:
    worker = command(tmp_path)
    worker.close()
    with pytest.raises(WorkerUnavailable, match="shutting down"):
        speak(worker, utterance())
    with pytest.raises(WorkerUnavailable):
        worker.start()


def test_start_asks_for_help(tmp_path: Path) -> None:
    command(tmp_path).start()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([sys.executable, FAKE, "--mode", "no-help"], "--help exited with 1: .*No module named 'torch'"),
        ([sys.executable, "-c", "raise SystemExit(4)"], "--help exited with 4: it said nothing"),
        (["no/such/kokoro"], "no/such/kokoro cannot be run: No such file"),
    ],
)
def test_a_command_that_does_not_answer_cannot_start(tmp_path: Path, words: list[str], message: str) -> None:
    with pytest.raises(WorkerUnavailable, match=message):
        CommandWorker(words, tmp_path, 5.0).start()


def test_the_runs_folder_can_be_told_from_others(tmp_path: Path) -> None:
    log = tmp_path / "log"
    speak(command(tmp_path, "ok", 30.0, "--log", str(log)), utterance())
    assert Path(runs(log)[0]["arguments"][-1]).parent.name.startswith(RUN_FOLDER_PREFIX)


def test_a_folder_that_is_removed_is_made_again(tmp_path: Path) -> None:
    worker = command(tmp_path / "temp")
    for _ in range(2):
        assert speak(worker, utterance("Hello there."))
        (tmp_path / "temp").rmdir()


def test_a_folder_that_cannot_be_used_is_told_and_later_used(tmp_path: Path) -> None:
    (tmp_path / "temp").touch()
    worker = command(tmp_path / "temp")
    with pytest.raises(StorageUnavailable, match="KOKORO_TEMP_DIR"):
        speak(worker, utterance("Hello there."))
    (tmp_path / "temp").unlink()
    assert speak(worker, utterance("Hello there."))
