"""Define the protocols of an engine and a worker, and the context of a request.

An Engine turns a whole request into audio chunks. It owns several Workers, each of which synthesizes one utterance at a
time. RequestContext carries the deadline and the cancellation of one request through both.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import ClientGone, TimedOut
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Phonemization, SpeechRequest
from kokoro_server.text.chunking import Utterance

IMPORT_ROOT = Path(__file__).parents[2]
"""Folder from which `python -m tts...` is importable; child processes start there, whatever our working folder."""


DETACHED_POPEN_OPTIONS: dict[str, Any] = {}
if sys.platform == "win32":
    DETACHED_POPEN_OPTIONS["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    DETACHED_POPEN_OPTIONS["start_new_session"] = True
"""Popen options that shield a child process from Ctrl-C in our terminal, so that it can finish its utterance."""


def _return_false() -> bool:
    return False


@dataclass(frozen=True)
class RequestContext:
    """Carry the deadline and the cancellation of one request. Immutable; safe to share between threads.

    Args:
        deadline: Time limit in seconds of time.monotonic().
        is_cancelled: Return True once the client has left. Called from the thread that reads the chunks, every 50 ms.
        request_id: Id of the request in the log.
    """

    deadline: float = float("inf")
    is_cancelled: Callable[[], bool] = field(default=_return_false)
    request_id: str = ""

    def ensure_active(self) -> None:
        """Raise ClientGone when the request is cancelled, TimedOut when its deadline has passed."""
        if self.is_cancelled():
            raise ClientGone("The client left before its answer was made.")
        if time.monotonic() > self.deadline:
            raise TimedOut("The request's time limit was hit before its answer was made.")


class Engine(Protocol):
    """Turn requests into audio. All methods are thread-safe."""

    def start(self) -> None:
        """Start the workers. Raises WorkerUnavailable, with a message of one line, when none can start."""

    def plan(self, request: SpeechRequest) -> Sequence[Utterance]:
        """Split the request into the utterances that synthesize() will produce, in order."""

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        """Yield the audio of the request, in order and complete; closing the iterator cancels the rest at once.

        Raises:
            Busy: The queue is full; raised by the first next(), before any work.
            SynthesisFailed, WorkerUnavailable: A worker failed.
            TimedOut, ClientGone: The deadline passed, or the request was cancelled.
        """

    def phonemize(self, text: str, language: Language, context: RequestContext, emoji: bool = True) -> Phonemization:
        """Return the phonemes of `text` in that language.

        `emoji` selects whether emoji are named or silent. Raises what synthesize() raises, and Unsupported.
        """

    def get_status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values.

        Numbers under "totals" are counters that never decrease; GET /metrics exports them too.
        """

    def close(self) -> None:
        """Stop every child process; requests in progress fail."""


@dataclass(frozen=True)
class WorkDone:
    """Tell that a worker's work on an utterance is done: only audio that is already made is still to be delivered.

    A worker makes it, at most once an utterance; `Task.run` consumes it. Nothing behind that ever sees one.
    """


WorkerEvent = Chunk | WorkDone
"""What a worker yields while it synthesizes an utterance."""


class Worker(Protocol):
    """Synthesize one utterance at a time for an engine.

    start(), synthesize(), phonemize() and on_idle() are called from one thread, cancel() and close() from any. A worker
    whose audio takes a moment to arrive may accept its next utterance meanwhile: see synthesize().
    """

    @property
    def is_ready(self) -> bool:
        """Return whether synthesize() can begin without a start."""

    @property
    def is_unloaded(self) -> bool:
        """Return whether the worker was unloaded while idle; the next synthesize() loads it again."""

    @property
    def restarts(self) -> int:
        """Return how many times the worker was started again after it had died."""

    def start(self) -> None:
        """Start the worker and wait until it is ready. Raises WorkerUnavailable."""

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[WorkerEvent]:
        """Return the chunks of the utterance, and WorkDone once its work is done.

        WorkDone comes at most once, before the last chunk or not at all. synthesize() may then be called for the next
        utterance, whose iterator must be read after this one. cancel() applies to this utterance as
        soon as this method has returned, even before the first chunk is read.

        Args:
            utterance: Text, voice, language and speed.
            threads: Number of cores to use, at least 1.

        Raises:
            SynthesisFailed, TimedOut, WorkerUnavailable: While iterated; the worker may be used again afterwards.
            ClientGone: The utterance was cancelled.
        """

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Return the phonemes of the utterance. Raises what synthesize() raises, and Unsupported."""

    def on_idle(self) -> None:
        """Do housekeeping; called about once a second while idle, from the thread that calls synthesize()."""

    def cancel(self) -> None:
        """Make the latest synthesize() end soon if it is still in progress."""

    def close(self) -> None:
        """End every process of the worker for good; a start() or synthesize() in progress fails."""
