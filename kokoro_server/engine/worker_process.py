"""Run a worker process: start it, send it utterances, and stop or replace it.

A call is one frame to the process ("speak" or "phonemize") and the frames that answer it, up to "done" or "error".
Calls are answered in order. States of the current call:

- running: sent, and the process works on it. cancel() applies to it.
- work done: "ending" has arrived; only its last audio is still to come. The next call may be sent at once, if it is
  short enough for the pipe, and is read after this one. cancel() has no effect now: it would stop the next call.
- aborted: its iterator was closed or cancelled before its last frame. The process gets STOP_TIMEOUT to end it; then
  it is killed, and the next call starts another.

A thread per process reads its frames into a queue, so that every read here has a deadline.
"""

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

from kokoro_server.audio.samples import Chunk, Word
from kokoro_server.core.errors import ClientGone, SynthesisFailed, TimedOut, WorkerLost, WorkerUnavailable
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import DETACHED_POPEN_OPTIONS, IMPORT_ROOT, WorkDone, WorkerEvent
from kokoro_server.synthesis.frames import FrameError, read_frame, write_frame
from kokoro_server.text.chunking import Utterance

if sys.platform == "linux":
    import fcntl

log = logging.getLogger(__name__)

LOAD_TIMEOUT = 300.0
"""Seconds until a process must be ready: the first start after an install prepares the graph and may read from a slow
disk."""
STOP_TIMEOUT = 0.5
"""Seconds that a process gets to end an aborted call before it is killed."""

Frame = tuple[dict[str, Any], bytes]
"""Header and payload of a frame."""

PIPE_CAPACITY = 1 << 20
"""Bytes of the pipe from the process (Linux allows 1 MiB to any user; the default is 64 KiB): more than most
utterances' audio, which the process can then write without waiting for us to read."""

MAX_PREFETCH_BYTES = 32 << 10 if sys.platform == "linux" else 2 << 10
"""Bytes of a call that may be sent while another is in progress: a pipe holds that much, so that the write does not
block."""

_WAKE_UP = object()
"""Item in the queue of frames that wakes its reader to check for cancellation."""


