"""A server in a process of its own, with workers that are processes too, for tests that break it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from benchmarks.waiting import until

ROOT = Path(__file__).parents[2]
SAMPLES_A_CHARACTER = 24
"""What the fake workers speak."""
WAV_HEADER = 44


class Running:
    """A server that runs; `folder` holds its temp folder, its cache and its log."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, patience: float = 30.0) -> None:
        self.process = process
        self.folder = folder
        self.temp = folder / "temp"
        until(lambda: "Listening on " in self.log() or process.poll() is not None, patience)
        found = re.search(r"Listening on (http://\S+?:\d+)", self.log())
        assert found, self.log()
        self.address = found[1]

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8")

    def workers(self) -> list[psutil.Process]:
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if child.is_running() and "worker" in " ".join(_command(child))]

    def status(self) -> dict[str, Any]:
        told: dict[str, Any] = httpx.get(f"{self.address}/health", timeout=5).json()
        return told

    def ready(self) -> bool:
        status = self.status()
        return bool(status["ready"] == status["workers"] and not status["busy"])

    def say(
        self, text: str = "Hello there.", path: str = "/synthesize/stream", wait: float = 30.0, **fields: Any
    ) -> httpx.Response:
        return httpx.post(f"{self.address}{path}", json={"text": text, **fields}, timeout=wait)

    def says_all(self, text: str = "Hello there.", path: str = "/synthesize/stream") -> bool:
        """Whether every sample of the text's sound comes."""
        return is_whole(self.say(text, path), text)


def is_whole(answer: httpx.Response, text: str) -> bool:
    """Whether the answer holds every sample of the text's sound."""
    assert answer.status_code == 200, answer.text
    return len(answer.content) == WAV_HEADER + 2 * SAMPLES_A_CHARACTER * len(text)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


@contextmanager
def running(
    folder: Path, workers: Sequence[str] = (), before: Callable[[], None] | None = None, **settings: object
) -> Iterator[Running]:
    """A server on a free port whose fake workers get these arguments; it ends with the block, if it has not already.
    `before` is done in its process ahead of everything else."""
    given = {
        "HOST": "127.0.0.1",
        "PORT": 0,
        "WORKERS": 2,
        "TEMP_DIR": folder / "temp",
        "MODEL_DIR": folder,
        "DATA_DIR": folder / "data",
        **settings,
    }
    environment = {**os.environ, **{f"KOKORO_{name}": str(value) for name, value in given.items()}}
    command = [sys.executable, "-m", "tests.fakes.fake_server", *workers]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log, preexec_fn=before)
    try:
        yield Running(process, folder)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
