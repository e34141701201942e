"""Keep a front server's view of the worker machines, made of their heartbeat replies.

A machine joins with its first reply and leaves when it has not replied for a while: a single missed reply says nothing,
since a busy machine may be late. Machines of another build are only counted and logged, as they never get our tasks.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass
from typing import Any

from kokoro_server.engine.cluster.messages import BuildId

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkerMachine:
    """Record the last heartbeat reply of a machine: its workers, those that are ready, and when it came.

    `last_seen` is in seconds of time.monotonic().
    """

    workers: int
    ready_workers: int
    last_seen: float


class MachineRegistry:
    """Know which machines there are and how many workers they have. Thread-safe.

    Args:
        build_id: Build of this front server, which machines must have.
        timeout: Seconds without a reply until a machine counts as lost.
    """

    def __init__(self, build_id: BuildId, timeout: float) -> None:
        self._build_id = build_id
        self._timeout = timeout
        self._lock = threading.Lock()
        self._machines: dict[str, WorkerMachine] = {}
        self._incompatible_machines: dict[str, float] = {}
        """Time of the last reply by name."""

    def __contains__(self, name: object) -> bool:
        """Return whether the machine of that name is there."""
        return name in self._machines

    def __len__(self) -> int:
        """Return the number of machines that are there."""
        return len(self._machines)

    def list_machines(self) -> list[WorkerMachine]:
        """Return the machines that are there."""
        with self._lock:
            return list(self._machines.values())

    def count_incompatible(self) -> int:
        """Return the number of machines of another build."""
        return len(self._incompatible_machines)

    def update(self, replies: dict[str, dict[str, Any]]) -> None:
        """Record the replies to one heartbeat, by machine, and drop the machines that have been silent for too long."""
        ours = asdict(self._build_id)
        now = time.monotonic()
        with self._lock:
            for name, found in replies.items():
                if found["edition"] == ours:
                    self._record_machine(name, WorkerMachine(found["workers"], found["ready"], now))
                else:
                    self._record_incompatible(name, BuildId(**found["edition"]), now)
            self._drop_silent(now)

    def _record_machine(self, name: str, machine: WorkerMachine) -> None:
        """Record a machine of our build; log it when it is new."""
        if name not in self._machines:
            log.info("Machine %s joined with %d workers", name, machine.workers)
        self._machines[name] = machine

    def _record_incompatible(self, name: str, build_id: BuildId, now: float) -> None:
        """Record a machine of another build; log it when it is new."""
        if name not in self._incompatible_machines:
            log.error("Machine %s is refused: it has %s, expected %s", name, build_id, self._build_id)
        self._incompatible_machines[name] = now

    def _drop_silent(self, now: float) -> None:
        """Drop the machines without a reply in the last `timeout` seconds."""
        silent = [name for name, machine in self._machines.items() if now - machine.last_seen > self._timeout]
        for name in silent:
            log.warning("Machine %s left: no heartbeat reply", name)
            del self._machines[name]
        self._incompatible_machines = {
            name: seen for name, seen in self._incompatible_machines.items() if now - seen < self._timeout
        }
