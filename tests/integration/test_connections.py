"""The threads that answer: as few as are needed, the one that was free last first, and all gone at the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from benchmarks.waiting import until
from kokoro_server.api.server import connections
from kokoro_server.api.server.connections import ElasticThreadPool

pytestmark = pytest.mark.serial


class Asked:
    """A request whose answer takes until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self.requests: list[object] = []
        self.by = ""
        self.cancelled = False
        self.go = threading.Event()
        self.done = threading.Event()
        self._error = error

    def service(self) -> None:
        self.by = threading.current_thread().name
        self.go.wait(10)
        self.done.set()
        if self._error is not None:
            raise self._error

    def cancel(self) -> None:
        self.cancelled = True


@pytest.fixture
def crew() -> Iterator[ElasticThreadPool]:
    made = ElasticThreadPool(3, "test")
    yield made
    made.shutdown(5)
    assert threads() == []


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("test-")]


def answer(crew: ElasticThreadPool, *tasks: Asked) -> None:
    """Have the tasks answered, all of them at the same time."""
    for task in tasks:
        crew.add_task(task)
    until(lambda: all(task.by for task in tasks))
    for task in tasks:
        task.go.set()
    until(lambda: all(task.done.is_set() for task in tasks) and len(crew._idle_inboxes) == len(threads()))


def test_one_after_the_other_are_answered_by_one_thread(crew: ElasticThreadPool) -> None:
    tasks = [Asked() for _ in range(20)]
    for task in tasks:
        answer(crew, task)
    assert {task.by for task in tasks} == {"test-1"} and threads() == ["test-1"]


def test_as_many_threads_as_are_needed_at_once_and_then_the_last_one_again(crew: ElasticThreadPool) -> None:
    answer(crew, Asked(), Asked(), Asked())
    again = Asked()
    last = crew._idle_inboxes[-1]
    answer(crew, again)
    assert len(threads()) == 3 and crew._idle_inboxes[-1] is last


def test_more_than_there_are_threads_wait_their_turn(crew: ElasticThreadPool) -> None:
    tasks = [Asked() for _ in range(6)]
    for task in tasks:
        crew.add_task(task)
    assert crew.is_saturated
    for task in tasks:
        task.go.set()
    until(lambda: all(task.done.is_set() for task in tasks))
    assert not crew.is_saturated and len(threads()) == 3


@pytest.mark.parametrize("error", [ValueError("broke"), SystemExit(1)])
def test_what_breaks_ends_no_thread(
    crew: ElasticThreadPool, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    answer(crew, Asked(error))
    answer(crew, Asked())
    assert threads() == ["test-1"] and "broke its thread's work" in caplog.text


def test_who_is_not_needed_for_long_goes(crew: ElasticThreadPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_THREAD_TIMEOUT", 0.05)
    answer(crew, Asked(), Asked(), Asked())
    until(lambda: threads() == [])
    answer(crew, Asked())


def test_a_system_without_threads_to_give_makes_them_wait(
    crew: ElasticThreadPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Asked(), Asked()
    crew.add_task(first)
    until(lambda: bool(first.by))

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    crew.add_task(second)
    assert crew.is_saturated
    first.go.set()
    second.go.set()
    until(second.done.is_set)
    assert second.by == first.by


def test_at_the_end_the_waiting_are_given_up() -> None:
    crew = ElasticThreadPool(1, "test")
    busy, waiting = Asked(), Asked()
    crew.add_task(busy)
    crew.add_task(waiting)
    crew.shutdown(0.05)
    assert waiting.cancelled and not busy.cancelled
    busy.go.set()
    until(lambda: threads() == [])
