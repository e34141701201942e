"""The waiting line: turns, bounds, leaving, closing."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.requests import utterance
from tests.fakes.worker import FakeWorker
from tests.waiting import until
from tts.engines.base import Listener
from tts.engines.line import Line, Place, Task, speak
from tts.speech.errors import Busy, ClientGone, SynthesisFailed, TimedOut, WorkerUnavailable


def enter(line: Line, *texts: str) -> Place:
    place = line.enter(sum(map(len, texts)))
    for text in texts:
        place.submit(utterance(text))
    return place


def take(line: Line) -> str:
    taken = line.take(0)
    assert taken is not None
    return taken[0].utterance.text


def test_requests_take_turns_task_by_task() -> None:
    line = Line(workers=1, longest=10)
    enter(line, "a1", "a2", "a3")
    enter(line, "b1")
    enter(line, "c1", "c2")
    assert [take(line) for _ in range(6)] == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_an_empty_line_gives_nothing() -> None:
    assert Line(workers=1, longest=10).take(0.01) is None


def test_a_task_wakes_a_waiting_taker() -> None:
    line = Line(workers=1, longest=10)
    taken: list[str] = []
    taker = threading.Thread(target=lambda: taken.append(take_within(line, 10)))
    taker.start()
    enter(line, "late")
    taker.join(10)
    assert taken == ["late"]


def take_within(line: Line, seconds: float) -> str:
    taken = line.take(seconds)
    return taken[0].utterance.text if taken else "nothing"


def test_whoever_takes_hears_how_many_share_the_cores() -> None:
    line = Line(workers=3, longest=10)
    enter(line, "a1")
    enter(line, "b1", "b2")
    assert [line.take(0)[1] for _ in range(3)] == [3, 3, 3]  # type: ignore[index]


def test_a_task_that_is_only_handed_over_shares_the_cores_no_longer() -> None:
    line = Line(workers=2, longest=10)
    enter(line, "a1")
    taken = line.take(0)
    assert taken is not None and line.follow(taken[0], 0.0) is None
    enter(line, "b1", "b2")
    assert [shares(line), shares(line)] == [2, 2]  # b1 and b2, the one that waits and the one that is spoken
    line.done(taken[0], 0.0)
    assert line.length() == (0, 2)


def shares(line: Line) -> int:
    taken = line.take(0)
    assert taken is not None
    return taken[1]


@pytest.mark.parametrize(("workers", "longest"), [(1, 0), (1, 2), (3, 0), (2, 5)])
def test_the_line_is_bounded(workers: int, longest: int) -> None:
    line = Line(workers, longest)
    for _ in range(workers + longest):
        enter(line, "x")
    with pytest.raises(Busy) as caught:
        line.enter(1)
    assert caught.value.status == 429
    assert caught.value.retry_after is not None and caught.value.retry_after >= 1
    for _ in range(workers):
        line.take(0)
    with pytest.raises(Busy):
        line.enter(1)


def test_a_place_that_was_served_or_left_is_free() -> None:
    line = Line(workers=1, longest=0)
    first = enter(line, "one")
    first.leave()
    second = enter(line, "two")
    task, _ = line.take(0)  # type: ignore[misc]
    with pytest.raises(Busy):
        line.enter(1)
    line.done(task, 0.0)
    second.leave()
    enter(line, "three")
    assert take(line) == "three"


def test_retry_after_grows_with_the_line_and_falls_with_the_pace() -> None:
    line = Line(workers=1, longest=0)
    enter(line, "x" * 300)
    assert retry_after(line) == pytest.approx(20)  # 15 characters a second, to begin with
    for _ in range(50):
        task, _ = line.take(0)  # type: ignore[misc]
        line.done(task, 1.0)  # 300 a second
        enter(line, "x" * 300)
    assert 1 <= retry_after(line) < 1.1


def retry_after(line: Line) -> float:
    with pytest.raises(Busy) as caught:
        while True:
            line.enter(0)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_leaving_takes_back_what_is_not_spoken_yet() -> None:
    line = Line(workers=1, longest=10)
    place = enter(line, "a1", "a2", "a3")
    enter(line, "b1")
    assert take(line) == "a1"
    place.leave()
    place.leave()
    assert take(line) == "b1"
    assert line.take(0) is None
    assert line.length() == (0, 2)


def test_closing_ends_what_waits_and_refuses_what_comes() -> None:
    line = Line(workers=1, longest=10)
    place = line.enter(2)
    task = place.submit(utterance("a1"))
    line.close()
    with pytest.raises(WorkerUnavailable):
        next(task.answers(Listener()))
    with pytest.raises(WorkerUnavailable):
        line.enter(1)
    with pytest.raises(WorkerUnavailable):
        place.submit(utterance("a2"))
    assert line.closed and line.take(10) is None


def test_a_task_hands_on_chunks_then_its_error() -> None:
    task = Task(utterance("four words are here"), speak)
    task.speak(FakeWorker(pieces=3), 1)
    task.end(SynthesisFailed("it broke"))
    chunks = task.answers(Listener())
    assert [len(next(chunks).samples) > 0 for _ in range(3)] == [True] * 3
    with pytest.raises(SynthesisFailed, match="it broke"):
        next(chunks)


def test_a_cancelled_task_is_never_begun() -> None:
    worker = FakeWorker()
    task = Task(utterance(), speak)
    task.cancel()
    with pytest.raises(ClientGone):
        task.speak(worker, 1)
    assert worker.begun == []
    assert worker.cancelled == 0


def test_a_cancel_reaches_the_worker_only_while_it_speaks() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0))
    task = Task(utterance(), speak)
    caught: list[Exception] = []
    speaking = threading.Thread(target=lambda: caught.append(raised(task, worker)))
    speaking.start()
    until(lambda: worker.begun)
    task.cancel()
    speaking.join(10)
    task.cancel()
    assert [type(exc) for exc in caught] == [ClientGone]
    assert worker.cancelled == 1


def raised(task: Task, worker: FakeWorker) -> Exception:
    with pytest.raises(ClientGone) as caught:
        task.speak(worker, 1)
    return caught.value


class Refusing(FakeWorker):
    """Refuses at once, before there is anything to iterate."""

    def speak(self, utterance: object, threads: int) -> object:  # type: ignore[override]
        raise SynthesisFailed("no")


def test_a_cancel_does_not_reach_a_worker_that_refused() -> None:
    worker = Refusing()
    task = Task(utterance(), speak)
    with pytest.raises(SynthesisFailed):
        task.speak(worker, 1)  # type: ignore[arg-type]
    task.cancel()
    assert worker.cancelled == 0


@pytest.mark.parametrize(
    ("listener", "error"),
    [(Listener(deadline=0.0), TimedOut), (Listener(has_gone=lambda: True), ClientGone)],
)
def test_nobody_waits_for_nothing(listener: Listener, error: type[Exception]) -> None:
    with pytest.raises(error):
        next(Task(utterance(), speak).answers(listener))


def background(line: Line, *texts: str) -> Place:
    place = line.enter(sum(map(len, texts)), background=True)
    for text in texts:
        place.submit(utterance(text))
    return place


def test_workers_elsewhere_take_no_more_than_they_can() -> None:
    line = Line(workers=2, longest=10, apart=True)
    enter(line, "a1", "a2", "a3")
    assert [take(line), take(line)] == ["a1", "a2"]
    assert line.take(0) is None
    line.resize(3)
    assert take(line) == "a3"


def test_workers_that_come_wake_a_waiting_taker() -> None:
    line = Line(workers=1, longest=10, apart=True)
    enter(line, "first", "second")
    taken = [take(line)]
    taker = threading.Thread(target=lambda: taken.append(take_within(line, 10)))
    taker.start()
    line.resize(2)
    taker.join(10)
    assert taken == ["first", "second"]


def test_workers_that_go_make_the_line_shorter() -> None:
    line = Line(workers=4, longest=0, apart=True)
    enter(line, "a")
    line.resize(1)
    with pytest.raises(Busy):
        enter(line, "b")


def test_the_background_has_what_listeners_leave_of_workers_elsewhere() -> None:
    line = Line(workers=2, longest=10, apart=True)
    background(line, "book 1", "book 2", "book 3")
    enter(line, "a1")
    assert [take(line), take(line)] == ["a1", "book 1"]
    assert line.take(0) is None


def test_one_background_task_gives_way_when_no_worker_elsewhere_is_free() -> None:
    line = Line(workers=3, longest=10, apart=True)
    background(line, "book 1", "book 2")
    tasks = [line.take(0)[0], line.take(0)[0]]  # type: ignore[index]
    place = enter(line, "a1")
    assert [task.cancelled for task in tasks] == [False, False]
    assert take(line) == "a1"
    place.submit(utterance("a2"))
    assert [task.cancelled for task in tasks] == [True, False]
    assert take(line) == "a2"
