"""Workers that are relieved, and that go home: with real child processes that speak a tone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.recycling import RecyclePolicy, RecyclingWorker
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.text.chunking import UtteranceSizes
from tests.fakes.requests import LONG, asking, utterance

pytestmark = pytest.mark.serial

FAKE = [sys.executable, "-m", "benchmarks.fake_worker_process"]
GOOD = utterance("A good one.")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@contextmanager
def relieved(shift: RecyclePolicy, *arguments: str, turn: threading.Lock | None = None) -> Iterator[RecyclingWorker]:
    """A started worker under these shift; nothing of it is left afterwards."""
    hire = iter(range(1000))

    def child() -> WorkerProcess:
        number = next(hire)
        return WorkerProcess([*FAKE, *(arguments if number else ())], 20.0)

    with closing(RecyclingWorker(child, shift, turn or threading.Lock())) as worker:
        worker.start()
        yield worker
    until(lambda: not children())


def spoken(worker: RecyclingWorker) -> int:
    return sum(len(chunk.samples) for chunk in worker.synthesize(GOOD, 1))  # type: ignore[misc, union-attr]


@pytest.mark.parametrize("shift", [RecyclePolicy(max_utterances=3), RecyclePolicy(max_megabytes=1)])
def test_a_fresh_process_takes_over_while_the_last_one_speaks_on(shift: RecyclePolicy) -> None:
    with relieved(shift) as worker:
        (first,) = children()
        deadline = time.monotonic() + 20
        while first in children():
            assert worker.is_ready and spoken(worker) == 24 * len(GOOD.text)
            assert len(children()) <= 2 and time.monotonic() < deadline
        assert worker.is_ready and worker.restarts == 0


def test_without_shift_it_stays() -> None:
    with relieved(RecyclePolicy()) as worker:
        before = children()
        for _ in range(50):
            spoken(worker)
            worker.on_idle()
        assert children() == before


def test_relief_that_cannot_start_leaves_the_old_one_at_work(caplog: pytest.LogCaptureFixture) -> None:
    with relieved(RecyclePolicy(max_utterances=1), "--mode", "cannot-load") as worker:
        before = children()
        for _ in range(3):
            spoken(worker)
        until(lambda: "No relief" in caplog.text)
        until(lambda: children() == before)
        for _ in range(3):
            assert spoken(worker)
        assert caplog.text.count("No relief") == 1 and children() == before


def test_one_at_a_time_takes_the_memory_of_two() -> None:
    turn = threading.Lock()
    with relieved(RecyclePolicy(max_utterances=1), turn=turn) as worker, turn:
        for _ in range(5):
            spoken(worker)
        assert len(children()) == 1


def test_closing_while_relief_loads_leaves_nothing() -> None:
    with relieved(RecyclePolicy(max_utterances=1), "--mode", "mute") as worker:
        for _ in range(2):
            spoken(worker)
        until(lambda: len(children()) == 2)


def test_an_idle_worker_goes_home_and_wakes_when_it_is_needed() -> None:
    with relieved(RecyclePolicy(unload_after=0.05)) as worker:
        spoken(worker)
        worker.on_idle()
        assert worker.is_ready and not worker.is_unloaded
        time.sleep(0.1)
        worker.on_idle()
        assert worker.is_unloaded and not worker.is_ready and not children()
        assert spoken(worker) == 24 * len(GOOD.text)
        assert worker.is_ready and not worker.is_unloaded and worker.restarts == 0


def test_a_pool_whose_workers_are_home_wakes_for_a_request() -> None:
    turn = threading.Lock()
    workers = [
        RecyclingWorker(lambda: WorkerProcess(FAKE, 20.0), RecyclePolicy(unload_after=0.1), turn) for _ in range(2)
    ]
    with closing(Pool("pool", workers, 2, 10, UtteranceSizes(), idle_interval=0.02)) as pool:
        pool.start()
        until(lambda: pool.get_status()["asleep"] == 2 and not children())
        assert sum(len(chunk.samples) for chunk in pool.synthesize(asking(), RequestContext()))
        until(lambda: pool.get_status()["asleep"] == 2)


def test_a_long_text_is_spoken_whole_through_several_reliefs() -> None:
    turn = threading.Lock()
    workers = [
        RecyclingWorker(lambda: WorkerProcess(FAKE, 20.0), RecyclePolicy(max_utterances=4), turn) for _ in range(2)
    ]
    with closing(Pool("pool", workers, 2, 10, UtteranceSizes(), idle_interval=0.02)) as pool:
        pool.start()
        first = children()
        until(lambda: _speaks_whole(pool) and not first & children(), 20)
        assert pool.get_status()["totals"]["restarts"] == 0
    until(lambda: not children())


def _speaks_whole(pool: Pool) -> bool:
    samples = sum(len(chunk.samples) for chunk in pool.synthesize(asking(LONG), RequestContext()))
    assert samples == 24 * len(LONG)
    return True
