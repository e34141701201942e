"""Connections that can't take the server from others: many that say nothing, slow senders, and slow readers."""

from __future__ import annotations

import errno
import logging
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ThreadedTaskDispatcher

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds that a client whose request was refused may go on sending it."""
STALLED = 10.0
"""Seconds after which a client that reads nothing has to go when its thread is needed for others."""
BURST = 256
"""Connections taken in one turn: one alone would make thousands wait for each other."""
MOST = 16_384
"""Connections held at once: beyond it each turn of the loop, which looks at all, would be felt."""
WINDOWS_MOST = 480
"""Sockets that Python's select can wait for on Windows are 512."""
TELLING = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Routes that tell how the server is, by threads of their own."""


def most_connections() -> int:
    """How many connections this process may hold, files of other kinds left aside; its limit is raised where it may."""
    if sys.platform == "win32":
        return WINDOWS_MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + MOST // 4 if hard == resource.RLIM_INFINITY else min(hard, MOST + MOST // 4)
    if soft < wanted:
        with suppress(ValueError, OSError):  # a sandbox may forbid it, macOS has another limit that it does not tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(MOST, soft - max(48, soft // 5))


class Channel(HTTPChannel):
    """A connection that knows when it last moved, and whose last answer says so when the server stops.

    One that was refused lingers: closed while the client still sends, its system would throw away our answer with the
    connection (RFC 9112, 9.6).
    """

    refused = False
    _linger_until = 0.0

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: dict[int, Any]) -> None:
        self.moved = time.monotonic()
        super().__init__(server, sock, addr, adj, map)

    @property
    def idle(self) -> bool:
        """Whether nothing is owed to the client: it may never have asked, or not to the end."""
        return not self.requests and not self.total_outbufs_len

    def stalled(self, seconds: float) -> bool:
        """Whether sound has waited for the client that long without any of it being read."""
        return bool(self.total_outbufs_len) and time.monotonic() - self.moved > seconds

    def send(self, data: bytes, do_close: bool = True) -> int:
        sent: int = super().send(data, do_close)
        if sent:
            self.moved = time.monotonic()
        return sent

    def received(self, data: bytes) -> bool:
        self.moved = time.monotonic()
        taken = bool(super().received(data))
        if getattr(self.server, "stopping", False):
            for asked in list(self.requests):
                asked.headers["CONNECTION"] = "close"  # type: ignore[index]  # the stubs call this dict a Mapping
        return taken

    def handle_close(self) -> None:
        if self.refused and self.connected and self.socket and not self._linger_until:
            self._linger_until = time.monotonic() + LINGER
            self.will_close = False
            with suppress(OSError):  # the client has gone already
                self.socket.shutdown(socket.SHUT_WR)
        else:
            super().handle_close()

    def readable(self) -> bool:
        return bool(self._linger_until) or bool(super().readable())

    def handle_read(self) -> None:
        if not self._linger_until:
            super().handle_read()
        elif self.recv(65536) and time.monotonic() > self._linger_until:
            self.handle_close()


class Threads(ThreadedTaskDispatcher):
    """The threads that answer, and two that only tell how the server is: slow readers can't take those."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.set_thread_count(count)
        self._telling = ThreadedTaskDispatcher()
        self._telling.set_thread_count(2)

    @property
    def short(self) -> bool:
        """Whether requests wait for a thread."""
        return bool(self.queue)

    def add_task(self, task: Any) -> None:
        if getattr(task.requests[0], "path", "") in TELLING:
            self._telling.add_task(task)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        self._telling.shutdown(cancel_pending, timeout)
        return bool(super().shutdown(cancel_pending, timeout))


def accept(listening: Any, most: int, make_room: Callable[[], None]) -> None:
    """Take the connections that wait at the door, as waitress does, but not one alone in each turn of its loop, and
    with room made for them where `most` are held."""
    for _ in range(BURST):
        if len(listening._map) > most:
            make_room()
        try:
            found = listening.accept()
            if found is None:
                return
            connection, address = found
            listening.set_socket_options(connection)
        except OSError as exc:  # no more descriptors, or a client that has gone already
            if exc.errno in (errno.EMFILE, errno.ENFILE):
                log.warning("No descriptors are left for new connections")
                make_room()
                time.sleep(0.05)  # the door stays open, and the loop must not spin on it
            return
        listening.channel_class(listening, connection, address, listening.adj, map=listening._map)


def close_idle(channels: list[Channel]) -> None:
    """Let half of the connections go that nothing is owed to, the longest silent ones first."""
    idle = sorted((channel for channel in channels if channel.idle), key=lambda channel: channel.moved)
    longest = idle[: (len(idle) + 1) // 2]
    for channel in longest:
        channel.handle_close()
    if longest:
        log.warning("%d of %d connections were let go to make room", len(longest), len(channels))


def close_stalled(channels: list[Channel]) -> None:
    """Let those go who have read nothing for long, so that their threads answer others."""
    for channel in channels:
        if channel.stalled(STALLED):
            log.warning("A client that reads nothing was let go: its thread is needed")
            channel.handle_close()
