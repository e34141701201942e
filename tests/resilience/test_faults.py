"""Bad days: workers that die, hang or babble, full disks, lost folders, no descriptors left, and ends in the midst."""

from __future__ import annotations

import ast
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from benchmarks.waiting import until
from kokoro_server.api.server import connections
from kokoro_server.config import Config
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.model import assets
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.raw import asked, connect, parsed, read_all
from tests.fakes.running import ROOT, Running, is_whole, running

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals, limits and mounts of POSIX"),
    pytest.mark.serial,
]

LONG = "This is a sentence of a long text. " * 12
BOTH = ("/synthesize", "/synthesize/stream")
HEALTH_SECONDS = 2.0
"""What GET /health may take on a busy test machine, whatever else happens."""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("served")
    fakes = ("--pace", "0.002", "--pieces", "1", "--mode", "rubbish")
    with running(folder, fakes, TIMEOUT=2) as server:
        yield server


@pytest.fixture(autouse=True)
def all_is_well_again(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test did to the shared server, it speaks afterwards, with as many workers as before."""
    yield
    if "served" in request.fixturenames:
        server: Running = request.getfixturevalue("served")
        until(server.ready, 20)
        assert len(server.workers()) == 2
        assert all(server.says_all(path=path) for path in BOTH)
        assert list(server.temp.iterdir()) == []
        assert "Traceback" not in server.log()


def is_quick(server: Running) -> bool:
    began = time.monotonic()
    server.status()
    return time.monotonic() - began < HEALTH_SECONDS


# --- Workers ---------------------------------------------------------------------------------------------------------


def send_all(server: Running, what: int) -> None:
    for worker in server.workers():
        worker.send_signal(what)


@pytest.mark.parametrize("path", BOTH)
def test_workers_killed_before_they_speak_are_not_missed(served: Running, path: str) -> None:
    send_all(served, signal.SIGKILL)
    assert served.says_all(LONG, path)


@pytest.mark.parametrize("path", BOTH)
def test_workers_killed_while_they_speak_cost_time_alone(served: Running, path: str) -> None:
    with ThreadPoolExecutor(1) as other:
        answer = other.submit(served.says_all, LONG, path)
        until(lambda: served.status()["busy"])
        send_all(served, signal.SIGKILL)
        assert answer.result(30)
    assert served.status()["totals"]["restarts"] >= 2


def test_workers_killed_after_they_spoke_come_again_by_themselves(served: Running) -> None:
    assert served.says_all()
    before = {worker.pid for worker in served.workers()}
    send_all(served, signal.SIGKILL)
    until(lambda: served.ready() and not before & {worker.pid for worker in served.workers()}, 20)


def test_workers_that_hang_are_replaced_and_their_request_is_told(served: Running) -> None:
    before = {worker.pid for worker in served.workers()}
    send_all(served, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as two:
        answers = [two.submit(served.say) for _ in range(2)]
        until(lambda: served.status()["busy"] == 2)
        assert is_quick(served)
    assert [answer.result().status_code for answer in answers] == [504, 504]
    assert answers[0].result().json()["error"] == "TTS synthesis timed out"
    until(lambda: not before & {worker.pid for worker in served.workers()}, 20)


@pytest.mark.parametrize("path", BOTH)
def test_rubbish_instead_of_sound_is_told(served: Running, path: str) -> None:
    answer = served.say("A bad one.", path)
    assert (answer.status_code, answer.json()["error"]) == (500, "TTS synthesis failed")


def test_a_model_that_was_cut_short_is_one_clear_line(tmp_path: Path) -> None:
    for package in assets.MODEL_PARTS[:1]:
        part = (Path(__import__(package).__file__ or "").parent / "part.bin").read_bytes()
    (tmp_path / assets.MODEL_NAME).write_bytes(part[:1_000_000])
    command = [sys.executable, "-m", "kokoro_server.synthesis.worker", "--model", str(tmp_path / assets.MODEL_NAME)]
    with closing(
        WorkerProcess([*command, "--voices", str(tmp_path), "--cache", str(tmp_path / "graphs")], 20)
    ) as worker:
        with pytest.raises(WorkerUnavailable, match=r"A worker could not start: \w+") as told:
            worker.start()
        assert "\n" not in told.value.message.strip()
    assert assets.ensure_model(tmp_path / assets.MODEL_NAME).stat().st_size > 90_000_000


def test_a_server_on_a_model_that_was_cut_short_ends_with_one_clear_line(tmp_path: Path) -> None:
    whole = assets.ensure_model(tmp_path / assets.MODEL_NAME)
    os.truncate(whole, 10_000_000)
    settings = {"MODEL": whole, "MODEL_DIR": tmp_path, "TEMP_DIR": tmp_path / "temp", "DATA_DIR": tmp_path / "data"}
    environment = {**os.environ, **{f"KOKORO_{name}": str(value) for name, value in settings.items()}}
    shutil.copytree(assets.ensure_assets(Config().MODEL_DIR).voices, tmp_path / "voices")
    where = ("--host", "127.0.0.1", "--port", "0", "--workers", "1")
    command = [sys.executable, "kokoro_tts_api.py", *where]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert re.match(r"kokoro-tts-api cannot start: A worker could not start: \w+", done.stderr.splitlines()[-1])


@pytest.mark.real
def test_a_network_that_is_cut_short_under_a_server_is_prepared_again_or_missed_honestly(tmp_path: Path) -> None:
    shutil.copytree(assets.ensure_assets(Config().MODEL_DIR).voices, tmp_path / "voices")
    with real_server(tmp_path) as server:
        before = server.say("Hello there.")
        assert before.status_code == 200
        cut_graphs(tmp_path)  # what the worker has mapped is gone under it: it dies of that
        again = server.say("Hello there.", wait=120)
        assert (again.status_code, len(again.content)) == (200, len(before.content)), again.text
        cut_graphs(tmp_path)
        os.truncate(tmp_path / assets.MODEL_NAME, 1_000_000)  # now there is nothing to prepare it from
        missed = server.say("Hello there.", wait=120)
        assert (missed.status_code, missed.json()["error"]) == (503, "Service unavailable")
        assert "Retry-After" in missed.headers and "A worker could not start" in server.log()
        assert httpx.get(f"{server.address}/health/ready").status_code == 503
    with real_server(tmp_path) as server:  # a start joins the model anew from its packages
        assert len(server.say("Hello there.").content) == len(before.content)


def cut_graphs(folder: Path) -> None:
    cut = [path for path in (folder / "graphs").rglob("*.bin") if path.stat().st_size > 1_000_000]
    assert cut
    for path in cut:
        os.truncate(path, 4096)


@contextmanager
def real_server(folder: Path) -> Iterator[Running]:
    """The server as users start it, with one worker and all its files in `folder`."""
    settings = {"HOST": "127.0.0.1", "PORT": 0, "WORKERS": 1, "MODEL_DIR": folder}
    settings |= {"DATA_DIR": folder / "data", "TEMP_DIR": folder / "temp"}
    environment = {**os.environ, **{f"KOKORO_{name}": str(value) for name, value in settings.items()}}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "kokoro_tts_api.py"], cwd=ROOT, env=environment, stderr=log)
    try:
        yield Running(process, folder, patience=120)
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


# --- Disks and descriptors -------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Callable[[], None]]:
    """Make `folder` a disk of that size; yields what fills it to the last byte."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:  # not root: files that may not grow stand for a disk that is full
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, before[1]))
        try:
            yield lambda: None
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        return
    try:
        yield lambda: fill(folder / "full")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        for size in (65536, 512, 1):
            while True:
                try:
                    file.write(bytes(size))
                except OSError:
                    break


