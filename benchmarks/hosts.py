"""Machines for a cluster: a Redis, and hosts in network namespaces whose links can be cut; all end with the test."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.waiting import until
from kokoro_server.engine.base import IMPORT_ROOT

NET = f"10.{200 + os.getpid() % 50}"
"""The first half of our hosts' addresses; each link is a net of its own: NET.number.1 here, NET.number.2 there."""

NUMBERS = itertools.count(1)
"""A link outlives its namespace a little: no two have the same number."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Redis:
    """A redis-server on a free port of the addresses given, keeping nothing on disk."""

    def __init__(self, folder: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> None:
        self.port = free_port()
        self._command = ["redis-server", "--port", str(self.port), "--bind", *addresses, "--dir", str(folder)]
        self._command += ["--save", "", "--protected-mode", "no", "--logfile", str(folder / "redis.log")]
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, address: str = "127.0.0.1") -> str:
        return f"redis://{address}:{self.port}/0"

    def start(self) -> None:
        self._process = subprocess.Popen(self._command)
        until(self._answers)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True


@contextmanager
def redis(folder: Path, addresses: Sequence[str] = ("127.0.0.1",)) -> Iterator[Redis]:
    server = Redis(folder, addresses)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class Host:
    """A namespace with one link to ours: `ours` and `theirs` are its two ends' addresses."""

    def __init__(self) -> None:
        number = next(NUMBERS)
        self.name = f"kokoro-{os.getpid()}-{number}"
        self._link = f"kk{os.getpid()}-{number}"
        self.ours, self.theirs = f"{NET}.{number}.1", f"{NET}.{number}.2"

    def make(self) -> None:
        inside = ("netns", "exec", self.name, "ip")
        _ip("netns", "add", self.name)
        _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        _ip("addr", "add", f"{self.ours}/30", "dev", self._link)
        _ip("link", "set", self._link, "up")
        _ip(*inside, "addr", "add", f"{self.theirs}/30", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "up")

    def cut(self) -> None:
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        _ip("link", "set", self._link, "up")

    def processes(self) -> list[int]:
        return [int(pid) for pid in _ip("netns", "pids", self.name).split()]

    def kill(self) -> None:
        """End all that runs there, as a power cut would."""
        for pid in self.processes():
            os.kill(pid, signal.SIGKILL)

    def remove(self) -> None:
        self.kill()
        until(lambda: not self.processes())
        _ip("netns", "del", self.name)


def _ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], check=True, capture_output=True, text=True, timeout=20)
    return done.stdout


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """So many hosts, which are gone with all their processes when the block ends, however it does."""
    made: list[Host] = []
    try:
        for _ in range(count):
            made.append(Host())
            made[-1].make()
        yield made
    finally:
        for host in made:
            host.remove()


class Machine:
    """A worker machine's process, on a host or here; `log` is what it has said."""

    def __init__(self, url: str, folder: Path, *options: str, host: Host | None = None) -> None:
        self._file = folder / f"machine-{time.monotonic_ns()}.log"
        there = ["ip", "netns", "exec", host.name] if host else []
        command = [sys.executable, "-m", "benchmarks.cluster_machine", "--broker", url, *options]
        with self._file.open("wb") as file:
            self._process = subprocess.Popen([*there, *command], cwd=IMPORT_ROOT, stdout=file, stderr=file)

    @property
    def log(self) -> str:
        return self._file.read_text("utf-8")

    def exit_code(self, seconds: float = 20.0) -> int:
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Ask it to end when it has done what it has begun."""
        self._process.terminate()

    def end(self) -> None:
        """End it at once; its workers end when their pipes do."""
        self._process.kill()
        self._process.wait()
