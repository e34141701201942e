"""Bound connections and request threads, so that no client can block the server for others.

Three kinds of clients would otherwise hold resources for good:

- Many idle connections: at MAX_CONNECTIONS the longest idle half is closed (`close_idle`).
- Slow senders: a connection without activity for INACTIVITY_TIMEOUT is closed (`close_inactive`).
- Slow readers: a response that waits for its client blocks a request thread. Once requests queue for a thread, clients
  that have read nothing for STALL_TIMEOUT are disconnected (`close_stalled`).

Status routes have two threads of their own, so monitoring works while all request threads are busy.

The `close_*` functions and `accept_pending` run in the event loop's thread.
"""

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
"""Seconds that a client may continue to send a request that was refused."""
STALLED = 10.0
"""Seconds without reading after which a client is disconnected if other requests wait for a thread."""
FORGOTTEN = 120.0
"""Seconds without activity after which a connection that has no request in progress is closed."""
BURST = 256
"""Maximum number of connections accepted per loop; with one per loop, thousands would wait for each other."""
MOST = 16_384
"""Maximum number of open connections: each loop visits all of them, which takes noticeable time beyond."""
WINDOWS_MOST = 480
"""The same on Windows, where Python's select() takes at most 512 sockets."""
PATIENCE = 60.0
"""Seconds that a thread waits for its next request before it ends."""
TELLING = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Monitoring routes, which have threads of their own."""


class Task(Protocol):
    """Connection with a request to process, which waitress calls a task."""

    requests: list[Any]
    """Requests received and not answered yet, oldest first."""

    def service(self) -> None:
        """Process the next request."""

    def cancel(self) -> None:
        """Drop the request and close the connection."""


def most_connections() -> int:
    """Raise the descriptor limit of the process as far as allowed and return the maximum number of connections.

    A fifth of the descriptors, at least 48, is left for files, pipes and sockets of other kinds.
    """
    if sys.platform == "win32":
        return WINDOWS_MOST
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST + MOST // 4 if hard == resource.RLIM_INFINITY else min(hard, MOST + MOST // 4)
    if soft < wanted:
        with suppress(ValueError, OSError):  # sandboxes may forbid it; macOS has a lower hidden limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(MOST, soft - max(48, soft // 5))


class Channel(HTTPChannel):
    """Client connection that records its last activity and closes in an orderly way.

    A connection whose request was refused lingers: only its sending side is closed, and what the client still sends is
    discarded for up to LINGER_TIMEOUT seconds. If it were closed at once, the client would get a TCP reset, at which
    its kernel drops our response unread (RFC 9112, 9.6).

    Attributes:
        last_activity: Monotonic time in seconds of the last byte read or written.
        is_refused: Set by the error task when the request was refused.
    """

    refused = False
    _linger_until = 0.0

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: dict[int, Any]) -> None:
        self.moved = time.monotonic()
        super().__init__(server, sock, addr, adj, map)

    @property
    def idle(self) -> bool:
        """True if no request is complete and no response is pending."""
        return not self.requests and not self.total_outbufs_len

    def stalled(self, seconds: float) -> bool:
        """Return True if response data has waited for `seconds` without the client reading any of it."""
        return bool(self.total_outbufs_len) and time.monotonic() - self.moved > seconds

    def forgotten(self, seconds: float) -> bool:
        """Return True if no request is in progress and nothing was read or written for `seconds`."""
        return not self.requests and time.monotonic() - self.moved > seconds

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the socket takes and return its number of bytes."""
        sent: int = super().send(data, do_close)
        if sent:
            self.moved = time.monotonic()
        return sent

    def received(self, data: bytes) -> bool:
        """Parse received bytes; while the server stops, have every response close its connection."""
        self.moved = time.monotonic()
        taken = bool(super().received(data))
        if getattr(self.server, "is_stopping", False):
            for request in list(self.requests):
                request.headers["CONNECTION"] = "close"  # type: ignore[index]  # the stubs call this dict a Mapping
        return taken

    def handle_close(self) -> None:
        """Close the connection, or begin to linger if its request was refused."""
        if self.refused and self.connected and self.socket and not self._linger_until:
            self._linger_until = time.monotonic() + LINGER
            self.will_close = False
            with suppress(OSError):  # the client has disconnected already
                self.socket.shutdown(socket.SHUT_WR)
        else:
            super().handle_close()

    def readable(self) -> bool:
        """Return True if the event loop should poll the socket for input."""
        return bool(self._linger_until) or bool(super().readable())

    def handle_read(self) -> None:
        """Read a request, or discard input while lingering."""
        if not self._linger_until:
            super().handle_read()
        elif self.recv(65536) and time.monotonic() > self._linger_until:
            self.handle_close()


