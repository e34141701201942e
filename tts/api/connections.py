"""Connections that can't take the server from others: many that say nothing, slow senders, and slow readers."""

from __future__ import annotations

import errno
import itertools
import logging
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from waitress.channel import HTTPChannel

if sys.platform != "win32":
    import resource

log = logging.getLogger(__name__)

LINGER = 2.0
"""Seconds that a client whose request was refused may go on sending it."""
STALLED = 10.0
"""Seconds after which a client that reads nothing has to go when its thread is needed for others."""
FORGOTTEN = 120.0
"""Seconds after which a connection goes that neither asks nor reads; nothing of an answer is being made for it."""
BURST = 256
"""Connections taken in one turn: one alone would make thousands wait for each other."""
MOST = 16_384
"""Connections held at once: beyond it each turn of the loop, which looks at all, would be felt."""
WINDOWS_MOST = 480
"""Sockets that Python's select can wait for on Windows are 512."""
PATIENCE = 60.0
"""Seconds that a thread waits for its next request before it goes."""
TELLING = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Routes that tell how the server is, by threads of their own."""


class Task(Protocol):
    """A connection whose next request is to be answered: waitress's word for it is a task."""

    requests: list[Any]

    def service(self) -> None:
        """Answer it."""

    def cancel(self) -> None:
        """Give it up."""


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

    def forgotten(self, seconds: float) -> bool:
        """Whether nothing has been asked or read for so long."""
        return not self.requests and time.monotonic() - self.moved > seconds

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


class Crew:
    """Threads that each answer one request at a time, up to `most` of them.

    The one that was free last is taken first, and a new one is made only where none is free: so a server holds the
    memory of as many as it needs, and not, a few requests later, of all that it may have. Who was not needed for
    `PATIENCE` goes.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._changed = threading.Condition()
        self._free: list[queue.SimpleQueue[Task | None]] = []
        self._waiting: deque[Task] = deque()
        self._made = itertools.count(1)
        self._count = 0
        self._closing = False

    @property
    def short(self) -> bool:
        """Whether requests wait for a thread."""
        return bool(self._waiting)

    def add_task(self, task: Task) -> None:
        """Have a thread answer it, at once or when one is free."""
        with self._changed:
            if self._free:
                self._free.pop().put(task)
            elif self._count >= self._most or not self._begin(task):
                self._waiting.append(task)

    def shutdown(self, timeout: float) -> None:
        """Let every thread go that is free or becomes so in time; requests that still wait are given up."""
        with self._changed:
            self._closing = True
            for inbox in self._free:
                inbox.put(None)
            self._changed.wait_for(lambda: not self._count, timeout)
            for task in self._waiting:
                task.cancel()
            self._waiting.clear()

    def _begin(self, task: Task) -> bool:
        """Start a thread with its first task; not where the system has none to give."""
        name = f"{self._name}-{next(self._made)}"
        try:
            threading.Thread(target=self._work, args=(task,), name=name, daemon=True).start()
        except RuntimeError as exc:
            if not self._count:
                raise
            log.warning("No more than %d threads: %s", self._count, exc)
            return False
        self._count += 1
        return True

    def _work(self, task: Task | None) -> None:
        inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        while task is not None:
            try:
                task.service()
            except BaseException:  # the thread's edge: whatever broke must not end it
                log.exception("A request broke its thread's work")
            task = self._next(inbox)
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def _next(self, inbox: queue.SimpleQueue[Task | None]) -> Task | None:
        """The next task; None when the thread has to go, or was not needed for long."""
        with self._changed:
            if self._closing:
                return None
            if self._waiting:
                return self._waiting.popleft()
            self._free.append(inbox)
        try:
            return inbox.get(timeout=PATIENCE)
        except queue.Empty:
            with self._changed:
                if inbox in self._free:
                    self._free.remove(inbox)
                    return None
            return inbox.get()  # it was given a task at the last moment


class Threads:
    """The threads that answer, and two that only tell how the server is: slow readers can't take those."""

    def __init__(self, count: int) -> None:
        self._answering = Crew(count, "answer")
        self._telling = Crew(2, "tell")

    @property
    def short(self) -> bool:
        """Whether requests wait for a thread."""
        return self._answering.short

    def add_task(self, task: Task) -> None:
        tells = getattr(task.requests[0], "path", "") in TELLING
        (self._telling if tells else self._answering).add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5.0) -> None:
        """What waitress calls at its end."""
        self._telling.shutdown(timeout)
        self._answering.shutdown(timeout)


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


def close_forgotten(channels: list[Channel]) -> None:
    """Let those go whose client has done nothing for long. Waitress's own look at this follows the wall clock, which
    may be set while an answer is on its way."""
    for channel in channels:
        if channel.forgotten(FORGOTTEN):
            channel.handle_close()
