"""Serve the Flask application over HTTP with waitress, and shut down without losing an accepted request.

This module adds to waitress:

- Errors that waitress finds itself (a malformed request line, a body over the limit) are answered as JSON, in the error
  format of the route family, and are logged and counted like all others.
- Long responses are written in pieces, so that little of them waits in memory and nothing in temp files.
- Connections are bounded and timed by `kokoro_server.api.server.connections`.
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

from kokoro_server.api.request_hooks import choose_error_format
from kokoro_server.api.server.connections import (
    ACCEPT_BATCH,
    Channel,
    RequestDispatcher,
    accept_pending,
    close_idle,
    close_inactive,
    close_stalled,
    raise_connection_limit,
)
from kokoro_server.api.state import get_state
from kokoro_server.core.errors import BadRequest, SpeechError, TooLarge
from kokoro_server.core.logs import log_fields
from kokoro_server.core.signals import catch_stop_signals

log = logging.getLogger(__name__)

IDLE_CHECK_INTERVAL = 30.0
"""Seconds between two checks for inactive connections."""
MAX_BUFFERED_BYTES = 1 << 20
"""Bytes buffered for a slow client, 22 s of 16-bit audio at 24 kHz; beyond it the writing thread blocks."""
WRITE_SIZE = 1 << 18
"""Bytes of a response passed to waitress per write."""
SETTLE_TIME = 0.1
"""Seconds without any response in progress after which the drain assumes that no request is still arriving."""


@dataclass(frozen=True)
class ServerOptions:
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
    grace_period: float = 10.0


class _JsonErrorTask(ErrorTask):
    """Answer a request that waitress refused before it reached the application."""

    def execute(self) -> None:
        refused = self.request.error  # type: ignore[attr-defined]  # missing in the stubs
        shape = choose_error_format(getattr(self.request, "path", ""))  # absent if the request line was malformed
        body = json.dumps(shape(_make_error(refused, self.channel.adj.max_request_body_size))).encode()
        request_id = uuid.uuid4().hex
        self._log_and_count(request_id, refused.code, refused.reason)
        assert isinstance(self.channel, _HttpChannel)
        self.channel.is_refused = True
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

    def _log_and_count(self, request_id: str, status: int, reason: str) -> None:
        """Log and count the refusal, as the application does for requests that reach it."""
        fields = log_fields(request_id=request_id, route="none", status=status)
        log.info("%s refused unread: %d %s", request_id, status, reason, extra=fields)
        listener: Any = self.channel.server
        listener.record_response("none", status)


def _make_error(error: Any, limit: int) -> BadRequest:
    """Translate an error of waitress into one of ours; `limit` is the maximum body size in bytes."""
    if error.code == 413:
        return TooLarge(f"The body is over its limit of {limit} bytes.", "body", None, f"up to {limit} bytes")
    message, _, _ = str(error.body).partition(' "')  # drop the quoted header line: it may hold the API key
    refusal = BadRequest(f"{message.rstrip('.')}.")
    refusal.title = error.reason if error.code != 400 else refusal.title
    return refusal


class _ResponseTask(WSGITask):
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
        for start in range(0, max(1, len(data)), WRITE_SIZE):
            super().write(data[start : start + WRITE_SIZE])


class _HttpChannel(Channel):
    """Connection whose requests run as `_ResponseTask` and whose refusals as `_JsonErrorTask`."""

    error_task_class = _JsonErrorTask
    task_class = _ResponseTask
    logger = logging.getLogger("waitress.channel")


class HttpServer:
    """Run waitress in a thread of its own, until a stop signal or `close`.

    Use either `run`, which blocks the main thread, or `start` and `close`, from any thread.
    """

    def __init__(self, app: Flask, address: ServerOptions) -> None:
        """Bind the listening sockets. Raises OSError if the address is in use or invalid."""
        _HttpChannel.logger.setLevel(logging.WARNING)  # INFO: disconnected clients, which we log with request ids
        self._socket_map: dict[int, Any] = {}
        self._grace_period = address.grace_period
        self._is_closing = False
        most = raise_connection_limit()
        self._dispatcher = RequestDispatcher(address.threads)
        self._server = create_server(
            app,
            map=self._socket_map,
            host=address.host,
            port=address.port,
            _dispatcher=self._dispatcher,  # type: ignore[arg-type]  # ours has the two methods that waitress calls
            connection_limit=2 * most,  # waitress stops accepting there; accept_pending() makes room earlier
            max_request_body_size=address.body_limit,
            channel_request_lookahead=1,  # keeps reading during a response, which detects a client that disconnects
            outbuf_high_watermark=MAX_BUFFERED_BYTES,
            outbuf_overflow=2
            * (MAX_BUFFERED_BYTES + WRITE_SIZE),  # above what is ever buffered, so nothing goes to a temp file
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._thread = threading.Thread(target=self._run_loop, name="waitress", daemon=True)
        for listener in self._get_listeners():
            listener.channel_class = _HttpChannel
            listener.maintenance = _skip_maintenance
            listener.record_response = get_state(app).metrics.record_response
            listener.handle_accept = partial(accept_pending, listener, most, self._close_idle)

    @property
    def port(self) -> int:
        """Return the TCP port of the first listening socket; the chosen one if 0 was requested."""
        port: int = self._get_listeners()[0].socket.getsockname()[1]
        return port

    def run(self, on_stop: Callable[[], None] = lambda: None) -> None:
        """Serve until a stop signal, call `on_stop`, and let responses in progress finish. Main thread only.

        Returns at the latest `grace_period` seconds after `on_stop` has returned.
        """
        with catch_stop_signals() as wait_for_signal:
            self.start()
            wait_for_signal()
        on_stop()
        self._drain()

    def start(self) -> None:
        """Log the addresses and start the event loop's thread."""
        for listener in self._get_listeners():
            log.info("Listening on http://%s:%s", *listener.socket.getsockname()[:2])
        self._thread.start()

    def close(self) -> None:
        """Stop at once: cut off responses in progress, end every thread and close every socket."""
        self._is_closing = True
        self._get_listeners()[0].trigger.pull_trigger()
        self._thread.join()
        for each in list(self._socket_map.values()):
            if isinstance(each, Channel):
                each.handle_close()  # wakes the thread that is blocked on a slow client
        self._server.task_dispatcher.shutdown()
        close_all(self._socket_map, ignore_all=True)

    def _run_loop(self) -> None:
        """Run the event loop until `close`; waitress's own run() ends only when all sockets are closed."""
        checked_at = time.monotonic()
        while not self._is_closing:
            loop(timeout=1.0, map=self._socket_map, count=1, use_poll=True)  # select() is limited to 1,024 descriptors
            if self._dispatcher.is_saturated:
                close_stalled(self._get_channels())
            if time.monotonic() - checked_at > IDLE_CHECK_INTERVAL:
                checked_at = time.monotonic()
                close_inactive(self._get_channels())

    def _close_idle(self) -> None:
        close_idle(self._get_channels())

    def _get_channels(self) -> list[Channel]:
        return [each for each in list(self._socket_map.values()) if isinstance(each, Channel)]

    def _drain(self) -> None:
        """Stop accepting, and wait for responses in progress.

        Ends when no response has been in progress for SETTLE_TIME, or after the grace period.
        """
        log.info("Stopping: no new connections, up to %g seconds for responses in progress", self._grace_period)
        for listener in self._get_listeners():
            listener.trigger.pull_trigger(
                partial(_stop_listening, listener)
            )  # in the event loop's thread, which owns the socket
        deadline = time.monotonic() + self._grace_period
        quiet_since = time.monotonic()
        while (now := time.monotonic()) < min(deadline, quiet_since + SETTLE_TIME):
            if not all(channel.is_idle for channel in self._get_channels()):
                quiet_since = now
            time.sleep(0.02)

    def _get_listeners(self) -> list[Any]:
        return [each for each in self._socket_map.values() if hasattr(each, "effective_port")]


def _skip_maintenance(now: float) -> None:
    """Do nothing: waitress would time connections by the wall clock; close_inactive() uses the monotonic one."""


def _stop_listening(listener: Any) -> None:
    """Accept the connections that the kernel has queued already, then close the listening socket."""
    listener.is_stopping = True
    for _ in range(1 + listener.adj.backlog // ACCEPT_BATCH):
        listener.handle_accept()
    dispatcher.close(listener)
