"""Represent what a request asks of the workers: a Task for each utterance, under one Ticket.

A Ticket is the request's place in the scheduler: it counts as one however many utterances the text has, and withdrawing
it ends all of them. A Task carries one utterance to a worker and the results back, across three threads: the request's
thread submits it and reads its results, a worker's thread runs it, and any thread may cancel it.

Which ticket is served next is not decided here: see the scheduler, which a ticket knows as its TaskQueue.

Locks: Task._lock guards a task's worker. A ticket's `queued_tasks` belong to the scheduler and are guarded by its lock.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.core.errors import ClientGone, SpeechError
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import RequestContext, WorkDone, Worker, WorkerEvent
from kokoro_server.text.chunking import Utterance

CANCEL_POLL_INTERVAL = 0.05
"""Seconds between two checks for cancellation: a quarter of the 200 ms in which a departed client must free its
worker."""

UtteranceOperation = Callable[[Utterance, Worker, int], Iterator[Any]]
"""What to do with an utterance on a worker with that many threads; yields the results."""


def synthesize_utterance(utterance: Utterance, worker: Worker, threads: int) -> Iterator[WorkerEvent]:
    """Return the utterance's chunks with its gain applied, and the worker's WorkDone.

    A pause without text is synthesized here, as silence, without the worker.
    """
    if not utterance.text.strip():
        return iter([Chunk(np.zeros(round(utterance.pause * SAMPLE_RATE), np.float32))])
    chunks = worker.synthesize(utterance, threads)
    if utterance.gain == 1.0:
        return chunks
    gain = np.float32(utterance.gain)
    return (event if isinstance(event, WorkDone) else replace(event, samples=event.samples * gain) for event in chunks)


def phonemize_utterance(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Phonemization]:
    """Yield the phonemes of the utterance, once."""
    yield worker.phonemize(utterance)


class Task:
    """Carry one utterance from its request through a worker and the results back.

    The request's thread submits it, reads iter_results() and may cancel() it. A worker thread calls start(), run() and
    finish(). The thread of another request may cancel() it to preempt it.
    """

    def __init__(self, utterance: Utterance, operation: UtteranceOperation) -> None:
        self.utterance = utterance
        self._operation = operation
        self.is_cancelled = False
        self.has_output = False
        """Whether the request may have received part of the result, so that the task cannot be run again."""
        self.audio_seconds = 0.0
        """Seconds of audio produced so far."""
        self._worker: Worker | None = None
        self._output: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._results: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def start(self, worker: Worker, threads: int) -> None:
        """Hand the utterance to `worker` unless the task is cancelled; run() reads the results later.

        Calling this before run() lets a worker prefetch the utterance while the one before is still delivered.
        """
        with self._lock:  # a concurrent cancel() either prevents the start or reaches the worker
            if not self.is_cancelled:
                self._worker = worker
                self._output = self._operation(self.utterance, worker, threads)

    def release_worker(self) -> None:
        """Forget the worker: cancel() no longer reaches it, and run() starts the utterance again."""
        with self._lock:
            self._worker = self._output = None

    def run(self, worker: Worker, threads: int, on_work_done: Callable[[], None] = lambda: None) -> None:
        """Read the results from `worker` until they end, starting the utterance unless start() has.

        Args:
            worker: The worker that start() was called with, if it was.
            threads: Number of cores to use.
            on_work_done: Called once the worker can accept its next utterance; not called when the task is cancelled.

        Raises:
            ClientGone: The task was cancelled.
            SpeechError: What the worker raises.
        """
        try:
            if self._output is None:
                self.start(worker, threads)
            if self._output is None:
                raise ClientGone("Nobody waits for this utterance any more.")
            for answer in self._output:
                if isinstance(answer, WorkDone):
                    with self._lock:  # from now on a cancel would hit the worker's next utterance
                        self._worker = None
                        wanted = not self.is_cancelled
                    if wanted:
                        on_work_done()
                    continue
                self.has_output = True
                self.audio_seconds += answer.seconds if isinstance(answer, Chunk) else 0.0
                self._results.put(answer)
        finally:
            self.release_worker()

    def cancel(self) -> None:
        """Mark the task as cancelled and stop the worker that runs it, if any. Thread-safe."""
        with self._lock:
            self.is_cancelled = True
            if self._worker is not None:
                self._worker.cancel()

    def finish(self, error: SpeechError | None = None) -> None:
        """End iter_results(), with `error` when there is one."""
        self._results.put(error)

    def iter_results(self, context: RequestContext) -> Iterator[Any]:
        """Yield the results as they arrive. Raises the task's error, ClientGone or TimedOut."""
        while True:
            context.ensure_active()
            try:
                answer = self._results.get(timeout=CANCEL_POLL_INTERVAL)
            except queue.Empty:
                continue
            if answer is None:
                return
            if isinstance(answer, SpeechError):
                raise answer
            yield answer


class TaskQueue(Protocol):
    """Queue the tasks of tickets until workers take them. Thread-safe."""

    def add_task(self, ticket: Ticket, task: Task) -> None:
        """Queue a task of the ticket. Raises WorkerUnavailable when the queue is closed."""

    def withdraw(self, ticket: Ticket) -> None:
        """Drop the queued tasks of the ticket."""


class Ticket:
    """Hold one request's place in the scheduler: its queued tasks and its start time."""

    def __init__(self, task_queue: TaskQueue, characters: int, is_background: bool = False) -> None:
        self._task_queue = task_queue
        self._submitted: list[Task] = []
        self.characters = characters
        self.is_background = is_background
        self.created_at = time.monotonic()
        self.queued_tasks: deque[Task] = deque()

    def submit(self, utterance: Utterance, operation: UtteranceOperation = synthesize_utterance) -> Task:
        """Queue the utterance behind the request's other tasks; return its task."""
        task = Task(utterance, operation)
        self._submitted.append(task)
        self._task_queue.add_task(self, task)
        return task

    def withdraw(self) -> None:
        """Drop the queued tasks and cancel the running ones."""
        # Dequeue first, or a worker could take a task between the two steps and start it for nothing.
        self._task_queue.withdraw(self)
        for task in self._submitted:
            task.cancel()
