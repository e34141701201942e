"""The server on a real socket: refusals before the application, clients that leave, and an end that finishes."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.api.server.connections import LINGER_TIMEOUT
from kokoro_server.core.errors import SynthesisFailed
from kokoro_server.engine.base import IMPORT_ROOT
from kokoro_server.engine.pool import Pool
from kokoro_server.text.chunking import UtteranceSizes
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.raw import asked, connect, exchange, read_all
from tests.fakes.worker import FakeWorker
from tests.paths import FAKES

pytestmark = pytest.mark.serial

LONG = "One sentence comes after another, and each of them is spoken. " * 20


@contextmanager
def served(folder: Path, *workers: FakeWorker, queue: int = 16, **settings: Any) -> Iterator[tuple[str, Pool]]:
    """The address of a server on these workers, and its pool."""
    with closing(Pool("fake", workers, 2, queue, UtteranceSizes())) as pool:
        pool.start()
        with live(make_app(folder, pool, **settings)) as address:  # type: ignore[arg-type]
            yield address, pool


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with live(make_app(tmp_path, FakeEngine())) as address:
        yield address


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name != "models"]


def samples(data: bytes) -> int:
    with wave.open(BytesIO(data)) as file:
        return file.getnframes()  # type: ignore[no-any-return]


# --- Before the application ------------------------------------------------------------------------------------------

MALFORMED = [
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    (b"HELLO\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: ten\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", 400),
    (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET / HTTP/1.1\r\nX: " + b"x" * 300_000 + b"\r\n\r\n", 431),
]


@pytest.mark.parametrize(("sent", "status"), MALFORMED, ids=[sent[:20].hex() for sent, _ in MALFORMED])
def test_what_is_no_http_is_refused_in_json(address: str, sent: bytes, status: int) -> None:
    answer = exchange(address, sent)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert set(answer.json) >= {"error", "message"}
    assert answer.json["error"] == "Invalid request" or status != 400


def test_a_body_over_its_limit_is_refused_before_it_is_read(address: str) -> None:
    head = b"POST /synthesize HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    answer = exchange(address, head + b"Content-Length: 1000000000\r\n\r\n{")
    assert answer.status == 413
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["error"] == "Invalid request"
    assert re.search(r"limit of \d+ bytes", answer.json["message"])


@pytest.mark.parametrize("path", ["/synthesize", "/v1/audio/speech"])
def test_a_client_that_sends_too_much_hears_why(address: str, path: str) -> None:
    for content in (b"x" * 20_000_000, (b"x" * 65_536 for _ in range(300))):
        answer = httpx.post(address + path, content=content)
        assert answer.status_code == 413
        error = answer.json()["error"]
        assert error["param"] == "body" if path.startswith("/v1") else error == "Invalid request"


def test_who_sends_for_ever_is_cut_off(address: str) -> None:
    with closing(connect(address)) as connection:
        connection.sendall(b"POST /synthesize HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sending = threading.Thread(target=send_for_ever, args=(connection,))
        sending.start()
        assert connection.recv(65536).startswith(b"HTTP/1.1 413")
        sending.join(LINGER_TIMEOUT + 8)
        assert not sending.is_alive()


def send_for_ever(connection: Any) -> None:
    """Chunks of 64 KB, until the other side has had enough."""
    with suppress(OSError):
        while True:
            connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
            time.sleep(0.01)


def test_a_body_that_is_announced_is_asked_for(address: str) -> None:
    whole = asked("/synthesize", {"text": "Hi."}, "1.1", "Expect: 100-continue", "Connection: close")
    head, _, body = whole.partition(b"\r\n\r\n")
    with closing(connect(address)) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_the_server_does_not_name_itself(address: str) -> None:
    assert "server" not in exchange(address, b"GET /health HTTP/1.0\r\n\r\n").headers


# --- Answers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/synthesize", "/synthesize/stream"])
def test_http_1_0_has_a_length_and_an_end(address: str, path: str) -> None:
    answer = exchange(address, asked(path, {"text": LONG}, "1.0"))
    assert answer.status == 200
    assert answer.headers["content-length"] == str(len(answer.body))
    assert "transfer-encoding" not in answer.headers
    assert samples(answer.body) * 2 + 44 == len(answer.body)


def test_one_connection_serves_many_requests(address: str, tmp_path: Path) -> None:
    with httpx.Client(base_url=address) as client:
        for _ in range(20):
            assert samples(client.post("/synthesize", json={"text": "Hi."}).raise_for_status().content) == 2400
        connections = [each for each in psutil.Process().net_connections() if each.status == "ESTABLISHED"]
        port = int(address.rpartition(":")[2])
        assert len([each for each in connections if each.raddr and each.raddr.port == port]) == 1
    until(lambda: files(tmp_path) == [])


def test_sound_leaves_while_it_is_being_made(tmp_path: Path) -> None:
    engine = FakeEngine(gated=True)
    with (
        live(make_app(tmp_path, engine)) as address,
        httpx.stream("POST", f"{address}/synthesize/stream", json={"text": LONG}) as answer,
    ):
        blocks = answer.iter_raw()
        received = next(blocks)
        while len(received) < 44 + 4800:
            received += next(blocks)
        assert engine.chunk_count == 1
        engine.gate.release(1000)
        received += b"".join(blocks)
    assert engine.chunk_count == len(engine.plan(engine.requests[0]))
    assert len(received) == 44 + engine.chunk_count * 4800


def test_a_fault_in_the_middle_cuts_the_answer_short(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with live(make_app(tmp_path, FakeEngine(fail_at=2, error=SynthesisFailed("it broke")))) as address:
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
            httpx.post(f"{address}/synthesize/stream", json={"text": LONG})
        assert httpx.get(f"{address}/health").status_code == 200
    assert "cut short: it broke" in caplog.text


def test_many_at_once_are_all_served_or_told_when_to_come_back(tmp_path: Path) -> None:
    answers: list[httpx.Response] = []

    def ask(address: str) -> None:
        answers.append(httpx.post(f"{address}/synthesize", json={"text": LONG}, timeout=60))

    with served(tmp_path, FakeWorker(), FakeWorker(), queue=10) as (address, pool):
        clients = [threading.Thread(target=ask, args=(address,)) for _ in range(30)]
        for each in clients:
            each.start()
        for each in clients:
            each.join(60)
        until(lambda: pool.get_status() | {"busy": 0, "waiting": 0} == pool.get_status())
    assert {answer.status_code for answer in answers} <= {200, 429}
    assert len([answer for answer in answers if answer.status_code == 200]) >= 12
    for answer in answers:
        if answer.status_code == 200:
            assert samples(answer.content) == len(LONG) * 24
        else:
            assert int(answer.headers["Retry-After"]) >= 1
    until(lambda: files(tmp_path) == [])


def test_health_answers_while_every_worker_speaks(tmp_path: Path) -> None:
    gate = threading.Semaphore(0)
    workers = [FakeWorker(gate=gate) for _ in range(2)]
    with served(tmp_path, *workers) as (address, pool):
        clients = [
            threading.Thread(target=httpx.post, args=(f"{address}/synthesize",), kwargs={"json": {"text": LONG}})
            for _ in range(12)
        ]
        for each in clients:
            each.start()
        until(lambda: pool.get_status() | {"busy": 2, "waiting": 10} == pool.get_status())
        with httpx.Client(base_url=address) as client:
            for _ in range(9):
                assert client.get("/health").json()["busy"] == 2
        gate.release(100_000)
        for each in clients:
            each.join(20)


# --- Clients that leave ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/synthesize", "/synthesize/stream"])
def test_a_client_that_leaves_frees_its_worker(tmp_path: Path, path: str) -> None:
    worker = FakeWorker(gate=threading.Semaphore(0))
    with served(tmp_path, worker) as (address, pool):
        for _ in range(5):
            leave_while_it_speaks(address, pool, path)
        assert files(tmp_path) == [] or until(lambda: files(tmp_path) == []) is None  # type: ignore[func-returns-value]
    assert worker.cancel_count >= 5


def leave_while_it_speaks(address: str, pool: Pool, path: str) -> None:
    with closing(connect(address)) as connection:
        connection.sendall(asked(path, {"text": LONG}))
        until(lambda: pool.get_status()["busy"] == 1)
    until(lambda: pool.get_status()["busy"] == 0)


def test_a_client_that_leaves_in_the_middle_frees_its_worker(tmp_path: Path) -> None:
    gate = threading.Semaphore(1)
    worker = FakeWorker(gate=gate)
    with served(tmp_path, worker) as (address, pool):
        with closing(connect(address)) as connection:
            connection.sendall(asked("/synthesize/stream", {"text": LONG}))
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            until(lambda: len(worker.utterances) == 2)
        until(lambda: pool.get_status()["busy"] == 0)
        gate.release(100_000)
        assert httpx.post(f"{address}/synthesize", json={"text": "Hi."}).status_code == 200
    assert len(worker.utterances) <= 4


def test_a_client_that_leaves_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with served(tmp_path, FakeWorker(gate=threading.Semaphore(0))) as (address, pool):
        for path in ("/synthesize", "/synthesize/stream"):
            leave_while_it_speaks(address, pool, path)
        httpx.get(f"{address}/health")
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


# --- The end ---------------------------------------------------------------------------------------------------------

SIGNALS = [signal.CTRL_BREAK_EVENT] if sys.platform == "win32" else [signal.SIGINT, signal.SIGTERM]  # type: ignore[attr-defined]
FAKE_KOKORO = str(FAKES / "fake_kokoro.py")


@contextmanager
def process(folder: Path, *more: str, pace: float = 0.0) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server process of its own, in a group of its own, with runs of a fake command for an engine; its address."""
    command = subprocess.list2cmdline([sys.executable, FAKE_KOKORO, "--pace", str(pace)])
    arguments = ["--engine", "command", "--kokoro-command", command, "--host", "127.0.0.1", "--port", "0"]
    where = ["--temp-dir", str(folder / "temp"), "--model-dir", str(folder / "models"), "--workers", "2"]
    where += ["--data-dir", str(folder / "data")]
    group: Any = {"creationflags": 512} if os.name == "nt" else {"start_new_session": True}
    server = subprocess.Popen(
        [sys.executable, "kokoro_tts_api.py", *arguments, *where, *more],
        cwd=IMPORT_ROOT,
        stderr=subprocess.PIPE,
        text=True,
        **group,
    )
    try:
        yield server, listening(server)
    finally:
        server.kill()
        server.wait()
        assert server.stderr is not None
        server.stderr.close()


