"""Run the targets of the benchmark: servers that are called over HTTP, and a command that runs once per request."""

import http.client
import json
import os
import re
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from benchmarks.answers import NoAudioError, TimedAnswer
from benchmarks.processes import list_process_tree, stop_process_tree, sum_cpu_seconds
from benchmarks.sound import read_wav

START_TIMEOUT = 180.0  # seconds until the address is logged, with a cold disk and a graph to compile
ANSWER_TIMEOUT = 300.0  # seconds for one answer; a long text on a busy machine
ADDRESS_PATTERN = re.compile(r"http://127\.0\.0\.1:(\d+)")
READ_BYTES = 65536  # bytes

BodyBuilder = Callable[[str, str], dict[str, Any]]


class ServerStartError(Exception):
    """Raised when a server did not start; the message has the end of its log."""


class BenchmarkTarget(Protocol):
    """Interface of a target: synthesizes a text, and shows its processes and CPU time."""

    name: str
    is_slow: bool  # takes many seconds for a sentence: left out of long texts and of many clients

    def start(self) -> None: ...
    def synthesize(self, text: str, voice: str) -> TimedAnswer: ...
    def list_processes(self) -> list[psutil.Process]: ...
    def get_cpu_seconds(self) -> float: ...  # seconds used up to now
    def close(self) -> None: ...


class HttpTarget:
    """Run a server as a child process that logs its address and returns WAV over HTTP."""

    is_slow = False

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        path: str,
        body: BodyBuilder,
        environment: Mapping[str, str],
        folder: Path,
    ) -> None:
        self.name = name
        self._command, self._folder = list(command), folder
        self._environment = {**os.environ, **environment}
        self._path, self._body = path, body
        self._child: subprocess.Popen[str] | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """Return the base URL; valid once the server has started."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start the server and wait for its address. Raises ServerStartError."""
        self._child = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        )
        self._log = ChildLog(self._child)
        self._port = self._log.wait_for_port(START_TIMEOUT)
        if not self._port:
            self.close()
            raise ServerStartError(
                f"{self.name} ended or said no address in {START_TIMEOUT:g} s:\n{self._log.get_last_lines()}"
            )

    def synthesize(self, text: str, voice: str) -> TimedAnswer:
        """Send one request over a new connection. Raises NoAudioError."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_TIMEOUT)
        try:
            return self._request(connection, text, voice)
        except (OSError, http.client.HTTPException, ValueError, EOFError) as exc:
            raise NoAudioError(f"{type(exc).__name__}: {exc}") from exc
        finally:
            connection.close()

    def list_processes(self) -> list[psutil.Process]:
        """Return the running processes of the target."""
        return list_process_tree(self._child.pid) if self._child else []

    def get_cpu_seconds(self) -> float:
        """Return the CPU seconds used so far."""
        return sum_cpu_seconds(self.list_processes())

    def close(self) -> None:
        """Stop the child if it runs."""
        if self._child:
            stop_process_tree(self._child)
            self._child = None
            self._log.get_last_lines()

    def _request(self, connection: http.client.HTTPConnection, text: str, voice: str) -> TimedAnswer:
        body = encode_json(self._body(text, voice))
        sent = time.perf_counter()
        connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise NoAudioError(f"HTTP {response.status}: {response.read(300)!r}")
        return assemble_answer(iter_pieces(response, sent))


class CommandTarget:
    """Run a command once per request, as hexgrad's is used: it loads the model each time."""

    is_slow = True

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Do nothing: the command starts with each request."""

    def synthesize(self, text: str, voice: str) -> TimedAnswer:
        """Run the command once; all audio arrives when it exits. Raises NoAudioError."""
        with tempfile.TemporaryDirectory(prefix="kokoro-benchmark-") as folder:
            source, target = Path(folder, "text.txt"), Path(folder, "out.wav")
            source.write_text(text, encoding="utf-8")
            sent = time.perf_counter()
            self._run(["--voice", voice, "-i", str(source), "-o", str(target)])
            took = time.perf_counter() - sent
            if not target.exists():
                raise NoAudioError("the command wrote no sound")
            sound = read_wav(target)
        return TimedAnswer(sound, ((took, 2 * len(sound.samples)),))

    def list_processes(self) -> list[psutil.Process]:
        """Return the running processes of the target."""
        child = self._child
        return list_process_tree(child.pid) if child else []

    def get_cpu_seconds(self) -> float:
        """Return the CPU seconds used so far."""
        # The command has exited by then, so its time is part of this process's children. (Windows: 0.)
        times = psutil.Process().cpu_times()
        return float(times.children_user + times.children_system)

    def close(self) -> None:
        """Stop the child if it runs."""
        if self._child:
            stop_process_tree(self._child)

    def _run(self, flags: list[str]) -> None:
        self._child = subprocess.Popen(
            [*self._command, *flags],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            code = self._child.wait(ANSWER_TIMEOUT)
        except subprocess.TimeoutExpired as exc:
            raise NoAudioError(f"the command took longer than {ANSWER_TIMEOUT:g} s") from exc
        finally:
            stop_process_tree(self._child)
            self._child = None
        if code:
            raise NoAudioError(f"the command exited with {code}")


class ChildLog:
    """Read a child's output on a thread, so that its pipe never fills, and find the address in it."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self._lines: deque[str] = deque(maxlen=20)
        self._port = 0
        self._is_settled = threading.Event()
        self._thread = threading.Thread(target=self._read_lines, name="log", daemon=True)
        self._thread.start()

    def wait_for_port(self, timeout: float) -> int:
        """Wait for the port; return 0 when the child ended or `timeout` seconds passed first."""
        self._is_settled.wait(timeout)
        return self._port

    def get_last_lines(self) -> str:
        """Return the last lines of a child that has ended."""
        self._thread.join()
        return "".join(self._lines)

    def _read_lines(self) -> None:
        assert self._child.stdout is not None  # it was started with a pipe
        with self._child.stdout as lines:
            for line in lines:
                self._handle_line(line)
        self._is_settled.set()

    def _handle_line(self, line: str) -> None:
        self._lines.append(line)
        found = ADDRESS_PATTERN.search(line)
        if found and not self._port:
            self._port = int(found[1])
            self._is_settled.set()


def iter_pieces(response: http.client.HTTPResponse, sent: float) -> Iterator[tuple[float, bytes]]:
    """Yield the body in pieces, each with the seconds since the request was sent."""
    while piece := response.read1(READ_BYTES):
        yield time.perf_counter() - sent, piece


def assemble_answer(pieces: Iterator[tuple[float, bytes]]) -> TimedAnswer:
    """Join the pieces of a WAV file to one answer. Raises NoAudioError when they hold no samples."""
    whole, arrivals = bytearray(), []
    for at, piece in pieces:
        whole += piece
        start = find_audio_start(whole)
        if start and len(whole) > start:
            arrivals.append((at, len(whole) - start))
    if not arrivals:
        raise NoAudioError(f"no sound in {len(whole)} bytes: {bytes(whole[:60])!r}")
    return TimedAnswer(read_wav(bytes(whole)), tuple(arrivals))


def find_audio_start(wav: bytes | bytearray) -> int:
    """Return the offset of the samples, 0 while the header is incomplete.

    The `data` chunk may follow others; its tag and its size take 4 bytes each.
    """
    mark = wav.find(b"data", 12)
    return mark + 8 if mark >= 0 and len(wav) >= mark + 8 else 0


def encode_json(body: dict[str, Any]) -> bytes:
    """Encode a JSON body."""
    return json.dumps(body).encode()
