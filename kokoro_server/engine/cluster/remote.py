"""Represent utterances that other machines synthesize, and the workers that wait for them.

A RemoteWorker makes a RemoteTask of each utterance, sends it by a Transport, and waits for its result.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Protocol

from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import ClientGone, TimedOut
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.cluster.messages import TaskResult, unpack_phonemes, unpack_sound
from kokoro_server.text.chunking import Utterance


@dataclass(frozen=True)
class ClusterTimeouts:
    """Set how long a front server waits, in seconds."""

    heartbeat_interval: float = 1.0
    """From the end of a heartbeat to the next."""
    heartbeat_timeout: float = 1.0
    """Until every machine must have replied to a heartbeat."""
    machine_timeout: float = 6.0
    """Without a heartbeat reply until a machine counts as lost, and its tasks are sent again."""
    start_timeout: float = 10.0
    """Until a task that no machine has started is sent again, twice as long each time: a machine may have died before
    it could report the start. If the task was only waiting, the copy is revoked once there is a result."""


class RemoteTask:
    """Carry an utterance to a machine and its result back.

    The transport's threads update it; the thread of the RemoteWorker waits for it; any thread may cancel() it.

    Args:
        operation: "speak" or "phonemize", as it travels.
        utterance: The utterance.
    """

    def __init__(self, operation: str, utterance: Utterance) -> None:
        self.id = uuid.uuid4().hex
        self.operation = operation
        self.utterance = utterance
        self.send_count = 0
        self.sent_at = 0.0
        self.machine = ""
        self.started_at = 0.0
        self.last_state: bytes | None = None
        self.has_result = False
        self._inbox: queue.SimpleQueue[TaskResult | None] = queue.SimpleQueue()

    @property
    def is_started(self) -> bool:
        """Return whether a machine has started it."""
        return bool(self.machine) or self.has_result

    def set_result(self, result: TaskResult) -> None:
        """Set the result; wait_for_result() returns it."""
        self.has_result = True
        self._inbox.put(result)

    def cancel(self) -> None:
        """Make wait_for_result() raise ClientGone."""
        # None: cancelled.
        self._inbox.put(None)

    def wait_for_result(self, timeout: float) -> TaskResult:
        """Return the result. Raises TimedOut after that many seconds, ClientGone when the task was cancelled."""
        try:
            answer = self._inbox.get(timeout=timeout)
        except queue.Empty as exc:
            raise TimedOut(f"The cluster did not answer within {timeout:g} seconds.") from exc
        if answer is None:
            raise ClientGone("The client left.")
        return answer

    def is_lost(self, machines: Container[str], timeouts: ClusterTimeouts) -> bool:
        """Return whether the task must be sent again.

        That is when its machine is not among `machines` any more, or when no machine has started it in time.
        """
        now = time.monotonic()
        # Started: a machine that has just joined may not have replied to a heartbeat yet.
        if self.machine:
            return self.machine not in machines and now - self.started_at > timeouts.machine_timeout
        # exponential backoff: 1, 2, 4 ... times the timeout after each sending
        return now - self.sent_at > timeouts.start_timeout * 2.0 ** (self.send_count - 1)


class Transport(Protocol):
    """Send tasks to worker machines. Thread-safe."""

    def send(self, task: RemoteTask) -> None:
        """Send the task, now or when the broker is reachable again. Does not wait for its result."""

    def forget(self, task: RemoteTask) -> None:
        """Drop the task: nobody waits for its result any more. Revokes it unless it is complete."""


class RemoteWorker:
    """Run utterances on whichever machine is free. Implements Worker for the front server's pool.

    Args:
        transport: Sends the tasks; shared by all workers.
        timeout: Seconds for one utterance, the wait for a machine included.
    """

    # Always ready: the machines' own workers start, die and unload, which their heartbeat replies tell.
    is_ready = True
    is_unloaded = False
    restarts = 0

    def __init__(self, transport: Transport, timeout: float) -> None:
        self._transport = transport
        self._timeout = timeout
        self._task: RemoteTask | None = None

    def start(self) -> None:
        """Do nothing: machines start their own workers."""

    def on_idle(self) -> None:
        """Do nothing: an idle worker has no process here."""

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Return an iterator that yields the utterance as one chunk. See Worker; `threads` is ignored."""
        task = self._task = RemoteTask("speak", utterance)
        return self._yield_chunk(task)

    def _yield_chunk(self, task: RemoteTask) -> Iterator[Chunk]:
        """Yield the audio of the task."""
        yield unpack_sound(self._run_task(task))

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Return the phonemes of the utterance. See Worker."""
        task = self._task = RemoteTask("phonemize", utterance)
        return unpack_phonemes(self._run_task(task))

    def _run_task(self, task: RemoteTask) -> TaskResult:
        """Send the task and wait for its result."""
        try:
            self._transport.send(task)
            return task.wait_for_result(self._timeout)
        finally:
            self._transport.forget(task)

    def cancel(self) -> None:
        """Cancel the latest task. Thread-safe."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Cancel the latest task. Thread-safe."""
        self.cancel()
