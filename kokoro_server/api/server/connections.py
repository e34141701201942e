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

LINGER_TIMEOUT = 2.0
"""Seconds that a client may continue to send a request that was refused."""
STALL_TIMEOUT = 10.0
"""Seconds without reading after which a client is disconnected if other requests wait for a thread."""
INACTIVITY_TIMEOUT = 120.0
"""Seconds without activity after which a connection that has no request in progress is closed."""
ACCEPT_BATCH = 256
"""Maximum number of connections accepted per loop; with one per loop, thousands would wait for each other."""
MAX_CONNECTIONS = 16_384
"""Maximum number of open connections: each loop visits all of them, which takes noticeable time beyond."""
MAX_WINDOWS_CONNECTIONS = 480
"""The same on Windows, where Python's select() takes at most 512 sockets."""
IDLE_THREAD_TIMEOUT = 60.0
"""Seconds that a thread waits for its next request before it ends."""
STATUS_ROUTES = frozenset({"/health", "/health/live", "/health/ready", "/metrics"})
"""Monitoring routes, which have threads of their own."""


class ChannelTask(Protocol):
    """Connection with a request to process, which waitress calls a task."""

    requests: list[Any]
    """Requests received and not answered yet, oldest first."""

    def service(self) -> None:
        """Process the next request."""

    def cancel(self) -> None:
        """Drop the request and close the connection."""


def raise_connection_limit() -> int:
    """Raise the descriptor limit of the process as far as allowed and return the maximum number of connections.

    A fifth of the descriptors, at least 48, is left for files, pipes and sockets of other kinds.
    """
    if sys.platform == "win32":
        return MAX_WINDOWS_CONNECTIONS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = (
        MAX_CONNECTIONS + MAX_CONNECTIONS // 4
        if hard == resource.RLIM_INFINITY
        else min(hard, MAX_CONNECTIONS + MAX_CONNECTIONS // 4)
    )
    if soft < wanted:
        with suppress(ValueError, OSError):  # sandboxes may forbid it; macOS has a lower hidden limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return min(MAX_CONNECTIONS, soft - max(48, soft // 5))


class Channel(HTTPChannel):
    """Client connection that records when it last transferred data and closes in an orderly way.

    A connection whose request was refused lingers: only its sending side is closed, and what the client still sends is
    discarded for up to LINGER_TIMEOUT seconds. If it were closed at once, the client would get a TCP reset, at which
    its kernel drops our response unread (RFC 9112, 9.6).

    Attributes:
        last_transfer: Monotonic time in seconds of the last byte read or written.
        is_refused: Set by the error task when the request was refused.
    """

    is_refused = False
    _linger_until = 0.0

    def __init__(self, server: Any, sock: socket.socket, addr: Any, adj: Any, map: dict[int, Any]) -> None:
        self.last_transfer = time.monotonic()
        super().__init__(server, sock, addr, adj, map)

    @property
    def is_idle(self) -> bool:
        """Return True if no request is complete and no response is pending."""
        return not self.requests and not self.total_outbufs_len

    def is_stalled(self, seconds: float) -> bool:
        """Return True if response data has waited for `seconds` without the client reading any of it."""
        return bool(self.total_outbufs_len) and time.monotonic() - self.last_transfer > seconds

    def is_inactive(self, seconds: float) -> bool:
        """Return True if no request is in progress and nothing was read or written for `seconds`."""
        return not self.requests and time.monotonic() - self.last_transfer > seconds

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what the socket takes and return its number of bytes."""
        sent: int = super().send(data, do_close)
        if sent:
            self.last_transfer = time.monotonic()
        return sent

    def received(self, data: bytes) -> bool:
        """Parse received bytes; while the server stops, have every response close its connection."""
        self.last_transfer = time.monotonic()
        taken = bool(super().received(data))
        if getattr(self.server, "is_stopping", False):
            for request in list(self.requests):
                request.headers["CONNECTION"] = "close"  # type: ignore[index]  # the stubs call this dict a Mapping
        return taken

    def handle_close(self) -> None:
        """Close the connection, or begin to linger if its request was refused."""
        if self.is_refused and self.connected and self.socket and not self._linger_until:
            self._linger_until = time.monotonic() + LINGER_TIMEOUT
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


class ElasticThreadPool:
    """Process requests in up to `max_threads` threads, started on demand.

    Idle threads form a stack: the one that became idle last gets the next request, and a thread is started only if none
    is idle. So the pool shrinks to the number in use, since a thread ends after IDLE_THREAD_TIMEOUT seconds without a
    request. Requests beyond `max_threads` wait in a FIFO queue.

    All state is guarded by `_condition`; each idle thread waits on a queue of its own, which gets its next task or None
    to end it. All methods are thread-safe.
    """

    def __init__(self, max_threads: int, name: str) -> None:
        self._max_threads = max_threads
        self._name = name
        self._condition = threading.Condition()
        self._idle_inboxes: list[queue.SimpleQueue[ChannelTask | None]] = []
        self._pending_tasks: deque[ChannelTask] = deque()
        self._thread_numbers = itertools.count(1)
        self._thread_count = 0
        self._is_closing = False

    @property
    def is_saturated(self) -> bool:
        """Return True if requests wait for a thread."""
        return bool(self._pending_tasks)

    def add_task(self, task: ChannelTask) -> None:
        """Process the task in an idle or new thread, or queue it."""
        with self._condition:
            if self._idle_inboxes:
                self._idle_inboxes.pop().put(task)
            elif self._thread_count >= self._max_threads or not self._start_thread(task):
                self._pending_tasks.append(task)

    def shutdown(self, timeout: float) -> None:
        """End all threads that are or become idle within `timeout` seconds; cancel the requests still queued."""
        with self._condition:
            self._is_closing = True
            for inbox in self._idle_inboxes:
                inbox.put(None)
            self._condition.wait_for(lambda: not self._thread_count, timeout)
            for task in self._pending_tasks:
                task.cancel()
            self._pending_tasks.clear()

    def _start_thread(self, task: ChannelTask) -> bool:
        """Start a thread with its first task; return False if the system allows no more threads. Lock held."""
        name = f"{self._name}-{next(self._thread_numbers)}"
        try:
            threading.Thread(target=self._run_thread, args=(task,), name=name, daemon=True).start()
        except RuntimeError as exc:
            if not self._thread_count:
                raise
            log.warning("No more than %d threads: %s", self._thread_count, exc)
            return False
        self._thread_count += 1
        return True

    def _run_thread(self, task: ChannelTask | None) -> None:
        """Process tasks until `_take_task` returns None."""
        inbox: queue.SimpleQueue[ChannelTask | None] = queue.SimpleQueue()
        while task is not None:
            try:
                task.service()
            except BaseException:  # edge of the thread: no error may end it
                log.exception("A request broke its thread's work")
            task = self._take_task(inbox)
        with self._condition:
            self._thread_count -= 1
            self._condition.notify_all()

    def _take_task(self, inbox: queue.SimpleQueue[ChannelTask | None]) -> ChannelTask | None:
        """Return the thread's next task, waiting up to IDLE_THREAD_TIMEOUT; None to end the thread."""
        with self._condition:
            if self._is_closing:
                return None
            if self._pending_tasks:
                return self._pending_tasks.popleft()
            self._idle_inboxes.append(inbox)
        try:
            return inbox.get(timeout=IDLE_THREAD_TIMEOUT)
        except queue.Empty:
            with self._condition:
                if inbox in self._idle_inboxes:
                    self._idle_inboxes.remove(inbox)
                    return None
            return inbox.get()  # another thread took the inbox off the stack after the timeout: its task is on the way


class RequestDispatcher:
    """Dispatch requests to `count` threads, and status requests to two others that slow readers can't occupy."""

    def __init__(self, count: int) -> None:
        self._request_pool = ElasticThreadPool(count, "answer")
        self._status_pool = ElasticThreadPool(2, "tell")

    @property
    def is_saturated(self) -> bool:
        """Return True if requests wait for a thread; status requests don't count."""
        return self._request_pool.is_saturated

    def add_task(self, task: ChannelTask) -> None:
        """Have the request processed by the threads of its route. Called by waitress."""
        is_status = getattr(task.requests[0], "path", "") in STATUS_ROUTES
        (self._status_pool if is_status else self._request_pool).add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: float = 5.0) -> None:
        """End both pools, waiting up to `timeout` seconds for each. Called by waitress."""
        self._status_pool.shutdown(timeout)
        self._request_pool.shutdown(timeout)


