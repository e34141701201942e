"""The pool: order, a bounded lead, fairness, leaving, failing, starting and stopping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.waiting import until
from kokoro_server.core.errors import (
    Busy,
    ClientGone,
    SpeechError,
    SynthesisFailed,
    TimedOut,
    WorkerLost,
    WorkerUnavailable,
)
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.pool import Pool, WorkerThread
from kokoro_server.engine.scheduler import Scheduler
from kokoro_server.engine.task import phonemize_utterance
from kokoro_server.text.chunking import UtteranceSizes
from tests.fakes.requests import LONG, asking, utterance
from tests.fakes.worker import FakeWorker

pytestmark = pytest.mark.serial

NOBODY = WorkerUnavailable("no model")


@contextmanager
def pool_of(*workers: FakeWorker, threads: int = 4, queue: int = 10) -> Iterator[Pool]:
    with closing(Pool("fake", workers, threads, queue, UtteranceSizes(), idle_interval=0.01)) as pool:
        pool.start()
        yield pool


def begun(*workers: FakeWorker) -> int:
    return sum(len(worker.utterances) for worker in workers)


def spoken(pool: Pool, text: str) -> str:
    """The words of a request's answer, in a row."""
    return " ".join(word.text for chunk in pool.synthesize(asking(text), RequestContext()) for word in chunk.words)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_a_long_text_comes_whole_and_in_order(workers: int) -> None:
    text = " ".join(f"Sentence {i} is this one." for i in range(200))
    with pool_of(*(FakeWorker(pieces=2) for _ in range(workers))) as pool:
        assert spoken(pool, text) == text


def test_chunks_come_before_the_rest_is_spoken() -> None:
    gate = threading.Semaphore(1)
    with pool_of(FakeWorker(gate=gate)) as pool:
        chunks = pool.synthesize(asking(LONG), RequestContext())
        assert len(next(chunks).samples) > 0
        chunks.close()


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_the_workers_are_never_far_ahead_of_the_listener(workers: int) -> None:
    fakes = [FakeWorker() for _ in range(workers)]
    with pool_of(*fakes) as pool:
        chunks = pool.synthesize(asking(LONG), RequestContext())
        for heard, _ in enumerate(chunks, 1):
            settle(*fakes)
            assert begun(*fakes) <= heard + workers


def settle(*workers: FakeWorker) -> None:
    """Let them speak on until nothing has begun for a while."""
    seen = -1
    while seen < (seen := begun(*workers)):
        time.sleep(0.01)


def test_a_long_text_does_not_starve_a_short_one() -> None:
    gate = threading.Semaphore(0)
    worker = FakeWorker(gate=gate)
    with pool_of(worker) as pool:
        long = threading.Thread(target=lambda: spoken(pool, LONG))
        long.start()
        until(lambda: worker.utterances)
        short = threading.Thread(target=lambda: spoken(pool, "Hi."))
        short.start()
        until(lambda: pool.get_status()["waiting"] == 1)
        for _ in range(2):
            gate.release()
        short.join(10)
        assert not short.is_alive()
        assert worker.texts.index("Hi.") <= 2
        gate.release(1000)
        long.join(10)


def test_a_short_request_among_many_long_ones_waits_for_one_round() -> None:
    gate = threading.Semaphore(0)
    worker = FakeWorker(gate=gate)
    with pool_of(worker) as pool:
        listeners = [threading.Thread(target=spoken, args=(pool, LONG)) for _ in range(5)]
        for each in listeners:
            each.start()
        until(lambda: pool.get_status() | {"busy": 1, "waiting": 4} == pool.get_status())
        short = threading.Thread(target=spoken, args=(pool, "Hi."))
        short.start()
        until(lambda: pool.get_status()["waiting"] == 5)
        gate.release(1000)
        for each in [short, *listeners]:
            each.join(10)
        assert worker.texts.index("Hi.") <= 10


@contextmanager
def handed_ahead(worker: FakeWorker, second: Callable[[Pool], object]) -> Iterator[tuple[Pool, dict[str, object]]]:
    """A pool whose worker says "One." up to its last piece, and has been handed what `second` asks for."""
    with pool_of(worker) as pool:
        heard: dict[str, object] = {}
        asked = [
            threading.Thread(target=lambda: heard.update(one=outcome(lambda: spoken(pool, "One.")))),
            threading.Thread(target=lambda: heard.update(two=outcome(lambda: second(pool)))),
        ]
        asked[0].start()
        until(lambda: worker.utterances)
        asked[1].start()
        until(lambda: pool.get_status()["waiting"] == 1)
        worker.gate.release()
        until(lambda: worker.texts == ["One.", "Two."])
        yield pool, heard
        for thread in asked:
            thread.join(10)
        until(lambda: pool.get_status()["busy"] == pool.get_status()["waiting"] == 0)