def test_a_full_temp_folder_costs_files_alone(tmp_path: Path) -> None:
    with small_disk(tmp_path / "temp", 1) as fill_up, running(tmp_path) as server:
        assert server.says_all(LONG, "/synthesize")
        until(lambda: not list(server.temp.iterdir()))  # an answer's file goes once it has been sent
        fill_up()
        refused = server.say(LONG, "/synthesize")
        assert (refused.status_code, refused.json()["error"]) == (507, "Insufficient storage")
        assert server.says_all(LONG)
        link = {"input": LONG, "response_format": "wav", "return_download_link": True}
        linked = httpx.post(f"{server.address}/v1/audio/speech", json=link)
        assert linked.status_code == 200 and len(linked.content) > 20_000
        (server.temp / "full").unlink()
        assert list(server.temp.iterdir()) == []
        assert server.says_all(LONG, "/synthesize")


def test_a_full_temp_folder_of_the_system_costs_nobody_sound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, whole = LONG * 20, {"stream": False}
    with small_disk(tmp_path / "system", 1):  # an answer of 8 MB is more than it takes
        monkeypatch.setenv("TMPDIR", str(tmp_path / "system"))
        with running(tmp_path, ("--ms", "20")) as server:
            answer = server.say(text, **whole)  # type: ignore[arg-type]
            assert (answer.status_code, len(answer.content)) == (200, 44 + 20 * 48 * len(text))
            with closing(connect(server.address)) as slow:
                slow.sendall(asked("/synthesize/stream", {"text": text, **whole}, "1.1", "Connection: close"))
                time.sleep(1.0)
                assert len(parsed(read_all(slow)).body) == 44 + 20 * 48 * len(text)
            assert "Traceback" not in server.log()


