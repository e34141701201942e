"""Serves an application with waitress: JSON for what never reaches it, and an end that lets answers finish."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask
from waitress.channel import HTTPChannel
from waitress.server import create_server
from waitress.task import ErrorTask
from waitress.wasyncore import close_all, dispatcher

from tts.api.responses import native_error
from tts.speech.errors import BadRequest

log = logging.getLogger(__name__)

DRAIN = 10.0
"""Seconds that answers under way get to finish when the server is told to stop."""


@dataclass(frozen=True)
class Address:
    """Where to listen, and how many answers (each one thread) and bytes of body are taken."""

    host: str
    port: int
    threads: int
    body_limit: int


class _JsonErrorTask(ErrorTask):
    """Answers a request that was refused before it reached the application, in the native shape."""

    def execute(self) -> None:
        refused = self.request.error  # type: ignore[attr-defined]  # the stubs know no error's error
        error = BadRequest(str(refused.body))
        error.title = refused.reason if refused.code != 400 else error.title
        body = json.dumps(native_error(error)).encode()
        self.status = f"{refused.code} {refused.reason}"
        self.content_length = len(body)
        self.close_on_finish = True
        self.response_headers = [
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        self.write(body)


class _Channel(HTTPChannel):
    error_task_class = _JsonErrorTask


class Server:
    """A waitress server on a thread of its own, stopped by a signal."""

    def __init__(self, app: Flask, address: Address) -> None:
        """Listen. Raises OSError when the address can't be had."""
        self._map: dict[int, Any] = {}
        self._stop = threading.Event()
        self._server = create_server(
            app,
            map=self._map,
            host=address.host,
            port=address.port,
            threads=address.threads,
            connection_limit=max(1000, 4 * address.threads),
            max_request_body_size=address.body_limit,
            channel_request_lookahead=1,  # reads on while it answers, and so notices a client that leaves
            send_bytes=1,  # sends what there is: by default it holds back 18 kB, a third of a second of sound
            outbuf_high_watermark=1 << 20,  # 20 s of sound wait for a slow client, then its thread does
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._thread = threading.Thread(target=self._server.run, name="waitress", daemon=True)
        for listening in self._listening():
            listening.channel_class = _Channel
            log.info("Listening on http://%s:%s", *listening.socket.getsockname()[:2])

    @property
    def port(self) -> int:
        """The port it listens on, the one that was found free when 0 was asked for."""
        port: int = self._listening()[0].socket.getsockname()[1]
        return port

    def run(self, when_stopping: Callable[[], None] = lambda: None) -> None:
        """Serve until SIGINT or SIGTERM, then do `when_stopping`, and let what is being answered finish."""
        for name in (
            "SIGINT",
            "SIGTERM",
            "SIGBREAK",
        ):  # the last one is how Windows ends a console's programs
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), lambda *_: self._stop.set())
        self.start()
        while not self._stop.wait(0.5):  # on Windows a wait without a limit can't be interrupted
            pass
        when_stopping()
        self._drain()

    def start(self) -> None:
        """Serve on a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Stop serving in the midst of it, and let go of every thread and socket."""
        trigger = self._listening()[0].trigger
        trigger.pull_trigger(lambda: close_all(self._map, ignore_all=True))  # on the thread that uses them
        self._thread.join()
        self._server.task_dispatcher.shutdown()

    def _drain(self) -> None:
        log.info("Stopping: no new connections, up to %g seconds for what is being spoken", DRAIN)
        for listening in self._listening():
            listening.trigger.pull_trigger(partial(dispatcher.close, listening))  # on the thread that selects it
        deadline = time.monotonic() + DRAIN
        while any(map(_answering, list(self._map.values()))) and time.monotonic() < deadline:
            time.sleep(0.02)

    def _listening(self) -> list[Any]:
        return [each for each in self._map.values() if hasattr(each, "effective_port")]


def _answering(channel: Any) -> bool:
    """Whether a connection has a request under way or bytes that have not left yet."""
    return isinstance(channel, HTTPChannel) and bool(channel.requests or channel.total_outbufs_len)