def outcome(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except SpeechError as exc:
        return type(exc)


def test_a_worker_that_ends_is_handed_the_next_before_its_sound_has_come() -> None:
    worker = FakeWorker(pieces=2, gate=threading.Semaphore(0), sends_work_done=True)
    with handed_ahead(worker, lambda pool: spoken(pool, "Two.")) as (_, heard):
        assert heard == {}
        worker.gate.release(3)
    assert heard == {"one": "One.", "two": "Two."}


def test_what_was_handed_ahead_is_spoken_when_the_one_before_fails() -> None:
    worker = FakeWorker(
        pieces=2, gate=threading.Semaphore(0), sends_work_done=True, errors=[SynthesisFailed("no")], fails_at=1
    )
    with handed_ahead(worker, lambda pool: spoken(pool, "Two.")) as (_, heard):
        worker.gate.release(3)
    assert heard == {"one": SynthesisFailed, "two": "Two."}


def test_a_lost_worker_is_handed_everything_again() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0), sends_work_done=True, errors=[WorkerLost("it died")])
    worker.start()
    line = Scheduler(workers=1, max_waiting=10)
    tasks = [line.admit(4).submit(utterance(text)) for text in ("One.", "Two.")]
    driver = WorkerThread("worker", worker, line, threads=1, idle_interval=0.01)
    driver.start()
    until(lambda: worker.texts == ["One.", "Two."])
    worker.gate.release(9)
    for task in tasks:
        assert len(list(task.iter_results(RequestContext()))) == 1
    line.close()
    driver.join(10)
    assert worker.texts == ["One.", "Two.", "One.", "Two."]


def test_a_listener_whose_utterance_was_handed_ahead_may_leave() -> None:
    worker = FakeWorker(pieces=2, gate=threading.Semaphore(0), sends_work_done=True)
    gone = threading.Event()

    def second(pool: Pool) -> object:
        return list(pool.synthesize(asking("Two."), RequestContext(is_cancelled=gone.is_set)))

    with handed_ahead(worker, second) as (_, heard):
        gone.set()
        until(lambda: heard == {"two": ClientGone})
        worker.gate.release(9)
    assert heard == {"one": "One.", "two": ClientGone}


@pytest.mark.parametrize("work", ["pause", "phonemize"])
def test_whoever_waits_for_what_needs_no_order_may_leave_while_one_ends(work: str) -> None:
    """It was taken ahead, but nothing of it has been sent: its end is not the end of the one before."""
    worker = FakeWorker(pieces=2, gate=threading.Semaphore(0), sends_work_done=True)
    line = Scheduler(workers=1, max_waiting=10)
    first = line.admit(4).submit(utterance("One."))
    other = line.admit(4)
    second = other.submit(utterance("")) if work == "pause" else other.submit(utterance("Two."), phonemize_utterance)
    driver = WorkerThread("worker", worker, line, threads=1, idle_interval=0.01)
    driver.start()
    worker.gate.release()
    until(lambda: worker.utterances and not other.queued_tasks)
    other.withdraw()
    worker.gate.release(9)
    assert len(list(first.iter_results(RequestContext()))) == 2
    assert second.is_cancelled
    line.close()
    driver.join(10)


def test_the_background_is_not_begun_between_two_utterances_of_a_listener() -> None:
    line = Scheduler(workers=1, max_waiting=10)
    place = line.admit(4)
    place.submit(utterance("One."))
    line.admit(4, is_background=True).submit(utterance("A book."))
    (task, _) = line.next_task(0) or pytest.fail("nothing to take")
    assert line.prefetch_task(task, 0.1) is None
    place.submit(utterance("Two."))
    assert (line.prefetch_task(task, 0.1) or pytest.fail("nothing follows"))[0].utterance.text == "Two."
    assert line.get_load() == (0, 1)


