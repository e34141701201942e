"""An engine whose workers are on other machines: Celery carries utterances there, and their sound back.

The front server's Pool shares its turns out as ever; each of its workers here, a Remote, writes a Letter and waits for
the answer. The Post sends letters, fetches answers, calls the roll of the machines, and sends a letter again when its
machine or the broker was lost: the same letter, so that it is answered once. A machine answers with a Pool of its own.
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
ROLL = "kokoro_roll"
POLL = 0.01
"""Seconds between two looks for answers: one command to Redis, whatever the number of letters."""
TRIES = 3
"""Machines that may refuse a letter, since they can't start a worker, before its listener hears of it."""
SPARE = 4
"""Workers for which one utterance more than theirs is under way, so that none waits for the way to here and back."""
DEFAULT = Patience()
SOCKET_TIMEOUT = 3.0
"""Seconds until a broker that says nothing is taken for lost."""
LOWEST, HIGHEST = 0, 9
"""Priorities in Celery: Redis serves the lowest number first, RabbitMQ the highest."""


class CeleryPost:
    """Letters out, answers in: one thread fetches answers, another calls the roll. It mends itself when the broker was
    away, and until then letters wait."""

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
        self._call_roll()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closing.set()
        self._any.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def check(self) -> None:
        """Raise WorkerUnavailable when a letter would not be answered now."""
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
        with self._lock:
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
        """Seconds that the utterance waits already that has waited longest for a machine to begin it."""
        now = time.monotonic()
        return max((now - letter.sent_at for letter in self._letters.values() if not letter.begun), default=0.0)

    def totals(self) -> dict[str, float]:
        """What has been counted since the start: seconds from sending a letter until a machine began it are the lag."""
        return {"begun": self._begun, "lag_seconds": round(self._lag, 3), "sent_again": self._again}

    def send(self, letter: Letter) -> None:
        with self._lock:
            self._letters[letter.id] = letter
        self._send(letter)
        self._any.set()

    def forget(self, letter: Letter) -> None:
        with self._lock:
            self._letters.pop(letter.id, None)
        if self._fault or letter.answered and letter.sent < 2:
            return
        try:
            self._orders.control.revoke(letter.id)
        except (KombuError, RedisError, OSError) as exc:
            self._lose(exc)

    def _send(self, letter: Letter) -> None:
        letter.machine, letter.sent_at = "", time.monotonic()
        self._again += letter.sent > 0
        try:
            self._orders.send_task(
                TASK,
                args=(letter.order, packed_utterance(letter.utterance)),
                task_id=letter.id,
                argsrepr="…",  # what is spoken is private, and need not travel twice
                queue=self._orders.amqp.queues[self._link.queue],
                priority=HIGHEST if letter.utterance.background != self._link.by_rabbit else LOWEST,
                retry_policy={"max_retries": 1, "interval_start": 0},
            )
            letter.sent += 1
        except (KombuError, RedisError, OSError) as exc:
            self._lose(exc)

    def _lose(self, exc: Exception) -> None:
        if not self._fault:
            log.error("The broker %s is away: %s", self._link, exc)
        self._fault = str(exc) or type(exc).__name__

    def _fetch_answers(self) -> None:
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
        with self._lock:
            return [letter for letter in self._letters.values() if not letter.answered]

    def _look(self, letters: list[Letter]) -> None:
        """Fetch what has come for the letters. Raises RedisError."""
        keys = [self._results.get_key_for_task(letter.id) for letter in letters]
        for letter, content in zip(letters, self._results.mget(keys), strict=True):
            if content is not None and content != letter.seen and not letter.answered:
                letter.seen = content
                self._open(letter, content)
        self._send_again()

    def _open(self, letter: Letter, content: bytes) -> None:
        try:
            meta = self._results.decode(content)
            if meta["status"] == "STARTED":
                letter.machine, letter.begun_at = str(meta["result"]["hostname"]), time.monotonic()
                self._begun += 1
                self._lag += letter.begun_at - letter.sent_at
            elif meta["status"] == "SUCCESS":
                self._results.delete(self._results.get_key_for_task(letter.id))  # Celery never overwrites a success
                self._take(letter, dict(meta["result"]))
            elif meta["status"] == "FAILURE":
                letter.deliver(packed_failure(SynthesisFailed("A worker machine broke; its log says how.")))
        except (KombuError, ValueError, KeyError, TypeError):
            log.exception("The answer to letter %s can't be read", letter.id)
            letter.deliver(packed_failure(SynthesisFailed("A worker machine sent something that is no answer.")))

    def _take(self, letter: Letter, answer: Answer) -> None:
        if answer.get("failure") == WorkerUnavailable.code and letter.sent < TRIES:
            log.warning("%s can't speak, letter %s goes to another: %s", letter.machine, letter.id, answer["message"])
            self._send(letter)
        else:
            letter.deliver(answer)

    def _send_again(self) -> None:
        """Send what is lost again."""
        if self._fault:
            return
        for letter in self._pending():
            if letter.is_lost(self._machines, self._patience):
                log.warning("Letter %s was lost with %s; it is sent again", letter.id, letter.machine or "its carrier")
                self._send(letter)

    def _call_rolls(self) -> None:
        while not self._closing.wait(self._patience.between_rolls):
            self._call_roll()

    def _call_roll(self) -> None:
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
        """Keep a list of the machines that are there, and of those that are refused."""
        ours = asdict(self._link.edition)
        now = time.monotonic()
        for name, found in answers.items():
            if found["edition"] != ours:
                self._refuse(name, Edition(**found["edition"]), now)
            elif name not in self._machines:
                log.info("Machine %s has come with %d workers", name, found["workers"])
        with self._lock:
            for name, found in answers.items():
                if found["edition"] == ours:
                    self._machines[name] = Machine(found["workers"], found["ready"])
            for name in [name for name, machine in self._machines.items() if now - machine.seen > self._patience.lost]:
                log.warning("Machine %s has gone", name)
                del self._machines[name]
            self._strangers = {name: seen for name, seen in self._strangers.items() if now - seen < self._patience.lost}
            workers = sum(machine.workers for machine in self._machines.values())
        self._resize(max(1, workers + -(-workers // SPARE)))

    def _refuse(self, name: str, edition: Edition, now: float) -> None:
        if name not in self._strangers:
            log.error("Machine %s is refused: it has %s, expected %s", name, edition, self._link.edition)
        self._strangers[name] = now

    def _come_back(self) -> None:
        """What was under way may have been lost with the broker."""
        self._fault = ""
        letters = self._pending()
        log.info("The broker %s is back; %d letters are sent again", self._link, len(letters))
        for letter in letters:
            self._send(letter)


class Cluster(Pool):
    """A pool whose workers are on other machines, as many as there are."""

    def __init__(self, link: Link, queue: int, in_flight: int, lead: int, patience: Patience = DEFAULT) -> None:
        """Up to `in_flight` utterances are under way at once, up to `lead` of one request."""
        self._post = CeleryPost(link, lambda workers: self._line.resize(min(workers, in_flight)), patience)
        self._lead = lead
        super().__init__("cluster", [Remote(self._post, link.timeout) for _ in range(in_flight)], 0, queue, Sizes())

    def start(self) -> None:
        """Call the machines; those that are not there yet may come at any time, and so may the broker."""
        self._post.start()
        super().start()

    def lead(self, headway: Headway) -> int:
        return min(self._line.workers + 1, self._lead)

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        self._post.check()
        yield from super().synthesize(request, listener)

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        self._post.check()
        return super().phonemize(text, language, listener, emoji)

    def status(self) -> dict[str, Any]:
        status = super().status() | self._post.status()
        status["totals"] |= self._post.totals()
        return status

    def close(self) -> None:
        super().close()
        self._post.close()


class Desk:
    """What a worker machine does with a letter: its own pool speaks, and the answer is packed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def answer(self, letter: str, order: str, utterance: Utterance) -> Answer:
        """The answer to the letter with that id. Raises what Pool.ask() raises, ClientGone when it was withdrawn."""
        listener = Listener(has_gone=lambda: letter in state.revoked)
        began = time.monotonic()
        if order == "phonemize":
            (found,) = self._pool.ask(utterance, read, listener)
            return packed_reading(found)
        sound = join(self._pool.ask(utterance, speak, listener))
        taken = time.monotonic() - began
        said = (letter, len(utterance.text), sound.seconds, taken)
        request = about(request_id=utterance.request_id)
        log.info("%s: %d characters, %.1f s of speech in %.1f s", *said, extra=request)
        return packed_sound(sound)


def work(link: Link, pool: Pool, workers: int, log_level: str) -> int:
    """Answer letters with `pool`, as many at a time as it has `workers`, until told to stop; the exit code.

    Raises WorkerUnavailable when the pool can't start.
    """
    pool.start()
    try:
        app = _app(link, link.results)
        _open_desk(app, Desk(pool))
        _answer_rolls(link.edition, pool)
        log.info("At work for %s with %d workers: %s", link, workers, link.edition)
        for chatty in ("celery.app.trace", "celery.worker.strategy"):  # the former would log what was answered
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
    def answer(task: Any, order: str, utterance: dict[str, Any]) -> Answer:
        try:
            return desk.answer(task.request.id, order, Utterance.from_json(utterance))
        except ClientGone as exc:
            raise Ignore from exc
        except WorkerUnavailable as exc:
            log.error("This machine can't speak and stops: %s", exc)
            state.should_stop = 1  # it would take every letter away from those that can
            return packed_failure(exc)
        except SpeechError as exc:
            log.warning("Letter %s failed: %s", task.request.id, exc)
            return packed_failure(exc)

    app.task(name=TASK, bind=True)(answer)


def _answer_rolls(ours: Edition, pool: Pool) -> None:
    refused: set[Edition] = set()

    def roll(state: Any, edition: dict[str, str]) -> dict[str, Any]:
        theirs = Edition(**edition)
        if theirs != ours and theirs not in refused:
            refused.add(theirs)
            log.error("This machine is refused: it has %s, and a front server %s", ours, theirs)
        found = pool.status()
        able = found["ready"] + found["asleep"]
        return {"edition": asdict(ours), "workers": found["workers"], "ready": able}

    inspect_command(name=ROLL)(roll)


def _app(link: Link, results: str | None) -> Celery:
    """Celery with our settings. A front server sends without `results`: Celery would listen for them itself."""
    app = Celery("kokoro", broker=link.broker, backend=results, set_as_current=False)
    timeouts = {"socket_timeout": SOCKET_TIMEOUT, "socket_connect_timeout": SOCKET_TIMEOUT, "socket_keepalive": True}
    letters = Queue(link.queue, max_priority=HIGHEST if link.by_rabbit else None)  # type: ignore[no-untyped-call]
    app.conf.update(
        task_queues=[letters],
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
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_track_started=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,  # what they made is wanted when it is back
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
    )
    return app