def test_a_full_cache_folder_costs_the_cache_alone(tmp_path: Path) -> None:
    with small_disk(tmp_path / "answers", 2) as fill_up, running(tmp_path, CACHE_MB=100) as server:
        assert server.says_all(LONG)
        fill_up()
        for number in range(3):
            assert server.says_all(f"{number} {LONG}") and server.says_all(f"{number} {LONG}", "/synthesize")
        assert "The cache can't be" in server.log() and "Traceback" not in server.log()


def hand_in(server: Running, text: str) -> httpx.Response:
    return httpx.post(f"{server.address}/jobs", json={"text": text, "format": "wav"}, timeout=20)


def job(server: Running, answer: httpx.Response) -> dict[str, Any]:
    """The book as it stands."""
    found: dict[str, Any] = httpx.get(server.address + answer.headers["Location"], timeout=20).json()
    return found


def test_a_full_data_folder_costs_the_wait_for_books_alone(tmp_path: Path) -> None:
    """A book that is being spoken waits, one that is handed in is refused, and both go on once there is room."""
    book = " ".join(f"Sentence {number} of a book that goes on and on." for number in range(300))
    with (
        small_disk(tmp_path / "data", 4) as fill_up,
        running(tmp_path, ("--pace", "0.0005", "--ms", "2"), DATA_DIR=tmp_path / "data") as server,
    ):
        going = hand_in(server, book)
        assert going.status_code == 202
        until(lambda: job(server, going)["characters_done"] > 0, 20)
        fill_up()
        until(lambda: "Books wait until this is mended" in server.log(), 30)
        refused = hand_in(server, book)
        assert (refused.status_code, refused.headers["Retry-After"] != "") == (503, True), refused.text
        assert refused.json()["error"] == "Service unavailable" and "data folder" in refused.json()["message"]
        assert job(server, going)["state"] == "running"
        assert all(httpx.get(f"{server.address}{path}").status_code == 200 for path in ("/jobs", "/health/ready"))
        assert len(server.say(LONG).content) == len(server.say(LONG, "/synthesize").content) > 20_000
        (tmp_path / "data" / "full").unlink()
        again = hand_in(server, "A short book.")
        assert again.status_code == 202  # which also has the other looked at again, before half a minute is over
        until(lambda: job(server, again)["state"] == "done", 60)
        done = job(server, going)
        assert (done["state"], done["characters_done"]) == ("done", len(book)), done
        audio = httpx.get(server.address + done["links"]["audio"], timeout=60)
        assert audio.status_code == 200 and len(audio.content) > 2 * 2 * 24 * len(book)
        assert "Traceback" not in server.log()


