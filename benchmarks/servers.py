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

from benchmarks.answers import Answer, NoAnswer
from benchmarks.processes import cpu_of, stop, tree
from tests.listening.sound import read_wav

START_TIMEOUT = 180.0  # seconds until the address is logged, with a cold disk and a graph to compile
ANSWER_TIMEOUT = 300.0  # seconds for one answer; a long text on a busy machine
ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")
READ = 65536  # bytes

Body = Callable[[str, str], dict[str, Any]]


class StartFailed(Exception):
    """Raised when a server did not start; the message has the end of its log."""


class Speaker(Protocol):
    """Interface of a target: synthesizes a text, and shows its processes and CPU time."""

    name: str
    slow: bool  # takes many seconds for a sentence: left out of long texts and of many clients

    def start(self) -> None: ...
    def speak(self, text: str, voice: str) -> Answer: ...
    def processes(self) -> list[psutil.Process]: ...
    def cpu(self) -> float: ...  # seconds used up to now
    def close(self) -> None: ...


class Server:
    """Run a server as a child process that logs its address and returns WAV over HTTP."""

    slow = False

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        path: str,
        body: Body,
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
        self._log = Log(self._child)
        self._port = self._log.port(START_TIMEOUT)
        if not self._port:
            self.close()
            raise StartFailed(f"{self.name} ended or said no address in {START_TIMEOUT:g} s:\n{self._log.end()}")

    def speak(self, text: str, voice: str) -> Answer:
        """Send one request over a new connection. Raises NoAudioError."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=ANSWER_TIMEOUT)
        try:
            return self._ask(connection, text, voice)
        except (OSError, http.client.HTTPException, ValueError, EOFError) as exc:
            raise NoAnswer(f"{type(exc).__name__}: {exc}") from exc
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Return the running processes of the target."""
        return tree(self._child.pid) if self._child else []

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        return cpu_of(self.processes())

    def close(self) -> None:
        """Stop the child if it runs."""
        if self._child:
            stop(self._child)
            self._child = None
            self._log.end()

    def _ask(self, connection: http.client.HTTPConnection, text: str, voice: str) -> Answer:
        body = json_bytes(self._body(text, voice))
        sent = time.perf_counter()
        connection.request("POST", self._path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise NoAnswer(f"HTTP {response.status}: {response.read(300)!r}")
        return assemble(pieces(response, sent))


class CommandRuns:
    """Run a command once per request, as hexgrad's is used: it loads the model each time."""

    slow = True

    def __init__(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.name = name
        self._command = list(command)
        self._environment = {**os.environ, **environment}
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Do nothing: the command starts with each request."""

    def speak(self, text: str, voice: str) -> Answer:
        """Run the command once; all audio arrives when it exits. Raises NoAudioError."""
        with tempfile.TemporaryDirectory(prefix="kokoro-benchmark-") as folder:
            source, target = Path(folder, "text.txt"), Path(folder, "out.wav")
            source.write_text(text, encoding="utf-8")
            sent = time.perf_counter()
            self._run(["--voice", voice, "-i", str(source), "-o", str(target)])
            took = time.perf_counter() - sent
            if not target.exists():
                raise NoAnswer("the command wrote no sound")
            sound = read_wav(target)
        return Answer(sound, ((took, 2 * len(sound.samples)),))

    def processes(self) -> list[psutil.Process]:
        """Return the running processes of the target."""
        child = self._child
        return tree(child.pid) if child else []

    def cpu(self) -> float:
        """Return the CPU seconds used so far."""
        # The command has exited by then, so its time is part of this process's children. (Windows: 0.)
        times = psutil.Process().cpu_times()
        return float(times.children_user + times.children_system)

    def close(self) -> None:
        """Stop the child if it runs."""
        if self._child:
            stop(self._child)

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
            raise NoAnswer(f"the command took longer than {ANSWER_TIMEOUT:g} s") from exc
        finally:
            stop(self._child)
            self._child = None
        if code:
            raise NoAnswer(f"the command exited with {code}")


class Log:
    """Read a child's output on a thread, so that its pipe never fills, and find the address in it."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self._child = child
        self._lines: deque[str] = deque(maxlen=20)
        self._port = 0
        self._known = threading.Event()
        self._thread = threading.Thread(target=self._read, name="log", daemon=True)
        self._thread.start()

    def port(self, timeout: float) -> int:
        """Wait for the port; return 0 when the child ended or `timeout` seconds passed first."""
        self._known.wait(timeout)
        return self._port

    def end(self) -> str:
        """Return the last lines of a child that has ended."""
        self._thread.join()
        return "".join(self._lines)

    def _read(self) -> None:
        assert self._child.stdout is not None  # it was started with a pipe
        with self._child.stdout as lines:
            for line in lines:
                self._take(line)
        self._known.set()

    def _take(self, line: str) -> None:
        self._lines.append(line)
        found = ADDRESS.search(line)
        if found and not self._port:
            self._port = int(found[1])
            self._known.set()


def pieces(response: http.client.HTTPResponse, sent: float) -> Iterator[tuple[float, bytes]]:
    """Yield the body in pieces, each with the seconds since the request was sent."""
    while piece := response.read1(READ):
        yield time.perf_counter() - sent, piece


def assemble(came: Iterator[tuple[float, bytes]]) -> Answer:
    """Join the pieces of a WAV file to one answer. Raises NoAudioError when they hold no samples."""
    whole, arrivals = bytearray(), []
    for at, piece in came:
        whole += piece
        start = sound_start(whole)
        if start and len(whole) > start:
            arrivals.append((at, len(whole) - start))
    if not arrivals:
        raise NoAnswer(f"no sound in {len(whole)} bytes: {bytes(whole[:60])!r}")
    return Answer(read_wav(bytes(whole)), tuple(arrivals))


def sound_start(wav: bytes | bytearray) -> int:
    """Return the offset of the samples, 0 while the header is incomplete.

    The `data` chunk may follow others; its tag and its size take 4 bytes each.
    """
    mark = wav.find(b"data", 12)
    return mark + 8 if mark >= 0 and len(wav) >= mark + 8 else 0


def json_bytes(body: dict[str, Any]) -> bytes:
    """Encode a JSON body."""
    return json.dumps(body).encode()
