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
from functools import lru_cache, partial
from typing import Any

from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import ClientGone, SpeechError, SynthesisFailed, WorkerLost, WorkerUnavailable
from kokoro_server.core.languages import Language
from kokoro_server.core.logs import log_fields
from kokoro_server.core.request import Phonemization, SpeechRequest, TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.engine.base import RequestContext, Worker
from kokoro_server.engine.prefetch import PrefetchPolicy
from kokoro_server.engine.scheduler import Scheduler
from kokoro_server.engine.task import Task, UtteranceOperation, phonemize_utterance
from kokoro_server.text.chunking import Utterance, UtteranceSizes, plan_utterances

log = logging.getLogger(__name__)

PLANS_KEPT = 8
"""Plans of requests that are kept: a route asks how many utterances a request has before it is synthesized."""
IDLE_CHECK_INTERVAL = 1.0
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

    def __init__(  # what setup/engines.py reads from the settings
        self,
        name: str,
        workers: Sequence[Worker],
        threads: int,
        max_waiting: int,
        sizes: UtteranceSizes,
        idle_interval: float = IDLE_CHECK_INTERVAL,
    ) -> None:
        self.name = name
        self._plan = lru_cache(PLANS_KEPT)(partial(plan_utterances, sizes=sizes))
        # threads == 0 is the cluster: each worker has the cores of its own machine.
        self._scheduler = Scheduler(len(workers), max_waiting, dedicated_cores=threads == 0)
        self._worker_threads = [
            WorkerThread(f"worker-{i}", each, self._scheduler, threads, idle_interval) for i, each in enumerate(workers)
        ]

    def start(self) -> None:
        """Start all workers in parallel; return when the first one is ready.

        Raises WorkerUnavailable, and closes the pool, when all have failed.
        """
        for driver in self._worker_threads:
            driver.start()
        # Workers load in parallel: return at the first that is ready, however long the others take.
        errors = []
        for driver in self._worker_threads:
            error = driver.wait_until_started()
            if error is None:
                return
            errors.append(error)
        self.close()
        raise errors[0]

    def plan(self, request: SpeechRequest) -> Sequence[Utterance]:
        """Split the request into the utterances that synthesize() will produce, in order."""
        return self._plan(request)

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        """Yield the audio of the request, in order; closing the iterator cancels the rest. See Engine."""
        # Before the text is split: a request beyond the bound costs nothing.
        ticket = self._scheduler.admit(len(request.text), request.is_background)
        parts = self.plan(request)
        planned = iter(parts)
        in_flight: deque[Task] = deque()
        policy = PrefetchPolicy(parts)

        def prefetch(max_in_flight: int) -> None:
            while len(in_flight) < max_in_flight and (utterance := next(planned, None)):
                in_flight.append(ticket.submit(replace(utterance, request_id=context.request_id)))

        try:
            prefetch(self.choose_in_flight_limit(policy))
            index = 0
            while in_flight:
                # Utterances may be complete in any order; their audio is yielded in order.
                for chunk in in_flight[0].iter_results(context):
                    policy.record_chunk(index, chunk)
                    prefetch(self.choose_in_flight_limit(policy))
                    yield _fill_in_words(chunk, request.text)
                in_flight.popleft()
                index += 1
                prefetch(1)  # so that the loop goes on when none is in flight
        finally:
            ticket.withdraw()

    def choose_in_flight_limit(self, policy: PrefetchPolicy) -> int:
        """Return how many utterances of a request may be in flight, the one being delivered included.

        One at a time, each on all cores, until the playback buffer lets all workers go ahead; see PrefetchPolicy. Two
        once audio has arrived, so that the next utterance is queued when the work on this one is done.
        """
        workers = len(self._worker_threads)
        # One more than there are workers, so that one is queued when a worker becomes free.
        if policy.can_prefetch(workers):
            return workers + 1
        return 2 if policy.started_utterances else 1

    def phonemize(self, text: str, language: Language, context: RequestContext, emoji: bool = True) -> Phonemization:
        """Return the phonemes of `text` in that language. See Engine."""
        runs = (TextSpan(text, 0, len(text)),)
        utterance = Utterance(runs, find_voice("af_heart"), language, emoji=emoji, request_id=context.request_id)
        found: Phonemization
        (found,) = self.run_operation(utterance, phonemize_utterance, context)
        return found

    def run_operation(
        self, utterance: Utterance, operation: UtteranceOperation, context: RequestContext
    ) -> Iterator[Any]:
        """Run one operation on one utterance and yield its results. Raises what synthesize() raises."""
        ticket = self._scheduler.admit(len(utterance.text))
        try:
            yield from ticket.submit(utterance, operation).iter_results(context)
        finally:
            ticket.withdraw()

    def get_status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values. See Engine."""
        waiting, busy = self._scheduler.get_load()
        return {
            "engine": self.name,
            "workers": len(self._worker_threads),
            "ready": sum(driver.is_ready for driver in self._worker_threads),
            "asleep": sum(driver.is_unloaded for driver in self._worker_threads),
            "busy": busy,
            "waiting": waiting,
            "totals": self._get_totals(),
        }

    def _get_totals(self) -> dict[str, float]:
        """Return the counters since the start: times in seconds, "sound_seconds" of audio."""
        taken, waited = self._scheduler.get_wait_totals()
        return {
            "waits": taken,
            "wait_seconds": round(waited, 3),
            "utterances": sum(driver.utterance_count for driver in self._worker_threads),
            "work_seconds": round(sum(driver.work_seconds for driver in self._worker_threads), 6),
            "sound_seconds": round(sum(driver.audio_seconds for driver in self._worker_threads), 3),
            "restarts": sum(driver.restarts for driver in self._worker_threads),
        }

    def close(self) -> None:
        """Stop the workers and join their threads; requests in progress get WorkerUnavailable."""
        self._scheduler.close()
        for driver in self._worker_threads:
            driver.stop()
        for driver in self._worker_threads:
            if driver.is_alive():
                driver.join()


def _fill_in_words(chunk: Chunk, text: str) -> Chunk:
    """Return the chunk with the text of its words, which is cut from the text as sent."""
    return Chunk(chunk.samples, tuple(replace(word, text=text[word.start : word.end]) for word in chunk.words))


class WorkerThread(threading.Thread):
    """Take tasks from the scheduler and run them on one worker; restart the worker after it died.

    The loop in run() does one of these at a time: run the prefetched task, or the next one; unload or recycle the idle
    worker; restart a dead one. A worker that cannot start is tried again only when a task arrives.
    """

    def __init__(self, name: str, worker: Worker, scheduler: Scheduler, threads: int, idle_interval: float) -> None:
        super().__init__(name=name, daemon=True)
        self._worker = worker
        self._scheduler = scheduler
        self._threads = threads
        self._idle_interval = idle_interval
        self._start_attempted = threading.Event()
        self._error: WorkerUnavailable | None = None
        self._current_task: Task | None = None
        self._prefetched: tuple[Task, int] | None = None
        """The task, with its threads, that the worker was handed while the one before is still delivered."""
        self.utterance_count = 0
        self.work_seconds = 0.0
        """Total seconds of work."""
        self.audio_seconds = 0.0
        """Total seconds of audio produced."""

    def wait_until_started(self) -> WorkerUnavailable | None:
        """Wait until the first start has ended; return its error, None when the worker is ready."""
        while not self._start_attempted.wait(0.5):  # on Windows a wait without a limit can't be interrupted
            pass
        return self._error

    @property
    def is_ready(self) -> bool:
        """Return whether the worker is ready."""
        return self._worker.is_ready

    @property
    def is_unloaded(self) -> bool:
        """Return whether the worker was unloaded while idle."""
        return self._worker.is_unloaded

    @property
    def restarts(self) -> int:
        """Return how many times the worker was started again after it had died."""
        return self._worker.restarts

    def stop(self) -> None:
        """Fail the current task and close the worker; the thread ends once the scheduler is closed."""
        task = self._current_task
        if task is not None:
            task.finish(WorkerUnavailable("The server is shutting down."))
        self._worker.close()

    def run(self) -> None:
        """Start the worker and run tasks until the scheduler is closed."""
        with closing(self._worker):
            self._start_worker()
            self._start_attempted.set()
            # A prefetched task is already in the worker: its request waits for it even after the scheduler was closed.
            while self._prefetched or not self._scheduler.is_closed:
                if assignment := self._prefetched or self._allocate_threads(
                    self._scheduler.next_task(self._idle_interval)
                ):
                    self._prefetched = None
                    self._current_task, threads = assignment
                    self._run_task(self._current_task, threads)
                elif self._scheduler.is_closed:
                    return
                elif self._worker.is_ready:
                    self._worker.on_idle()
                elif not self._worker.is_unloaded and self._error is None:  # it died; see the class
                    self._start_worker()

    def _start_worker(self) -> None:
        """Start the worker and remember the error, if any."""
        self._error = None
        try:
            self._worker.start()
        except WorkerUnavailable as exc:
            log.error("%s: %s", self.name, exc)
            self._error = exc

    def _allocate_threads(self, assignment: tuple[Task, int] | None) -> tuple[Task, int] | None:
        """Return the task with its number of threads: all cores divided by the tasks that share them."""
        return assignment and (assignment[0], max(1, self._threads // assignment[1]))

    def _run_task(self, task: Task, threads: int) -> None:
        """Run the task, once more when the worker was lost before any result, and complete it."""
        began = time.monotonic()
        work = partial(task.run, self._worker, threads, partial(self._prefetch_next, task, began))
        error = self._run_guarded(task, work)
        if isinstance(error, WorkerLost) and not task.has_output:  # nothing was delivered yet
            if self._prefetched:  # it was lost with the same process
                self._prefetched[0].release_worker()
            if self._prefetched and task.utterance.is_background:
                error = ClientGone("A listener's utterance goes first.")  # the request submits this one again
            else:
                error = self._run_guarded(task, work)
        seconds = time.monotonic() - began
        self._current_task = None
        self._error = error if isinstance(error, WorkerUnavailable) else None
        self.utterance_count += 1
        self.work_seconds += seconds
        self.audio_seconds += task.audio_seconds
        if self._prefetched is None:
            # Else prefetch_task() has completed it, when it handed out the task after it.
            self._scheduler.complete_task(task, seconds)
        task.finish(error)

    def _prefetch_next(self, task: Task, began: float) -> None:
        """Hand the worker its next task while the audio of `task` is still delivered.

        Called when the work on `task` is done. When this fails, run() meets the same error when it runs the next task.
        """
        if self._prefetched is None and (
            taken := self._allocate_threads(self._scheduler.prefetch_task(task, time.monotonic() - began))
        ):
            # Set before start(), which may raise: run() then takes this task next and reports the error to its request.
            self._prefetched = following, threads = taken
            if self._run_guarded(following, partial(following.start, self._worker, threads)):
                log.warning("%s could not be handed an utterance ahead", self.name)

    def _run_guarded(self, task: Task, work: Callable[[], None]) -> SpeechError | None:
        """Call `work` for the task; log and return the error, if any."""
        request = log_fields(request_id=task.utterance.request_id, worker=self.name)
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
