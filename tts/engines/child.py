"""The owner's side of a warm worker process: starts it, hands it utterances, stops or replaces it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from typing import IO, Any

import numpy as np

from tts.engines.base import OUT_OF_REACH, ROOT
from tts.engines.protocol import BadFrame, read_frame, write_frame
from tts.speech.audio import Chunk, Word
from tts.speech.errors import ClientGone, SynthesisFailed, TimedOut, WorkerLost, WorkerUnavailable
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance

if sys.platform == "linux":
    import fcntl

log = logging.getLogger(__name__)

LOAD_TIMEOUT = 300.0
"""Seconds until a worker must be ready: the first one after an install prepares the graph and may be on a slow disk."""
STOP_TIMEOUT = 0.5
"""Seconds that a worker gets to give up an utterance before it is killed and replaced."""

Frame = tuple[dict[str, Any], bytes]

ROOM = 1 << 20
"""Bytes that a pipe holds where it can be told (Linux, which allows anybody a megabyte): more than most sounds, which
a worker then hands over without waiting for us to read. By itself a pipe holds 64 KiB."""

AHEAD = 32 << 10 if sys.platform == "linux" else 2 << 10
"""Bytes of an order that may be sent while another is under way: a pipe has room for them, so that nobody waits."""

_WAKE = object()
"""Put among the frames: whoever waits for one looks up."""


class Child:
    """One worker process, started on demand and again after it died."""

    def __init__(self, command: Sequence[str], timeout: float) -> None:
        self._command = list(command)
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded = False
        self._lock = threading.Lock()
        self._closed = False
        self._serial = 0
        self._cancelled = 0
        self._ending = False
        """Whether the order under way has nothing left but to hand over its last sound, and none was given after it."""
        self._starts = 0
        self._failures = 0
        self._retry_at = 0.0
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def ready(self) -> bool:
        process = self._process
        return self._loaded and process is not None and process.poll() is None

    @property
    def asleep(self) -> bool:
        return False

    @property
    def restarts(self) -> int:
        return max(0, self._starts - 1)

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process else None

    def start(self) -> None:
        """Start the process and wait until it has loaded. Raises WorkerUnavailable, at once when the last start failed
        a moment ago: a model that can't be loaded is not tried again for every request."""
        wait = self._retry_at - time.monotonic()
        if wait > 0:
            raise WorkerUnavailable(f"A worker could not start; the next try is in {wait:.0f} seconds.")
        dead = self._process
        if dead is not None:
            log.warning("Worker %d ended with exit code %s", dead.pid, dead.poll())
            self._end()
        try:
            self._start()
        except WorkerUnavailable:
            self._failures += 1
            self._retry_at = time.monotonic() + min(60.0, 2.0**self._failures)
            raise
        self._failures = 0
        self._starts += 1

    def _start(self) -> None:
        process = self._spawn()
        assert process.stdout is not None
        _make_roomy(process.stdout)
        threading.Thread(
            target=_read_frames, args=(process.stdout, self._inbox), name=f"worker-{process.pid}", daemon=True
        ).start()
        try:
            header, _ = self._receive(time.monotonic() + LOAD_TIMEOUT)  # cancelled or not: the next one wants it loaded
        except (SynthesisFailed, TimedOut) as exc:
            self._end()
            raise WorkerUnavailable(f"A worker could not start (exit code {process.returncode}): {exc}") from exc
        if header["kind"] != "ready":
            self._end()
            raise WorkerUnavailable(f"A worker could not start: {header.get('message', header['kind'])}")
        self._loaded = True
        log.info("Worker %d is ready: %s", process.pid, header.get("message", ""))

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._inbox = queue.SimpleQueue()
        with self._lock:
            if self._closed:
                raise WorkerUnavailable("The server is shutting down.")
            try:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, **OUT_OF_REACH
                )
            except OSError as exc:
                raise WorkerUnavailable(f"{self._command[0]} cannot be run: {exc.strerror or exc}.") from exc
            return self._process

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk | None]:
        return self._chunks(
            self._ordered({"kind": "speak", "utterance": dataclasses.asdict(utterance), "threads": threads})
        )

    def _chunks(self, frames: Generator[Frame, None, None]) -> Iterator[Chunk | None]:
        with contextlib.closing(frames):
            for header, payload in frames:
                yield None if header["kind"] == "ending" else chunk_of(header, payload)

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        answers = list(self._ordered({"kind": "phonemize", "utterance": dataclasses.asdict(utterance)}))
        try:
            ((header, _),) = answers
            return Pronunciation(str(header["phonemes"]), tuple(map(int, header["tokens"])))
        except (KeyError, TypeError, ValueError) as exc:
            raise SynthesisFailed("The speech worker sent something that is not phonemes.") from exc

    def _ordered(self, order: dict[str, Any]) -> Generator[Frame, None, None]:
        """The frames that answer an order, which is sent when the first is asked for, or at once to one that ends."""
        self._serial += 1
        ending, self._ending = self._ending, False  # a cancel is about this one from now on
        holder = None
        if ending and len(json.dumps(order)) < AHEAD:
            with contextlib.suppress(WorkerLost):  # whoever reads the order before this one hears of it first
                self._send(order)
                holder = self._process
        return self._answers(order, self._serial, holder)

    def _answers(
        self, order: dict[str, Any], serial: int, holder: subprocess.Popen[bytes] | None
    ) -> Generator[Frame, None, None]:
        """The frames up to the one that says that all is done; `holder` is the process that has the order already."""
        if holder is None and not self.ready:
            self.start()
        elif holder is not None and holder is not self._process:
            raise WorkerLost("The speech worker ended unexpectedly.")
        deadline = time.monotonic() + self._timeout
        whole = False
        try:
            if holder is None:
                self._send(order)
            while True:
                header, payload = self._receive(deadline, serial)
                if header["kind"] == "done":
                    whole = True
                    return
                if header["kind"] == "error":
                    whole = True
                    raise SynthesisFailed(str(header.get("message")))
                self._ending = self._ending or header["kind"] == "ending"
                yield header, payload
        finally:
            self._ending = False
            if not whole:
                self._give_up(serial)

    def rest(self) -> None:
        """It waits."""

    def cancel(self) -> None:
        if not self._ending:  # the last order is over but for its sound, and the next one is still to be sent
            self._cancelled = self._serial
            self._inbox.put(_WAKE)

    def close(self) -> None:
        with self._lock:
            self._closed = True
        self._end()

    def _end(self) -> None:
        process = self._process
        self._loaded = False
        if process is None:
            return
        self._process = None
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _close_quietly(pipe)

    def _give_up(self, serial: int) -> None:
        """Have the rest of an utterance given up: ask, wait a little, then kill; the next speak() starts another."""
        try:
            if serial == self._serial:  # else it ends by itself, and a cancel would be about the order after it
                self._send({"kind": "cancel"})
            deadline = time.monotonic() + STOP_TIMEOUT
            while self._receive(deadline)[0]["kind"] not in ("done", "error"):
                pass
        except (SynthesisFailed, TimedOut) as exc:
            log.warning("A worker is replaced: %s", exc)
            self._end()

    def _send(self, header: dict[str, Any]) -> None:
        process = self._process
        if process is None:
            raise WorkerLost("The speech worker was stopped.")
        assert process.stdin is not None
        try:
            write_frame(process.stdin, header)
        except (OSError, ValueError) as exc:  # it died, or close() shut the pipe meanwhile
            raise WorkerLost("The speech worker ended unexpectedly.") from exc

    def _receive(self, deadline: float, serial: int = -1) -> Frame:
        """The next frame. Raises TimedOut, WorkerLost, SynthesisFailed, or ClientGone when that order was cancelled."""
        while True:
            if self._cancelled == serial:
                raise ClientGone("The client left.")
            try:
                item: Frame | BadFrame | object | None = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty as exc:
                raise TimedOut(f"The speech worker did not answer within {self._timeout:g} seconds.") from exc
            if item is None:
                self._inbox.put(None)  # for whoever asks again
                raise WorkerLost("The speech worker ended unexpectedly.")
            if isinstance(item, BadFrame):
                raise SynthesisFailed("The speech worker sent something that is not sound.") from item
            if isinstance(item, tuple):
                return item


def chunk_of(header: dict[str, Any], payload: bytes) -> Chunk:
    """The sound of a frame. Raises SynthesisFailed when it holds none."""
    if header["kind"] != "chunk":
        raise SynthesisFailed(f"The speech worker sent {header['kind']!r} instead of sound.")
    try:
        return Chunk(np.frombuffer(payload, dtype="<f4"), tuple(Word(*fields) for fields in header["words"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise SynthesisFailed("The speech worker sent something that is not sound.") from exc


def _read_frames(pipe: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    """Put every frame into `inbox`, then None: a thread of its own, since pipes have no timeouts on Windows."""
    try:
        while frame := read_frame(pipe):
            inbox.put(frame)
    except BadFrame as exc:
        inbox.put(exc)
    except (OSError, ValueError):
        pass  # closed while it was read: the end, as below
    inbox.put(None)


def _make_roomy(pipe: IO[bytes]) -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # a user with many pipes gets no more room
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, ROOM)


def _close_quietly(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        pass  # what was still to be written has no reader any more
