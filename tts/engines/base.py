"""What an engine is: something that turns a request into chunks of sound, for a listener who may leave."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from tts.speech.audio import Chunk
from tts.speech.errors import ClientGone, TimedOut
from tts.speech.request import Pronunciation, SpeechRequest
from tts.speech.text import Utterance

ROOT = Path(__file__).parents[2]
"""Where `python -m tts...` is found from, whatever folder the server was started in."""


OUT_OF_REACH: dict[str, Any] = {}
if sys.platform == "win32":
    OUT_OF_REACH["creationflags"] = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    OUT_OF_REACH["start_new_session"] = True
"""Popen's options for a child that a Ctrl-C in our terminal does not reach: it may finish what it speaks."""


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Listener:
    """Who waits for the sound: until when (seconds of time.monotonic()), whether they have gone, and what the log calls
    their request."""

    deadline: float = float("inf")
    has_gone: Callable[[], bool] = field(default=_never)
    request_id: str = ""

    def check(self) -> None:
        """Raise ClientGone or TimedOut when there is no use in going on."""
        if self.has_gone():
            raise ClientGone("The client left before its answer was made.")
        if time.monotonic() > self.deadline:
            raise TimedOut("The request's time limit was hit before its answer was made.")


class Engine(Protocol):
    """Who does the work. Methods may be called from any thread."""

    def start(self) -> None:
        """Be ready to speak. Raises WorkerUnavailable, with one clear line, when that can't be."""

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        """The utterances that the request will be spoken in."""

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        """The request's sound, in order and complete; closing the iterator gives up the rest at once.

        Raises Busy at once, and SynthesisFailed, WorkerUnavailable, TimedOut or ClientGone while it is iterated.
        """

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        """How `text` is read in the language with that letter, emoji named or silent.

        Raises what synthesize() raises, and Unsupported.
        """

    def status(self) -> dict[str, Any]:
        """What GET /health tells: JSON values. Numbers under "totals" only ever grow; GET /metrics tells them too."""

    def close(self) -> None:
        """Stop every child; whatever is under way fails."""


class Worker(Protocol):
    """One who speaks one utterance at a time; an engine owns several.

    start() and speak() are called from one thread, cancel() and close() from any. A worker whose sound takes a moment
    to arrive may be handed its next utterance meanwhile: see speak().
    """

    @property
    def ready(self) -> bool:
        """Whether speak() could begin at once."""

    @property
    def asleep(self) -> bool:
        """Whether it was let go while nobody needed it; the next speak() wakes it."""

    @property
    def restarts(self) -> int:
        """How many times it had to be started again because it had died."""

    def start(self) -> None:
        """Be ready to speak. Raises WorkerUnavailable."""

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk | None]:
        """The utterance's sound; a cancel() after this call, even before the first chunk is asked for, is about it.

        None, once at most, says that nothing is left to do but to hand over the last sound: speak() may be called again
        then, and is to be iterated after this. Raises SynthesisFailed, TimedOut, WorkerUnavailable or, when cancelled,
        ClientGone; then the next may come.
        """

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        """How the utterance is read. Raises what speak() raises, and Unsupported."""

    def rest(self) -> None:
        """Told about once a second while there is nothing to do, from the thread that speaks."""

    def cancel(self) -> None:
        """Make the last speak() end soon when it is still under way."""

    def close(self) -> None:
        """End every process behind it, for good; a start() or speak() under way fails."""
