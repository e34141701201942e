"""Makes .venv, installs what is missing, and runs: `python run.py` the server, `python run.py test` every check.

Needs nothing but Python 3.11 or newer. Other arguments and KOKORO_* variables go to the server.
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
CHECKS = (
    ["ruff", "format", "--check", "."],
    ["ruff", "check", "."],
    ["mypy"],
    ["pytest", "--apart", "none", "--numprocesses", "2", "--dist", "loadfile", "--no-loadscope-reorder"],
    ["pytest", "--apart", "only"],
)
NOTED = ("SIGTERM", "SIGINT", "SIGBREAK", "SIGCHLD")
"""Signals that must not end this process before its child: a service sends SIGTERM to us alone, a terminal Ctrl-C and
Ctrl-Break to the child too, and SIGCHLD says that the child has ended."""
RECEIVED: set[int] = set()
"""Numbers of the signals that have arrived; SIGTERM is taken out as it is passed on."""


def main(arguments: list[str]) -> int:
    if sys.version_info < (3, 11):  # noqa: UP036, who runs an older one should be told
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}.")
    if arguments[:1] == ["test"]:
        install("requirements.txt", "requirements-dev.txt")
        return test(arguments[1:])
    install("requirements.txt")
    return run(PYTHON, ROOT / "kokoro_tts_api.py", *arguments)


def install(*names: str) -> None:
    """Install requirement files whose content is not what was installed last; a new interpreter begins anew."""
    for name in names:
        wanted = hashlib.sha256((ROOT / name).read_bytes() + sys.version.encode()).hexdigest()
        done = VENV / f"installed-{name}"
        if PYTHON.exists() and done.exists() and done.read_text() == wanted:
            continue
        if not has_pip():
            print("Making .venv ...", flush=True)
            venv.create(VENV, with_pip=True)
        print(f"Installing {name}: this takes a few minutes, once ...", flush=True)
        pip = [PYTHON, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", ROOT / name]
        newer = ["--ignore-requires-python"] if sys.version_info >= (3, 13) else []  # misaki's cap; it runs there
        if run(*pip, *newer):
            sys.exit(f"{name} could not be installed; what pip said stands above.")
        done.write_text(wanted)


def has_pip() -> bool:
    """Whether .venv is whole: pip comes last, and one that was interrupted has none."""
    return PYTHON.exists() and not subprocess.run([PYTHON, "-c", "import pip"], stderr=subprocess.DEVNULL).returncode


def test(arguments: list[str]) -> int:
    """Every check, all of them even when one fails; arguments go to pytest."""
    codes = [run(PYTHON, "-m", *check, *(arguments if check[0] == "pytest" else [])) for check in CHECKS]
    return max(map(abs, codes))


def run(*command: object) -> int:
    """Run a command that shares our terminal and return its exit code. SIGTERM is passed on to it.

    The handlers only note a signal, since a second one may interrupt them anywhere: Popen takes a lock, and an
    exception would lose the exit code. Each signal, also SIGCHLD when the child ends, writes a byte that ends the wait.
    """
    for name in NOTED:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda number, _: RECEIVED.add(number))
            atexit.register(signal.signal, getattr(signal, name), signal.SIG_IGN)  # the exit code stands until the end
    reader, writer = socket.socketpair()
    with reader, writer:
        reader.settimeout(0.5)  # Windows has no SIGCHLD
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        try:
            child = subprocess.Popen([str(word) for word in command], cwd=ROOT)
            while (code := child.poll()) is None:
                if signal.SIGTERM in RECEIVED:
                    RECEIVED.discard(signal.SIGTERM)
                    child.terminate()  # the pid is still the child's: only poll() takes its exit code, in this thread
                with suppress(TimeoutError):
                    reader.recv(256)
        finally:
            signal.set_wakeup_fd(-1)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
