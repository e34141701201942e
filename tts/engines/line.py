"""Schedule the utterances of all requests over the workers, in turns.

A request is admitted with a Ticket and submits a Task for each utterance. Tickets with queued tasks form a round-robin
queue: a worker takes one task of the first ticket, which then moves to the end, so that a long text does not starve a
short one. A request that has no task taken yet counts as waiting; above `max_waiting` of these, admit() raises Busy.

Background requests have a queue of their own. With shared cores it is served only while no foreground task is queued or
running; with dedicated cores by workers that are free and that no foreground task needs. A new foreground task preempts
background tasks in its way: they are cancelled, their requests get ClientGone and may submit them again.

A worker reports the end of its work on a task (all audio is made, the last of it not yet delivered) before the task
itself is complete. prefetch_task() then hands it the next task, so that its cores are not idle during the delivery.

Locks: Scheduler._changed guards all state of the scheduler, the tickets' queued tasks included. Task._lock guards a
task's worker. No code takes one of them while it holds the other.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from tts.engines.base import Listener, Worker
from tts.speech.audio import SAMPLE_RATE, Chunk
from tts.speech.errors import Busy, ClientGone, SpeechError, WorkerUnavailable
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance

POLL = 0.05
"""Seconds between two checks for cancellation: a quarter of the 200 ms in which a departed client must free its
worker."""

PACE = 15.0
"""Characters a second and worker, as the initial estimate: the rate of English speech. Measured from then on."""


Work = Callable[[Utterance, Worker, int], Iterator[Any]]
"""What to do with an utterance on a worker with that many threads; yields the results."""


def speak(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Chunk | None]:
    """Return the utterance's chunks with its gain applied, and the worker's None when its work is done.

    A pause without text is synthesized here, as silence, without the worker.
    """
    if not utterance.text.strip():
        return iter([Chunk(np.zeros(round(utterance.rest * SAMPLE_RATE), np.float32))])
    chunks = worker.speak(utterance, threads)
    if utterance.gain == 1.0:
        return chunks
    gain = np.float32(utterance.gain)
    return (chunk and replace(chunk, samples=chunk.samples * gain) for chunk in chunks)


def read(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Pronunciation]:
    """Yield the phonemes of the utterance, once."""
    yield worker.phonemize(utterance)


class Task:
    """Carry one utterance from its request through a worker and the results back.

    The request's thread submits it, reads iter_results() and may cancel() it. A worker thread calls start(), run() and
    finish(). The thread of another request may cancel() it to preempt it.
    """

    def __init__(self, utterance: Utterance, work: Work) -> None:
        self.utterance = utterance
        self._work = work
        self.cancelled = False
        self.answered = False
        """Whether the request may have received part of the result, so that the task cannot be run again."""
        self.sound = 0.0
        """Seconds of audio produced so far."""
        self._worker: Worker | None = None
        self._begun: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def begin(self, worker: Worker, threads: int) -> None:
        """Hand the utterance to `worker` unless the task is cancelled; run() reads the results later.

        Calling this before run() lets a worker prefetch the utterance while the one before is still delivered.
        """
        with self._lock:  # a concurrent cancel() either prevents the start or reaches the worker
            if not self.cancelled:
                self._worker = worker
                self._begun = self._work(self.utterance, worker, threads)

    def let_go(self) -> None:
        """Forget the worker: cancel() no longer reaches it, and run() starts the utterance again."""
        with self._lock:
            self._worker = self._begun = None

    def speak(self, worker: Worker, threads: int, ending: Callable[[], None] = lambda: None) -> None:
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
            if self._begun is None:
                self.begin(worker, threads)
            if self._begun is None:
                raise ClientGone("Nobody waits for this utterance any more.")
            for answer in self._begun:
                if answer is None:
                    with self._lock:  # from now on a cancel would hit the worker's next utterance
                        self._worker = None
                        wanted = not self.cancelled
                    if wanted:
                        ending()
                    continue
                self.answered = True
                self.sound += answer.seconds if isinstance(answer, Chunk) else 0.0
                self._answers.put(answer)
        finally:
            self.let_go()

    def cancel(self) -> None:
        """Mark the task as cancelled and stop the worker that runs it, if any. Thread-safe."""
        with self._lock:
            self.cancelled = True
            if self._worker is not None:
                self._worker.cancel()

    def end(self, error: SpeechError | None = None) -> None:
        """End iter_results(), with `error` when there is one."""
        self._answers.put(error)

    def answers(self, listener: Listener) -> Iterator[Any]:
        """Yield the results as they arrive. Raises the task's error, ClientGone or TimedOut."""
        while True:
            listener.check()
            try:
                answer = self._answers.get(timeout=POLL)
            except queue.Empty:
                continue
            if answer is None:
                return
            if isinstance(answer, SpeechError):
                raise answer
            yield answer


