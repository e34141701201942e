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

from tts.engines.base import Listener
from tts.engines.headway import Headway
from tts.engines.letters import Letter, Machine, Patience, Remote
from tts.engines.line import read, speak
from tts.engines.logs import about
from tts.engines.parcels import (
    Answer,
    Edition,
    Link,
    packed_failure,
    packed_reading,
    packed_sound,
    packed_utterance,
)
from tts.engines.pool import Pool
from tts.speech.audio import Chunk, join
from tts.speech.errors import ClientGone, SpeechError, SynthesisFailed, WorkerUnavailable
from tts.speech.request import Pronunciation, SpeechRequest
from tts.speech.text import Sizes, Utterance

log = logging.getLogger(__name__)

TASK = "kokoro.answer"
"""Name of the Celery task."""
ROLL = "kokoro_roll"
"""Name of the remote-control command of the heartbeat."""
POLL = 0.01
"""Seconds between two fetches of results: one command to Redis for all tasks together."""
TRIES = 3
"""Times that a task is sent before the error of a machine that cannot start a worker reaches its request."""
SPARE = 4
"""Workers for which one more utterance is in flight, so that no worker is idle for the round trip of a result."""
DEFAULT = Patience()
"""Waits of a front server; tests use shorter ones."""
SOCKET_TIMEOUT = 3.0
"""Seconds without a reply until the connection to a broker counts as lost."""
LOWEST, HIGHEST = 0, 9
"""Priorities in Celery. Redis serves the lowest number first, RabbitMQ the highest."""


