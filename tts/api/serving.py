"""Serve the Flask application over HTTP with waitress, and shut down without losing an accepted request.

This module adds to waitress:

- Errors that waitress finds itself (a malformed request line, a body over the limit) are answered as JSON, in the error
  format of the route family, and are logged and counted like all others.
- Long responses are written in pieces, so that little of them waits in memory and nothing in temp files.
- Connections are bounded and timed by `tts.api.connections`.
- Shutdown has three steps: a stop signal ends `Server.run`'s wait; `_drain` accepts what the kernel has queued already,
  closes the listening sockets, and waits up to the grace period for responses in progress; the process then closes the
  engine. Requests received meanwhile are answered with `Connection: close`.

The event loop runs in a thread of its own ("waitress"), requests in the threads of `RequestDispatcher`, and the main
thread only waits for a stop signal.
"""

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
"""Seconds between two checks for inactive connections."""
HELD = 1 << 20
"""Bytes buffered for a slow client, 22 s of 16-bit audio at 24 kHz; beyond it the writing thread blocks."""
PIECE = 1 << 18
"""Bytes of a response passed to waitress per write."""
SETTLED = 0.1
"""Seconds without any response in progress after which the drain assumes that no request is still arriving."""


@dataclass(frozen=True)
class Address:
    """Options of the HTTP server.

    Attributes:
        host: Address or name to listen on.
        port: TCP port; 0 picks a free one.
        threads: Maximum number of requests processed at once, one thread each.
        body_limit: Maximum size of a request body in bytes.
        grace_period: Seconds that responses in progress get to finish after a stop signal.
    """

    host: str
    port: int
    threads: int
    body_limit: int
    grace: float = 10.0


class _JsonErrorTask(ErrorTask):
    """Answer a request that waitress refused before it reached the application."""

    def execute(self) -> None:
        refused = self.request.error  # type: ignore[attr-defined]  # missing in the stubs
        shape = shape_for(getattr(self.request, "path", ""))  # absent if the request line was malformed
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
        """Log and count the refusal, as the application does for requests that reach it."""
        fields = about(request_id=request_id, route="none", status=status)
        log.info("%s refused unread: %d %s", request_id, status, reason, extra=fields)
        listener: Any = self.channel.server
        listener.record_response("none", status)


def _refusal(refused: Any, limit: int) -> BadRequest:
    """Translate an error of waitress into one of ours; `limit` is the maximum body size in bytes."""
    if refused.code == 413:
        return TooLarge(f"The body is over its limit of {limit} bytes.", "body", None, f"up to {limit} bytes")
    message, _, _ = str(refused.body).partition(' "')  # drop the quoted header line: it may hold the API key
    error = BadRequest(f"{message.rstrip('.')}.")
    error.title = refused.reason if refused.code != 400 else error.title
    return error


class _Task(WSGITask):
    """Write a response in pieces of WRITE_SIZE bytes, each once the client has read most of the previous ones.

    Written all at once, a long response would overflow into a file in the system's temp folder, which may be full. An
    error after the first byte closes the connection, so that the client sees a truncated response; the application has
    logged it already.
    """

    def execute(self) -> None:
        try:
            super().execute()
        except SpeechError as exc:
            raise ClientDisconnected from exc  # waitress then closes the connection without logging a traceback

    def write(self, data: bytes) -> None:
        # max(1, ...): an empty write must still reach waitress, which sends the headers with it.
        for start in range(0, max(1, len(data)), PIECE):
            super().write(data[start : start + PIECE])


class _Channel(Channel):
    """Connection whose requests run as `_ResponseTask` and whose refusals as `_JsonErrorTask`."""

    error_task_class = _JsonErrorTask
    task_class = _Task
    logger = logging.getLogger("waitress.channel")