class WorkerProcess:
    """Own one worker process, started on demand and again after it died. Implements Worker.

    Args:
        argv: Command line of the process.
        timeout: Seconds for one call.
    """

    def __init__(self, argv: Sequence[str], timeout: float) -> None:
        self._argv = list(argv)
        self._timeout = timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._is_loaded = False
        self._lock = threading.Lock()
        self._is_closed = False
        self._call_id = 0
        self._cancelled_call_id = 0
        self._is_work_done = False
        """Whether the work of the current call is done and no further call was sent."""
        self._start_count = 0
        self._failure_count = 0
        self._retry_at = 0.0
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()

    @property
    def is_ready(self) -> bool:
        """Return whether the process has loaded the network and is alive."""
        process = self._process
        return self._is_loaded and process is not None and process.poll() is None

    @property
    def is_unloaded(self) -> bool:
        """Return False: RecyclingWorker unloads processes."""
        return False

    @property
    def restarts(self) -> int:
        """Return how many times the process was started again."""
        return max(0, self._start_count - 1)

    @property
    def pid(self) -> int | None:
        """Return the id of the process, None without one."""
        process = self._process
        return process.pid if process else None

    def start(self) -> None:
        """Start the process and wait until it has loaded the network.

        Raises WorkerUnavailable. After a failed start it does so at once for 2, 4, 8 ... 60 s, so that a model that
        cannot be loaded is not tried again for every request.
        """
        wait = self._retry_at - time.monotonic()
        if wait > 0:
            raise WorkerUnavailable(f"A worker could not start; the next try is in {wait:.0f} seconds.")
        # Reap a process that ended by itself; _kill_process() closes its pipes.
        dead = self._process
        if dead is not None:
            log.warning("Worker %d exited with code %s", dead.pid, dead.poll())
            self._kill_process()
        try:
            self._start_process()
        except WorkerUnavailable:
            self._failure_count += 1
            self._retry_at = time.monotonic() + min(60.0, 2.0**self._failure_count)
            raise
        self._failure_count = 0
        self._start_count += 1

    def _start_process(self) -> None:
        """Start the process, its reader thread, and wait for its first frame."""
        process = self._spawn_process()
        assert process.stdout is not None
        _enlarge_pipe(process.stdout)
        threading.Thread(
            target=_read_frames, args=(process.stdout, self._inbox), name=f"worker-{process.pid}", daemon=True
        ).start()
        try:
            header, _ = self._receive_frame(time.monotonic() + LOAD_TIMEOUT)  # not cancelled: others need it loaded
        except (SynthesisFailed, TimedOut) as exc:
            self._kill_process()
            raise WorkerUnavailable(f"A worker could not start (exit code {process.returncode}): {exc}") from exc
        if header["kind"] != "ready":
            self._kill_process()
            raise WorkerUnavailable(f"A worker could not start: {header.get('message', header['kind'])}")
        self._is_loaded = True
        log.info("Worker %d is ready: %s", process.pid, header.get("message", ""))

    def _spawn_process(self) -> subprocess.Popen[bytes]:
        """Start the process with a new queue of frames, unless close() was called."""
        self._inbox = queue.SimpleQueue()
        with self._lock:
            if self._is_closed:
                raise WorkerUnavailable("The server is shutting down.")
            try:
                self._process = subprocess.Popen(
                    self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=IMPORT_ROOT, **DETACHED_POPEN_OPTIONS
                )
            except OSError as exc:
                raise WorkerUnavailable(f"{self._argv[0]} cannot be run: {exc.strerror or exc}.") from exc
            return self._process

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[WorkerEvent]:
        """Return the chunks of the utterance, and WorkDone when its work is done. See Worker."""
        return self._read_chunks(
            self._start_call({"kind": "speak", "utterance": dataclasses.asdict(utterance), "threads": threads})
        )

    def _read_chunks(self, frames: Generator[Frame, None, None]) -> Iterator[WorkerEvent]:
        """Yield a chunk for each frame of audio, and WorkDone for "ending"."""
        with contextlib.closing(frames):
            for header, payload in frames:
                yield WorkDone() if header["kind"] == "ending" else parse_chunk(header, payload)

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Return the phonemes of the utterance. See Worker."""
        answers = list(self._start_call({"kind": "phonemize", "utterance": dataclasses.asdict(utterance)}))
        try:
            ((header, _),) = answers
            return Phonemization(str(header["phonemes"]), tuple(map(int, header["tokens"])))
        except (KeyError, TypeError, ValueError) as exc:
            raise SynthesisFailed("The speech worker sent something that is not phonemes.") from exc

    def _start_call(self, call: dict[str, Any]) -> Generator[Frame, None, None]:
        """Return the frames that answer a new call.

        The call is sent when the first frame is read; at once when the work of the one before is done and the call is
        short enough not to block.
        """
        self._call_id += 1
        ending, self._is_work_done = self._is_work_done, False  # from now on cancel() applies to this call
        holder = None
        if ending and len(json.dumps(call)) < MAX_PREFETCH_BYTES:
            with contextlib.suppress(WorkerLost):  # the reader of the call before raises it
                self._send_frame(call)
                holder = self._process
        return self._read_replies(call, self._call_id, holder)

    def _read_replies(
        self, call: dict[str, Any], call_id: int, receiver: subprocess.Popen[bytes] | None
    ) -> Generator[Frame, None, None]:
        """Send the call unless it was sent, and yield its frames up to "done", exclusively.

        Args:
            call: Header of the frame to send.
            call_id: Its number.
            receiver: The process that the call was already sent to, None when it was not.
        """
        # The call may have been sent to a process that died before its turn: the frames of a new one are not about it.
        if receiver is None and not self.is_ready:
            self.start()
        elif receiver is not None and receiver is not self._process:
            raise WorkerLost("The speech worker ended unexpectedly.")
        # For the whole call, not for each frame.
        deadline = time.monotonic() + self._timeout
        whole = False
        try:
            if receiver is None:
                self._send_frame(call)
            while True:
                header, payload = self._receive_frame(deadline, call_id)
                if header["kind"] == "done":
                    whole = True
                    return
                if header["kind"] == "error":
                    whole = True
                    raise SynthesisFailed(str(header.get("message")))
                # Set it before the yield: the reader may start the next call, or cancel, at once.
                self._is_work_done = self._is_work_done or header["kind"] == "ending"
                yield header, payload
        finally:
            self._is_work_done = False
            # The iterator was closed, timed out or was cancelled: frames of this call may still be in the pipe.
            if not whole:
                self._abort_call(call_id)

    def on_idle(self) -> None:
        """Do nothing: an idle process needs no housekeeping."""

    def cancel(self) -> None:
        """Wake the reader of the current call, which raises ClientGone; do nothing once its work is done."""
        if not self._is_work_done:  # the work of the last call is done, the next one is not sent yet
            self._cancelled_call_id = self._call_id
            self._inbox.put(_WAKE_UP)

    def close(self) -> None:
        """Kill the process for good. Thread-safe."""
        with self._lock:
            self._is_closed = True
        self._kill_process()

    def _kill_process(self) -> None:
        """Kill the process, if any, and close its pipes."""
        process = self._process
        self._is_loaded = False
        if process is None:
            return
        self._process = None
        # Not terminate(): the process ignores SIGTERM, and has no state that it must save.
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            _close_quietly(pipe)

    def _abort_call(self, call_id: int) -> None:
        """Ask the process to abort the call; kill it when the call has not ended after STOP_TIMEOUT."""
        try:
            if call_id == self._call_id:  # else its work is done, and "cancel" would stop the next call
                self._send_frame({"kind": "cancel"})
            deadline = time.monotonic() + STOP_TIMEOUT
            # Discard the rest of the call, so that the next one reads its own frames.
            while self._receive_frame(deadline)[0]["kind"] not in ("done", "error"):
                pass
        except (SynthesisFailed, TimedOut) as exc:
            log.warning("A worker process is killed and replaced: %s", exc)
            self._kill_process()

    def _send_frame(self, header: dict[str, Any]) -> None:
        """Write a frame without payload. Raises WorkerLost when the process has ended."""
        process = self._process
        if process is None:
            raise WorkerLost("The speech worker was stopped.")
        assert process.stdin is not None
        try:
            write_frame(process.stdin, header)
        except (OSError, ValueError) as exc:  # it died, or close() closed the pipe meanwhile
            raise WorkerLost("The speech worker ended unexpectedly.") from exc

    def _receive_frame(self, deadline: float, call_id: int = -1) -> Frame:
        """Return the next frame before `deadline`, in seconds of time.monotonic().

        Raises:
            ClientGone: The call `call_id` was cancelled; -1 waits regardless.
            TimedOut: No frame arrived in time.
            WorkerLost, SynthesisFailed: The process ended, or sent bytes that are not a frame.
        """
        while True:
            # Checked before each wait: a cancel puts _WAKE_UP into the queue to end the current one.
            if self._cancelled_call_id == call_id:
                raise ClientGone("The client left.")
            try:
                item: Frame | FrameError | object | None = self._inbox.get(
                    timeout=max(0.0, deadline - time.monotonic())
                )
            except queue.Empty as exc:
                raise TimedOut(f"The speech worker did not answer within {self._timeout:g} seconds.") from exc
            if item is None:
                self._inbox.put(None)  # for the next reader
                raise WorkerLost("The speech worker ended unexpectedly.")
            if isinstance(item, FrameError):
                raise SynthesisFailed("The speech worker sent something that is not sound.") from item
            if isinstance(item, tuple):
                return item


def parse_chunk(header: dict[str, Any], payload: bytes) -> Chunk:
    """Return the chunk in a frame. Raises SynthesisFailed when it holds none."""
    if header["kind"] != "chunk":
        raise SynthesisFailed(f"The speech worker sent {header['kind']!r} instead of sound.")
    try:
        return Chunk(np.frombuffer(payload, dtype="<f4"), tuple(Word(*fields) for fields in header["words"]))
    except (KeyError, TypeError, ValueError) as exc:
        raise SynthesisFailed("The speech worker sent something that is not sound.") from exc


def _read_frames(pipe: IO[bytes], inbox: queue.SimpleQueue[Any]) -> None:
    """Put every frame into `inbox`, then None at the end; FrameError in place of bytes that are no frame.

    Runs in a thread of its own, because pipes have no read timeout on Windows.
    """
    try:
        while frame := read_frame(pipe):
            inbox.put(frame)
    except FrameError as exc:
        inbox.put(exc)
    except (OSError, ValueError):
        pass  # the pipe was closed while reading: end as below
    inbox.put(None)


def _enlarge_pipe(pipe: IO[bytes]) -> None:
    """Enlarge the pipe to PIPE_CAPACITY, where that can be done."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # refused to a user who has many large pipes
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, PIPE_CAPACITY)


def _close_quietly(pipe: IO[bytes] | None) -> None:
    """Close the pipe, ignoring unwritten data whose reader has ended."""
    try:
        if pipe is not None:
            pipe.close()
    except OSError:
        pass  # the reader of the buffered data has ended
