"""Send the tasks of a front server to the machines, and bring back their results.

A task stays registered from send() to forget(). Meanwhile two threads look after it: one polls the result store, the
other sends heartbeats to all machines and learns from the replies which are there.

A task is sent again, with the same id, when its machine was lost, when no machine has started it in time, when its
machine cannot start a worker, and when the broker is reachable again: while it is not, tasks wait, and the first
heartbeat that succeeds sends all pending ones. The first result counts; other copies are revoked.

Lock: CeleryTransport._lock guards the table of tasks. The fields of a task are written without it: at worst the task is
sent once more than needed, which costs a machine's time but never changes the result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from redis.exceptions import RedisError

from kokoro_server.core.errors import SynthesisFailed, WorkerUnavailable
from kokoro_server.engine.cluster.broker import BrokerClient
from kokoro_server.engine.cluster.machine_registry import MachineRegistry
from kokoro_server.engine.cluster.messages import ClusterSettings, TaskResult, pack_failure
from kokoro_server.engine.cluster.remote import ClusterTimeouts, RemoteTask

log = logging.getLogger(__name__)

RESULT_POLL_INTERVAL = 0.01
"""Seconds between two fetches of results: one command to Redis for all tasks together."""
MAX_SENDS = 3
"""Times that a task is sent before the error of a machine that cannot start a worker reaches its request."""


class CeleryTransport:
    """Send tasks, and set their results as these arrive. Thread-safe. Implements Transport.

    Args:
        settings: The connection.
        resize: Called with the number of workers of all machines, after each heartbeat.
        timeouts: How long to wait for machines.
    """

    def __init__(self, settings: ClusterSettings, resize: Callable[[int], None], timeouts: ClusterTimeouts) -> None:
        self._settings = settings
        self._timeouts = timeouts
        self._resize = resize
        self._broker = BrokerClient(settings)
        self._machines = MachineRegistry(settings.build_id, timeouts.machine_timeout)
        self._lock = threading.Lock()
        self._tasks: dict[str, RemoteTask] = {}
        self._started_count, self._total_lag, self._resend_count = 0, 0.0, 0
        self._wake_up = threading.Event()
        self._stop_event = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"cluster-{name}", daemon=True)
            for name, target in (("answers", self._poll_results), ("roll", self._run_heartbeats))
        ]

    def start(self) -> None:
        """Send the first heartbeat, then start both threads. Does not raise without a broker."""
        self._send_heartbeat()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads and join them."""
        self._stop_event.set()
        self._wake_up.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def ensure_available(self) -> None:
        """Raise WorkerUnavailable when the broker is unreachable or no machine replies."""
        # The broker and the result store may be two servers: both must answer.
        if not self._broker.error:
            self._broker.check_result_store()
        if self._broker.error:
            raise WorkerUnavailable("The cluster's broker is away.")
        if not self._machines:
            raise WorkerUnavailable("No worker machine answers.")

    def get_cluster_status(self) -> dict[str, Any]:
        """Return the part of the status about machines and broker."""
        # What was known before the broker was lost says nothing about now.
        machines = [] if self._broker.error else self._machines.list_machines()
        return {
            "machines": len(machines),
            "refused": self._machines.count_incompatible(),
            "workers": sum(machine.workers for machine in machines),
            "ready": sum(machine.ready_workers for machine in machines),
            "broker": "away" if self._broker.error else "there",
            "lag_seconds": round(self._measure_lag(), 3),
        }

    def _measure_lag(self) -> float:
        """Return the longest time in seconds that a task waits for a machine to start it."""
        now = time.monotonic()
        with self._lock:
            return max((now - task.sent_at for task in self._tasks.values() if not task.is_started), default=0.0)

    def get_totals(self) -> dict[str, float]:
        """Return the counters since the start; "lag_seconds" is the time from sending a task to its start."""
        return {
            "begun": self._started_count,
            "lag_seconds": round(self._total_lag, 3),
            "sent_again": self._resend_count,
        }

    def send(self, task: RemoteTask) -> None:
        """Register the task and send it; it stays registered until forget()."""
        # Registered before it is published: the result may arrive at once.
        with self._lock:
            self._tasks[task.id] = task
        self._publish(task)
        self._wake_up.set()

    def forget(self, task: RemoteTask) -> None:
        """Drop the task; revoke it unless it is complete and was sent only once."""
        with self._lock:
            self._tasks.pop(task.id, None)
        # A task with a result has no copy left, unless it was sent again.
        if not self._broker.error and not (task.has_result and task.send_count < 2):
            self._broker.revoke(task.id)

    def _publish(self, task: RemoteTask) -> None:
        """Publish the task to the queue, for the first time or again."""
        # Sent again under the same id: whichever copy finishes first gives the result.
        task.machine, task.sent_at = "", time.monotonic()
        self._resend_count += task.send_count > 0
        if self._broker.publish(task):
            task.send_count += 1

    def _poll_results(self) -> None:
        """Fetch results until close(), while there are tasks. Runs in a thread of its own."""
        # Poll only while there are tasks; else sleep until send() adds one.
        while not self._stop_event.wait(RESULT_POLL_INTERVAL if self._tasks else 0):
            if not self._tasks:
                self._wake_up.wait()
                self._wake_up.clear()
                continue
            try:
                self._fetch_states(self._list_pending())
            except RedisError as exc:
                self._broker.mark_unreachable(exc)
                self._stop_event.wait(self._timeouts.heartbeat_timeout)

    def _list_pending(self) -> list[RemoteTask]:
        """Return the tasks without a result."""
        with self._lock:
            return [task for task in self._tasks.values() if not task.has_result]

    def _fetch_states(self, tasks: list[RemoteTask]) -> None:
        """Fetch the state of these tasks from Redis, and send lost ones again. Raises RedisError."""
        states = self._broker.fetch_states([task.id for task in tasks])
        for task, content in zip(tasks, states, strict=True):
            if content is not None and content != task.last_state and not task.has_result:
                task.last_state = content
                self._update_task(task, content)
        self._resend_lost()

    def _update_task(self, task: RemoteTask, content: bytes) -> None:
        """Update the task from its state in Redis, as Celery stores it."""
        try:
            meta = self._broker.parse_state(content)
            if meta["status"] == "STARTED":
                task.machine, task.started_at = str(meta["result"]["hostname"]), time.monotonic()
                self._started_count += 1
                self._total_lag += task.started_at - task.sent_at
            elif meta["status"] == "SUCCESS":
                # Celery never overwrites a success: delete it, or a task that is sent again could not store its result.
                self._broker.delete_state(task.id)
                self._set_result_or_resend(task, dict(meta["result"]))
            elif meta["status"] == "FAILURE":
                task.set_result(pack_failure(SynthesisFailed("A worker machine broke; its log says how.")))
        except (ValueError, KeyError, TypeError):
            log.exception("Cannot parse the result of task %s", task.id)
            task.set_result(pack_failure(SynthesisFailed("A worker machine sent something that is no answer.")))

    def _set_result_or_resend(self, task: RemoteTask, result: TaskResult) -> None:
        """Set the result of the task, or send it again when its machine cannot start a worker."""
        if result.get("failure") == WorkerUnavailable.code and task.send_count < MAX_SENDS:
            log.warning(
                "Machine %s cannot start a worker; sending task %s again: %s",
                task.machine,
                task.id,
                result["message"],
            )
            self._publish(task)
        else:
            task.set_result(result)

    def _resend_lost(self) -> None:
        """Send lost tasks again, while the broker is reachable."""
        if self._broker.error:
            return
        for task in self._list_pending():
            if task.is_lost(self._machines, self._timeouts):
                log.warning("Task %s was lost with %s; sending it again", task.id, task.machine or "its machine")
                self._publish(task)

    def _run_heartbeats(self) -> None:
        """Send heartbeats until close(). Runs in a thread of its own."""
        while not self._stop_event.wait(self._timeouts.heartbeat_interval):
            self._send_heartbeat()

    def _send_heartbeat(self) -> None:
        """Send a heartbeat to all machines, wait for the replies, and recover a lost broker."""
        replies = self._broker.send_heartbeat(self._timeouts.heartbeat_timeout)
        if replies is None:
            return
        self._machines.update(replies)
        self._resize(sum(machine.workers for machine in self._machines.list_machines()))
        # Last: once the error is cleared, requests are admitted and tasks found lost by the machines of the registry.
        if self._broker.error:
            self._recover_broker()

    def _recover_broker(self) -> None:
        """Mark the broker as reachable and send all pending tasks again: it may have lost them."""
        self._broker.error = ""
        pending = self._list_pending()
        log.info("Broker %s is reachable again; sending %d tasks again", self._settings, len(pending))
        for task in pending:
            self._publish(task)