def test_a_book_s_utterance_that_was_lost_is_not_spoken_before_a_listener_s() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0), sends_work_done=True, errors=[WorkerLost("it died")])
    line = Scheduler(workers=1, max_waiting=10)
    first = line.admit(4, is_background=True).submit(replace(utterance("A book."), is_background=True))
    driver = WorkerThread("worker", worker, line, threads=1, idle_interval=0.01)
    (task, sharing) = line.next_task(0) or pytest.fail("nothing to take")
    second = line.admit(4).submit(utterance("Two."))
    first.is_cancelled = False  # the listener came a moment too late to interrupt it
    worker.gate.release(9)
    driver._run_task(task, sharing)
    driver.start()
    assert len(list(second.iter_results(RequestContext()))) == 1
    with pytest.raises(ClientGone):
        list(first.iter_results(RequestContext()))
    line.close()
    driver.join(10)
    assert worker.texts == ["A book.", "Two.", "Two."]


def test_a_fault_in_handing_ahead_is_not_the_one_s_before(caplog: pytest.LogCaptureFixture) -> None:
    worker = FakeWorker(gate=threading.Semaphore(0), sends_work_done=True)

    def broken(*_: object) -> Iterator[object]:
        raise RuntimeError("can't start new thread")

    line = Scheduler(workers=1, max_waiting=10)
    first, second = line.admit(4).submit(utterance("One.")), line.admit(4).submit(utterance("Two."), broken)
    driver = WorkerThread("worker", worker, line, threads=1, idle_interval=0.01)
    driver.start()
    until(lambda: "could not be handed an utterance ahead" in caplog.text)
    worker.gate.release(9)
    assert len(list(first.iter_results(RequestContext()))) == 1
    with pytest.raises(SynthesisFailed):
        list(second.iter_results(RequestContext()))
    line.close()
    driver.join(10)
    assert line.get_load() == (0, 0)


def test_close_ends_what_was_handed_ahead() -> None:
    worker = FakeWorker(pieces=2, gate=threading.Semaphore(0), sends_work_done=True)
    with handed_ahead(worker, lambda pool: spoken(pool, "Two.")) as (pool, heard):
        pool.close()
        until(lambda: heard == {"one": WorkerUnavailable, "two": WorkerUnavailable})


def test_whoever_leaves_frees_the_worker_at_once() -> None:
    worker = FakeWorker(gate=threading.Semaphore(1))
    with pool_of(worker) as pool:
        chunks = pool.synthesize(asking(LONG), RequestContext())
        next(chunks)
        until(lambda: len(worker.utterances) == 2)
        chunks.close()
        until(lambda: pool.get_status()["busy"] == 0)
        assert len(worker.utterances) == 2


def test_whoever_has_gone_is_noticed_while_they_wait() -> None:
    gone = threading.Event()
    worker = FakeWorker(gate=threading.Semaphore(0))
    with pool_of(worker) as pool:
        threading.Timer(0.05, gone.set).start()
        with pytest.raises(ClientGone):
            next(pool.synthesize(asking(), RequestContext(is_cancelled=gone.is_set)))
        until(lambda: pool.get_status()["busy"] == 0)


def test_a_deadline_frees_the_worker() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0))
    with pool_of(worker) as pool:
        with pytest.raises(TimedOut):
            next(pool.synthesize(asking(), RequestContext(deadline=time.monotonic() + 0.05)))
        until(lambda: pool.get_status()["busy"] == 0)


def test_a_generator_that_was_never_begun_takes_no_place() -> None:
    with pool_of(FakeWorker()) as pool:
        pool.synthesize(asking(), RequestContext()).close()
        assert pool.get_status()["waiting"] == 0


@pytest.mark.parametrize("error", [SynthesisFailed("broke"), TimedOut("slow"), WorkerUnavailable("none")])
def test_a_workers_error_ends_its_request_alone(error: Exception) -> None:
    with pool_of(FakeWorker(errors=[None, error])) as pool:
        chunks = pool.synthesize(asking(LONG), RequestContext())
        next(chunks)
        with pytest.raises(type(error), match=str(error)):
            list(chunks)
        assert spoken(pool, "Still here.") == "Still here."


def test_a_bug_in_a_worker_ends_its_request_alone(caplog: pytest.LogCaptureFixture) -> None:
    with pool_of(FakeWorker(errors=[ZeroDivisionError("secret path /etc")])) as pool:
        with pytest.raises(SynthesisFailed) as caught:
            list(pool.synthesize(asking(), RequestContext()))
        assert "secret" not in caught.value.message
        assert "ZeroDivisionError" in caplog.text
        assert spoken(pool, "Still here.") == "Still here."


