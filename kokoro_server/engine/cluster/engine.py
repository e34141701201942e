"""Run an engine whose workers are on other machines, reached through Celery.

The front server's scheduler works as with local workers. Each of its RemoteWorkers sends a RemoteTask and waits for the
result. CeleryTransport has two threads: one fetches results by polling Redis, the other sends a heartbeat to all
machines and resizes the scheduler by their replies.

A task is sent again, with the same id, when its machine was lost, when no machine has started it in time, when its
machine cannot start a worker, and when the broker is reachable again. The first result counts; other copies are
revoked.

A worker machine runs a Pool of its own and a Celery worker that gives it the tasks. Machines of another build (version
or model) have another queue, and are reported as incompatible.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable, Generator
from dataclasses import asdict
from typing import Any

from celery import Celery  # type: ignore[import-untyped]
from celery.exceptions import Ignore  # type: ignore[import-untyped]
from celery.worker import state  # type: ignore[import-untyped]
from celery.worker.control import inspect_command  # type: ignore[import-untyped]
from kombu.entity import Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from kokoro_server.audio.samples import Chunk, join_chunks
from kokoro_server.core.errors import ClientGone, SpeechError, SynthesisFailed, WorkerUnavailable
from kokoro_server.core.logs import log_fields
from kokoro_server.core.request import Phonemization, SpeechRequest
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.cluster.messages import (
    BuildId,
    ClusterSettings,
    TaskResult,
    pack_failure,
    pack_phonemes,
    pack_sound,
    pack_utterance,
)
from kokoro_server.engine.cluster.remote import ClusterTimeouts, RemoteTask, RemoteWorker, WorkerMachine
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.prefetch import PrefetchPolicy
from kokoro_server.engine.task import phonemize_utterance, synthesize_utterance
from kokoro_server.text.chunking import Utterance, UtteranceSizes

log = logging.getLogger(__name__)

TASK_NAME = "kokoro.answer"
"""Name of the Celery task."""
HEARTBEAT_COMMAND = "kokoro_roll"
"""Name of the remote-control command of the heartbeat."""
RESULT_POLL_INTERVAL = 0.01
"""Seconds between two fetches of results: one command to Redis for all tasks together."""
MAX_SENDS = 3
"""Times that a task is sent before the error of a machine that cannot start a worker reaches its request."""
WORKERS_PER_SPARE_UTTERANCE = 4
"""Workers for which one more utterance is in flight, so that no worker is idle for the round trip of a result."""
DEFAULT_TIMEOUTS = ClusterTimeouts()
"""Waits of a front server; tests use shorter ones."""
SOCKET_TIMEOUT = 3.0
"""Seconds without a reply until the connection to a broker counts as lost."""
MIN_PRIORITY, MAX_PRIORITY = 0, 9
"""Priorities in Celery. Redis serves the lowest number first, RabbitMQ the highest."""


class CeleryTransport:
    """Send tasks and fetch results through Celery. Thread-safe.

    While the broker is unreachable, tasks wait; a heartbeat that succeeds sends all pending ones again.

    Args:
        settings: The connection.
        resize: Called with the number of utterances that may be in flight, after each heartbeat.
        timeouts: How long to wait for machines.
    """

    def __init__(self, settings: ClusterSettings, resize: Callable[[int], None], timeouts: ClusterTimeouts) -> None:
        self._settings = settings
        self._timeouts = timeouts
        self._resize = resize
        self._task_app = _make_app(settings, results=None)
        self._result_backend = _make_app(settings, settings.results).backend
        self._lock = threading.Lock()
        self._tasks: dict[str, RemoteTask] = {}
        self._machines: dict[str, WorkerMachine] = {}
        self._incompatible_machines: dict[str, float] = {}
        self._broker_error = ""
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
        if not self._broker_error:
            try:
                self._result_backend.client.ping()
            except RedisError as exc:
                self._mark_unreachable(exc)
        if self._broker_error:
            raise WorkerUnavailable("The cluster's broker is away.")
        if not self._machines:
            raise WorkerUnavailable("No worker machine answers.")

    def get_cluster_status(self) -> dict[str, Any]:
        """Return the part of the status about machines and broker."""
        with self._lock:
            # What was known before the broker was lost says nothing about now.
            machines = [] if self._broker_error else list(self._machines.values())
            return {
                "machines": len(machines),
                "refused": len(self._incompatible_machines),
                "workers": sum(machine.workers for machine in machines),
                "ready": sum(machine.ready_workers for machine in machines),
                "broker": "away" if self._broker_error else "there",
                "lag_seconds": round(self._measure_lag(), 3),
            }

    def _measure_lag(self) -> float:
        """Return the longest time in seconds that a task waits for a machine to start it."""
        now = time.monotonic()
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
        if self._broker_error or task.has_result and task.send_count < 2:
            return
        try:
            self._task_app.control.revoke(task.id)
        except (KombuError, RedisError, OSError) as exc:
            self._mark_unreachable(exc)

    def _publish(self, task: RemoteTask) -> None:
        """Publish the task to the queue, for the first time or again."""
        # Sent again under the same id: whichever copy finishes first gives the result.
        task.machine, task.sent_at = "", time.monotonic()
        self._resend_count += task.send_count > 0
        try:
            self._task_app.send_task(
                TASK_NAME,
                args=(task.operation, pack_utterance(task.utterance)),
                task_id=task.id,
                argsrepr="…",  # keeps the text out of the message headers: it is private, and is in the body already
                queue=self._task_app.amqp.queues[self._settings.queue_name],
                priority=MAX_PRIORITY if task.utterance.is_background != self._settings.uses_rabbitmq else MIN_PRIORITY,
                retry_policy={"max_retries": 1, "interval_start": 0},
            )
            task.send_count += 1
        except (KombuError, RedisError, OSError) as exc:
            self._mark_unreachable(exc)

    def _mark_unreachable(self, exc: Exception) -> None:
        """Mark the broker as unreachable."""
        # Logged once for an outage, not for each task in it.
        if not self._broker_error:
            log.error("Broker %s is unreachable: %s", self._settings, exc)
        self._broker_error = str(exc) or type(exc).__name__

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
                self._mark_unreachable(exc)
                self._stop_event.wait(self._timeouts.heartbeat_timeout)

    def _list_pending(self) -> list[RemoteTask]:
        """Return the tasks without a result."""
        with self._lock:
            return [task for task in self._tasks.values() if not task.has_result]

    def _fetch_states(self, tasks: list[RemoteTask]) -> None:
        """Fetch the state of these tasks from Redis, and send lost ones again. Raises RedisError."""
        keys = [self._result_backend.get_key_for_task(task.id) for task in tasks]
        for task, content in zip(tasks, self._result_backend.mget(keys), strict=True):
            if content is not None and content != task.last_state and not task.has_result:
                task.last_state = content
                self._update_task(task, content)
        self._resend_lost()

    def _update_task(self, task: RemoteTask, content: bytes) -> None:
        """Update the task from its state in Redis, as Celery stores it."""
        try:
            meta = self._result_backend.decode(content)
            if meta["status"] == "STARTED":
                task.machine, task.started_at = str(meta["result"]["hostname"]), time.monotonic()
                self._started_count += 1
                self._total_lag += task.started_at - task.sent_at
            elif meta["status"] == "SUCCESS":
                # Celery never overwrites a success: delete it, or a task that is sent again could not store its result.
                self._result_backend.delete(self._result_backend.get_key_for_task(task.id))
                self._set_result_or_resend(task, dict(meta["result"]))
            elif meta["status"] == "FAILURE":
                task.set_result(pack_failure(SynthesisFailed("A worker machine broke; its log says how.")))
        except (KombuError, ValueError, KeyError, TypeError):
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
        if self._broker_error:
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
        try:
            answers = self._task_app.control.broadcast(
                HEARTBEAT_COMMAND,
                arguments={"edition": asdict(self._settings.build_id)},
                reply=True,
                timeout=self._timeouts.heartbeat_timeout,
            )
            self._result_backend.client.ping()
        except (KombuError, RedisError, OSError) as exc:
            self._mark_unreachable(exc)
            return
        self._update_machines(
            {name: found for answer in answers for name, found in answer.items() if "edition" in found}
        )
        if self._broker_error:
            self._recover_broker()

    def _update_machines(self, replies: dict[str, dict[str, Any]]) -> None:
        """Update the known and the incompatible machines by their replies, and resize the scheduler."""
        # Three steps: log news, update both tables under the lock, then tell the scheduler.
        ours = asdict(self._settings.build_id)
        now = time.monotonic()
        for name, found in replies.items():
            if found["edition"] != ours:
                self._record_incompatible(name, BuildId(**found["edition"]), now)
            elif name not in self._machines:
                log.info("Machine %s joined with %d workers", name, found["workers"])
        with self._lock:
            for name, found in replies.items():
                if found["edition"] == ours:
                    self._machines[name] = WorkerMachine(found["workers"], found["ready"])
            for name in [
                name
                for name, machine in self._machines.items()
                if now - machine.last_seen > self._timeouts.machine_timeout
            ]:
                log.warning("Machine %s left: no heartbeat reply", name)
                del self._machines[name]
            self._incompatible_machines = {
                name: seen
                for name, seen in self._incompatible_machines.items()
                if now - seen < self._timeouts.machine_timeout
            }
            workers = sum(machine.workers for machine in self._machines.values())
        self._resize(
            max(1, workers + -(-workers // WORKERS_PER_SPARE_UTTERANCE))
        )  # one more for every 4 workers, rounded up

    def _record_incompatible(self, name: str, build_id: BuildId, now: float) -> None:
        """Record a machine of another build; log it when it is new."""
        if name not in self._incompatible_machines:
            log.error("Machine %s is refused: it has %s, expected %s", name, build_id, self._settings.build_id)
        self._incompatible_machines[name] = now

    def _recover_broker(self) -> None:
        """Mark the broker as reachable and send all pending tasks again: it may have lost them."""
        self._broker_error = ""
        pending = self._list_pending()
        log.info("Broker %s is reachable again; sending %d tasks again", self._settings, len(pending))
        for task in pending:
            self._publish(task)


class ClusterEngine(Pool):
    """Synthesize requests on the workers of other machines, however many there are. Thread-safe.

    Args:
        settings: The connection.
        max_waiting: Requests that may wait; further ones get Busy.
        max_in_flight: Utterances that may be in flight at once.
        max_per_request: Utterances of one request that may be in flight at once.
        timeouts: How long to wait for machines.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        max_waiting: int,
        max_in_flight: int,
        max_per_request: int,
        timeouts: ClusterTimeouts = DEFAULT_TIMEOUTS,
    ) -> None:
        self._transport = CeleryTransport(
            settings, lambda workers: self._scheduler.resize(min(workers, max_in_flight)), timeouts
        )
        self._max_per_request = max_per_request
        super().__init__(
            "cluster",
            [RemoteWorker(self._transport, settings.timeout) for _ in range(max_in_flight)],
            0,
            max_waiting,
            UtteranceSizes(),
        )

    def start(self) -> None:
        """Look for machines; these may also join later, and so may the broker. Does not raise without them."""
        self._transport.start()
        super().start()

    def choose_in_flight_limit(self, policy: PrefetchPolicy) -> int:
        """Return how many utterances of a request may be in flight: one more than there are workers, bounded."""
        return min(self._scheduler.worker_count + 1, self._max_per_request)

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        """Yield the audio of the request. Raises WorkerUnavailable at once without a broker or a machine."""
        self._transport.ensure_available()
        yield from super().synthesize(request, context)

    def phonemize(self, text: str, language: str, context: RequestContext, emoji: bool = True) -> Phonemization:
        """Return the phonemes of `text`. Raises WorkerUnavailable at once without a broker or a machine."""
        self._transport.ensure_available()
        return super().phonemize(text, language, context, emoji)

    def get_status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values. See Engine."""
        status = super().get_status() | self._transport.get_cluster_status()
        status["totals"] |= self._transport.get_totals()
        return status

    def close(self) -> None:
        """Stop the workers, then the transport; requests in progress get WorkerUnavailable."""
        super().close()
        self._transport.close()


class TaskHandler:
    """Run tasks on a worker machine: its own pool synthesizes, and the result is packed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def run_task(self, task_id: str, operation: str, utterance: Utterance) -> TaskResult:
        """Return the result of the task with that id.

        Raises what Pool.run_operation() raises; ClientGone when the task was revoked.
        """
        # Celery keeps the ids of revoked tasks; no deadline, because the front server revokes a task at its own.
        context = RequestContext(is_cancelled=lambda: task_id in state.revoked)
        began = time.monotonic()
        if operation == "phonemize":
            (found,) = self._pool.run_operation(utterance, phonemize_utterance, context)
            return pack_phonemes(found)
        sound = join_chunks(self._pool.run_operation(utterance, synthesize_utterance, context))
        seconds = time.monotonic() - began
        details = (task_id, len(utterance.text), sound.seconds, seconds)
        request = log_fields(request_id=utterance.request_id)
        log.info("%s: %d characters, %.1f s of speech in %.1f s", *details, extra=request)
        return pack_sound(sound)


