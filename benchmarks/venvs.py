"""Virtual environments apart from the project's, for programs that tests drive; kept between runs."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.caches import cache_folder, key_of, made_in_place

INSTALL_TIMEOUT = 1500.0  # seconds; torch is 200 MB and more


class RunFailed(Exception):
    """A command ended badly; the message has the end of its complaints."""


def nothing_more(venv: Path) -> None:
    """What a plain environment needs after its requirements."""


def made_venv(
    name: str,
    requirements: Path,
    python: str = sys.executable,
    finish: Callable[[Path], None] = nothing_more,
) -> Path:
    """An environment with the requirements, one for each list of them and each Python. Raises RunFailed."""

    def make(folder: Path) -> None:
        run([python, "-m", "venv", str(folder)], INSTALL_TIMEOUT)
        install = ("-m", "pip", "install", "--disable-pip-version-check", "--quiet", "-r", str(requirements))
        run([program(folder, "python"), *install], INSTALL_TIMEOUT)
        finish(folder)

    # The interpreter behind this run's own environment: checkouts share what they need not install twice.
    key = key_of([requirements.read_bytes(), os.path.realpath(python).encode()])
    return made_in_place(cache_folder() / f"{name}-venv-{key}", make)


def program(venv: Path, name: str) -> str:
    """The path of a program that is installed in a virtual environment."""
    return str(venv / "Scripts" / f"{name}.exe" if os.name == "nt" else venv / "bin" / name)


def run(command: Sequence[str], timeout: float) -> str:
    """What the command prints. Raises RunFailed."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=timeout,
    )
    if done.returncode:
        raise RunFailed(f"{shlex.join(command)} exited with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout
