"""The waiting line: requests take turns, task by task, so that a long text does not starve a short one."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from tts.engines.base import Listener, Worker
from tts.speech.audio import SAMPLE_RATE, Chunk
from tts.speech.errors import Busy, SpeechError, WorkerUnavailable
from tts.speech.text import Utterance

POLL = 0.05
"""Seconds between two looks at whether the client is still there: a quarter of what a leaving client may cost."""

PACE = 15.0
"""Characters a second of English speech, to begin with; the line learns how fast its workers are."""


class Task:
    """One utterance on its way: made by a request, worked on by one worker, read by the request."""

    def __init__(self, utterance: Utterance) -> None:
        self.utterance = utterance
        self.cancelled = False
        self._worker: Worker | None = None
        self._lock = threading.Lock()
        self._answers: queue.SimpleQueue[Chunk | SpeechError | None] = queue.SimpleQueue()

    def speak(self, worker: Worker, threads: int) -> None:
        """Have `worker` speak the utterance. Raises what the worker raises."""
        try:
            with self._lock:  # a cancel comes before this, or reaches the worker
                if self.cancelled:
                    return
                self._worker = worker
                chunks = _said(self.utterance, worker, threads)
            for chunk in chunks:
                self._answers.put(chunk)
        finally:
            with self._lock:
                self._worker = None

    def cancel(self) -> None:
        """Nobody wants it any more: the worker that speaks it, if any, is told to stop."""
        with self._lock:
            self.cancelled = True
            if self._worker is not None:
                self._worker.cancel()

    def end(self, error: SpeechError | None = None) -> None:
        """Nothing more will come, for this reason or because all is said."""
        self._answers.put(error)

    def chunks(self, listener: Listener) -> Iterator[Chunk]:
        """The chunks as they come. Raises the task's error, ClientGone or TimedOut."""
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


def _said(utterance: Utterance, worker: Worker, threads: int) -> Iterator[Chunk]:
    """The utterance's sound, as loud as it wants; a pause needs no worker."""
    if not utterance.text.strip():
        return iter([Chunk(np.zeros(round(utterance.rest * SAMPLE_RATE), np.float32))])
    chunks = worker.speak(utterance, threads)
    if utterance.gain == 1.0:
        return chunks
    return (replace(chunk, samples=chunk.samples * np.float32(utterance.gain)) for chunk in chunks)


class Line:
    """Every request's tasks; workers take the next one with `take`, requests come with `enter` and go with `leave`."""

    def __init__(self, workers: int, longest: int) -> None:
        self._workers = workers
        self._longest = longest
        self._changed = threading.Condition()
        self._turns: deque[Place] = deque()
        self._waiting: set[Place] = set()
        self._busy = 0
        self._closed = False
        self._pace = PACE * workers

    def enter(self, characters: int) -> Place:
        """A place in the line. Raises Busy when as many requests wait as may."""
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            if len(self._waiting) >= self._longest + max(0, self._workers - self._busy):
                raise Busy(
                    f"{len(self._waiting)} requests are waiting already: try again later.",
                    round(self._seconds(), 1),
                )
            place = Place(self, characters)
            self._waiting.add(place)
            return place

    def add(self, place: Place, task: Task) -> None:
        with self._changed:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            if not place.tasks:
                self._turns.append(place)
            place.tasks.append(task)
            self._changed.notify()

    def leave(self, place: Place) -> None:
        with self._changed:
            self._waiting.discard(place)
            place.tasks.clear()
            if place in self._turns:
                self._turns.remove(place)

    @property
    def closed(self) -> bool:
        return self._closed

    def take(self, seconds: float) -> tuple[Task, int] | None:
        """The next task, and how many tasks share the cores now; None when none came within `seconds`, or ever will."""
        with self._changed:
            self._changed.wait_for(lambda: self._turns or self._closed, seconds)
            if self._closed or not self._turns:
                return None
            place = self._turns.popleft()
            self._waiting.discard(place)
            task = place.tasks.popleft()
            if place.tasks:
                self._turns.append(place)
            self._busy += 1
            return task, self._busy + sum(len(other.tasks) for other in self._turns)

    def done(self, task: Task, seconds: float) -> None:
        """A worker has ended `task`, which took it so long."""
        with self._changed:
            self._busy -= 1
            if seconds > 0.01 and not task.cancelled:
                pace = len(task.utterance.text) / seconds * self._workers
                self._pace += 0.1 * (pace - self._pace)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            tasks = [task for place in self._turns for task in place.tasks]
            self._turns.clear()
        for task in tasks:
            task.end(WorkerUnavailable("The server is shutting down."))

    def length(self) -> tuple[int, int]:
        """How many requests wait, and how many tasks are spoken now."""
        with self._changed:
            return len(self._waiting), self._busy

    def _seconds(self) -> float:
        """How long the line would take at the measured pace, in seconds, at least one."""
        return max(1.0, sum(place.characters for place in self._waiting) / max(1.0, self._pace))


class Place:
    """One request's place in the line."""

    def __init__(self, line: Line, characters: int) -> None:
        self._line = line
        self._open: list[Task] = []
        self.characters = characters
        self.tasks: deque[Task] = deque()

    def submit(self, utterance: Utterance) -> Task:
        """Put a task at the end of this request's own."""
        task = Task(utterance)
        self._open.append(task)
        self._line.add(self, task)
        return task

    def leave(self) -> None:
        """Give up whatever is not spoken yet."""
        self._line.leave(self)
        for task in self._open:
            task.cancel()
