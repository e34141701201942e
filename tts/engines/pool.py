"""An engine of several workers on this machine, each driven by a thread that takes tasks from the waiting line."""

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
"""Seconds between two looks of an idle driver at whether its worker still lives."""


class Pool:
    """Workers, a thread for each, and the line that they serve.

    They share `threads` cores; 0 says that each has its own ones, elsewhere.
    """

    def __init__(
        self, name: str, workers: Sequence[Worker], threads: int, queue: int, sizes: Sizes, idle: float = IDLE
    ) -> None:
        self.name = name
        self._sizes = sizes
        self._line = Line(len(workers), queue, apart=threads == 0)
        self._drivers = [Driver(f"worker-{i}", each, self._line, threads, idle) for i, each in enumerate(workers)]

    def start(self) -> None:
        """Start every worker at once and wait for the first that is ready, or for the last to fail."""
        for driver in self._drivers:
            driver.start()
        errors = []
        for driver in self._drivers:
            error = driver.wait()
            if error is None:
                return
            errors.append(error)
        self.close()
        raise errors[0]

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        return utterances(request, self._sizes)

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        place = self._line.enter(len(request.text), request.background)
        parts = self.plan(request)
        waiting = iter(parts)
        under_way: deque[Task] = deque()
        headway = Headway(parts)

        def look_ahead(lead: int) -> None:
            while len(under_way) < lead and (utterance := next(waiting, None)):
                under_way.append(place.submit(replace(utterance, request_id=listener.request_id)))

        try:
            look_ahead(self.lead(headway))
            spoken = 0
            while under_way:
                for chunk in under_way[0].answers(listener):
                    headway.came(spoken, chunk)
                    look_ahead(self.lead(headway))
                    yield _written(chunk, request.text)
                under_way.popleft()
                spoken += 1
                look_ahead(1)
        finally:
            place.leave()

    def lead(self, headway: Headway) -> int:
        """How many utterances of a request may be under way, one that is heard included.

        One after another, each on all cores, until the listener has enough to listen to.
        """
        workers = len(self._drivers)
        if headway.suffices(workers):
            return workers + 1
        return 2 if headway.begun else 1

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        runs = (Run(text, 0, len(text)),)
        utterance = Utterance(runs, find_voice("af_heart"), language, emoji=emoji, request_id=listener.request_id)
        found: Pronunciation
        (found,) = self.ask(utterance, read, listener)
        return found

    def ask(self, utterance: Utterance, work: Work, listener: Listener) -> Iterator[Any]:
        """What a worker makes of one utterance. Raises what synthesize() raises."""
        place = self._line.enter(len(utterance.text))
        try:
            yield from place.submit(utterance, work).answers(listener)
        finally:
            place.leave()

    def status(self) -> dict[str, Any]:
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
        self._line.close()
        for driver in self._drivers:
            driver.stop()
        for driver in self._drivers:
            if driver.is_alive():
                driver.join()


def _written(chunk: Chunk, text: str) -> Chunk:
    """The chunk with its words as they stand in the text as sent."""
    return Chunk(chunk.samples, tuple(replace(word, text=text[word.start : word.end]) for word in chunk.words))


class Driver(threading.Thread):
    """Takes tasks from the line and has its worker speak them; starts the worker again after it failed."""

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
        """What the worker has been handed while it still hands over the sound before."""
        self.utterances = 0
        self.worked = 0.0
        """Seconds of work so far."""
        self.spoken = 0.0
        """Seconds of sound so far."""

    def wait(self) -> WorkerUnavailable | None:
        """Wait until the worker is ready, or say why it will not be."""
        while not self._tried.wait(0.5):  # on Windows a wait without a limit can't be interrupted
            pass
        return self._error

    @property
    def ready(self) -> bool:
        return self._worker.ready

    @property
    def asleep(self) -> bool:
        return self._worker.asleep

    @property
    def restarts(self) -> int:
        return self._worker.restarts

    def stop(self) -> None:
        """Close the worker, which ends the thread once the line is closed; whoever still listens is told why."""
        task = self._task
        if task is not None:
            task.end(WorkerUnavailable("The server is shutting down."))
        self._worker.close()

    def run(self) -> None:
        with closing(self._worker):
            self._start_worker()
            self._tried.set()
            while self._ahead or not self._line.closed:
                if taken := self._ahead or self._shared(self._line.take(self._idle)):
                    self._ahead = None
                    self._task, threads = taken
                    self._speak(self._task, threads)
                elif self._line.closed:
                    return
                elif self._worker.ready:
                    self._worker.rest()
                elif not self._worker.asleep and self._error is None:  # it died; one that can't start waits for a task
                    self._start_worker()

    def _start_worker(self) -> None:
        self._error = None
        try:
            self._worker.start()
        except WorkerUnavailable as exc:
            log.error("%s: %s", self.name, exc)
            self._error = exc

    def _shared(self, taken: tuple[Task, int] | None) -> tuple[Task, int] | None:
        """A task and its threads, of a task and how many share the cores."""
        return taken and (taken[0], max(1, self._threads // taken[1]))

    def _speak(self, task: Task, threads: int) -> None:
        began = time.monotonic()
        work = partial(task.speak, self._worker, threads, partial(self._hand_ahead, task, began))
        error = self._attempt(task, work)
        if isinstance(error, WorkerLost) and not task.answered:  # maybe not this text's fault, and nothing was heard
            if self._ahead:
                self._ahead[0].let_go()
            if self._ahead and task.utterance.background:
                error = ClientGone("A listener's utterance goes first.")  # and this one is asked for again
            else:
                error = self._attempt(task, work)
        seconds = time.monotonic() - began
        self._task = None
        self._error = error if isinstance(error, WorkerUnavailable) else None
        self.utterances += 1
        self.worked += seconds
        self.spoken += task.sound
        if self._ahead is None:
            self._line.done(task, seconds)
        task.end(error)

    def _hand_ahead(self, task: Task, began: float) -> None:
        """The worker has done its work on `task`: the next one, if any, does not wait until the sound has come."""
        if self._ahead is None and (taken := self._shared(self._line.follow(task, time.monotonic() - began))):
            self._ahead = following, threads = taken
            if self._attempt(following, partial(following.begin, self._worker, threads)):  # it shows again in its turn
                log.warning("%s could not be handed an utterance ahead", self.name)

    def _attempt(self, task: Task, work: Callable[[], None]) -> SpeechError | None:
        """Do `work` on the task; what went wrong is logged."""
        request = about(request_id=task.utterance.request_id, worker=self.name)
        try:
            work()
        except ClientGone as exc:
            return exc
        except SpeechError as exc:
            log.warning("%s: %s", self.name, exc, extra=request)
            return exc
        except Exception:  # the thread's edge: whatever broke must not end the worker's driver
            log.exception("%s broke", self.name, extra=request)
            return SynthesisFailed("The speech engine broke; the server's log says how.")
        return None
