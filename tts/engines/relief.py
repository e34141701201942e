"""A worker that is relieved between two utterances by a fresh process, and that goes home when nobody needs it."""

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
PATIENCE = 60.0
"""Seconds until relief is sent for again after it could not start."""


@dataclass(frozen=True)
class Shift:
    """When a process is relieved: after so many utterances, or with so many MB of memory; and after how many seconds
    without work it goes home. 0 is never."""

    utterances: int = 0
    megabytes: int = 0
    idle: float = 0.0


class Relieved:
    """Speaks by one process after another; the next one loads while the last still speaks, so that nobody waits.

    `turn` is shared by the workers of an engine: only one of them at a time takes the memory of two.
    """

    def __init__(self, hire: Callable[[], Child], shift: Shift, turn: threading.Lock) -> None:
        """`hire` makes the next worker, not started yet."""
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
        return self._worker.ready

    @property
    def asleep(self) -> bool:
        return self._asleep

    @property
    def restarts(self) -> int:
        return self._restarts + self._worker.restarts

    def start(self) -> None:
        self._worker.start()
        self._last = time.monotonic()

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk | None]:
        chunks = self._next().speak(utterance, threads)
        # Once relief is on its way nothing is handed ahead: it would kill this process with an order in its pipe.
        return (chunk for chunk in chunks if chunk is not None or self._fresh is None)

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        return self._next().phonemize(utterance)

    def rest(self) -> None:
        self._hand_over()
        if self._shift.idle and time.monotonic() - self._last > self._shift.idle and self._turn.acquire(False):
            try:
                self._go_home()
            finally:
                self._turn.release()

    def cancel(self) -> None:
        self._worker.cancel()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            fresh, self._fresh = self._fresh, None
        for worker in (self._worker, fresh):
            if worker is not None:
                worker.close()

    def _next(self) -> Child:
        """Who speaks the next utterance."""
        self._hand_over()
        self._asleep = False
        self._spoken += 1
        self._last = time.monotonic()
        return self._worker

    def _hand_over(self) -> None:
        """Let the relief take over, if it is there; send for it, if it is time."""
        fresh = self._fresh
        if fresh is not None and not self._loading:
            self._fresh = None
            if fresh.ready:
                self._replace(fresh)
                log.info("Worker %s takes over", fresh.pid)
        elif fresh is None and self._is_tired() and self._turn.acquire(False):
            log.info("Worker %s is relieved after %d utterances", self._worker.pid, self._spoken)
            self._loading = True
            self._fresh = self._hire()
            threading.Thread(target=self._load, args=(self._fresh,), name="relief", daemon=True).start()

    def _is_tired(self) -> bool:
        if not self._worker.ready or time.monotonic() < self._not_before:
            return False
        if self._shift.utterances and self._spoken >= self._shift.utterances:
            return True
        return bool(self._shift.megabytes) and _memory(self._worker.pid) > self._shift.megabytes * MEGABYTE

    def _load(self, fresh: Child) -> None:
        """Start the relief: a thread of its own, while the worker goes on."""
        try:
            fresh.start()
        except WorkerUnavailable as exc:
            log.warning("No relief: %s", exc)
            self._not_before = time.monotonic() + PATIENCE
        finally:
            self._loading = False
            self._turn.release()

    def _replace(self, worker: Child) -> None:
        with self._lock:
            if self._closed:
                worker.close()
                return
            gone, self._worker = self._worker, worker
        self._restarts += gone.restarts
        self._spoken = 0
        gone.close()

    def _go_home(self) -> None:
        """Let the process go until it is needed again; not while its relief loads, since `turn` is held."""
        log.info("Worker %s goes home until it is needed", self._worker.pid)
        self._asleep = True
        self._replace(self._hire())


def _memory(pid: int | None) -> int:
    """Bytes that the process holds in memory; none once it has ended."""
    try:
        return int(psutil.Process(pid).memory_info().rss) if pid else 0
    except psutil.NoSuchProcess:
        return 0
