"""Recycle a worker process between two utterances, and unload it while it is idle.

States of a RecyclingWorker: running (one process); loading (a replacement starts in a thread of its own while the
process goes on); loaded (the replacement takes over before the next utterance); unloaded (no process until the next
utterance). `load_lock` is shared by the workers of an engine: only one of them at a time holds the memory of two
processes. It is held while a replacement loads, and while a process is unloaded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import WorkDone, WorkerEvent
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.text.chunking import Utterance

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
"""Bytes."""
SPAWN_RETRY_INTERVAL = 60.0
"""Seconds until a replacement that could not start is tried again."""


@dataclass(frozen=True)
class RecyclePolicy:
    """Set when a process is recycled or unloaded; 0 is never.

    Recycle it after `max_utterances`, or above `max_megabytes` (10^6 bytes of resident memory). Unload it after
    `unload_after` seconds without work.
    """

    max_utterances: int = 0
    max_megabytes: int = 0
    unload_after: float = 0.0


class RecyclingWorker:
    """Synthesize by one process after another; the next one loads while the last still works.

    Args:
        make_process: Create the next process, not started yet.
        policy: When to recycle and to unload.
        load_lock: Shared by all workers of an engine; see the module.
    """

    def __init__(
        self, make_process: Callable[[], WorkerProcess], policy: RecyclePolicy, load_lock: threading.Lock
    ) -> None:
        self._make_process = make_process
        self._policy = policy
        self._load_lock = load_lock
        self._lock = threading.Lock()
        self._process = make_process()
        self._replacement: WorkerProcess | None = None
        self._is_loading = False
        self._is_closed = False
        self._is_unloaded = False
        self._utterance_count = 0
        self._past_restarts = 0
        self._last_used_at = time.monotonic()
        self._retry_at = 0.0

    @property
    def is_ready(self) -> bool:
        """Return whether the current process is ready."""
        return self._process.is_ready

    @property
    def is_unloaded(self) -> bool:
        """Return whether the process was unloaded while idle."""
        return self._is_unloaded

    @property
    def restarts(self) -> int:
        """Return how many times a process was started again after it had died; recycling does not count."""
        return self._past_restarts + self._process.restarts

    def start(self) -> None:
        """Start the process. Raises WorkerUnavailable."""
        self._process.start()
        self._last_used_at = time.monotonic()

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[WorkerEvent]:
        """Return the chunks of the utterance, and WorkDone when its work is done. See Worker."""
        return filter(self._may_pass_on, self._acquire_process().synthesize(utterance, threads))

    def _may_pass_on(self, event: WorkerEvent) -> bool:
        """Return whether the event may reach the task: WorkDone may not while a replacement loads.

        Else an utterance would be prefetched, and the replacement could take over, and kill this process, while that
        call is in its pipe.
        """
        return not isinstance(event, WorkDone) or self._replacement is None

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Return the phonemes of the utterance. See Worker."""
        return self._acquire_process().phonemize(utterance)

    def on_idle(self) -> None:
        """Recycle the process when due; unload it after `unload_after` seconds without work."""
        self._recycle_if_due()
        # The load lock is taken without waiting: while another worker loads, memory is not what is short.
        if (
            self._policy.unload_after
            and time.monotonic() - self._last_used_at > self._policy.unload_after
            and self._load_lock.acquire(False)
        ):
            try:
                self._unload()
            finally:
                self._load_lock.release()

    def cancel(self) -> None:
        """Cancel the latest utterance. Thread-safe."""
        self._process.cancel()

    def close(self) -> None:
        """Close the process and its replacement for good. Thread-safe."""
        with self._lock:
            self._is_closed = True
            fresh, self._replacement = self._replacement, None
        # Outside the lock: closing waits for a process to end.
        for worker in (self._process, fresh):
            if worker is not None:
                worker.close()

    def _acquire_process(self) -> WorkerProcess:
        """Return the process for the next utterance, after recycling when due."""
        self._recycle_if_due()
        self._is_unloaded = False
        self._utterance_count += 1
        self._last_used_at = time.monotonic()
        return self._process

    def _recycle_if_due(self) -> None:
        """Let a loaded replacement take over, or start to load one when due."""
        fresh = self._replacement
        if fresh is not None and not self._is_loading:
            self._replacement = None
            # It may have failed to load, or have died since.
            if fresh.is_ready:
                self._swap_process(fresh)
                log.info("Worker %s replaces the recycled one", fresh.pid)
        # Never wait for the lock: this thread has utterances to run. The next call tries again.
        elif fresh is None and self._should_recycle() and self._load_lock.acquire(False):
            log.info("Recycling worker %s after %d utterances", self._process.pid, self._utterance_count)
            self._is_loading = True
            self._replacement = self._make_process()
            # _load_replacement() releases the lock.
            threading.Thread(
                target=self._load_replacement, args=(self._replacement,), name="relief", daemon=True
            ).start()

    def _should_recycle(self) -> bool:
        """Return whether the process has reached a limit of the policy."""
        if not self._process.is_ready or time.monotonic() < self._retry_at:
            return False
        if self._policy.max_utterances and self._utterance_count >= self._policy.max_utterances:
            return True
        # RSS counts the weights that all workers share: max_megabytes has to be above them.
        return (
            bool(self._policy.max_megabytes) and _measure_rss(self._process.pid) > self._policy.max_megabytes * MEGABYTE
        )

    def _load_replacement(self, replacement: WorkerProcess) -> None:
        """Start the replacement, in a thread of its own, while the current process goes on."""
        try:
            replacement.start()
        except WorkerUnavailable as exc:
            log.warning("No relief: %s", exc)
            self._retry_at = time.monotonic() + SPAWN_RETRY_INTERVAL
        finally:
            self._is_loading = False
            self._load_lock.release()

    def _swap_process(self, process: WorkerProcess) -> None:
        """Make `worker` the current process and close the one before."""
        with self._lock:
            if self._is_closed:
                process.close()
                return
            previous, self._process = self._process, process
        # Keep the counter monotonic across processes.
        self._past_restarts += previous.restarts
        self._utterance_count = 0
        previous.close()

    def _unload(self) -> None:
        """Close the process until it is needed again. The caller holds `load_lock`, so no replacement is loading."""
        log.info("Unloading idle worker %s", self._process.pid)
        self._is_unloaded = True
        self._swap_process(self._make_process())


def _measure_rss(pid: int | None) -> int:
    """Return the resident memory of the process in bytes, 0 once it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.NoSuchProcess:
        return 0