class Server:
    """Run waitress in a thread of its own, until a stop signal or `close`.

    Use either `run`, which blocks the main thread, or `start` and `close`, from any thread.
    """

    def __init__(self, app: Flask, address: Address) -> None:
        """Bind the listening sockets. Raises OSError if the address is in use or invalid."""
        _Channel.logger.setLevel(logging.WARNING)  # INFO: disconnected clients, which we log with request ids
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
            _dispatcher=self._threads,  # type: ignore[arg-type]  # ours has the two methods that waitress calls
            connection_limit=2 * most,  # waitress stops accepting there; accept_pending() makes room earlier
            max_request_body_size=address.body_limit,
            channel_request_lookahead=1,  # keeps reading during a response, which detects a client that disconnects
            outbuf_high_watermark=HELD,
            outbuf_overflow=2 * (HELD + PIECE),  # above what is ever buffered, so nothing goes to a temp file
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._thread = threading.Thread(target=self._serve, name="waitress", daemon=True)
        for listener in self._listening():
            listener.channel_class = _Channel
            listener.maintenance = _leave_to_us
            listener.record_response = app.extensions["figures"].answered
            listener.handle_accept = partial(accept, listener, most, self._let_idle_go)

    @property
    def port(self) -> int:
        """TCP port of the first listening socket; the chosen one if 0 was requested."""
        port: int = self._listening()[0].socket.getsockname()[1]
        return port

    def run(self, when_stopping: Callable[[], None] = lambda: None) -> None:
        """Serve until a stop signal, call `on_stop`, and let responses in progress finish. Main thread only.

        Returns at the latest `grace_period` seconds after `on_stop` has returned.
        """
        with stop_signals() as wait_for_signal:
            self.start()
            wait_for_signal()
        when_stopping()
        self._drain()

    def start(self) -> None:
        """Log the addresses and start the event loop's thread."""
        for listener in self._listening():
            log.info("Listening on http://%s:%s", *listener.socket.getsockname()[:2])
        self._thread.start()

    def close(self) -> None:
        """Stop at once: cut off responses in progress, end every thread and close every socket."""
        self._closing = True
        self._listening()[0].trigger.pull_trigger()
        self._thread.join()
        for each in list(self._map.values()):
            if isinstance(each, Channel):
                each.handle_close()  # wakes the thread that is blocked on a slow client
        self._server.task_dispatcher.shutdown()
        close_all(self._map, ignore_all=True)

    def _serve(self) -> None:
        """Run the event loop until `close`; waitress's own run() ends only when all sockets are closed."""
        checked_at = time.monotonic()
        while not self._closing:
            loop(timeout=1.0, map=self._map, count=1, use_poll=True)  # select() is limited to 1,024 descriptors
            if self._threads.short:
                close_stalled(self._channels())
            if time.monotonic() - checked_at > LOOK:
                checked_at = time.monotonic()
                close_forgotten(self._channels())

    def _let_idle_go(self) -> None:
        close_idle(self._channels())

    def _channels(self) -> list[Channel]:
        return [each for each in list(self._map.values()) if isinstance(each, Channel)]

    def _drain(self) -> None:
        """Stop accepting, and wait for responses in progress.

        Ends when no response has been in progress for SETTLE_TIME, or after the grace period.
        """
        log.info("Stopping: no new connections, up to %g seconds for responses in progress", self._grace)
        for listener in self._listening():
            listener.trigger.pull_trigger(partial(_shut, listener))  # in the event loop's thread, which owns the socket
        deadline = time.monotonic() + self._grace
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < min(deadline, quiet_since + SETTLED):
            if not all(channel.idle for channel in self._channels()):
                quiet_since = now
            time.sleep(0.02)

    def _listening(self) -> list[Any]:
        return [each for each in self._map.values() if hasattr(each, "effective_port")]


def _leave_to_us(now: float) -> None:
    """Do nothing: waitress would time connections by the wall clock; close_inactive() uses the monotonic one."""


def _shut(listener: Any) -> None:
    """Accept the connections that the kernel has queued already, then close the listening socket."""
    listener.is_stopping = True
    for _ in range(1 + listener.adj.backlog // BURST):
        listener.handle_accept()
    dispatcher.close(listener)