class Line:
    """Queue the tasks of all requests and hand them to the workers. Thread-safe.

    Requests call admit(), Ticket.submit() and Ticket.withdraw(); worker threads call next_task(), prefetch_task() and
    complete_task().
    """

    def __init__(self, workers: int, longest: int, apart: bool = False) -> None:
        """Create a scheduler for that many workers.

        Args:
            workers: Number of workers, at least 1; see resize().
            max_waiting: Requests that may wait while all workers are busy.
            dedicated_cores: Whether each worker has its own cores; else they share those of this machine.
        """
        self._workers = workers
        self._apart = apart
        self._longest = longest
        self._changed = threading.Condition()
        self._turns: deque[Place] = deque()
        self._waiting: set[Place] = set()
        self._busy = 0
        self._background: deque[Place] = deque()
        self._interruptible: dict[Task, None] = {}
        """Running background tasks, the oldest first (a dict as an ordered set): on a cluster the newest may not have
        started, so preempting the oldest is what frees a worker."""
        self._ending: set[Task] = set()
        """Running foreground tasks whose work is done: they use no cores while their last audio is delivered."""
        self._closed = False
        self._pace = PACE * workers  # characters a second, of all workers together
        self._taken = 0
        self._waited = 0.0

    def enter(self, characters: int, background: bool = False) -> Place:
        """Return a ticket for a request of that many characters. Background requests are always admitted.

        Raises:
            Busy: As many requests wait as may; has the estimated wait in seconds.
            WorkerUnavailable: The scheduler is closed.
        """
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            # A request counts as waiting until its first task is taken, so the requests that free workers are about to
            # take come on top of the queue's own length.
            if not background and len(self._waiting) >= self._longest + max(0, self._workers - self._busy):
                raise Busy(
                    f"{len(self._waiting)} requests are waiting already: try again later.",
                    round(self._seconds(), 1),
                )
            ticket = Place(self, characters, background)
            if not background:
                self._waiting.add(ticket)
            return ticket

    def add(self, place: Place, task: Task) -> None:
        """Queue a task of the ticket, and preempt the background tasks in its way.

        Raises WorkerUnavailable when the scheduler is closed.
        """
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            # A ticket is in a queue exactly while it has queued tasks.
            if not place.tasks:
                (self._background if place.background else self._turns).append(place)
            place.tasks.append(task)
            preempted = [] if place.background else self._in_the_way()
            self._changed.notify()
        for other in preempted:  # outside the lock: cancel() may block on the worker's pipe
            other.cancel()

    def leave(self, place: Place) -> None:
        """Drop the queued tasks of the ticket; its running tasks are not affected."""
        with self._changed:
            self._waiting.discard(place)
            place.tasks.clear()
            for tickets in (self._turns, self._background):
                if place in tickets:
                    tickets.remove(place)

    @property
    def closed(self) -> bool:
        """Return whether close() was called."""
        return self._closed

    @property
    def workers(self) -> int:
        """Return the current number of workers."""
        return self._workers

    def resize(self, workers: int) -> None:
        """Set the number of workers, at least 1, and scale the measured pace with it."""
        with self._changed:
            # The pace is that of all workers together.
            self._pace *= workers / self._workers
            self._workers = workers
            self._changed.notify_all()

    def take(self, seconds: float) -> tuple[Task, int] | None:
        """Wait up to `timeout` seconds for a task; return it with the number of tasks that share the cores.

        Returns None when none came in time, or when the scheduler is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._due() or self._closed, seconds)
            if self._closed or not self._due():
                return None
            return self._first(self._due())

    def follow(self, task: Task, seconds: float) -> tuple[Task, int] | None:
        """Return the next task for the worker whose work on `task` is done, and complete `task`.

        The result is that of next_task(), without waiting. None with dedicated cores, or when no task is queued that
        may follow: background tasks follow only a background one. `task` then stays running until complete_task(), but
        a foreground one no longer counts for the cores.

        Args:
            task: The task whose work is done.
            seconds: Time that the work took.
        """
        with self._changed:
            # Background tasks may follow one of their own while no foreground task runs.
            background = self._background if task in self._interruptible and not self._busy else None
            tickets = self._turns or background
            if self._closed or self._apart or not tickets:
                if task not in self._interruptible:
                    self._ending.add(task)
                return None
            self._end(task, seconds)
            return self._first(tickets)

    def _first(self, turns: deque[Place]) -> tuple[Task, int]:
        """Dequeue a task of the first ticket; return it with the number of tasks that share the cores."""
        ticket = turns.popleft()
        self._note(ticket)
        task = ticket.tasks.popleft()
        if ticket.tasks:
            turns.append(ticket)  # round robin: the rest of this request waits for its next turn
        # Count queued tasks, too: their workers are about to take them, and threads cannot be taken back from a task.
        return task, self._begun(ticket, task) + sum(len(other.tasks) for other in turns)

    def _note(self, place: Place) -> None:
        """Record the wait of a request whose first task is taken."""
        if place in self._waiting:
            self._waiting.remove(place)
            self._taken += 1
            self._waited += time.monotonic() - place.since

    def _due(self) -> deque[Place]:
        """Return the queue to take a task from; empty when no worker is free for any.

        Shared cores: the foreground queue, or the background queue while no foreground task is queued or running.
        Dedicated cores: the foreground queue first; a worker that runs a background task counts as free for it, because
        add_task() preempts that task.
        """
        if not self._apart:
            return self._turns if self._turns or self._busy else self._background
        running = self._busy if self._turns else self._busy + len(self._interruptible)
        return (self._turns or self._background) if running < self._workers else deque()

    def _in_the_way(self) -> list[Task]:
        """Return the background tasks that a new foreground task preempts.

        All of them with shared cores; with dedicated cores the oldest one, and only when no worker is free.
        """
        running = [task for task in self._interruptible if not task.cancelled]
        if not self._apart:
            return running
        return running[:1] if self._busy + len(running) >= self._workers else []

    def _begun(self, place: Place, task: Task) -> int:
        """Mark the task as running; return how many of its kind use the cores, itself included."""
        if place.background:
            self._interruptible[task] = None
            return len(self._interruptible)
        self._busy += 1
        return self._busy - len(self._ending)

    def done(self, task: Task, seconds: float) -> None:
        """Record that a worker has completed `task`, after that many seconds of work."""
        with self._changed:
            self._end(task, seconds)
            if not self._busy:
                self._changed.notify_all()  # background tasks wait until no foreground task runs

    def _end(self, task: Task, seconds: float) -> None:
        """Remove the task from the running ones and update the measured pace."""
        if task in self._interruptible:
            del self._interruptible[task]
        else:
            self._busy -= 1
            self._ending.discard(task)
        # Pauses take no time and cancelled tasks are incomplete: neither says how fast workers are. All workers are
        # assumed to be as fast as this one.
        if seconds > 0.01 and not task.cancelled:
            pace = len(task.utterance.text) / seconds * self._workers
            self._pace += 0.1 * (pace - self._pace)  # exponential moving average

    def close(self) -> None:
        """Refuse further tasks, and fail the queued ones with WorkerUnavailable."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            tasks = [task for ticket in (*self._turns, *self._background) for task in ticket.tasks]
            self._turns.clear()
            self._background.clear()
        for task in tasks:
            task.end(WorkerUnavailable("The server is shutting down."))

    def length(self) -> tuple[int, int]:
        """Return (waiting requests, running tasks)."""
        with self._changed:
            return len(self._waiting), self._busy + len(self._interruptible)

    def waits(self) -> tuple[int, float]:
        """Return (requests whose first task was taken, seconds that these waited in total), since the start."""
        with self._changed:
            return self._taken, self._waited

    def _seconds(self) -> float:
        """Estimate the seconds until all waiting requests are synthesized, at least 1."""
        return max(1.0, sum(ticket.characters for ticket in self._waiting) / max(1.0, self._pace))


class Place:
    """Hold one request's place in the scheduler: its queued tasks and its start time."""

    def __init__(self, line: Line, characters: int, background: bool = False) -> None:
        self._line = line
        self._open: list[Task] = []
        self.characters = characters
        self.background = background
        self.since = time.monotonic()
        self.tasks: deque[Task] = deque()

    def submit(self, utterance: Utterance, work: Work = speak) -> Task:
        """Queue the utterance behind the request's other tasks; return its task."""
        task = Task(utterance, work)
        self._open.append(task)
        self._line.add(self, task)
        return task

    def leave(self) -> None:
        """Drop the queued tasks and cancel the running ones."""
        # Dequeue first, or a worker could take a task between the two steps and start it for nothing.
        self._line.leave(self)
        for task in self._open:
            task.cancel()
