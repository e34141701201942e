"""Turn stop signals (SIGINT, SIGTERM, and SIGBREAK on Windows) into one orderly shutdown, however many arrive together.

Python runs a signal handler in the main thread between two bytecodes, also inside another handler. A lock that a
handler takes may be held by the frame that it interrupts, and then the process deadlocks: so does `Event.set()` in a
handler when a second signal arrives inside it. So the handlers here only record the signal's number.

A process goes through two phases:

1. `exit_on_signal()` while it starts: the first signal raises SystemExit in the main thread, so that every `finally`
   on the way cleans up; later ones do not interrupt the cleanup.
2. `stop_signals()` while it serves: nothing is raised, and the main thread waits. The interpreter's own C handler
   writes a byte to a socket pair (`signal.set_wakeup_fd`), which ends the wait at once, on Windows too.

The handlers of the last phase stay installed until the interpreter ends; from there on the signals are ignored.
"""

from __future__ import annotations

import atexit
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

STOP_SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name))
"""Signals that ask the process to end: Ctrl-C, a service manager's signal, and Ctrl-Break in a Windows console."""
RECHECK_INTERVAL = 0.5
"""Seconds after which the wait checks for a recorded signal without having been woken."""

_received: set[int] = set()
"""Numbers of the stop signals that have arrived."""


def exit_on_signal() -> None:
    """Have the first stop signal raise SystemExit(128 + its number) and ignore later ones. Main thread only."""
    _received.clear()
    _install_handler(_exit_once)
    atexit.register(ignore_stop_signals)  # finalization would restore the default action


@contextmanager
def catch_stop_signals() -> Iterator[Callable[[], None]]:
    """Yield a function that returns once a stop signal has arrived, also one from before. Main thread only.

    A byte alone does not end the wait: any signal with a handler writes one, and so does a forked child that
    has not yet called exec. Only a number that the handler recorded ends the wait.
    """
    _install_handler(_record_signal)
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(RECHECK_INTERVAL)
        writer.setblocking(False)  # required by set_wakeup_fd; a full buffer wakes the reader too
        previous = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

        def wait() -> None:
            while not _received:
                with suppress(TimeoutError):
                    reader.recv(256)

        try:
            yield wait
        finally:
            signal.set_wakeup_fd(previous)


def ignore_stop_signals() -> None:
    """Ignore stop signals from here on. Main thread only.

    A signal that has arrived, but whose handler has not run yet, has no handler any more when CPython comes to it.
    CPython reports this as an OSError that it cannot raise; it is one more stop signal, and is ignored like the others.
    """
    report = sys.unraisablehook

    def report_others(unraisable: sys.UnraisableHookArgs) -> None:
        if not (isinstance(unraisable.exc_value, OSError) and "race condition" in str(unraisable.exc_value)):
            report(unraisable)

    sys.unraisablehook = report_others
    _install_handler(signal.SIG_IGN)


def _install_handler(handler: Any) -> None:
    for number in STOP_SIGNALS:
        signal.signal(number, handler)


def _record_signal(number: int, _frame: FrameType | None) -> None:
    _received.add(number)


def _exit_once(number: int, _frame: FrameType | None) -> None:
    if not _received:
        _received.add(number)
        sys.exit(128 + number)
