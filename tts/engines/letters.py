"""Represent utterances that other machines synthesize, and the workers that wait for them.

A RemoteWorker makes a RemoteTask of each utterance, sends it by a Transport, and waits for its result.
"""

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
    """Set how long a front server waits, in seconds."""

    between_rolls: float = 1.0
    """From the end of a heartbeat to the next."""
    roll: float = 1.0
    """Until every machine must have replied to a heartbeat."""
    lost: float = 6.0
    """Without a heartbeat reply until a machine counts as lost, and its tasks are sent again."""
    overdue: float = 10.0
    """Until a task that no machine has started is sent again, twice as long each time: a machine may have died before
    it could report the start. If the task was only waiting, the copy is revoked once there is a result."""


class Letter:
    """Carry an utterance to a machine and its result back.

    The transport's threads update it; the thread of the RemoteWorker waits for it; any thread may cancel() it.

    Args:
        operation: "speak" or "phonemize", as it travels.
        utterance: The utterance.
    """

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
        """Return whether a machine has started it."""
        return bool(self.machine) or self.answered

    def deliver(self, answer: Answer) -> None:
        """Set the result; wait_for_result() returns it."""
        self.answered = True
        self._inbox.put(answer)

    def cancel(self) -> None:
        """Make wait_for_result() raise ClientGone."""
        # None: cancelled.
        self._inbox.put(None)

    def wait(self, seconds: float) -> Answer:
        """Return the result. Raises TimedOut after that many seconds, ClientGone when the task was cancelled."""
        try:
            answer = self._inbox.get(timeout=seconds)
        except queue.Empty as exc:
            raise TimedOut(f"The cluster did not answer within {seconds:g} seconds.") from exc
        if answer is None:
            raise ClientGone("The client left.")
        return answer

    def is_lost(self, machines: Container[str], patience: Patience) -> bool:
        """Return whether the task must be sent again.

        That is when its machine is not among `machines` any more, or when no machine has started it in time.
        """
        now = time.monotonic()
        # Started: a machine that has just joined may not have replied to a heartbeat yet.
        if self.machine:
            return self.machine not in machines and now - self.begun_at > patience.lost
        # exponential backoff: 1, 2, 4 ... times the timeout after each sending
        return now - self.sent_at > patience.overdue * 2.0 ** (self.sent - 1)


@dataclass
class Machine:
    """Record the last heartbeat reply of a machine: its workers, those that are ready, and when it came.

    `last_seen` is in seconds of time.monotonic().
    """

    workers: int
    ready: int
    seen: float = field(default_factory=time.monotonic)


class Post(Protocol):
    """Send tasks to worker machines. Thread-safe."""

    def send(self, letter: Letter) -> None:
        """Send the task, now or when the broker is reachable again. Does not wait for its result."""

    def forget(self, letter: Letter) -> None:
        """Drop the task: nobody waits for its result any more. Revokes it unless it is complete."""


class Remote:
    """Run utterances on whichever machine is free. Implements Worker for the front server's pool.

    Args:
        transport: Sends the tasks; shared by all workers.
        timeout: Seconds for one utterance, the wait for a machine included.
    """

    ready = True
    asleep = False
    restarts = 0

    def __init__(self, post: Post, timeout: float) -> None:
        self._post = post
        self._timeout = timeout
        self._letter: Letter | None = None

    def start(self) -> None:
        """Do nothing: machines start their own workers."""

    def rest(self) -> None:
        """Do nothing: an idle worker has no process here."""

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Return an iterator that yields the utterance as one chunk. See Worker; `threads` is ignored."""
        task = self._letter = Letter("speak", utterance)
        return self._sound(task)

    def _sound(self, letter: Letter) -> Iterator[Chunk]:
        """Yield the audio of the task."""
        yield sound_in(self._answer(letter))

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        """Return the phonemes of the utterance. See Worker."""
        task = self._letter = Letter("phonemize", utterance)
        return reading_in(self._answer(task))

    def _answer(self, letter: Letter) -> Answer:
        """Send the task and wait for its result."""
        try:
            self._post.send(letter)
            return letter.wait(self._timeout)
        finally:
            self._post.forget(letter)

    def cancel(self) -> None:
        """Cancel the latest task. Thread-safe."""
        if self._letter is not None:
            self._letter.cancel()

    def close(self) -> None:
        """Cancel the latest task. Thread-safe."""
        self.cancel()
