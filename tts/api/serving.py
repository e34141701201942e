"""Serves an application with waitress: JSON for what never reaches it, and an end that lets answers finish."""

from __future__ import annotations

import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from waitress.channel import ClientDisconnected
from waitress.server import create_server
from waitress.task import ErrorTask, WSGITask
from waitress.wasyncore import close_all, dispatcher, loop

from tts.api.connections import (
    BURST,
    Channel,
    Threads,
    accept,
    close_forgotten,
    close_idle,
    close_stalled,
    most_connections,
)
from tts.api.responses import shape_for
from tts.api.signals import stop_signals
from tts.engines.logs import about
from tts.speech.errors import BadRequest, SpeechError, TooLarge

log = logging.getLogger(__name__)

LOOK = 30.0
"""Seconds between two looks for connections that were forgotten."""
HELD = 1 << 20
"""Bytes that wait for a slow client, 20 s of sound; then its thread does."""
PIECE = 1 << 18
"""Bytes of an answer that are handed on at a time."""
SETTLED = 0.1
"""Seconds without any answer under way after which none is on its way in either."""


@dataclass(frozen=True)
class Address:
    """Where to listen, how many answers (each one thread) and bytes of body are taken, and how many seconds answers
    under way get to finish when the server is told to stop."""

    host: str
    port: int
    threads: int
    body_limit: int
    grace: float = 10.0


class _JsonErrorTask(ErrorTask):
    """Answers a request that was refused before it reached the application."""

    def execute(self) -> None:
        refused = self.request.error  # type: ignore[attr-defined]  # the stubs know no error's error
        shape = shape_for(getattr(self.request, "path", ""))  # there is none when the first line was not understood
        body = json.dumps(shape(_refusal(refused, self.channel.adj.max_request_body_size))).encode()
        request_id = uuid.uuid4().hex
        self._tell(request_id, refused.code, refused.reason)
        assert isinstance(self.channel, _Channel)
        self.channel.refused = True
        self.status = f"{refused.code} {refused.reason}"
        self.content_length = len(body)
        self.close_on_finish = True
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
            ("X-Request-Id", request_id),
        ]
        self.write(body)

    def _tell(self, request_id: str, status: int, reason: str) -> None:
        """Log and count it, as the application does with those that reach it."""
        told = about(request_id=request_id, route="none", status=status)
        log.info("%s refused unread: %d %s", request_id, status, reason, extra=told)
        listening: Any = self.channel.server
        listening.count("none", status)


def _refusal(refused: Any, limit: int) -> BadRequest:
    """Waitress's own refusals, in our words."""
    if refused.code == 413:
        return TooLarge(f"The body is over its limit of {limit} bytes.", "body", None, f"up to {limit} bytes")
    message, _, _ = str(refused.body).partition(' "')  # what it quotes is a line of the request, which may be the key's
    error = BadRequest(f"{message.rstrip('.')}.")
    error.title = refused.reason if refused.code != 400 else error.title
    return error


class _Task(WSGITask):
    """Hands a long answer on in pieces, each when the client has read most of those before: all at once it would be
    written to a file of the system's temp folder, which may be full.

    Cuts an answer short that ends with a fault or without its client: both have been told in the log."""

    def execute(self) -> None:
        try:
            super().execute()
        except SpeechError as exc:
            raise ClientDisconnected from exc  # at which waitress closes the connection, without a traceback

    def write(self, data: bytes) -> None:
        for start in range(0, max(1, len(data)), PIECE):
            super().write(data[start : start + PIECE])


class _Channel(Channel):
    error_task_class = _JsonErrorTask
    task_class = _Task
    logger = logging.getLogger("waitress.channel")


class Server:
    """A waitress server on a thread of its own, stopped by a signal."""

    def __init__(self, app: Flask, address: Address) -> None:
        """Listen. Raises OSError when the address can't be had."""
        _Channel.logger.setLevel(logging.WARNING)  # below that it tells of clients that left, as we do with their ids
        self._map: dict[int, Any] = {}
        self._grace = address.grace
        self._closing = False
        most = most_connections()
        self._threads = Threads(address.threads)
        self._server = create_server(
            app,
            map=self._map,
            host=address.host,
            port=address.port,
            _dispatcher=self._threads,  # type: ignore[arg-type]  # it asks for no more than ours can do
            connection_limit=2 * most,  # waitress would close its door there; we make room before
            max_request_body_size=address.body_limit,
            channel_request_lookahead=1,  # reads on while it answers, and so notices a client that leaves
            outbuf_high_watermark=HELD,
            outbuf_overflow=2 * (HELD + PIECE),  # which is more than ever waits: nothing is written to a file
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._thread = threading.Thread(target=self._serve, name="waitress", daemon=True)
        for listening in self._listening():
            listening.channel_class = _Channel
            listening.maintenance = _leave_to_us
            listening.count = app.extensions["figures"].answered
            listening.handle_accept = partial(accept, listening, most, self._let_idle_go)

    @property
    def port(self) -> int:
        """The port it listens on, the one that was found free when 0 was asked for."""
        port: int = self._listening()[0].socket.getsockname()[1]
        return port

    def run(self, when_stopping: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM, then do `when_stopping`, and let what is being answered finish."""
        with stop_signals() as wait_for_signal:
            self.start()
            wait_for_signal()
        when_stopping()
        self._drain()

    def start(self) -> None:
        """Say where, and serve on a thread of its own."""
        for listening in self._listening():
            log.info("Listening on http://%s:%s", *listening.socket.getsockname()[:2])
        self._thread.start()

    def close(self) -> None:
        """Stop serving in the midst of it, and let go of every thread and socket."""
        self._closing = True
        self._listening()[0].trigger.pull_trigger()
        self._thread.join()
        for each in list(self._map.values()):
            if isinstance(each, Channel):
                each.handle_close()  # wakes the thread that waits for the client to read
        self._server.task_dispatcher.shutdown()
        close_all(self._map, ignore_all=True)

    def _serve(self) -> None:
        """What waitress's own run() does, but that it can end while sockets are open."""
        looked = time.monotonic()
        while not self._closing:
            loop(timeout=1.0, map=self._map, count=1, use_poll=True)  # select can't wait for more than 1,024
            if self._threads.short:
                close_stalled(self._channels())
            if time.monotonic() - looked > LOOK:
                looked = time.monotonic()
                close_forgotten(self._channels())

    def _let_idle_go(self) -> None:
        close_idle(self._channels())

    def _channels(self) -> list[Channel]:
        return [each for each in list(self._map.values()) if isinstance(each, Channel)]

    def _drain(self) -> None:
        log.info("Stopping: no new connections, up to %g seconds for what is being spoken", self._grace)
        for listening in self._listening():
            listening.trigger.pull_trigger(partial(_shut, listening))  # on the thread that selects it
        deadline = time.monotonic() + self._grace
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < min(deadline, quiet_since + SETTLED):
            if not all(channel.idle for channel in self._channels()):
                quiet_since = now
            time.sleep(0.02)

    def _listening(self) -> list[Any]:
        return [each for each in self._map.values() if hasattr(each, "effective_port")]


def _leave_to_us(now: float) -> None:
    """Waitress would look for forgotten connections by the wall clock: close_forgotten() does so by ours."""


def _shut(listening: Any) -> None:
    """Take no new connections, but for those that the system has taken for us already; the rest is told to close."""
    listening.stopping = True
    for _ in range(1 + listening.adj.backlog // BURST):
        listening.handle_accept()
    dispatcher.close(listening)
