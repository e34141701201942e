"""Stop signals that arrive together: to the server alone, to its parent run.py alone, and to both."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.core.signals import STOP_SIGNALS, catch_stop_signals, exit_on_signal
from tests.fakes.running import Running, is_whole
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals that one process sends to another")

SERVER = [sys.executable, "-m", "tests.fakes.fake_server"]
UNDER_RUN = [sys.executable, "-c", "import run, sys; sys.exit(run.run_child(sys.executable, *sys.argv[1:]))"]
"""A command whose own process is run.py's, with the arguments for a child Python."""
PER_BURST = 5000
"""Of each signal: few enough for milliseconds, and enough for some to arrive inside the handler of another."""
ROUNDS = 2
DEADLINE = 30.0
"""Seconds until a process that was told to stop counts as hanging."""
TEXT = "x" * 40
PACE = 0.02
"""Seconds that a fake worker takes a character: TEXT outlasts the burst."""

Send = Callable[[int, int], None]


@contextmanager
def started(folder: Path, command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process group of its own, on a free port, with two fake workers."""
    given: dict[str, object] = {"HOST": "127.0.0.1", "PORT": 0, "WORKERS": 2}
    given |= {"TEMP_DIR": folder / "temp", "MODEL_DIR": folder, "DATA_DIR": folder / "data"}
    environment = {**os.environ, **{f"KOKORO_{name}": str(value) for name, value in given.items()}}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # the server too where its parent ended first; its workers follow it
        process.wait()


def burst(send: Send, pid: int, *signals: int) -> None:
    """Send the signals in turn, so that one interrupts the handler of another: equal ones are merged."""
    for _ in range(PER_BURST):
        for each in signals:
            send(pid, each)


def log_of(folder: Path) -> str:
    return (folder / "log").read_text("utf-8")


def ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code; fails where the process hangs."""
    try:
        return process.wait(DEADLINE)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"it still runs {DEADLINE:g} s after the signals") from None


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes: Sequence[psutil.Process]) -> bool:
    return not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in processes)


# --- While it serves -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "send"),
    [
        pytest.param(SERVER, "kill", id="server"),
        pytest.param([*UNDER_RUN, *SERVER[1:]], "killpg", id="group"),
        pytest.param([*UNDER_RUN, *SERVER[1:]], "kill", id="parent"),
    ],
)
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_burst_ends_the_server_and_an_accepted_request_is_answered(
    tmp_path: Path, command: Sequence[str], send: str, turn: int
) -> None:
    with started(tmp_path, [*command, "--pace", str(PACE)]) as process:
        server = Running(process, tmp_path)
        family = children(process)
        answers: list[httpx.Response] = []
        client = threading.Thread(target=lambda: answers.append(server.say(TEXT)))
        client.start()
        until(lambda: server.status()["busy"] == 1)
        burst(getattr(os, send), process.pid, signal.SIGTERM, signal.SIGINT)
        assert ended(process) == 0
        client.join(DEADLINE)
        assert is_whole(answers[0], TEXT)
        until(lambda: all_gone(family), DEADLINE)
        assert "Traceback" not in log_of(tmp_path)


# --- Before it serves ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGTERM, signal.SIGINT)])
@pytest.mark.parametrize("turn", range(ROUNDS))
def test_a_burst_during_the_start_cleans_up_once(tmp_path: Path, what: tuple[int, ...], turn: int) -> None:
    with started(tmp_path, [*SERVER, "--mode", "mute"]) as process:
        until(lambda: len(children(process)) == 2, DEADLINE)
        family = children(process)
        burst(os.kill, process.pid, *what)
        assert ended(process) in {128 + each for each in what}
        assert all_gone(family)
        assert "Traceback" not in log_of(tmp_path) and "Exception ignored" not in log_of(tmp_path)


AT_THE_END = """
import sys
from kokoro_server.core.signals import exit_on_signal
exit_on_signal()
print("ready", flush=True)
sys.stdin.read()
"""


def test_signals_that_arrive_while_python_ends_leave_no_word() -> None:
    """Some arrive while their handler is taken away, which CPython reports as an OSError: one time in forty."""
    for _ in range(100):
        with subprocess.Popen(
            [sys.executable, "-c", AT_THE_END],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            assert process.stdout and process.stderr and process.stdout.readline() == b"ready\n"
            os.kill(process.pid, signal.SIGTERM)
            while process.poll() is None:
                os.kill(process.pid, signal.SIGINT)
            assert process.returncode in (128 + signal.SIGTERM, 128 + signal.SIGINT)
            assert process.stderr.read() == b""


def test_only_what_a_lost_signal_raises_is_not_reported() -> None:
    code = (
        "import sys; from types import SimpleNamespace as Error; from kokoro_server.core.signals import *;"
        "sys.unraisablehook = lambda error: print(error.exc_value);"
        "ignore_stop_signals();"
        "report = lambda error: sys.unraisablehook(Error(exc_value=error));"
        "report(OSError('Signal 2 ignored due to race condition')); report(OSError('disk')); report(ValueError('x'))"
    )
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert (found.stdout.split(), found.stderr) == (["disk", "x"], "")


# --- run.py ----------------------------------------------------------------------------------------------------------

CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
sys.stdin.readline()
sys.exit(7)
"""


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_run_waits_for_its_child_through_a_burst_and_passes_its_exit_code(turn: int) -> None:
    with subprocess.Popen(
        [*UNDER_RUN, "-c", CHILD], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline() == b"ready\n"
        burst(os.kill, process.pid, signal.SIGINT, signal.SIGTERM)
        assert process.poll() is None
        process.stdin.write(b"\n")
        process.stdin.flush()
        burst(os.kill, process.pid, signal.SIGINT)
        assert ended(process) == 7


# --- The handlers ----------------------------------------------------------------------------------------------------


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the handlers back that pytest has."""
    before = {each: signal.getsignal(each) for each in STOP_SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


@pytest.mark.usefixtures("handlers")
def test_only_the_first_signal_raises() -> None:
    exit_on_signal()
    with pytest.raises(SystemExit) as raised:
        signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGINT)
    assert raised.value.code == 128 + signal.SIGTERM


@pytest.mark.usefixtures("handlers")
def test_a_signal_from_before_ends_the_wait_for_one() -> None:
    exit_on_signal()
    with suppress(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    with catch_stop_signals() as wait:
        wait()


@pytest.mark.usefixtures("handlers")
def test_another_signal_does_not_end_the_wait() -> None:
    seen: list[int] = []

    def usr1(*_: Any) -> None:
        seen.append(1)
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()

    before = signal.signal(signal.SIGUSR1, usr1)
    exit_on_signal()
    try:
        with catch_stop_signals() as wait:
            threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGUSR1)).start()
            wait()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [1]