class CeleryPost:
    """Send tasks and fetch results through Celery. Thread-safe.

    While the broker is unreachable, tasks wait; a heartbeat that succeeds sends all pending ones again.

    Args:
        settings: The connection.
        resize: Called with the number of utterances that may be in flight, after each heartbeat.
        timeouts: How long to wait for machines.
    """

    def __init__(self, link: Link, resize: Callable[[int], None], patience: Patience) -> None:
        self._link = link
        self._patience = patience
        self._resize = resize
        self._orders = _app(link, results=None)
        self._results = _app(link, link.results).backend
        self._lock = threading.Lock()
        self._letters: dict[str, Letter] = {}
        self._machines: dict[str, Machine] = {}
        self._strangers: dict[str, float] = {}
        self._fault = ""
        self._begun, self._lag, self._again = 0, 0.0, 0
        self._any = threading.Event()
        self._closing = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"cluster-{name}", daemon=True)
            for name, target in (("answers", self._fetch_answers), ("roll", self._call_rolls))
        ]

    def start(self) -> None:
        """Send the first heartbeat, then start both threads. Does not raise without a broker."""
        self._call_roll()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop both threads and join them."""
        self._closing.set()
        self._any.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def check(self) -> None:
        """Raise WorkerUnavailable when the broker is unreachable or no machine replies."""
        if not self._fault:
            try:
                self._results.client.ping()
            except RedisError as exc:
                self._lose(exc)
        if self._fault:
            raise WorkerUnavailable("The cluster's broker is away.")
        if not self._machines:
            raise WorkerUnavailable("No worker machine answers.")

    def status(self) -> dict[str, Any]:
        """Return the part of the status about machines and broker."""
        with self._lock:
            # What was known before the broker was lost says nothing about now.
            machines = [] if self._fault else list(self._machines.values())
            return {
                "machines": len(machines),
                "refused": len(self._strangers),
                "workers": sum(machine.workers for machine in machines),
                "ready": sum(machine.ready for machine in machines),
                "broker": "away" if self._fault else "there",
                "lag_seconds": round(self._lag_now(), 3),
            }

    def _lag_now(self) -> float:
        """Return the longest time in seconds that a task waits for a machine to start it."""
        now = time.monotonic()
        return max((now - task.sent_at for task in self._letters.values() if not task.begun), default=0.0)

    def totals(self) -> dict[str, float]:
        """Return the counters since the start; "lag_seconds" is the time from sending a task to its start."""
        return {"begun": self._begun, "lag_seconds": round(self._lag, 3), "sent_again": self._again}

    def send(self, letter: Letter) -> None:
        """Register the task and send it; it stays registered until forget()."""
        with self._lock:
            self._letters[letter.id] = letter
        self._send(letter)
        self._any.set()

    def forget(self, letter: Letter) -> None:
        """Drop the task; revoke it unless it is complete and was sent only once."""
        with self._lock:
            self._letters.pop(letter.id, None)
        # A task with a result has no copy left, unless it was sent again.
        if self._fault or letter.answered and letter.sent < 2:
            return
        try:
            self._orders.control.revoke(letter.id)
        except (KombuError, RedisError, OSError) as exc:
            self._lose(exc)

    def _send(self, letter: Letter) -> None:
        """Publish the task to the queue, for the first time or again."""
        letter.machine, letter.sent_at = "", time.monotonic()
        self._again += letter.sent > 0
        try:
            self._orders.send_task(
                TASK,
                args=(letter.order, packed_utterance(letter.utterance)),
                task_id=letter.id,
                argsrepr="…",  # keeps the text out of the message headers: it is private, and is in the body already
                queue=self._orders.amqp.queues[self._link.queue],
                priority=HIGHEST if letter.utterance.background != self._link.by_rabbit else LOWEST,
                retry_policy={"max_retries": 1, "interval_start": 0},
            )
            letter.sent += 1
        except (KombuError, RedisError, OSError) as exc:
            self._lose(exc)

    def _lose(self, exc: Exception) -> None:
        """Mark the broker as unreachable."""
        if not self._fault:
            log.error("Broker %s is unreachable: %s", self._link, exc)
        self._fault = str(exc) or type(exc).__name__

    def _fetch_answers(self) -> None:
        """Fetch results until close(), while there are tasks. Runs in a thread of its own."""
        # Poll only while there are tasks; else sleep until send() adds one.
        while not self._closing.wait(POLL if self._letters else 0):
            if not self._letters:
                self._any.wait()
                self._any.clear()
                continue
            try:
                self._look(self._pending())
            except RedisError as exc:
                self._lose(exc)
                self._closing.wait(self._patience.roll)

    def _pending(self) -> list[Letter]:
        """Return the tasks without a result."""
        with self._lock:
            return [task for task in self._letters.values() if not task.answered]

    def _look(self, letters: list[Letter]) -> None:
        """Fetch the state of these tasks from Redis, and send lost ones again. Raises RedisError."""
        keys = [self._results.get_key_for_task(task.id) for task in letters]
        for task, content in zip(letters, self._results.mget(keys), strict=True):
            if content is not None and content != task.seen and not task.answered:
                task.seen = content
                self._open(task, content)
        self._send_again()

    def _open(self, letter: Letter, content: bytes) -> None:
        """Update the task from its state in Redis, as Celery stores it."""
        try:
            meta = self._results.decode(content)
            if meta["status"] == "STARTED":
                letter.machine, letter.begun_at = str(meta["result"]["hostname"]), time.monotonic()
                self._begun += 1
                self._lag += letter.begun_at - letter.sent_at
            elif meta["status"] == "SUCCESS":
                # Celery never overwrites a success: delete it, or a task that is sent again could not store its result.
                self._results.delete(self._results.get_key_for_task(letter.id))
                self._take(letter, dict(meta["result"]))
            elif meta["status"] == "FAILURE":
                letter.deliver(packed_failure(SynthesisFailed("A worker machine broke; its log says how.")))
        except (KombuError, ValueError, KeyError, TypeError):
            log.exception("Cannot parse the result of task %s", letter.id)
            letter.deliver(packed_failure(SynthesisFailed("A worker machine sent something that is no answer.")))

    def _take(self, letter: Letter, answer: Answer) -> None:
        """Set the result of the task, or send it again when its machine cannot start a worker."""
        if answer.get("failure") == WorkerUnavailable.code and letter.sent < TRIES:
            log.warning(
                "Machine %s cannot start a worker; sending task %s again: %s",
                letter.machine,
                letter.id,
                answer["message"],
            )
            self._send(letter)
        else:
            letter.deliver(answer)

    def _send_again(self) -> None:
        """Send lost tasks again, while the broker is reachable."""
        if self._fault:
            return
        for task in self._pending():
            if task.is_lost(self._machines, self._patience):
                log.warning("Task %s was lost with %s; sending it again", task.id, task.machine or "its machine")
                self._send(task)

    def _call_rolls(self) -> None:
        """Send heartbeats until close(). Runs in a thread of its own."""
        while not self._closing.wait(self._patience.between_rolls):
            self._call_roll()

    def _call_roll(self) -> None:
        """Send a heartbeat to all machines, wait for the replies, and recover a lost broker."""
        try:
            answers = self._orders.control.broadcast(
                ROLL, arguments={"edition": asdict(self._link.edition)}, reply=True, timeout=self._patience.roll
            )
            self._results.client.ping()
        except (KombuError, RedisError, OSError) as exc:
            self._lose(exc)
            return
        self._note({name: found for answer in answers for name, found in answer.items() if "edition" in found})
        if self._fault:
            self._come_back()

    def _note(self, answers: dict[str, dict[str, Any]]) -> None:
        """Update the known and the incompatible machines by their replies, and resize the scheduler."""
        # Three steps: log news, update both tables under the lock, then tell the scheduler.
        ours = asdict(self._link.edition)
        now = time.monotonic()
        for name, found in answers.items():
            if found["edition"] != ours:
                self._refuse(name, Edition(**found["edition"]), now)
            elif name not in self._machines:
                log.info("Machine %s joined with %d workers", name, found["workers"])
        with self._lock:
            for name, found in answers.items():
                if found["edition"] == ours:
                    self._machines[name] = Machine(found["workers"], found["ready"])
            for name in [name for name, machine in self._machines.items() if now - machine.seen > self._patience.lost]:
                log.warning("Machine %s left: no heartbeat reply", name)
                del self._machines[name]
            self._strangers = {name: seen for name, seen in self._strangers.items() if now - seen < self._patience.lost}
            workers = sum(machine.workers for machine in self._machines.values())
        self._resize(max(1, workers + -(-workers // SPARE)))  # one more for every 4 workers, rounded up

    def _refuse(self, name: str, edition: Edition, now: float) -> None:
        """Record a machine of another build; log it when it is new."""
        if name not in self._strangers:
            log.error("Machine %s is refused: it has %s, expected %s", name, edition, self._link.edition)
        self._strangers[name] = now

    def _come_back(self) -> None:
        """Mark the broker as reachable and send all pending tasks again: it may have lost them."""
        self._fault = ""
        pending = self._pending()
        log.info("Broker %s is reachable again; sending %d tasks again", self._link, len(pending))
        for task in pending:
            self._send(task)


class Cluster(Pool):
    """Synthesize requests on the workers of other machines, however many there are. Thread-safe.

    Args:
        settings: The connection.
        max_waiting: Requests that may wait; further ones get Busy.
        max_in_flight: Utterances that may be in flight at once.
        max_per_request: Utterances of one request that may be in flight at once.
        timeouts: How long to wait for machines.
    """

    def __init__(self, link: Link, queue: int, in_flight: int, lead: int, patience: Patience = DEFAULT) -> None:
        self._post = CeleryPost(link, lambda workers: self._line.resize(min(workers, in_flight)), patience)
        self._lead = lead
        super().__init__("cluster", [Remote(self._post, link.timeout) for _ in range(in_flight)], 0, queue, Sizes())

    def start(self) -> None:
        """Look for machines; these may also join later, and so may the broker. Does not raise without them."""
        self._post.start()
        super().start()

    def lead(self, headway: Headway) -> int:
        """Return how many utterances of a request may be in flight: one more than there are workers, bounded."""
        return min(self._line.workers + 1, self._lead)

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        """Yield the audio of the request. Raises WorkerUnavailable at once without a broker or a machine."""
        self._post.check()
        yield from super().synthesize(request, listener)

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        """Return the phonemes of `text`. Raises WorkerUnavailable at once without a broker or a machine."""
        self._post.check()
        return super().phonemize(text, language, listener, emoji)

    def status(self) -> dict[str, Any]:
        """Return the state for GET /health, as JSON values. See Engine."""
        status = super().status() | self._post.status()
        status["totals"] |= self._post.totals()
        return status

    def close(self) -> None:
        """Stop the workers, then the transport; requests in progress get WorkerUnavailable."""
        super().close()
        self._post.close()


class Desk:
    """Run tasks on a worker machine: its own pool synthesizes, and the result is packed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def answer(self, letter: str, order: str, utterance: Utterance) -> Answer:
        """Return the result of the task with that id.

        Raises what Pool.run_operation() raises; ClientGone when the task was revoked.
        """
        # Celery keeps the ids of revoked tasks; no deadline, because the front server revokes a task at its own.
        context = Listener(has_gone=lambda: letter in state.revoked)
        began = time.monotonic()
        if order == "phonemize":
            (found,) = self._pool.ask(utterance, read, context)
            return packed_reading(found)
        sound = join(self._pool.ask(utterance, speak, context))
        seconds = time.monotonic() - began
        details = (letter, len(utterance.text), sound.seconds, seconds)
        request = about(request_id=utterance.request_id)
        log.info("%s: %d characters, %.1f s of speech in %.1f s", *details, extra=request)
        return packed_sound(sound)