def accept_pending(listener: Any, max_connections: int, make_room: Callable[[], None]) -> None:
    """Accept pending connections, up to ACCEPT_BATCH per loop (waitress: one).

    Args:
        listener: Waitress's listening socket.
        max_connections: Number of open sockets above which `make_room` is called before each accept.
        make_room: Close idle connections.
    """
    for _ in range(ACCEPT_BATCH):
        if len(listener._map) > max_connections:
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
    idle = sorted((channel for channel in channels if channel.is_idle), key=lambda channel: channel.last_transfer)
    oldest = idle[: (len(idle) + 1) // 2]
    for channel in oldest:
        channel.handle_close()
    if oldest:
        log.warning("%d of %d connections were let go to make room", len(oldest), len(channels))


def close_stalled(channels: list[Channel]) -> None:
    """Disconnect clients that have read nothing for STALL_TIMEOUT, which frees their threads."""
    for channel in channels:
        if channel.is_stalled(STALL_TIMEOUT):
            log.warning(
                "Disconnected a client that has read nothing for %g seconds: other requests wait for its thread",
                STALL_TIMEOUT,
            )
            channel.handle_close()


def close_inactive(channels: list[Channel]) -> None:
    """Close connections without activity for INACTIVITY_TIMEOUT.

    Replaces waitress's own check, which uses the wall clock: that may be set during a response.
    """
    for channel in channels:
        if channel.is_inactive(INACTIVITY_TIMEOUT):
            channel.handle_close()