def test_a_full_line_refuses() -> None:
    gate = threading.Semaphore(0)
    worker = FakeWorker(gate=gate)
    with pool_of(worker, queue=1) as pool:
        others = [threading.Thread(target=spoken, args=(pool, "One.")) for _ in range(2)]
        for each in others:
            each.start()
        until(lambda: pool.get_status() | {"busy": 1, "waiting": 1} == pool.get_status())
        with pytest.raises(Busy):
            next(pool.synthesize(asking(), RequestContext()))
        gate.release(10)
        for each in others:
            each.join(10)


def test_one_request_alone_has_all_the_cores_and_several_share_them() -> None:
    gate = threading.Semaphore(0)
    workers = [FakeWorker(gate=gate), FakeWorker(gate=gate)]
    with pool_of(*workers, threads=4) as pool:
        listeners = []
        for wanted in (4, 2):
            listeners.append(threading.Thread(target=spoken, args=(pool, "Hi.")))
            listeners[-1].start()
            until(lambda: begun(*workers) == len(listeners))
            assert wanted in [threads for worker in workers for threads in worker.threads]
        gate.release(2)
        for each in listeners:
            each.join(10)


def test_start_waits_for_one_and_fails_with_the_last() -> None:
    with pool_of(FakeWorker(start_errors=[NOBODY]), FakeWorker()) as pool:
        assert pool.get_status()["ready"] == 1
    workers = [FakeWorker(start_errors=[NOBODY]) for _ in range(2)]
    with pytest.raises(WorkerUnavailable, match="no model"):
        Pool("fake", workers, 1, 1, UtteranceSizes()).start()
    assert all(worker.is_closed for worker in workers)


def test_a_worker_that_died_idle_is_replaced_before_it_is_needed() -> None:
    worker = FakeWorker()
    with pool_of(worker) as pool:
        worker.is_alive = False
        until(lambda: worker.starts == 2)
        assert pool.get_status()["ready"] == 1


def test_a_worker_that_cannot_start_is_left_alone_until_it_is_needed() -> None:
    worker = FakeWorker(start_errors=[None, NOBODY])
    with pool_of(worker) as pool:
        worker.is_alive = False
        until(lambda: worker.starts == 2)
        time.sleep(0.1)  # ten times a driver's idle look
        assert worker.starts == 2
        assert spoken(pool, "Hi.") == "Hi."


def test_close_ends_what_is_spoken_and_what_waits() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0))
    pool = Pool("fake", [worker], 1, 10, UtteranceSizes())
    pool.start()
    errors: list[Exception] = []
    listeners = [threading.Thread(target=lambda: errors.append(fails(pool))) for _ in range(2)]
    for each in listeners:
        each.start()
    until(lambda: pool.get_status() | {"busy": 1, "waiting": 1} == pool.get_status())
    pool.close()
    for each in listeners:
        each.join(10)
    assert [type(error) for error in errors] == [WorkerUnavailable] * 2
    assert all("shutting down" in str(error) for error in errors)
    assert worker.is_closed


def fails(pool: Pool) -> Exception:
    with pytest.raises(Exception) as caught:
        list(pool.synthesize(asking(), RequestContext()))
    return caught.value


def test_close_does_not_wait_for_a_worker_that_loads() -> None:
    loading = SlowStarter()
    pool = Pool("fake", [FakeWorker(), loading], 1, 1, UtteranceSizes())
    pool.start()
    before = time.monotonic()
    pool.close()
    assert time.monotonic() - before < 2
    assert loading.is_closed


class SlowStarter(FakeWorker):
    """Loads until it is closed."""

    def start(self) -> None:
        until(lambda: self.is_closed, 20)
        raise WorkerUnavailable("closed while it loaded")


def test_close_of_a_pool_that_never_started() -> None:
    Pool("fake", [FakeWorker()], 1, 1, UtteranceSizes()).close()


def test_sound_is_what_the_workers_made() -> None:
    with pool_of(FakeWorker(ms=2)) as pool:
        samples = np.concatenate([chunk.samples for chunk in pool.synthesize(asking("x" * 500), RequestContext())])
        assert len(samples) == 500 * 2 * 24
