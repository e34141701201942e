"""Reach the broker and the result store of a cluster from a front server.

The broker, a Redis or a RabbitMQ, carries tasks, revocations and heartbeats. The result store, a Redis, holds the state
of each task, its result included. They may be two servers: the broker counts as reachable only while both answer.

A call that fails sets BrokerClient.error and, unless it says otherwise, raises nothing: tasks then wait, and are sent
again once a heartbeat has succeeded. Only the transport clears the error, when it does that.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from kokoro_server.engine.cluster.celery_app import (
    HEARTBEAT_COMMAND,
    MAX_PRIORITY,
    MIN_PRIORITY,
    TASK_NAME,
    make_app,
)
from kokoro_server.engine.cluster.messages import ClusterSettings, pack_utterance
from kokoro_server.engine.cluster.remote import RemoteTask

log = logging.getLogger(__name__)


class BrokerClient:
    """Publish and revoke tasks, read their states and ask for heartbeats, through Celery. Thread-safe."""

    def __init__(self, settings: ClusterSettings) -> None:
        self._settings = settings
        # Two apps: one with a result backend would subscribe to the result of every task that it sends.
        self._task_app = make_app(settings, results=None)
        self._result_backend = make_app(settings, settings.results).backend
        self.error = ""
        """Why the broker is unreachable; empty while it is reachable. The transport clears it."""

    def publish(self, task: RemoteTask) -> bool:
        """Publish the task to the queue; return whether the broker has it."""
        try:
            self._task_app.send_task(
                TASK_NAME,
                args=(task.operation, pack_utterance(task.utterance)),
                task_id=task.id,
                argsrepr="…",  # keeps the text out of the message headers: it is private, and is in the body already
                queue=self._task_app.amqp.queues[self._settings.queue_name],
                # Background tasks come last; the two kinds of broker count in opposite directions.
                priority=MAX_PRIORITY if task.utterance.is_background != self._settings.uses_rabbitmq else MIN_PRIORITY,
                # Hardly any: a request waits here, and a heartbeat that succeeds sends the task again anyway.
                retry_policy={"max_retries": 1, "interval_start": 0},
            )
        except (KombuError, RedisError, OSError) as exc:
            self.mark_unreachable(exc)
            return False
        return True

    def revoke(self, task_id: str) -> None:
        """Make the machines drop the task, if they have it."""
        try:
            self._task_app.control.revoke(task_id)
        except (KombuError, RedisError, OSError) as exc:
            self.mark_unreachable(exc)

    def send_heartbeat(self, timeout: float) -> dict[str, dict[str, Any]] | None:
        """Return the replies of all machines, by their names, that come within `timeout` seconds.

        Returns None when the broker or the result store is unreachable.
        """
        try:
            answers = self._task_app.control.broadcast(
                HEARTBEAT_COMMAND,
                arguments={"edition": asdict(self._settings.build_id)},
                reply=True,
                timeout=timeout,
            )
            self._result_backend.client.ping()
        except (KombuError, RedisError, OSError) as exc:
            self.mark_unreachable(exc)
            return None
        # A machine whose command failed replies with an error instead.
        return {name: found for answer in answers for name, found in answer.items() if "edition" in found}

    def check_result_store(self) -> None:
        """Mark the broker as unreachable if the result store does not answer."""
        try:
            self._result_backend.client.ping()
        except RedisError as exc:
            self.mark_unreachable(exc)

    def fetch_states(self, task_ids: Sequence[str]) -> list[bytes | None]:
        """Return the stored state of each task, None where no machine has started it. Raises RedisError."""
        # One command for all tasks together: the result store is polled many times a second.
        states: list[bytes | None] = self._result_backend.mget(
            [self._result_backend.get_key_for_task(each) for each in task_ids]
        )
        return states

    def parse_state(self, content: bytes) -> dict[str, Any]:
        """Return a stored state as Celery wrote it, with "status" and "result". Raises ValueError."""
        try:
            state: dict[str, Any] = self._result_backend.decode(content)
        except KombuError as exc:
            raise ValueError(f"no state of a task: {exc}") from exc
        return state

    def delete_state(self, task_id: str) -> None:
        """Delete the stored state of the task. Raises RedisError."""
        self._result_backend.delete(self._result_backend.get_key_for_task(task_id))

    def mark_unreachable(self, exc: Exception) -> None:
        """Set `error`."""
        # Logged once for an outage, not for each task in it.
        if not self.error:
            log.error("Broker %s is unreachable: %s", self._settings, exc)
        self.error = str(exc) or type(exc).__name__
