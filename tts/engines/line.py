"""The waiting line: requests take turns, task by task, so that a long text does not starve a short one.

Background requests are spoken only while nobody listens or, where workers share no cores, by those that are free. A
task of theirs in a listener's way is ended, which its request hears of as ClientGone, and may be asked for again.
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
"""Seconds between two looks at whether the client is still there: a quarter of what a leaving client may cost."""

PACE = 15.0
"""Characters a second of English speech, to begin with; the line learns how fast its workers are."""


Work = Callable[[Utterance, Worker, int], Iterator[Any]]
"""What a worker, with so many threads, makes of an utterance."""


def speak(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Chunk | None]:
    """The utterance's sound, as loud as it wants, and the worker's None; a pause needs no worker."""
    if not utterance.text.strip():
        return iter([Chunk(np.zeros(round(utterance.rest * SAMPLE_RATE), np.float32))])
    chunks = worker.speak(utterance, threads)
    if utterance.gain == 1.0:
        return chunks
    gain = np.float32(utterance.gain)
    return (chunk and replace(chunk, samples=chunk.samples * gain) for chunk in chunks)


def read(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Pronunciation]:
    """How the utterance is read."""
    yield worker.phonemize(utterance)


class Task:
    """One utterance on its way: made by a request, worked on by one worker, read by the request."""

    def __init__(self, utterance: Utterance, work: Work) -> None:
        self.utterance = utterance
        self._work = work
        self.cancelled = False
        self.answered = False
        """Whether any of it can have been heard."""
        self.sound = 0.0
        """Seconds of it that were spoken."""
        self._worker: Worker | None = None
        self._begun: Iterator[Any] | None = None
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def begin(self, worker: Worker, threads: int) -> None:
        """Hand the utterance to `worker`, unless it was cancelled before; speak() is still to come."""
        with self._lock:  # a cancel comes before this, or reaches the worker
            if not self.cancelled:
                self._worker = worker
                self._begun = self._work(self.utterance, worker, threads)

    def let_go(self) -> None:
        """No worker has it any more."""
        with self._lock:
            self._worker = self._begun = None

    def speak(self, worker: Worker, threads: int, ending: Callable[[], None] = lambda: None) -> None:
        """Have `worker` speak the utterance, and `ending` called when the worker could be handed the next one.

        Raises what the worker raises, ClientGone when it was cancelled before.
        """
        try:
            if self._begun is None:
                self.begin(worker, threads)
            if self._begun is None:
                raise ClientGone("Nobody waits for this utterance any more.")
            for answer in self._begun:
                if answer is None:
                    with self._lock:  # a cancel would be about the next one
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
        """Nobody wants it any more: the worker that speaks it, if any, is told to stop."""
        with self._lock:
            self.cancelled = True
            if self._worker is not None:
                self._worker.cancel()

    def end(self, error: SpeechError | None = None) -> None:
        """Nothing more will come, for this reason or because all is said."""
        self._answers.put(error)

    def answers(self, listener: Listener) -> Iterator[Any]:
        """What the worker answers, as it comes. Raises the task's error, ClientGone or TimedOut."""
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
    """Every request's tasks; workers take the next one with `take`, requests come with `enter` and go with `leave`."""

    def __init__(self, workers: int, longest: int, apart: bool = False) -> None:
        """Up to `longest` requests wait for `workers`, which are `apart` when they share no cores."""
        self._workers = workers
        self._apart = apart
        self._longest = longest
        self._changed = threading.Condition()
        self._turns: deque[Place] = deque()
        self._waiting: set[Place] = set()
        self._busy = 0
        self._background: deque[Place] = deque()
        self._interruptible: dict[Task, None] = {}
        """Background tasks that are being spoken, the oldest first: elsewhere, the newest may not have been begun."""
        self._ending: set[Task] = set()
        """Listeners' tasks whose worker has no more work with them: only their sound is still handed over."""
        self._closed = False
        self._pace = PACE * workers
        self._taken = 0
        self._waited = 0.0

    def enter(self, characters: int, background: bool = False) -> Place:
        """A place in the line. Raises Busy when as many requests wait as may; in the background any number may."""
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            if not background and len(self._waiting) >= self._longest + max(0, self._workers - self._busy):
                raise Busy(
                    f"{len(self._waiting)} requests are waiting already: try again later.",
                    round(self._seconds(), 1),
                )
            place = Place(self, characters, background)
            if not background:
                self._waiting.add(place)
            return place

    def add(self, place: Place, task: Task) -> None:
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            if not place.tasks:
                (self._background if place.background else self._turns).append(place)
            place.tasks.append(task)
            interrupted = [] if place.background else self._in_the_way()
            self._changed.notify()
        for other in interrupted:
            other.cancel()

    def leave(self, place: Place) -> None:
        with self._changed:
            self._waiting.discard(place)
            place.tasks.clear()
            for turns in (self._turns, self._background):
                if place in turns:
                    turns.remove(place)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def workers(self) -> int:
        """How many workers serve it now."""
        return self._workers

    def resize(self, workers: int) -> None:
        """So many workers serve it from now on."""
        with self._changed:
            self._pace *= workers / self._workers
            self._workers = workers
            self._changed.notify_all()

    def take(self, seconds: float) -> tuple[Task, int] | None:
        """The next task, and how many tasks share the cores now; None when none came within `seconds`, or ever will."""
        with self._changed:
            self._changed.wait_for(lambda: self._due() or self._closed, seconds)
            if self._closed or not self._due():
                return None
            return self._first(self._due())

    def follow(self, task: Task, seconds: float) -> tuple[Task, int] | None:
        """What a worker that ends `task` goes on with at once; then `task`, which took it so long, is done.

        None, and `task` is not done, though it leaves the cores to others, when nothing waits that a listener's task
        makes way for: its request may be about to ask for more.
        """
        with self._changed:
            more = self._background if task in self._interruptible and not self._busy else None
            turns = self._turns or more
            if self._closed or self._apart or not turns:
                if task not in self._interruptible:
                    self._ending.add(task)
                return None
            self._end(task, seconds)
            return self._first(turns)

    def _first(self, turns: deque[Place]) -> tuple[Task, int]:
        """The next task of these, and how many share the cores with it, itself included."""
        place = turns.popleft()
        self._note(place)
        task = place.tasks.popleft()
        if place.tasks:
            turns.append(place)
        return task, self._begun(place, task) + sum(len(other.tasks) for other in turns)

    def _note(self, place: Place) -> None:
        """A request that waited does so no longer."""
        if place in self._waiting:
            self._waiting.remove(place)
            self._taken += 1
            self._waited += time.monotonic() - place.since

    def _due(self) -> deque[Place]:
        """The turns to take one of, none while no worker is free for them: the background's only when nothing of a
        listener's waits, nor is being spoken on the same cores."""
        if not self._apart:
            return self._turns if self._turns or self._busy else self._background
        spoken = self._busy if self._turns else self._busy + len(self._interruptible)
        return (self._turns or self._background) if spoken < self._workers else deque()

    def _in_the_way(self) -> list[Task]:
        """Background tasks to give way to one more of a listener's: all on its cores, or one when no worker is free."""
        spoken = [task for task in self._interruptible if not task.cancelled]
        if not self._apart:
            return spoken
        return spoken[:1] if self._busy + len(spoken) >= self._workers else []

    def _begun(self, place: Place, task: Task) -> int:
        """How many tasks of the kind of `task` need the cores, itself included."""
        if place.background:
            self._interruptible[task] = None
            return len(self._interruptible)
        self._busy += 1
        return self._busy - len(self._ending)

    def done(self, task: Task, seconds: float) -> None:
        """A worker has ended `task`, which took it so long."""
        with self._changed:
            self._end(task, seconds)
            if not self._busy:
                self._changed.notify_all()  # the background may have been waiting for this

    def _end(self, task: Task, seconds: float) -> None:
        if task in self._interruptible:
            del self._interruptible[task]
        else:
            self._busy -= 1
            self._ending.discard(task)
        if seconds > 0.01 and not task.cancelled:
            pace = len(task.utterance.text) / seconds * self._workers
            self._pace += 0.1 * (pace - self._pace)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            tasks = [task for place in (*self._turns, *self._background) for task in place.tasks]
            self._turns.clear()
            self._background.clear()
        for task in tasks:
            task.end(WorkerUnavailable("The server is shutting down."))

    def length(self) -> tuple[int, int]:
        """How many requests wait, and how many tasks are spoken now."""
        with self._changed:
            return len(self._waiting), self._busy + len(self._interruptible)

    def waits(self) -> tuple[int, float]:
        """How many requests have come to their turn so far, and the seconds that they waited for it in all."""
        with self._changed:
            return self._taken, self._waited

    def _seconds(self) -> float:
        """How long the line would take at the measured pace, in seconds, at least one."""
        return max(1.0, sum(place.characters for place in self._waiting) / max(1.0, self._pace))


class Place:
    """One request's place in the line."""

    def __init__(self, line: Line, characters: int, background: bool = False) -> None:
        self._line = line
        self._open: list[Task] = []
        self.characters = characters
        self.background = background
        self.since = time.monotonic()
        self.tasks: deque[Task] = deque()

    def submit(self, utterance: Utterance, work: Work = speak) -> Task:
        """Put a task at the end of this request's own."""
        task = Task(utterance, work)
        self._open.append(task)
        self._line.add(self, task)
        return task

    def leave(self) -> None:
        """Give up whatever is not spoken yet."""
        self._line.leave(self)
        for task in self._open:
            task.cancel()
