"""Utterances that are spoken on other machines: each is a letter, and a worker here waits for its answer."""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tts.engines.parcels import Answer, reading_in, sound_in
from tts.speech.audio import Chunk
from tts.speech.errors import ClientGone, TimedOut
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance


@dataclass(frozen=True)
class Patience:
    """How long a front server waits, in seconds."""

    between_rolls: float = 1.0
    """From the end of a roll call to the next."""
    roll: float = 1.0
    """Until every machine must have answered a roll call."""
    lost: float = 6.0
    """Until a machine that answers no roll call is taken for lost, and its letters go to others."""
    overdue: float = 10.0
    """Until a letter that no machine has begun is sent again, twice as long each time: it was lost with a machine that
    took it and died before it could say so. Where it only waited, the copy is withdrawn when it is answered."""


class Letter:
    """An utterance on its way to a machine and back."""

    def __init__(self, order: str, utterance: Utterance) -> None:
        self.id = uuid.uuid4().hex
        self.order = order
        self.utterance = utterance
        self.sent = 0
        self.sent_at = 0.0
        self.machine = ""
        self.begun_at = 0.0
        self.seen: bytes | None = None
        self.answered = False
        self._inbox: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()

    @property
    def begun(self) -> bool:
        """Whether a machine works on it, or has."""
        return bool(self.machine) or self.answered

    def deliver(self, answer: Answer) -> None:
        self.answered = True
        self._inbox.put(answer)

    def cancel(self) -> None:
        """Nobody waits for the answer any more."""
        self._inbox.put(None)

    def wait(self, seconds: float) -> Answer:
        """The answer. Raises TimedOut, or ClientGone when it was cancelled."""
        try:
            answer = self._inbox.get(timeout=seconds)
        except queue.Empty as exc:
            raise TimedOut(f"The cluster did not answer within {seconds:g} seconds.") from exc
        if answer is None:
            raise ClientGone("The client left.")
        return answer

    def is_lost(self, machines: Container[str], patience: Patience) -> bool:
        """Whether nobody is going to answer it: its machine is not among those that are there, or never began it."""
        now = time.monotonic()
        if self.machine:
            return self.machine not in machines and now - self.begun_at > patience.lost
        return now - self.sent_at > patience.overdue * 2.0 ** (self.sent - 1)


@dataclass
class Machine:
    """A worker machine as it answered a roll call: `seen` in seconds of time.monotonic()."""

    workers: int
    ready: int
    seen: float = field(default_factory=time.monotonic)


class Post(Protocol):
    """Carries letters."""

    def send(self, letter: Letter) -> None:
        """Have the letter answered, now or when the broker is back."""

    def forget(self, letter: Letter) -> None:
        """Nobody waits for the letter any more, answered or not."""


class Remote:
    """A worker of the front server's pool: whichever machine is free."""

    ready = True
    asleep = False
    restarts = 0

    def __init__(self, post: Post, timeout: float) -> None:
        self._post = post
        self._timeout = timeout
        self._letter: Letter | None = None

    def start(self) -> None:
        """There is nothing to start here."""

    def rest(self) -> None:
        """There is nothing to do here meanwhile."""

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        letter = self._letter = Letter("speak", utterance)
        return self._sound(letter)

    def _sound(self, letter: Letter) -> Iterator[Chunk]:
        yield sound_in(self._answer(letter))

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        letter = self._letter = Letter("phonemize", utterance)
        return reading_in(self._answer(letter))

    def _answer(self, letter: Letter) -> Answer:
        try:
            self._post.send(letter)
            return letter.wait(self._timeout)
        finally:
            self._post.forget(letter)

    def cancel(self) -> None:
        if self._letter is not None:
            self._letter.cancel()

    def close(self) -> None:
        self.cancel()
