"""Create .venv, install missing requirements, and run the server; `python run.py test` runs all checks instead.

`python run.py test --fast` runs the checks that take a minute.

Needs only the standard library of Python 3.11 or newer. Other arguments and KOKORO_* variables go to the server.
"""

import atexit
import hashlib
import os
import signal
import socket
import subprocess
import sys
import venv
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
TWO_FILES_AT_A_TIME = ("--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder")
CHECKS = (
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    ["pytest", "-m", "not serial", *TWO_FILES_AT_A_TIME],
    ["pytest", "-m", "serial"],
)
"""Modules that `test` runs with their arguments, in this order."""
FAST_CHECKS = (*CHECKS[:3], ["pytest", "tests/unit", *TWO_FILES_AT_A_TIME])
"""Those that `test --fast` runs: about a minute."""
HANDLED_SIGNALS = ("SIGTERM", "SIGINT", "SIGBREAK", "SIGCHLD")
"""Signals that must not end this process before its child. A service manager may send SIGTERM to this process alone; a
console sends Ctrl-C and Ctrl-Break to the child too; SIGCHLD reports that the child has ended."""
RECEIVED_SIGNALS: set[int] = set()
"""Numbers of the signals that have arrived; SIGTERM is removed when it is forwarded."""


def main(arguments: list[str]) -> int:
    """Install the requirements, run the server or the checks, and return the exit code."""
    if sys.version_info < (3, 11):  # noqa: UP036, older ones get a clear message
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    if arguments[:1] == ["test"]:
        install_requirements("requirements.txt", "requirements-dev.txt")
        return run_checks(arguments[1:])
    install_requirements("requirements.txt")
    return run_child(PYTHON, ROOT / "kokoro_tts_api.py", *arguments)


def install_requirements(*names: str) -> None:
    """Install requirement files that changed since they were last installed, or that another Python version installed.

    The hash of the file and the version is kept in .venv/installed-<name>. Exits if pip fails.
    """
    for name in names:
        digest = hashlib.sha256((ROOT / name).read_bytes() + sys.version.encode()).hexdigest()
        done = VENV / f"installed-{name}"
        if PYTHON.exists() and done.exists() and done.read_text() == digest:
            continue
        if not has_pip():
            print("Making .venv ...", flush=True)
            venv.create(VENV, with_pip=True)
        print(f"Installing {name}: this takes a few minutes, once ...", flush=True)
        pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", ROOT / name]
        newer = (
            ["--ignore-requires-python"] if sys.version_info >= (3, 13) else []
        )  # misaki declares <3.13 but runs there
        if run_child(*pip, *newer):
            sys.exit(f"{name} could not be installed; what pip said stands above.")
        done.write_text(digest)


def has_pip() -> bool:
    """Return True if .venv is complete: pip is installed last, so an interrupted creation lacks it."""
    return PYTHON.exists() and not subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL).returncode


def run_checks(arguments: list[str]) -> int:
    """Run all checks, also after one has failed, and return the highest exit code.

    `--fast` selects FAST_CHECKS; other arguments go to pytest.
    """
    checks = FAST_CHECKS if "--fast" in arguments else CHECKS
    others = [each for each in arguments if each != "--fast"]
    codes = [run_child(PYTHON, "-m", *check, *(others if check[0] == "pytest" else [])) for check in checks]
    return max(map(abs, codes))


def run_child(*command: object) -> int:
    """Run a command in the project folder on our terminal, forward SIGTERM to it, and return its exit code.

    A handler may be interrupted anywhere by a second signal, so it only records the number: Popen's methods take a
    lock, and an exception would lose the exit code. Every signal also has the interpreter write a byte to a socket pair
    (set_wakeup_fd), which ends the wait below; SIGCHLD does so when the child ends.
    """
    for name in HANDLED_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: RECEIVED_SIGNALS.add(number))
    atexit.register(ignore_signals)  # keeps the exit code
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0.5)  # Windows has no SIGCHLD, so look for the child's end
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            child = subprocess.Popen([str(word) for word in command], cwd=ROOT)
            while (code := child.poll()) is None:
                if signal.SIGTERM in RECEIVED_SIGNALS:
                    RECEIVED_SIGNALS.discard(signal.SIGTERM)
                    child.terminate()  # its pid is not reused yet: only poll() above reaps it
                with suppress(TimeoutError):
                    reader.recv(256)
        finally:
            signal.set_wakeup_fd(-1)
    return code


def ignore_signals() -> None:
    """Ignore signals at the end. CPython would print an OSError for one whose handler had no time to run."""
    sys.unraisablehook = lambda unraisable: None
    for name in HANDLED_SIGNALS:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
