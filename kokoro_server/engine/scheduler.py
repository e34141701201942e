"""Decide which task a worker runs next: the state machine of all requests' tickets and tasks.

Ticket: waiting (admit(); too many of these raise Busy) -> running (its first task is taken) -> withdrawn. It is in the
foreground or the background queue exactly while it has queued tasks. Background tickets never count as waiting.

Task: queued (add_task()) -> running (next_task(), prefetch_task()) -> complete (complete_task()). A worker takes a task
of the first ticket, which then moves to the end, so that a long text starves no short one. Once all audio is made, with
the last of it still to be delivered, prefetch_task() gives the worker its next task and completes this one; without
a next one a foreground task runs on as "work done", which uses no cores. withdraw() drops queued tasks, close() fails
them.

Background tasks run while no foreground task is queued or running (shared cores) or on free workers (dedicated cores).
A new foreground task cancels those in its way; their requests get ClientGone and may submit them again.

Lock: _changed guards all state here, the tickets' queued tasks included. No code takes a task's lock while it holds it.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from kokoro_server.core.errors import Busy, WorkerUnavailable
from kokoro_server.engine.task import Task, Ticket

INITIAL_PACE = 15.0
"""Characters a second and worker, as the initial estimate: the rate of English speech. Measured from then on."""


class Scheduler:
    """Queue the tasks of all requests and hand them to the workers. Thread-safe.

    Requests call admit(), Ticket.submit() and Ticket.withdraw(); worker threads call next_task(), prefetch_task() and
    complete_task().
    """

    def __init__(self, workers: int, max_waiting: int, dedicated_cores: bool = False) -> None:
        """Create a scheduler for that many workers.

        Args:
            workers: Number of workers, at least 1; see resize().
            max_waiting: Requests that may wait while all workers are busy.
            dedicated_cores: Whether each worker has its own cores; else they share those of this machine.
        """
        self._workers = workers
        self._dedicated_cores = dedicated_cores
        self._max_waiting = max_waiting
        self._changed = threading.Condition()
        self._foreground: deque[Ticket] = deque()
        self._waiting_tickets: set[Ticket] = set()
        self._running_foreground = 0
        self._background: deque[Ticket] = deque()
        self._running_background: dict[Task, None] = {}
        """Running background tasks, the oldest first (a dict as an ordered set): on a cluster the newest may not have
        started, so preempting the oldest is what frees a worker."""
        self._work_done_tasks: set[Task] = set()
        """Running foreground tasks whose work is done: they use no cores while their last audio is delivered."""
        self._is_closed = False
        self._pace = INITIAL_PACE * workers  # characters a second, of all workers together
        self._served_count = 0
        self._total_wait = 0.0

    def admit(self, characters: int, is_background: bool = False) -> Ticket:
        """Return a ticket for a request of that many characters. Background requests are always admitted.

        Raises:
            Busy: As many requests wait as may; has the estimated wait in seconds.
            WorkerUnavailable: The scheduler is closed.
        """
        with self._changed:
            if self._is_closed:
                raise WorkerUnavailable("The server is shutting down.")
            # A request counts as waiting until its first task is taken, so the requests that free workers are about to
            # take come on top of the queue's own length.
            if not is_background and len(self._waiting_tickets) >= self._max_waiting + max(
                0, self._workers - self._running_foreground
            ):
                raise Busy(
                    f"{len(self._waiting_tickets)} requests are waiting already: try again later.",
                    round(self._estimate_wait(), 1),
                )
            ticket = Ticket(self, characters, is_background)
            if not is_background:
                self._waiting_tickets.add(ticket)
            return ticket

    def add_task(self, ticket: Ticket, task: Task) -> None:
        """Queue a task of the ticket, and preempt the background tasks in its way.

        Raises WorkerUnavailable when the scheduler is closed.
        """
        with self._changed:
            if self._is_closed:
                raise WorkerUnavailable("The server is shutting down.")
            # A ticket is in a queue exactly while it has queued tasks.
            if not ticket.queued_tasks:
                (self._background if ticket.is_background else self._foreground).append(ticket)
            ticket.queued_tasks.append(task)
            preempted = [] if ticket.is_background else self._find_tasks_to_preempt()
            self._changed.notify()
        for other in preempted:  # outside the lock: cancel() may block on the worker's pipe
            other.cancel()

    def withdraw(self, ticket: Ticket) -> None:
        """Drop the queued tasks of the ticket; its running tasks are not affected."""
        with self._changed:
            self._waiting_tickets.discard(ticket)
            ticket.queued_tasks.clear()
            for tickets in (self._foreground, self._background):
                if ticket in tickets:
                    tickets.remove(ticket)

    @property
    def is_closed(self) -> bool:
        """Return whether close() was called."""
        return self._is_closed

    @property
    def worker_count(self) -> int:
        """Return the current number of workers."""
        return self._workers

    def resize(self, workers: int) -> None:
        """Set the number of workers, at least 1, and scale the measured pace with it."""
        with self._changed:
            # The pace is that of all workers together.
            self._pace *= workers / self._workers
            self._workers = workers
            self._changed.notify_all()

    def next_task(self, timeout: float) -> tuple[Task, int] | None:
        """Wait up to `timeout` seconds for a task; return it with the number of tasks that share the cores.

        Returns None when none came in time, or when the scheduler is closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._select_queue() or self._is_closed, timeout)
            if self._is_closed or not self._select_queue():
                return None
            return self._dequeue_task(self._select_queue())

    def prefetch_task(self, task: Task, seconds: float) -> tuple[Task, int] | None:
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
            background = self._background if task in self._running_background and not self._running_foreground else None
            tickets = self._foreground or background
            if self._is_closed or self._dedicated_cores or not tickets:
                if task not in self._running_background:
                    self._work_done_tasks.add(task)
                return None
            self._record_completion(task, seconds)
            return self._dequeue_task(tickets)

    def _dequeue_task(self, tickets: deque[Ticket]) -> tuple[Task, int]:
        """Dequeue a task of the first ticket; return it with the number of tasks that share the cores."""
        ticket = tickets.popleft()
        self._record_wait(ticket)
        task = ticket.queued_tasks.popleft()
        if ticket.queued_tasks:
            tickets.append(ticket)  # round robin: the rest of this request waits for its next turn
        # Count queued tasks, too: their workers are about to take them, and threads cannot be taken back from a task.
        return task, self._mark_running(ticket, task) + sum(len(other.queued_tasks) for other in tickets)

    def _record_wait(self, ticket: Ticket) -> None:
        """Record the wait of a request whose first task is taken."""
        if ticket in self._waiting_tickets:
            self._waiting_tickets.remove(ticket)
            self._served_count += 1
            self._total_wait += time.monotonic() - ticket.created_at

    def _select_queue(self) -> deque[Ticket]:
        """Return the queue to take a task from; empty when no worker is free for any.

        Shared cores: the foreground queue, or the background queue while no foreground task is queued or running.
        Dedicated cores: the foreground queue first; a worker that runs a background task counts as free for it, because
        add_task() preempts that task.
        """
        if not self._dedicated_cores:
            return self._foreground if self._foreground or self._running_foreground else self._background
        running = (
            self._running_foreground if self._foreground else self._running_foreground + len(self._running_background)
        )
        return (self._foreground or self._background) if running < self._workers else deque()

    def _find_tasks_to_preempt(self) -> list[Task]:
        """Return the background tasks that a new foreground task preempts.

        All of them with shared cores; with dedicated cores the oldest one, and only when no worker is free.
        """
        running = [task for task in self._running_background if not task.is_cancelled]
        if not self._dedicated_cores:
            return running
        return running[:1] if self._running_foreground + len(running) >= self._workers else []

    def _mark_running(self, ticket: Ticket, task: Task) -> int:
        """Mark the task as running; return how many of its kind use the cores, itself included."""
        if ticket.is_background:
            self._running_background[task] = None
            return len(self._running_background)
        self._running_foreground += 1
        return self._running_foreground - len(self._work_done_tasks)

    def complete_task(self, task: Task, seconds: float) -> None:
        """Record that a worker has completed `task`, after that many seconds of work."""
        with self._changed:
            self._record_completion(task, seconds)
            if not self._running_foreground:
                self._changed.notify_all()  # background tasks wait until no foreground task runs

    def _record_completion(self, task: Task, seconds: float) -> None:
        """Remove the task from the running ones and update the measured pace."""
        if task in self._running_background:
            del self._running_background[task]
        else:
            self._running_foreground -= 1
            self._work_done_tasks.discard(task)
        # Pauses take no time and cancelled tasks are incomplete: neither says how fast workers are. All workers are
        # assumed to be as fast as this one.
        if seconds > 0.01 and not task.is_cancelled:
            pace = len(task.utterance.text) / seconds * self._workers
            self._pace += 0.1 * (pace - self._pace)  # exponential moving average

    def close(self) -> None:
        """Refuse further tasks, and fail the queued ones with WorkerUnavailable."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            tasks = [task for ticket in (*self._foreground, *self._background) for task in ticket.queued_tasks]
            self._foreground.clear()
            self._background.clear()
        for task in tasks:
            task.finish(WorkerUnavailable("The server is shutting down."))

    def get_load(self) -> tuple[int, int]:
        """Return (waiting requests, running tasks)."""
        with self._changed:
            return len(self._waiting_tickets), self._running_foreground + len(self._running_background)

    def get_wait_totals(self) -> tuple[int, float]:
        """Return (requests whose first task was taken, seconds that these waited in total), since the start."""
        with self._changed:
            return self._served_count, self._total_wait

    def _estimate_wait(self) -> float:
        """Estimate the seconds until all waiting requests are synthesized, at least 1."""
        return max(1.0, sum(ticket.characters for ticket in self._waiting_tickets) / max(1.0, self._pace))
