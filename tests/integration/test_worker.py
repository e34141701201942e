"""The worker process: frames alone on stdout, cancels that are heard while it speaks, and an end with its owner."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.audio.samples import Chunk, Word
from kokoro_server.core.errors import ClientGone, SynthesisFailed, WorkerUnavailable
from kokoro_server.engine.base import IMPORT_ROOT, WorkDone
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.synthesis.frames import FRAME_PREFIX
from tests.fakes.requests import utterance

DESK = [sys.executable, "-m", "tests.fakes.desk"]


@pytest.fixture(scope="module")
def worker() -> Iterator[WorkerProcess]:
    """One process for all these tests: each leaves it as it was."""
    with closing(WorkerProcess(DESK, 30.0)) as worker:
        worker.start()
        yield worker


def process() -> psutil.Process:
    (only,) = psutil.Process().children()
    return only


def test_sound_and_words_arrive_whatever_is_printed(worker: WorkerProcess, capfd: pytest.CaptureFixture[str]) -> None:
    answers = list(worker.synthesize(utterance("Hello."), 1))
    assert answers[2] == WorkDone()
    chunks = [answer for answer in answers if isinstance(answer, Chunk)]
    assert [len(chunk.samples) for chunk in chunks] == [100] * 3
    assert np.concatenate([chunk.samples for chunk in chunks]) == pytest.approx(0.5)
    assert [chunk.words for chunk in chunks] == [(Word("w", i, i + 1, 0.0, 0.1),) for i in range(3)]


def test_an_utterance_that_fails_is_told_by_its_kind_alone(worker: WorkerProcess) -> None:
    before = process()
    with pytest.raises(SynthesisFailed) as caught:
        list(worker.synthesize(utterance("This fails."), 1))
    assert caught.value.message == "The speech engine failed: ValueError."
    assert len(list(worker.synthesize(utterance("Hello."), 1))) == 4
    assert process() == before


def test_a_cancel_is_heard_while_it_speaks(worker: WorkerProcess) -> None:
    before = process()
    threading.Timer(0.1, worker.cancel).start()
    with pytest.raises(ClientGone):
        list(worker.synthesize(utterance("A slow one."), 1))
    assert len(list(worker.synthesize(utterance("Hello."), 1))) == 4
    assert process() == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that one process sends to another")
def test_signals_are_its_owners_to_act_on(worker: WorkerProcess) -> None:
    for what in (signal.SIGINT, signal.SIGTERM):
        process().send_signal(what)
    assert len(list(worker.synthesize(utterance("Hello."), 1))) == 4


@pytest.mark.parametrize("last", [b"", FRAME_PREFIX.pack(50, 0) + b'{"kind"', b"rubbish that is no frame at all"])
def test_it_ends_with_its_owner_even_inside_a_frame(last: bytes) -> None:
    with subprocess.Popen(DESK, cwd=IMPORT_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None and child.stdout is not None
        assert child.stdout.read(FRAME_PREFIX.size)
        child.stdin.write(last)
        child.stdin.close()
        until(lambda: child.poll() is not None)


def test_what_cannot_load_says_why_and_exits_with_3() -> None:
    arguments = ["--model", "no/such/model.onnx", "--voices", "no/such/folder", "--cache", "no/such/cache"]
    command = [sys.executable, "-m", "kokoro_server.synthesis.worker", *arguments]
    with pytest.raises(WorkerUnavailable, match=r"A worker could not start: \w+: .*no/such"):
        WorkerProcess(command, 5.0).start()
    ended = subprocess.run(command, cwd=IMPORT_ROOT, stdin=subprocess.DEVNULL, capture_output=True)
    assert ended.returncode == 3
