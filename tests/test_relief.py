"""Workers that are relieved, and that go home: with real child processes that speak a tone."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psutil
import pytest

from tests.fakes.requests import LONG, asking, utterance
from tests.waiting import until
from tts.engines.base import Listener
from tts.engines.child import Child
from tts.engines.pool import Pool
from tts.engines.relief import Relieved, Shift
from tts.speech.text import Sizes

FAKE = [sys.executable, "-m", "tests.fakes.fake_worker_process"]
GOOD = utterance("A good one.")


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}


@contextmanager
def relieved(shift: Shift, *arguments: str, turn: threading.Lock | None = None) -> Iterator[Relieved]:
    """A started worker under these shift; nothing of it is left afterwards."""
    hire = iter(range(1000))

    def child() -> Child:
        number = next(hire)
        return Child([*FAKE, *(arguments if number else ())], 20.0)

    with closing(Relieved(child, shift, turn or threading.Lock())) as worker:
        worker.start()
        yield worker
    until(lambda: not children())


def spoken(worker: Relieved) -> int:
    return sum(len(chunk.samples) for chunk in worker.speak(GOOD, 1))


@pytest.mark.parametrize("shift", [Shift(utterances=3), Shift(megabytes=1)])
def test_a_fresh_process_takes_over_while_the_last_one_speaks_on(shift: Shift) -> None:
    with relieved(shift) as worker:
        (first,) = children()
        deadline = time.monotonic() + 20
        while first in children():
            assert worker.ready and spoken(worker) == 24 * len(GOOD.text)
            assert len(children()) <= 2 and time.monotonic() < deadline
        assert worker.ready and worker.restarts == 0


def test_without_shift_it_stays() -> None:
    with relieved(Shift()) as worker:
        before = children()
        for _ in range(50):
            spoken(worker)
            worker.rest()
        assert children() == before


def test_relief_that_cannot_start_leaves_the_old_one_at_work(caplog: pytest.LogCaptureFixture) -> None:
    with relieved(Shift(utterances=1), "--mode", "cannot-load") as worker:
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
    with relieved(Shift(utterances=1), turn=turn) as worker, turn:
        for _ in range(5):
            spoken(worker)
        assert len(children()) == 1


def test_closing_while_relief_loads_leaves_nothing() -> None:
    with relieved(Shift(utterances=1), "--mode", "mute") as worker:
        for _ in range(2):
            spoken(worker)
        until(lambda: len(children()) == 2)


def test_an_idle_worker_goes_home_and_wakes_when_it_is_needed() -> None:
    with relieved(Shift(idle=0.05)) as worker:
        spoken(worker)
        worker.rest()
        assert worker.ready and not worker.asleep
        time.sleep(0.1)
        worker.rest()
        assert worker.asleep and not worker.ready and not children()
        assert spoken(worker) == 24 * len(GOOD.text)
        assert worker.ready and not worker.asleep and worker.restarts == 0


def test_a_pool_whose_workers_are_home_wakes_for_a_request() -> None:
    turn = threading.Lock()
    workers = [Relieved(lambda: Child(FAKE, 20.0), Shift(idle=0.1), turn) for _ in range(2)]
    with closing(Pool("pool", workers, 2, 10, Sizes(), idle=0.02)) as pool:
        pool.start()
        until(lambda: pool.status()["asleep"] == 2 and not children())
        assert sum(len(chunk.samples) for chunk in pool.synthesize(asking(), Listener()))
        until(lambda: pool.status()["asleep"] == 2)


def test_a_long_text_is_spoken_whole_through_several_reliefs() -> None:
    turn = threading.Lock()
    workers = [Relieved(lambda: Child(FAKE, 20.0), Shift(utterances=4), turn) for _ in range(2)]
    with closing(Pool("pool", workers, 2, 10, Sizes(), idle=0.02)) as pool:
        pool.start()
        first = children()
        until(lambda: _speaks_whole(pool) and not first & children(), 20)
        assert pool.status()["totals"]["restarts"] == 0
    until(lambda: not children())


def _speaks_whole(pool: Pool) -> bool:
    samples = sum(len(chunk.samples) for chunk in pool.synthesize(asking(LONG), Listener()))
    assert samples == 24 * len(LONG)
    return True
