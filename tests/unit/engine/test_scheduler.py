"""The waiting line: turns, bounds, leaving, closing."""

from __future__ import annotations

import threading

import pytest

from kokoro_server.core.errors import Busy, WorkerUnavailable
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.scheduler import Scheduler
from kokoro_server.engine.task import Ticket
from tests.fakes.requests import utterance


def enter(line: Scheduler, *texts: str) -> Ticket:
    place = line.admit(sum(map(len, texts)))
    for text in texts:
        place.submit(utterance(text))
    return place


def take(line: Scheduler) -> str:
    taken = line.next_task(0)
    assert taken is not None
    return taken[0].utterance.text


def test_requests_take_turns_task_by_task() -> None:
    line = Scheduler(workers=1, max_waiting=10)
    enter(line, "a1", "a2", "a3")
    enter(line, "b1")
    enter(line, "c1", "c2")
    assert [take(line) for _ in range(6)] == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_an_empty_line_gives_nothing() -> None:
    assert Scheduler(workers=1, max_waiting=10).next_task(0.01) is None


def test_a_task_wakes_a_waiting_taker() -> None:
    line = Scheduler(workers=1, max_waiting=10)
    taken: list[str] = []
    taker = threading.Thread(target=lambda: taken.append(take_within(line, 10)))
    taker.start()
    enter(line, "late")
    taker.join(10)
    assert taken == ["late"]


def take_within(line: Scheduler, seconds: float) -> str:
    taken = line.next_task(seconds)
    return taken[0].utterance.text if taken else "nothing"


def test_whoever_takes_hears_how_many_share_the_cores() -> None:
    line = Scheduler(workers=3, max_waiting=10)
    enter(line, "a1")
    enter(line, "b1", "b2")
    assert [line.next_task(0)[1] for _ in range(3)] == [3, 3, 3]  # type: ignore[index]


def test_a_task_that_is_only_handed_over_shares_the_cores_no_longer() -> None:
    line = Scheduler(workers=2, max_waiting=10)
    enter(line, "a1")
    taken = line.next_task(0)
    assert taken is not None and line.prefetch_task(taken[0], 0.0) is None
    enter(line, "b1", "b2")
    assert [shares(line), shares(line)] == [2, 2]  # b1 and b2, the one that waits and the one that is spoken
    line.complete_task(taken[0], 0.0)
    assert line.get_load() == (0, 2)


def shares(line: Scheduler) -> int:
    taken = line.next_task(0)
    assert taken is not None
    return taken[1]


@pytest.mark.parametrize(("workers", "longest"), [(1, 0), (1, 2), (3, 0), (2, 5)])
def test_the_line_is_bounded(workers: int, longest: int) -> None:
    line = Scheduler(workers, longest)
    for _ in range(workers + longest):
        enter(line, "x")
    with pytest.raises(Busy) as caught:
        line.admit(1)
    assert caught.value.status == 429
    assert caught.value.retry_after is not None and caught.value.retry_after >= 1
    for _ in range(workers):
        line.next_task(0)
    with pytest.raises(Busy):
        line.admit(1)


def test_a_place_that_was_served_or_left_is_free() -> None:
    line = Scheduler(workers=1, max_waiting=0)
    first = enter(line, "one")
    first.withdraw()
    second = enter(line, "two")
    task, _ = line.next_task(0)  # type: ignore[misc]
    with pytest.raises(Busy):
        line.admit(1)
    line.complete_task(task, 0.0)
    second.withdraw()
    enter(line, "three")
    assert take(line) == "three"


def test_retry_after_grows_with_the_line_and_falls_with_the_pace() -> None:
    line = Scheduler(workers=1, max_waiting=0)
    enter(line, "x" * 300)
    assert retry_after(line) == pytest.approx(20)  # 15 characters a second, to begin with
    for _ in range(50):
        task, _ = line.next_task(0)  # type: ignore[misc]
        line.complete_task(task, 1.0)  # 300 a second
        enter(line, "x" * 300)
    assert 1 <= retry_after(line) < 1.1


def retry_after(line: Scheduler) -> float:
    with pytest.raises(Busy) as caught:
        while True:
            line.admit(0)
    assert caught.value.retry_after is not None
    return caught.value.retry_after


def test_leaving_takes_back_what_is_not_spoken_yet() -> None:
    line = Scheduler(workers=1, max_waiting=10)
    place = enter(line, "a1", "a2", "a3")
    enter(line, "b1")
    assert take(line) == "a1"
    place.withdraw()
    place.withdraw()
    assert take(line) == "b1"
    assert line.next_task(0) is None
    assert line.get_load() == (0, 2)


def test_closing_ends_what_waits_and_refuses_what_comes() -> None:
    line = Scheduler(workers=1, max_waiting=10)
    place = line.admit(2)
    task = place.submit(utterance("a1"))
    line.close()
    with pytest.raises(WorkerUnavailable):
        next(task.iter_results(RequestContext()))
    with pytest.raises(WorkerUnavailable):
        line.admit(1)
    with pytest.raises(WorkerUnavailable):
        place.submit(utterance("a2"))
    assert line.is_closed and line.next_task(10) is None


def background(line: Scheduler, *texts: str) -> Ticket:
    place = line.admit(sum(map(len, texts)), is_background=True)
    for text in texts:
        place.submit(utterance(text))
    return place


def test_workers_elsewhere_take_no_more_than_they_can() -> None:
    line = Scheduler(workers=2, max_waiting=10, dedicated_cores=True)
    enter(line, "a1", "a2", "a3")
    assert [take(line), take(line)] == ["a1", "a2"]
    assert line.next_task(0) is None
    line.resize(3)
    assert take(line) == "a3"


def test_workers_that_come_wake_a_waiting_taker() -> None:
    line = Scheduler(workers=1, max_waiting=10, dedicated_cores=True)
    enter(line, "first", "second")
    taken = [take(line)]
    taker = threading.Thread(target=lambda: taken.append(take_within(line, 10)))
    taker.start()
    line.resize(2)
    taker.join(10)
    assert taken == ["first", "second"]


def test_workers_that_go_make_the_line_shorter() -> None:
    line = Scheduler(workers=4, max_waiting=0, dedicated_cores=True)
    enter(line, "a")
    line.resize(1)
    with pytest.raises(Busy):
        enter(line, "b")


def test_the_background_has_what_listeners_leave_of_workers_elsewhere() -> None:
    line = Scheduler(workers=2, max_waiting=10, dedicated_cores=True)
    background(line, "book 1", "book 2", "book 3")
    enter(line, "a1")
    assert [take(line), take(line)] == ["a1", "book 1"]
    assert line.next_task(0) is None


def test_one_background_task_gives_way_when_no_worker_elsewhere_is_free() -> None:
    line = Scheduler(workers=3, max_waiting=10, dedicated_cores=True)
    background(line, "book 1", "book 2")
    tasks = [line.next_task(0)[0], line.next_task(0)[0]]  # type: ignore[index]
    place = enter(line, "a1")
    assert [task.is_cancelled for task in tasks] == [False, False]
    assert take(line) == "a1"
    place.submit(utterance("a2"))
    assert [task.is_cancelled for task in tasks] == [True, False]
    assert take(line) == "a2"
