"""The owner's side of a worker process, with real child processes that speak a tone or go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import numpy as np
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import ClientGone, SpeechError, SynthesisFailed, TimedOut, WorkerLost, WorkerUnavailable
from kokoro_server.engine.base import WorkDone, WorkerEvent
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.text.chunking import Utterance
from tests.fakes.requests import utterance

pytestmark = pytest.mark.serial

FAKE = [sys.executable, "-m", "benchmarks.fake_worker_process"]
GOOD, BAD = utterance("A good one."), utterance("A bad one.")


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@contextmanager
def child(*arguments: str, timeout: float = 20.0) -> Iterator[WorkerProcess]:
    """A started child; nothing of it is left afterwards."""
    before = len(children())
    with closing(WorkerProcess([*FAKE, *arguments], timeout)) as worker:
        worker.start()
        yield worker
    assert len(children()) == before


def speak(worker: WorkerProcess, what: Utterance = GOOD) -> list[Chunk]:
    return sounds(worker.synthesize(what, 1))


def sounds(events: Iterator[WorkerEvent]) -> list[Chunk]:
    return [event for event in events if isinstance(event, Chunk)]


def test_it_speaks_in_pieces() -> None:
    with child("--pieces", "3") as worker:
        for _ in range(3):
            chunks = speak(worker)
            assert [len(chunk.samples) for chunk in chunks] == [88, 88, 88]
            assert np.concatenate([chunk.samples for chunk in chunks]).dtype == np.float32
        assert len(children()) == 1


def test_texts_of_any_alphabet_arrive() -> None:
    with child() as worker:
        text = '-x @y "q" $(reboot) \n\r\t こんにちは 🎉 \u202eשלום'
        assert sum(len(chunk.samples) for chunk in speak(worker, utterance(text))) == 24 * len(text)
        assert sum(len(chunk.samples) for chunk in speak(worker, utterance("a" * 300_000))) == 24 * 300_000


BROKEN = [
    ("die", SynthesisFailed, "sent something that is not sound"),
    ("rubbish", SynthesisFailed, "sent something that is not sound"),
    ("odd-kind", SynthesisFailed, "'greeting' instead of sound"),
    ("error", SynthesisFailed, "The speech engine failed: ValueError."),
    ("hang", TimedOut, "did not answer within 0.4 seconds"),
    ("endless", TimedOut, "did not answer within 0.4 seconds"),
]


@pytest.mark.parametrize(("mode", "error", "words"), BROKEN)
def test_what_goes_wrong_in_an_utterance_is_told_and_the_next_is_spoken(
    mode: str, error: type[SpeechError], words: str
) -> None:
    with child("--mode", mode, timeout=0.4) as worker:
        with pytest.raises(error, match=words):
            speak(worker, BAD)
        worker = patient(worker)
        assert sum(len(chunk.samples) for chunk in speak(worker)) == 24 * len(GOOD.text)
        assert len(children()) == 1


def patient(worker: WorkerProcess) -> WorkerProcess:
    """The same, with time for a fresh start on a busy machine."""
    worker._timeout = 20.0
    return worker


CANNOT_START = [
    (["--mode", "cannot-load"], "ValueError: no such model"),
    (["--mode", "prints"], "not sound"),
    (["--no-such-flag"], r"exit code 2"),
]


@pytest.mark.parametrize(("arguments", "words"), CANNOT_START)
def test_what_goes_wrong_at_the_start_is_told(arguments: list[str], words: str) -> None:
    worker = WorkerProcess([*FAKE, *arguments], 5.0)
    with pytest.raises(WorkerUnavailable, match=words):
        worker.start()
    assert not worker.is_ready
    assert children() == []


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(WorkerUnavailable, match="no/such/python cannot be run"):
        WorkerProcess(["no/such/python"], 5.0).start()


def test_a_start_that_failed_is_not_tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = WorkerProcess([*FAKE, "--mode", "cannot-load"], 5.0)
    with pytest.raises(WorkerUnavailable, match="no such model"):
        worker.start()
    monkeypatch.setattr(subprocess, "Popen", None)  # whoever starts a process fails
    for _ in range(3):
        with pytest.raises(WorkerUnavailable, match=r"the next try is in [12] seconds"):
            speak(worker)
    monkeypatch.undo()
    assert children() == []


def test_a_worker_killed_in_mid_utterance_fails_it_and_the_next_is_spoken() -> None:
    with child("--pace", "0.01", "--pieces", "10") as worker:
        chunks = worker.synthesize(utterance("x" * 500), 1)
        next(chunks)
        kill()
        with pytest.raises(SynthesisFailed, match="ended unexpectedly"):
            list(chunks)
        assert speak(worker)


def test_a_worker_killed_while_idle_is_not_ready_and_the_next_is_spoken() -> None:
    with child() as worker:
        assert worker.is_ready
        kill()
        until(lambda: not worker.is_ready)
        assert speak(worker)
        assert worker.is_ready


def test_a_worker_that_is_started_again_is_not_ready_until_it_has_loaded() -> None:
    with child("--mode", "slow-start") as worker:
        kill()
        until(lambda: not worker.is_ready)
        starting = threading.Thread(target=worker.start)
        starting.start()
        until(children)
        assert not worker.is_ready
        starting.join(10)
        assert worker.is_ready
        assert len(children()) == 1


def kill() -> None:
    for process in children():
        process.kill()


def cancel_soon(worker: WorkerProcess, seconds: float = 0.05) -> None:
    threading.Timer(seconds, worker.cancel).start()


def test_a_cancel_ends_an_utterance_soon_and_keeps_the_process() -> None:
    with child("--pace", "0.01", "--pieces", "2") as worker:
        (process,) = children()
        before = time.monotonic()
        cancel_soon(worker)
        with pytest.raises(ClientGone):
            speak(worker, utterance("x" * 2000))
        assert time.monotonic() - before < 2
        assert speak(worker)
        assert children() == [process]


def test_a_cancel_of_a_worker_that_hangs_replaces_it() -> None:
    with child("--mode", "hang") as worker:
        (process,) = children()
        cancel_soon(worker)
        with pytest.raises(ClientGone):
            speak(worker, BAD)
        assert speak(worker)
        assert len(children()) == 1 and children() != [process]


def test_a_reader_that_stops_reading_gives_the_rest_up() -> None:
    with child("--pace", "0.01", "--pieces", "50") as worker:
        chunks = worker.synthesize(utterance("x" * 5000), 1)
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]
        assert sum(len(chunk.samples) for chunk in speak(worker)) == 24 * len(GOOD.text)


def test_a_cancel_before_the_first_chunk_is_asked_for_counts() -> None:
    with child() as worker:
        chunks = worker.synthesize(GOOD, 1)
        worker.cancel()
        with pytest.raises(ClientGone):
            list(chunks)
        assert speak(worker)


def test_a_cancel_while_the_worker_is_replaced_lets_it_load_and_then_counts() -> None:
    with child("--mode", "slow-start") as worker:
        kill()
        until(lambda: not worker.is_ready)
        cancel_soon(worker, 0.2)
        with pytest.raises(ClientGone):
            speak(worker)
        assert worker.is_ready
        assert speak(worker)


def to_the_end(events: Iterator[WorkerEvent]) -> int:
    """Read up to WorkDone, and count the samples until then."""
    return sum(len(event.samples) for event in iter(events.__next__, WorkDone()) if isinstance(event, Chunk))


def samples(events: Iterator[WorkerEvent]) -> int:
    return sum(len(chunk.samples) for chunk in sounds(events))


def test_one_that_ends_takes_the_next_utterance_before_its_last_sound() -> None:
    with child("--linger", "1.5", "--pieces", "2") as worker:
        first = worker.synthesize(GOOD, 1)
        heard = to_the_end(first)
        second = worker.synthesize(utterance("x" * 100), 1)
        assert heard + samples(first) == 24 * len(GOOD.text)
        began = time.monotonic()
        assert to_the_end(second) == 24 * 50
        assert time.monotonic() - began < 1.2  # it had begun, and did not wait for its last sound
        assert samples(second) == 24 * 50


def test_a_cancel_is_about_the_one_that_was_handed_ahead() -> None:
    with child("--linger", "0.1", "--pieces", "1") as worker:
        (process,) = children()
        first = worker.synthesize(GOOD, 1)
        to_the_end(first)
        second = worker.synthesize(GOOD, 1)
        worker.cancel()
        assert samples(first) == 24 * len(GOOD.text)
        with pytest.raises(ClientGone):
            list(second)
        assert samples(worker.synthesize(GOOD, 1)) == 24 * len(GOOD.text)
        assert children() == [process]


@pytest.mark.parametrize(("mode", "error"), [("die-ending", WorkerLost), ("hang-ending", TimedOut)])
def test_one_handed_ahead_to_a_worker_that_goes_wrong_is_lost(mode: str, error: type[SpeechError]) -> None:
    with child("--mode", mode, timeout=0.5) as worker:
        first = worker.synthesize(BAD, 1)
        to_the_end(first)
        second = worker.synthesize(GOOD, 1)
        with pytest.raises(error):
            list(first)
        with pytest.raises(WorkerLost):
            list(second)
        worker = patient(worker)
        assert samples(worker.synthesize(GOOD, 1)) == 24 * len(GOOD.text)


def test_a_reader_that_stops_after_the_next_was_handed_over_leaves_that_whole() -> None:
    with child("--linger", "0.1") as worker:
        (process,) = children()
        first = worker.synthesize(GOOD, 1)
        to_the_end(first)
        second = worker.synthesize(GOOD, 1)
        first.close()  # type: ignore[attr-defined]
        assert samples(second) == 24 * len(GOOD.text)
        assert children() == [process]


def test_a_cancel_is_not_about_one_that_ends() -> None:
    """Nor between its last sound and the word that it is done."""
    with child("--linger", "0.1", "--pieces", "1") as worker:
        first = worker.synthesize(GOOD, 1)
        assert to_the_end(first) == 0
        worker.cancel()
        last = next(first)
        worker.cancel()
        assert isinstance(last, Chunk) and len(last.samples) == 24 * len(GOOD.text)
        assert list(first) == []


def test_an_order_too_large_for_a_pipe_is_sent_when_its_turn_has_come() -> None:
    with child("--linger", "0.1") as worker:
        first = worker.synthesize(GOOD, 1)
        heard = to_the_end(first)
        second = worker.synthesize(utterance("x" * 100_000), 1)
        assert heard + samples(first) == 24 * len(GOOD.text)
        assert samples(second) == 24 * 100_000


def test_a_cancel_is_about_an_order_that_waits_for_its_turn() -> None:
    with child("--linger", "0.1") as worker:
        (process,) = children()
        first = worker.synthesize(GOOD, 1)
        heard = to_the_end(first)
        second = worker.synthesize(utterance("x" * 100_000), 1)
        worker.cancel()
        assert heard + samples(first) == 24 * len(GOOD.text)
        with pytest.raises(ClientGone):
            list(second)
        assert children() == [process]


def test_a_worker_s_death_is_told_at_once_to_all_that_it_was_given() -> None:
    with child("--mode", "die-ending") as worker:
        first = worker.synthesize(BAD, 1)
        to_the_end(first)
        second = worker.synthesize(GOOD, 1)
        began = time.monotonic()
        for lost in (first, second):
            with pytest.raises(WorkerLost):
                list(lost)
        assert time.monotonic() - began < 4  # well before the time limit of an utterance


def test_a_cancel_of_nothing_harms_nothing() -> None:
    with child() as worker:
        worker.cancel()
        assert speak(worker)
        worker.cancel()
        worker.cancel()
        assert speak(worker)


def test_close_from_another_thread_ends_an_utterance() -> None:
    with child("--pace", "0.01") as worker:
        threading.Timer(0.05, worker.close).start()
        with pytest.raises(SynthesisFailed):
            speak(worker, utterance("x" * 2000))
        with pytest.raises(WorkerUnavailable, match="shutting down"):
            speak(worker)
        until(lambda: children() == [])


def test_close_from_another_thread_ends_a_start() -> None:
    worker = WorkerProcess([*FAKE, "--mode", "mute"], 5.0)
    threading.Timer(0.2, worker.close).start()
    with pytest.raises(WorkerUnavailable):
        worker.start()
    until(lambda: children() == [])


def test_close_comes_first_and_twice() -> None:
    worker = WorkerProcess(FAKE, 5.0)
    worker.close()
    worker.close()
    with pytest.raises(WorkerUnavailable):
        worker.start()
    assert children() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no process groups that a signal goes to")
def test_ctrl_c_does_not_reach_it() -> None:
    with child():
        (process,) = children()
        assert os.getpgid(process.pid) != os.getpgrp()
        assert os.getpgid(process.pid) == process.pid
        assert signal.getsignal(signal.SIGINT) is not None


def test_nothing_is_left_open() -> None:
    def once() -> None:
        with child() as worker:
            speak(worker)
            kill()
            until(lambda: not worker.is_ready)
            worker.start()

    once()
    before = psutil.Process().num_fds() if sys.platform != "win32" else psutil.Process().num_handles()  # type: ignore[attr-defined]
    for _ in range(5):
        once()
    after = psutil.Process().num_fds() if sys.platform != "win32" else psutil.Process().num_handles()  # type: ignore[attr-defined]
    assert after <= before