def listening(server: subprocess.Popen[str]) -> str:
    """The address that the server's log tells; '' when it ended without."""
    assert server.stderr is not None
    for line in server.stderr:
        if found := re.search(r"Listening on (\S+)", line):
            return found[1]
    return ""


def tell(server: subprocess.Popen[str], what: int) -> None:
    """The signal as a terminal or a service sends it: to the whole group."""
    if os.name == "nt":
        server.send_signal(what)
    else:
        os.killpg(server.pid, what)


def out_of_reach(child: psutil.Process, server: subprocess.Popen[str]) -> bool:
    """Whether a child has left the server's group, which it does a moment after its birth."""
    return os.name == "nt" or os.getpgid(child.pid) != server.pid


@pytest.mark.parametrize("what", SIGNALS)
def test_a_signal_finishes_what_is_being_spoken_and_leaves_nothing(tmp_path: Path, what: int) -> None:
    answers: list[httpx.Response] = []
    text = "x" * 150
    with process(tmp_path, pace=0.01) as (server, address):
        client = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{address}/synthesize", json={"text": text}, timeout=30))
        )
        client.start()
        until(lambda: httpx.get(f"{address}/health").json()["busy"] == 1)
        until(lambda: psutil.Process(server.pid).children())
        children = psutil.Process(server.pid).children(recursive=True)
        until(lambda: all(out_of_reach(child, server) for child in children))
        tell(server, what)
        client.join(30)
        assert server.wait(15) == 0
        assert server.stderr is not None and "Traceback" not in server.stderr.read()
    assert [answer.status_code for answer in answers] == [200]
    assert samples(answers[0].content) == 24 * len(text) + 2400
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list((tmp_path / "temp").iterdir()) == []


