"""One utterance on its way: results, errors, cancelling."""

from __future__ import annotations

import threading

import pytest

from benchmarks.waiting import until
from kokoro_server.core.errors import ClientGone, SynthesisFailed, TimedOut
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.task import Task, synthesize_utterance
from tests.fakes.requests import utterance
from tests.fakes.worker import FakeWorker


def test_a_task_hands_on_chunks_then_its_error() -> None:
    task = Task(utterance("four words are here"), synthesize_utterance)
    task.run(FakeWorker(pieces=3), 1)
    task.finish(SynthesisFailed("it broke"))
    chunks = task.iter_results(RequestContext())
    assert [len(next(chunks).samples) > 0 for _ in range(3)] == [True] * 3
    with pytest.raises(SynthesisFailed, match="it broke"):
        next(chunks)


def test_a_cancelled_task_is_never_begun() -> None:
    worker = FakeWorker()
    task = Task(utterance(), synthesize_utterance)
    task.cancel()
    with pytest.raises(ClientGone):
        task.run(worker, 1)
    assert worker.utterances == []
    assert worker.cancel_count == 0


def test_a_cancel_reaches_the_worker_only_while_it_speaks() -> None:
    worker = FakeWorker(gate=threading.Semaphore(0))
    task = Task(utterance(), synthesize_utterance)
    caught: list[Exception] = []
    speaking = threading.Thread(target=lambda: caught.append(raised(task, worker)))
    speaking.start()
    until(lambda: worker.utterances)
    task.cancel()
    speaking.join(10)
    task.cancel()
    assert [type(exc) for exc in caught] == [ClientGone]
    assert worker.cancel_count == 1


def raised(task: Task, worker: FakeWorker) -> Exception:
    with pytest.raises(ClientGone) as caught:
        task.run(worker, 1)
    return caught.value


class Refusing(FakeWorker):
    """Refuses at once, before there is anything to iterate."""

    def synthesize(self, utterance: object, threads: int) -> object:  # type: ignore[override]
        raise SynthesisFailed("no")


def test_a_cancel_does_not_reach_a_worker_that_refused() -> None:
    worker = Refusing()
    task = Task(utterance(), synthesize_utterance)
    with pytest.raises(SynthesisFailed):
        task.run(worker, 1)  # type: ignore[arg-type]
    task.cancel()
    assert worker.cancel_count == 0


@pytest.mark.parametrize(
    ("listener", "error"),
    [(RequestContext(deadline=0.0), TimedOut), (RequestContext(is_cancelled=lambda: True), ClientGone)],
)
def test_nobody_waits_for_nothing(listener: RequestContext, error: type[Exception]) -> None:
    with pytest.raises(error):
        next(Task(utterance(), synthesize_utterance).iter_results(listener))