def work(link: Link, pool: Pool, workers: int, log_level: str) -> int:
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
        app = _app(link, link.results)
        _open_desk(app, Desk(pool))
        _answer_rolls(link.edition, pool)
        log.info("At work for %s with %d workers: %s", link, workers, link.edition)
        for chatty in ("celery.app.trace", "celery.worker.strategy"):  # celery.app.trace would log the results
            logging.getLogger(chatty).setLevel("WARNING")
        name = f"{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
        options = ["--pool=threads", f"--concurrency={workers}", f"--hostname={name}", f"--queues={link.queue}"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--loglevel={log_level}"]
        app.worker_main(["--quiet", "worker", *options, *quiet])
        return 0
    except SystemExit as exc:
        return int(exc.code or 0)
    finally:
        pool.close()


def _open_desk(app: Celery, desk: Desk) -> None:
    """Register the Celery task. Its result is what the handler returns, or a packed error."""

    def run_task(task: Any, order: str, utterance: dict[str, Any]) -> Answer:
        try:
            return desk.answer(task.request.id, order, Utterance.from_json(utterance))
        except ClientGone as exc:
            raise Ignore from exc
        except WorkerUnavailable as exc:
            log.error("This machine can't speak and stops: %s", exc)
            state.should_stop = 1  # else it would take tasks away from machines that can run them
            return packed_failure(exc)
        except SpeechError as exc:
            log.warning("Task %s failed: %s", task.request.id, exc)
            return packed_failure(exc)

    app.task(name=TASK, bind=True)(run_task)


def _answer_rolls(ours: Edition, pool: Pool) -> None:
    """Register the heartbeat command. It replies with our build and our number of workers."""
    refused: set[Edition] = set()

    def reply_to_heartbeat(state: Any, edition: dict[str, str]) -> dict[str, Any]:
        theirs = Edition(**edition)
        if theirs != ours and theirs not in refused:
            refused.add(theirs)
            log.error("This machine is refused: it has %s, and a front server %s", ours, theirs)
        found = pool.status()
        # An unloaded worker loads when a task arrives.
        able = found["ready"] + found["asleep"]
        return {"edition": asdict(ours), "workers": found["workers"], "ready": able}

    inspect_command(name=ROLL)(reply_to_heartbeat)


def _app(link: Link, results: str | None) -> Celery:
    """Return a Celery app with our settings.

    A front server sends with an app that has no `results`: Celery would subscribe to every result itself.
    """
    app = Celery("kokoro", broker=link.broker, backend=results, set_as_current=False)
    timeouts = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT, "socket_keepalive": True}
    queue = Queue(link.queue, max_priority=HIGHEST if link.by_rabbit else None)  # type: ignore[no-untyped-call]
    app.conf.update(
        task_queues=[queue],
        task_default_queue=link.queue,
        broker_transport_options={} if link.by_rabbit else {"visibility_timeout": 2 * link.timeout, **timeouts},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        control_exchange="kokoro",
        accept_content=["json"],
        result_serializer="msgpack",
        result_accept_content=["msgpack"],
        result_expires=link.expires,
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