def test_a_temp_folder_that_is_removed_is_made_again(served: Running) -> None:
    shutil.rmtree(served.temp)
    assert served.says_all(LONG, "/synthesize")
    shutil.rmtree(served.temp)
    link = {"input": LONG, "response_format": "wav", "return_download_link": True}
    answer = httpx.post(f"{served.address}/v1/audio/speech", json=link)
    again = httpx.get(served.address + answer.headers["X-Download-Path"])
    assert again.status_code == 200 and again.content[44:] == answer.content[44:]
    shutil.rmtree(served.temp)
    served.temp.mkdir()


def test_no_descriptors_left_is_survived(served: Running) -> None:
    before = resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE)
    now = psutil.Process(served.process.pid).num_fds()
    with many(served, 10) as crowd:
        resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, (now + 15, before[1]))
        crowd.extend(connect(served.address) for _ in range(40))
        assert served.says_all()
    until(lambda: served.says_all(LONG))
    spent = psutil.Process(served.process.pid).cpu_times().user
    time.sleep(0.5)
    assert psutil.Process(served.process.pid).cpu_times().user - spent < 0.3  # it does not spin on its door
    resource.prlimit(served.process.pid, resource.RLIMIT_NOFILE, before)
    until(lambda: served.says_all(LONG, "/synthesize"))


# --- Connections -----------------------------------------------------------------------------------------------------


@contextmanager
def many(server: Running, count: int, sent: bytes = b"") -> Iterator[list[socket.socket]]:
    """So many connections that send these bytes and no more."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            opened.append(connect(server.address))
            if sent:
                opened[-1].sendall(sent)
        yield opened
    finally:
        for connection in opened:
            connection.close()


def crowd() -> int:
    """Ten thousand, or what the test's own descriptors allow: at least two thousand are wanted."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return min(10_000, hard - 500 if hard > 0 else 10_000)


def test_thousands_of_connections_that_say_nothing_harm_nobody(served: Running) -> None:
    count = crowd()
    assert count >= 2_000
    with many(served, count):
        assert is_quick(served)
        assert served.says_all(LONG)
        assert all(served.says_all() for _ in range(3))


def test_more_connections_than_there_are_descriptors_for_push_out_the_silent(tmp_path: Path) -> None:
    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))

    data = {"KOKORO_DATA_DIR": str(tmp_path / "data")}
    environment = {
        **os.environ,
        **data,
        "KOKORO_HOST": "127.0.0.1",
        "KOKORO_PORT": "0",
        "KOKORO_TEMP_DIR": str(tmp_path / "temp"),
    }
    with (tmp_path / "log").open("wb") as log:
        command = [sys.executable, "-m", "tests.fakes.fake_server"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=log, preexec_fn=limited)
    try:
        server = Running(process, tmp_path)
        with many(server, 500):
            assert is_quick(server) and server.says_all(LONG)
        assert "were let go to make room" in server.log() and "Traceback" not in server.log()
        assert "No descriptors are left" not in server.log()
    finally:
        process.terminate()
        process.wait(20)


def test_slow_senders_hold_neither_worker_nor_health(served: Running) -> None:
    head = b"POST /synthesize/stream HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Le"
    body = asked("/synthesize/stream", {"text": LONG})[:-5]
    with many(served, 200, head) as heads, many(served, 200, body) as bodies:
        for connection in (*heads, *bodies):
            connection.sendall(b"n" if connection in heads else b"t")
        assert is_quick(served) and served.status()["busy"] == 0
        assert served.says_all(LONG)


