"""Run an engine on several workers, each driven by a thread that takes tasks from the scheduler.

Pool.synthesize() runs in the request's thread: it submits utterances to the scheduler, a few ahead of the one whose
chunks it yields. A WorkerThread takes tasks, runs them on its worker, restarts the worker after it died, and calls its
on_idle() while there is nothing to do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from tts.engines.base import Listener, Worker
from tts.engines.headway import Headway
from tts.engines.line import Line, Task, Work, read
from tts.engines.logs import about
from tts.speech.audio import Chunk
from tts.speech.errors import ClientGone, SpeechError, SynthesisFailed, WorkerLost, WorkerUnavailable
from tts.speech.request import Pronunciation, Run, SpeechRequest
from tts.speech.text import Sizes, Utterance, utterances
from tts.speech.voices import find_voice

log = logging.getLogger(__name__)

IDLE = 1.0
"""Seconds between two checks of an idle worker: whether its process is alive, and whether it should be unloaded."""


class Pool:
    """Synthesize requests on a fixed set of workers. Thread-safe.

    Args:
        name: Value of "engine" in the status.
        workers: The workers, not started yet; the pool closes them.
        threads: Cores that the workers share; 0 says that each has cores of its own, on another machine.
        max_waiting: Requests that may wait for a worker; further ones get Busy.
        sizes: Bounds for the length of an utterance.
        idle_interval: Seconds between two checks of an idle worker.
    """

    def __init__(
        self, name: str, workers: Sequence[Worker], threads: int, queue: int, sizes: Sizes, idle: float = IDLE
    ) -> None:
        self.name = name
        self._sizes = sizes
        # threads == 0 is the cluster: each worker has the cores of its own machine.
        self._line = Line(len(workers), queue, apart=threads == 0)
        self._drivers = [Driver(f"worker-{i}", each, self._line, threads, idle) for i, each in enumerate(workers)]

    def start(self) -> None:
        """Start all workers in parallel; return when the first one is ready.

        Raises WorkerUnavailable, and closes the pool, when all have failed.
        """
        for driver in self._drivers:
            driver.start()
        # Workers load in parallel: return at the first that is ready, however long the others take.
        errors = []
        for driver in self._drivers:
            error = driver.wait()
            if error is None:
                return
            errors.append(error)
        self.close()
        raise errors[0]

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        """Split the request into the utterances that synthesize() will produce, in order."""
        return utterances(request, self._sizes)

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        """Yield the audio of the request, in order; closing the iterator cancels the rest. See Engine."""
        # Before the text is split: a request beyond the bound costs nothing.
        ticket = self._line.enter(len(request.text), request.background)
        parts = self.plan(request)
        planned = iter(parts)
        in_flight: deque[Task] = deque()
        policy = Headway(parts)

        def prefetch(max_in_flight: int) -> None:
            while len(in_flight) < max_in_flight and (utterance := next(planned, None)):
                in_flight.append(ticket.submit(replace(utterance, request_id=listener.request_id)))

        try:
            prefetch(self.lead(policy))
            index = 0
            while in_flight:
                # Utterances may be complete in any order; their audio is yielded in order.
                for chunk in in_flight[0].answers(listener):
                    policy.came(index, chunk)
                    prefetch(self.lead(policy))
                    yield _written(chunk, request.text)
                in_flight.popleft()
                index += 1
                prefetch(1)  # so that the loop goes on when none is in flight
        finally:
            ticket.leave()

    def lead(self, headway: Headway) -> int:
        """Return how many utterances of a request may be in flight, the one being delivered included.

        One at a time, each on all cores, until the playback buffer lets all workers go ahead; see PrefetchPolicy. Two
        once audio has arrived, so that the next utterance is queued when the work on this one is done.
        """
        workers = len(self._drivers)
        # One more than there are workers, so that one is queued when a worker becomes free.
        if headway.suffices(workers):
            return workers + 1
        return 2 if headway.begun else 1

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        """Return the phonemes of `text` in the language with that letter. See Engine."""
        runs = (Run(text, 0, len(text)),)
        utterance = Utterance(runs, find_voice("af_heart"), language, emoji=emoji, request_id=listener.request_id)
        found: Pronunciation
        (found,) = self.ask(utterance, read, listener)
        return found

    def ask(self, utterance: Utterance, work: Work, listener: Listener) -> Iterator[Any]:
        """Run one operation on one utterance and yield its results. Raises what synthesize() raises."""
        ticket = self._line.enter(len(utterance.text))
        try:
            yield from ticket.submit(utterance, work).answers(listener)
        finally:
            ticket.leave()

    def status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values. See Engine."""
        waiting, busy = self._line.length()
        return {
            "engine": self.name,
            "workers": len(self._drivers),
            "ready": sum(driver.ready for driver in self._drivers),
            "asleep": sum(driver.asleep for driver in self._drivers),
            "busy": busy,
            "waiting": waiting,
            "totals": self._totals(),
        }

    def _totals(self) -> dict[str, float]:
        """Return the counters since the start: times in seconds, "sound_seconds" of audio."""
        taken, waited = self._line.waits()
        return {
            "waits": taken,
            "wait_seconds": round(waited, 3),
            "utterances": sum(driver.utterances for driver in self._drivers),
            "work_seconds": round(sum(driver.worked for driver in self._drivers), 6),
            "sound_seconds": round(sum(driver.spoken for driver in self._drivers), 3),
            "restarts": sum(driver.restarts for driver in self._drivers),
        }

    def close(self) -> None:
        """Stop the workers and join their threads; requests in progress get WorkerUnavailable."""
        self._line.close()
        for driver in self._drivers:
            driver.stop()
        for driver in self._drivers:
            if driver.is_alive():
                driver.join()


