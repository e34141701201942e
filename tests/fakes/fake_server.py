"""The real server around workers without a network; arguments go to those, settings come from the environment.

Run as `python -m tests.fakes.fake_server --pace 0.001`. Its wall clock can be set: SIGUSR1 puts it a day ahead, SIGUSR2
two days back.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from kokoro_server.app import serve
from kokoro_server.config import Config
from kokoro_server.core import logs
from kokoro_server.core.signals import exit_on_signal
from kokoro_server.setup import StartupError
from kokoro_server.setup.engines import make_worker_pool

DAY = 86_400.0


def have_a_clock_that_can_be_set() -> None:
    """What an operator or a time server does to the machine's clock, done to this process alone."""
    if sys.platform == "win32":
        return
    told, ahead = time.time, [0.0]
    time.time = lambda: told() + ahead[0]
    for what, days in ((signal.SIGUSR1, 1), (signal.SIGUSR2, -2)):
        signal.signal(what, lambda *_, days=days: ahead.__setitem__(0, ahead[0] + days * DAY))


def main() -> None:
    have_a_clock_that_can_be_set()
    exit_on_signal()
    config = Config.from_environment(os.environ)
    logs.configure_logging(config.LOG_LEVEL, config.LOG_FORMAT)
    workers = [sys.executable, "-m", "benchmarks.fake_worker_process", *sys.argv[1:]]
    try:
        serve(config, make_worker_pool(config, workers, config.QUEUE))
    except StartupError as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")


if __name__ == "__main__":
    main()