def test_slow_readers_hold_neither_worker_nor_health(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_TIMEOUT", 0.3)
    engine = FakeEngine(60.0)  # 2.9 MB of sound an utterance: what no buffer takes
    with ExitStack() as opened, live(make_app(tmp_path, engine), threads=4) as address:
        for _ in range(6):
            connection = opened.enter_context(closing(connect(address)))
            connection.sendall(asked("/synthesize/stream", {"text": LONG * 4}))
        until(lambda: engine.open_count == 4)
        for path in connections.STATUS_ROUTES:
            began = time.monotonic()
            assert httpx.get(address + path, timeout=5).status_code == 200
            assert time.monotonic() - began < HEALTH_SECONDS
        assert httpx.post(f"{address}/synthesize", json={"text": "Hi."}, timeout=20).status_code == 200


def test_who_reads_nothing_holds_no_worker(tmp_path: Path) -> None:
    with running(tmp_path, ("--ms", "200", "--pieces", "1")) as server, ExitStack() as opened:
        for _ in range(12):
            connection = opened.enter_context(closing(connect(server.address)))
            connection.sendall(asked("/synthesize/stream", {"text": LONG * 20}))  # 80 MB of sound
        until(lambda: server.status()["totals"]["waits"] == 12)
        until(lambda: server.status()["busy"] == 0)
        assert is_quick(server) and server.say("Hi.").status_code == 200


def test_health_needs_none_of_the_threads_that_slow_readers_hold(tmp_path: Path) -> None:
    engine = FakeEngine(60.0)
    with ExitStack() as opened, live(make_app(tmp_path, engine), threads=2) as address:
        for _ in range(4):
            connection = opened.enter_context(closing(connect(address)))
            connection.sendall(asked("/synthesize/stream", {"text": LONG * 4}))
        until(lambda: engine.open_count == 2)
        for path in connections.STATUS_ROUTES:
            assert httpx.get(address + path, timeout=5).status_code == 200


def test_who_reads_slowly_but_reads_gets_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_TIMEOUT", 0.3)
    engine = FakeEngine(60.0)
    with (
        live(make_app(tmp_path, engine), threads=1) as address,
        ThreadPoolExecutor(1) as waiting,
        closing(connect(address)) as connection,
    ):
        connection.sendall(asked("/synthesize/stream", {"text": LONG, "format": "pcm"}, "1.1", "Connection: close"))
        other = waiting.submit(httpx.post, f"{address}/synthesize", json={"text": "Hi."}, timeout=60)
        received = 0
        while data := connection.recv(1 << 18):
            received += len(data)
            time.sleep(0.002)
        utterances = len(engine.plan(engine.requests[0]))
        assert received > utterances * 60 * 48_000
        assert other.result().status_code == 200


# --- Ends ------------------------------------------------------------------------------------------------------------


def test_a_signal_under_load_loses_no_request_that_was_taken(tmp_path: Path) -> None:
    outcomes: list[str] = []
    with running(tmp_path, ("--pace", "0.0002"), QUEUE=1000) as server:
        stop = threading.Event()

        def ask(client: httpx.Client, caller_path: str) -> None:
            while not stop.is_set():
                try:
                    answer = client.post(caller_path, json={"text": LONG})
                    outcomes.append("whole" if is_whole(answer, LONG) else "cut")
                except httpx.ConnectError:
                    outcomes.append("not taken")
                    return
                except (httpx.HTTPError, AssertionError) as exc:
                    outcomes.append(f"lost: {exc!r}")

        callers = [httpx.Client(base_url=server.address, timeout=30) for _ in range(24)]  # they keep their connections
        clients = [
            threading.Thread(target=ask, args=(caller, path)) for caller, path in zip(callers, 12 * BOTH, strict=True)
        ]
        for client in clients:
            client.start()
        until(lambda: outcomes.count("whole") > 30)
        server.process.terminate()
        assert server.process.wait(20) == 0
        stop.set()
        for client, caller in zip(clients, callers, strict=True):
            client.join(20)
            caller.close()
    assert set(outcomes) <= {"whole", "not taken"}, [each for each in outcomes if each not in ("whole", "not taken")]


def test_a_killed_server_leaves_no_worker_and_the_next_start_cleans_up(tmp_path: Path) -> None:
    with running(tmp_path, ("--pace", "0.01")) as server:
        workers = server.workers()
        with ThreadPoolExecutor(1) as other:
            answer = other.submit(server.say, LONG, "/synthesize")
            until(lambda: server.status()["busy"])
            (server.temp / "tts_output_half.wav").touch()
            server.process.kill()
            assert isinstance(answer.exception(20), httpx.HTTPError)
        psutil.wait_procs(workers, 10)
        assert len(workers) == 2 and not any(worker.is_running() for worker in workers)
        assert list(server.temp.iterdir()) != []
    with running(tmp_path) as again:
        assert list(again.temp.iterdir()) == [] and again.says_all()


# --- Clocks ----------------------------------------------------------------------------------------------------------

WALL_CLOCK = {
    "kokoro_server/api/audiobook_jobs.py": 1,  # when a book was handed in
    "kokoro_server/api/downloads.py": 1,  # the age of files, which only the wall clock knows
    "kokoro_server/api/auth.py": 2,  # the limiter's own end of a limit, and whether its clock was set
    "kokoro_server/core/logs.py": 1,  # when a line was written
    "kokoro_server/model/cache/artifacts.py": 1,  # the age of a file
}


def wall_clocks(tree: ast.Module) -> int:
    """How often a module asks what time it is, rather than how much has gone by."""
    names = {"time.time", "time.time_ns", "datetime.now", "datetime.utcnow", "datetime.fromtimestamp", "date.today"}
    return sum(isinstance(node, ast.Attribute) and ast.unparse(node) in names for node in ast.walk(tree))


def test_a_clock_that_is_set_while_they_are_served_harms_nobody(tmp_path: Path) -> None:
    """Not an answer under way, nor a request that is half sent, a connection that is kept, or whoever is counted."""
    asks = asked("/synthesize/stream", {"text": LONG}, "1.1", "Connection: close")
    with (
        running(tmp_path, ("--pace", "0.005"), RATE_LIMIT="10/second") as server,
        httpx.Client(base_url=server.address, timeout=20) as kept,
        ThreadPoolExecutor(1) as other,
    ):
        for what in (signal.SIGUSR1, signal.SIGUSR2):
            assert is_whole(kept.post("/synthesize", json={"text": "Hi."}), "Hi.")
            (connection,) = kept._transport._pool.connections  # type: ignore[attr-defined]
            half = connect(server.address)
            half.sendall(asks[:-20])
            under_way = other.submit(server.says_all, LONG)
            until(lambda: server.status()["busy"])
            server.process.send_signal(what)
            time.sleep(1.5)  # more than a turn of the server's loop, which looks for what is old
            half.sendall(asks[-20:])
            whole = parsed(read_all(half))
            half.close()
            assert (whole.status, under_way.result()) == (200, True)
            for _ in range(12):
                answer = kept.post("/synthesize", json={"text": "Hi."})
                assert answer.status_code == 200, (what, answer.text)
                time.sleep(0.11)
            assert kept._transport._pool.connections == [connection]  # type: ignore[attr-defined]
        assert server.ready() and "Traceback" not in server.log()


def test_a_clock_that_jumps_moves_no_deadline() -> None:
    for path in (*ROOT.glob("kokoro_server/**/*.py"), *ROOT.glob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        if not name.startswith("kokoro_server/audiobooks/"):
            assert wall_clocks(ast.parse(path.read_text("utf-8"))) == WALL_CLOCK.get(name, 0), name