def serve_cluster_tasks(settings: ClusterSettings, pool: Pool, workers: int, log_level: str) -> int:
    """Run tasks with `pool` until a stop signal arrives; return the exit code.

    Args:
        settings: The connection.
        pool: Workers of this machine, not started yet.
        workers: Number of tasks at a time.
        log_level: Level of Celery's log.

    Raises:
        WorkerUnavailable: The pool cannot start.
    """
    pool.start()
    try:
        app = _make_app(settings, settings.results)
        _register_task(app, TaskHandler(pool))
        _register_heartbeat(settings.build_id, pool)
        log.info("At work for %s with %d workers: %s", settings, workers, settings.build_id)
        for chatty in ("celery.app.trace", "celery.worker.strategy"):  # celery.app.trace would log the results
            logging.getLogger(chatty).setLevel("WARNING")
        name = f"{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
        options = [
            "--pool=threads",
            f"--concurrency={workers}",
            f"--hostname={name}",
            f"--queues={settings.queue_name}",
        ]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--loglevel={log_level}"]
        app.worker_main(["--quiet", "worker", *options, *quiet])
        return 0
    except SystemExit as exc:
        return int(exc.code or 0)
    finally:
        pool.close()


def _register_task(app: Celery, handler: TaskHandler) -> None:
    """Register the Celery task. Its result is what the handler returns, or a packed error."""

    def run_task(task: Any, order: str, utterance: dict[str, Any]) -> TaskResult:
        try:
            return handler.run_task(task.request.id, order, Utterance.from_json(utterance))
        except ClientGone as exc:
            raise Ignore from exc
        except WorkerUnavailable as exc:
            log.error("This machine can't speak and stops: %s", exc)
            state.should_stop = 1  # else it would take tasks away from machines that can run them
            return pack_failure(exc)
        except SpeechError as exc:
            log.warning("Task %s failed: %s", task.request.id, exc)
            return pack_failure(exc)

    app.task(name=TASK_NAME, bind=True)(run_task)