def test_a_stopping_server_takes_no_new_connections(tmp_path: Path) -> None:
    with process(tmp_path, pace=0.01) as (server, address):
        with closing(connect(address)) as connection:
            connection.sendall(asked("/synthesize", {"text": "x" * 200}, "1.0"))
            until(lambda: httpx.get(f"{address}/health").json()["busy"] == 1)
            tell(server, SIGNALS[-1])
            until(lambda: refuses(address))
            assert is_silent(connection)  # not refused for having ended
            assert read_all(connection).startswith(b"HTTP/1.0 200")
        assert server.wait(15) == 0


def is_silent(connection: socket.socket) -> bool:
    """Whether nothing has come, not even an end."""
    return not select.select([connection], [], [], 0)[0]


def refuses(address: str) -> bool:
    try:
        connect(address).close()
    except OSError:
        return True
    return False


def test_what_takes_longer_than_the_grace_is_given_up_and_leaves_nothing(tmp_path: Path) -> None:
    with process(tmp_path, "--grace", "0.5", pace=1.0) as (server, address), closing(connect(address)) as connection:
        connection.sendall(asked("/synthesize", {"text": "x" * 60}, "1.0"))
        until(lambda: psutil.Process(server.pid).children())
        children = psutil.Process(server.pid).children(recursive=True)
        before = time.monotonic()
        tell(server, SIGNALS[-1])
        assert server.wait(15) == 0
        assert time.monotonic() - before > 0.4
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
    assert list((tmp_path / "temp").iterdir()) == []


