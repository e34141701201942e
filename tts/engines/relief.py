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

from tts.engines.child import Child
from tts.speech.audio import Chunk
from tts.speech.errors import WorkerUnavailable
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance

log = logging.getLogger(__name__)

MEGABYTE = 1_000_000
"""Bytes."""
PATIENCE = 60.0
"""Seconds until a replacement that could not start is tried again."""


@dataclass(frozen=True)
class Shift:
    """Set when a process is recycled or unloaded; 0 is never.

    Recycle it after `max_utterances`, or above `max_megabytes` (10^6 bytes of resident memory). Unload it after
    `unload_after` seconds without work.
    """

    utterances: int = 0
    megabytes: int = 0
    idle: float = 0.0


class Relieved:
    """Synthesize by one process after another; the next one loads while the last still works.

    Args:
        make_process: Create the next process, not started yet.
        policy: When to recycle and to unload.
        load_lock: Shared by all workers of an engine; see the module.
    """

    def __init__(self, hire: Callable[[], Child], shift: Shift, turn: threading.Lock) -> None:
        self._hire = hire
        self._shift = shift
        self._turn = turn
        self._lock = threading.Lock()
        self._worker = hire()
        self._fresh: Child | None = None
        self._loading = False
        self._closed = False
        self._asleep = False
        self._spoken = 0
        self._restarts = 0
        self._last = time.monotonic()
        self._not_before = 0.0

    @property
    def ready(self) -> bool:
        """Return whether the current process is ready."""
        return self._worker.ready

    @property
    def asleep(self) -> bool:
        """Return whether the process was unloaded while idle."""
        return self._asleep

    @property
    def restarts(self) -> int:
        """Return how many times a process was started again after it had died; recycling does not count."""
        return self._restarts + self._worker.restarts

    def start(self) -> None:
        """Start the process. Raises WorkerUnavailable."""
        self._worker.start()
        self._last = time.monotonic()

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk | None]:
        """Return the chunks of the utterance, and None when its work is done. See Worker."""
        chunks = self._next().speak(utterance, threads)
        # While a replacement loads, drop None, so that no utterance is prefetched: the replacement could take over, and
        # kill this process, while that call is in its pipe.
        return (chunk for chunk in chunks if chunk is not None or self._fresh is None)

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        """Return the phonemes of the utterance. See Worker."""
        return self._next().phonemize(utterance)

    def rest(self) -> None:
        """Recycle the process when due; unload it after `unload_after` seconds without work."""
        self._hand_over()
        if self._shift.idle and time.monotonic() - self._last > self._shift.idle and self._turn.acquire(False):
            try:
                self._go_home()
            finally:
                self._turn.release()

    def cancel(self) -> None:
        """Cancel the latest utterance. Thread-safe."""
        self._worker.cancel()

    def close(self) -> None:
        """Close the process and its replacement for good. Thread-safe."""
        with self._lock:
            self._closed = True
            fresh, self._fresh = self._fresh, None
        for worker in (self._worker, fresh):
            if worker is not None:
                worker.close()

    def _next(self) -> Child:
        """Return the process for the next utterance, after recycling when due."""
        self._hand_over()
        self._asleep = False
        self._spoken += 1
        self._last = time.monotonic()
        return self._worker

    def _hand_over(self) -> None:
        """Let a loaded replacement take over, or start to load one when due."""
        fresh = self._fresh
        if fresh is not None and not self._loading:
            self._fresh = None
            # It may have failed to load, or have died since.
            if fresh.ready:
                self._replace(fresh)
                log.info("Worker %s replaces the recycled one", fresh.pid)
        # Never wait for the lock: this thread has utterances to run. The next call tries again.
        elif fresh is None and self._is_tired() and self._turn.acquire(False):
            log.info("Recycling worker %s after %d utterances", self._worker.pid, self._spoken)
            self._loading = True
            self._fresh = self._hire()
            # _load_replacement() releases the lock.
            threading.Thread(target=self._load, args=(self._fresh,), name="relief", daemon=True).start()

    def _is_tired(self) -> bool:
        """Return whether the process has reached a limit of the policy."""
        if not self._worker.ready or time.monotonic() < self._not_before:
            return False
        if self._shift.utterances and self._spoken >= self._shift.utterances:
            return True
        return bool(self._shift.megabytes) and _memory(self._worker.pid) > self._shift.megabytes * MEGABYTE

    def _load(self, fresh: Child) -> None:
        """Start the replacement, in a thread of its own, while the current process goes on."""
        try:
            fresh.start()
        except WorkerUnavailable as exc:
            log.warning("No relief: %s", exc)
            self._not_before = time.monotonic() + PATIENCE
        finally:
            self._loading = False
            self._turn.release()

    def _replace(self, worker: Child) -> None:
        """Make `worker` the current process and close the one before."""
        with self._lock:
            if self._closed:
                worker.close()
                return
            previous, self._worker = self._worker, worker
        # Keep the counter monotonic across processes.
        self._restarts += previous.restarts
        self._spoken = 0
        previous.close()

    def _go_home(self) -> None:
        """Close the process until it is needed again. The caller holds `load_lock`, so no replacement is loading."""
        log.info("Unloading idle worker %s", self._worker.pid)
        self._asleep = True
        self._replace(self._hire())


def _memory(pid: int | None) -> int:
    """Return the resident memory of the process in bytes, 0 once it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.NoSuchProcess:
        return 0