def _register_heartbeat(build_id: BuildId, pool: Pool) -> None:
    """Register the heartbeat command. It replies with our build and our number of workers."""
    refused: set[BuildId] = set()

    def reply_to_heartbeat(state: Any, edition: dict[str, str]) -> dict[str, Any]:
        theirs = BuildId(**edition)
        if theirs != build_id and theirs not in refused:
            refused.add(theirs)
            log.error("This machine is refused: it has %s, and a front server %s", build_id, theirs)
        found = pool.get_status()
        # An unloaded worker loads when a task arrives.
        able = found["ready"] + found["asleep"]
        return {"edition": asdict(build_id), "workers": found["workers"], "ready": able}

    inspect_command(name=HEARTBEAT_COMMAND)(reply_to_heartbeat)


def _make_app(settings: ClusterSettings, results: str | None) -> Celery:
    """Return a Celery app with our settings.

    A front server sends with an app that has no `results`: Celery would subscribe to every result itself.
    """
    app = Celery("kokoro", broker=settings.broker, backend=results, set_as_current=False)
    timeouts = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT, "socket_keepalive": True}
    queue = Queue(settings.queue_name, max_priority=MAX_PRIORITY if settings.uses_rabbitmq else None)  # type: ignore[no-untyped-call]
    app.conf.update(
        task_queues=[queue],
        task_default_queue=settings.queue_name,
        broker_transport_options={}
        if settings.uses_rabbitmq
        else {"visibility_timeout": 2 * settings.timeout, **timeouts},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        control_exchange="kokoro",
        accept_content=["json"],
        result_serializer="msgpack",
        result_accept_content=["msgpack"],
        result_expires=settings.expires,
        redis_socket_timeout=SOCKET_TIMEOUT,
        redis_socket_connect_timeout=SOCKET_TIMEOUT,
        redis_socket_keepalive=True,
        # A machine that dies leaves its task unacknowledged: the broker gives it to another.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Reports STARTED with the name of the machine, on which _update_task() relies.
        task_track_started=True,
        # No machine reserves tasks beyond its threads while others are idle.
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # results are delivered after a reconnect
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app