def test_an_idle_server_stops_at_once(tmp_path: Path) -> None:
    with process(tmp_path) as (server, address):
        with httpx.Client(base_url=address) as client:  # its connection stays open
            client.get("/health")
            before = time.monotonic()
            tell(server, SIGNALS[0])
            assert server.wait(15) == 0
        assert time.monotonic() - before < 3


@pytest.mark.skipif(os.name == "nt", reason="Windows lets two servers have one port")
def test_a_port_that_is_taken_is_one_clear_line(tmp_path: Path) -> None:
    with process(tmp_path) as (_, address):
        port = address.rpartition(":")[2]
        ended = failed_start(tmp_path, "--port", port)
    assert (
        ended == f"kokoro-tts-api cannot start: Cannot listen on 127.0.0.1:{port}: Address already in use. " + SET_PORT
    )


SET_PORT = "Set KOKORO_PORT."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--kokoro-command", "no-such-command"], "no-such-command cannot be run: No such file"),
        (["--temp-dir", "kokoro_tts_api.py"], "The temp folder kokoro_tts_api.py cannot be used"),
        (["--workers", "0"], "KOKORO_WORKERS is 0: expected a number from 1 to 1024."),
        (["--engine", "pool", "--model", "gone.onnx", "--hub", "http://127.0.0.1:9"], "cannot start: "),
    ],
)
def test_a_start_that_fails_is_one_clear_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    assert words in failed_start(tmp_path, *arguments)


def failed_start(folder: Path, *arguments: str) -> str:
    """The last line of a server that could not start."""
    command = subprocess.list2cmdline([sys.executable, FAKE_KOKORO])
    given = ["--engine", "command", "--kokoro-command", command, "--host", "127.0.0.1", "--port", "0"]
    where = ["--temp-dir", str(folder / "temp"), "--model-dir", str(folder / "models")]
    where += ["--data-dir", str(folder / "data")]
    ended = subprocess.run(
        [sys.executable, "kokoro_tts_api.py", *given, *where, *arguments],
        cwd=IMPORT_ROOT,
        env={**os.environ, "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    return ended.stderr.strip().splitlines()[-1] if "\n  " not in ended.stderr else ended.stderr