class Crew:
    """Process requests in up to `max_threads` threads, started on demand.

    Idle threads form a stack: the one that became idle last gets the next request, and a thread is started only if none
    is idle. So the pool shrinks to the number in use, since a thread ends after IDLE_THREAD_TIMEOUT seconds without a
    request. Requests beyond `max_threads` wait in a FIFO queue.

    All state is guarded by `_condition`; each idle thread waits on a queue of its own, which gets its next task or None
    to end it. All methods are thread-safe.
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
        """True if requests wait for a thread."""
        return bool(self._waiting)

    def add_task(self, task: Task) -> None:
        """Process the task in an idle or new thread, or queue it."""
        with self._changed:
            if self._free:
                self._free.pop().put(task)
            elif self._count >= self._most or not self._begin(task):
                self._waiting.append(task)

    def shutdown(self, timeout: float) -> None:
        """End all threads that are or become idle within `timeout` seconds; cancel the requests still queued."""
        with self._changed:
            self._closing = True
            for inbox in self._free:
                inbox.put(None)
            self._changed.wait_for(lambda: not self._count, timeout)
            for task in self._waiting:
                task.cancel()
            self._waiting.clear()

    def _begin(self, task: Task) -> bool:
        """Start a thread with its first task; return False if the system allows no more threads. Lock held."""
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
        """Process tasks until `_take_task` returns None."""
        inbox: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        while task is not None:
            try:
                task.service()
            except BaseException:  # edge of the thread: no error may end it
                log.exception("A request broke its thread's work")
            task = self._next(inbox)
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def _next(self, inbox: queue.SimpleQueue[Task | None]) -> Task | None:
        """Return the thread's next task, waiting up to IDLE_THREAD_TIMEOUT; None to end the thread."""
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
            return inbox.get()  # another thread took the inbox off the stack after the timeout: its task is on the way


class Threads:
    """Dispatch requests to `count` threads, and status requests to two others that slow readers can't occupy."""

    def __init__(self, count: int) -> None:
        self._answering = Crew(count, "answer")
        self._telling = Crew(2, "tell")

    @property
    def short(self) -> bool:
        """True if requests wait for a thread; status requests don't count."""
        return self._answering.short

    def add_task(self, task: Task) -> None:
        """Have the request processed by the threads of its route. Called by waitress."""
        is_status = getattr(task.requests[0], "path", "") in TELLING
        (self._telling if is_status else self._answering).add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5.0) -> None:
        """End both pools, waiting up to `timeout` seconds for each. Called by waitress."""
        self._telling.shutdown(timeout)
        self._answering.shutdown(timeout)


def accept(listener: Any, most: int, make_room: Callable[[], None]) -> None:
    """Accept pending connections, up to ACCEPT_BATCH per loop (waitress: one).

    Args:
        listener: Waitress's listening socket.
        max_connections: Number of open sockets above which `make_room` is called before each accept.
        make_room: Close idle connections.
    """
    for _ in range(BURST):
        if len(listener._map) > most:
            make_room()
        try:
            pair = listener.accept()
            if pair is None:
                return
            connection, address = pair
            listener.set_socket_options(connection)
        except OSError as exc:  # no descriptors left, or the client has disconnected
            if exc.errno in (errno.EMFILE, errno.ENFILE):
                log.warning("No descriptors are left for new connections")
                make_room()
                time.sleep(0.05)  # the socket stays readable, so the loop would spin
            return
        listener.channel_class(listener, connection, address, listener.adj, map=listener._map)


def close_idle(channels: list[Channel]) -> None:
    """Close half of the idle connections, those without activity for longest."""
    idle = sorted((channel for channel in channels if channel.idle), key=lambda channel: channel.moved)
    oldest = idle[: (len(idle) + 1) // 2]
    for channel in oldest:
        channel.handle_close()
    if oldest:
        log.warning("%d of %d connections were let go to make room", len(oldest), len(channels))


def close_stalled(channels: list[Channel]) -> None:
    """Disconnect clients that have read nothing for STALL_TIMEOUT, which frees their threads."""
    for channel in channels:
        if channel.stalled(STALLED):
            log.warning(
                "Disconnected a client that has read nothing for %g seconds: other requests wait for its thread",
                STALLED,
            )
            channel.handle_close()


def close_forgotten(channels: list[Channel]) -> None:
    """Close connections without activity for INACTIVITY_TIMEOUT.

    Replaces waitress's own check, which uses the wall clock: that may be set during a response.
    """
    for channel in channels:
        if channel.forgotten(FORGOTTEN):
            channel.handle_close()