def _written(chunk: Chunk, text: str) -> Chunk:
    """Return the chunk with the text of its words as in the original text."""
    return Chunk(chunk.samples, tuple(replace(word, text=text[word.start : word.end]) for word in chunk.words))


class Driver(threading.Thread):
    """Take tasks from the scheduler and run them on one worker; restart the worker after it died.

    The loop in run() does one of these at a time: run the prefetched task, or the next one; unload or recycle the idle
    worker; restart a dead one. A worker that cannot start is tried again only when a task arrives.
    """

    def __init__(self, name: str, worker: Worker, line: Line, threads: int, idle: float) -> None:
        super().__init__(name=name, daemon=True)
        self._worker = worker
        self._line = line
        self._threads = threads
        self._idle = idle
        self._tried = threading.Event()
        self._error: WorkerUnavailable | None = None
        self._task: Task | None = None
        self._ahead: tuple[Task, int] | None = None
        """The task, with its threads, that the worker was handed while the one before is still delivered."""
        self.utterances = 0
        self.worked = 0.0
        """Total seconds of work."""
        self.spoken = 0.0
        """Total seconds of audio produced."""

    def wait(self) -> WorkerUnavailable | None:
        """Wait until the first start has ended; return its error, None when the worker is ready."""
        while not self._tried.wait(0.5):  # on Windows a wait without a limit can't be interrupted
            pass
        return self._error

    @property
    def ready(self) -> bool:
        """Return whether the worker is ready."""
        return self._worker.ready

    @property
    def asleep(self) -> bool:
        """Return whether the worker was unloaded while idle."""
        return self._worker.asleep

    @property
    def restarts(self) -> int:
        """Return how many times the worker was started again after it had died."""
        return self._worker.restarts

    def stop(self) -> None:
        """Fail the current task and close the worker; the thread ends once the scheduler is closed."""
        task = self._task
        if task is not None:
            task.end(WorkerUnavailable("The server is shutting down."))
        self._worker.close()

    def run(self) -> None:
        """Start the worker and run tasks until the scheduler is closed."""
        with closing(self._worker):
            self._start_worker()
            self._tried.set()
            # A prefetched task is already in the worker: its request waits for it even after the scheduler was closed.
            while self._ahead or not self._line.closed:
                if assignment := self._ahead or self._shared(self._line.take(self._idle)):
                    self._ahead = None
                    self._task, threads = assignment
                    self._speak(self._task, threads)
                elif self._line.closed:
                    return
                elif self._worker.ready:
                    self._worker.rest()
                elif not self._worker.asleep and self._error is None:  # it died; see the class
                    self._start_worker()

    def _start_worker(self) -> None:
        """Start the worker and remember the error, if any."""
        self._error = None
        try:
            self._worker.start()
        except WorkerUnavailable as exc:
            log.error("%s: %s", self.name, exc)
            self._error = exc

    def _shared(self, assignment: tuple[Task, int] | None) -> tuple[Task, int] | None:
        """Return the task with its number of threads: all cores divided by the tasks that share them."""
        return assignment and (assignment[0], max(1, self._threads // assignment[1]))

    def _speak(self, task: Task, threads: int) -> None:
        """Run the task, once more when the worker was lost before any result, and complete it."""
        began = time.monotonic()
        work = partial(task.speak, self._worker, threads, partial(self._hand_ahead, task, began))
        error = self._attempt(task, work)
        if isinstance(error, WorkerLost) and not task.answered:  # nothing was delivered yet
            if self._ahead:  # it was lost with the same process
                self._ahead[0].let_go()
            if self._ahead and task.utterance.background:
                error = ClientGone("A listener's utterance goes first.")  # the request submits this one again
            else:
                error = self._attempt(task, work)
        seconds = time.monotonic() - began
        self._task = None
        self._error = error if isinstance(error, WorkerUnavailable) else None
        self.utterances += 1
        self.worked += seconds
        self.spoken += task.sound
        if self._ahead is None:
            # Else prefetch_task() has completed it, when it handed out the task after it.
            self._line.done(task, seconds)
        task.end(error)

    def _hand_ahead(self, task: Task, began: float) -> None:
        """Hand the worker its next task while the audio of `task` is still delivered.

        Called when the work on `task` is done. When this fails, run() meets the same error when it runs the next task.
        """
        if self._ahead is None and (taken := self._shared(self._line.follow(task, time.monotonic() - began))):
            # Set before start(), which may raise: run() then takes this task next and reports the error to its request.
            self._ahead = following, threads = taken
            if self._attempt(following, partial(following.begin, self._worker, threads)):
                log.warning("%s could not be handed an utterance ahead", self.name)

    def _attempt(self, task: Task, work: Callable[[], None]) -> SpeechError | None:
        """Call `work` for the task; log and return the error, if any."""
        request = about(request_id=task.utterance.request_id, worker=self.name)
        try:
            work()
        except ClientGone as exc:
            return exc
        except SpeechError as exc:
            log.warning("%s: %s", self.name, exc, extra=request)
            return exc
        except Exception:  # edge of the thread: no defect may end it, or its worker would be lost to the pool
            log.exception("%s: unexpected error", self.name, extra=request)
            return SynthesisFailed("The speech engine broke; the server's log says how.")
        return None
