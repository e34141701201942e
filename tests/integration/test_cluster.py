"""The cluster: real Redis and Celery, machines in network namespaces, fake worker processes that take a known time."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.cluster_machine import BUILD_ID, TIMEOUT
from benchmarks.hosts import Host, Machine, Redis, hosts, redis
from benchmarks.waiting import until
from kokoro_server import __version__
from kokoro_server.audio.samples import Chunk, Word, join_chunks, to_pcm
from kokoro_server.core.errors import Busy, ClientGone, SynthesisFailed, TimedOut, Unsupported, WorkerUnavailable
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import IMPORT_ROOT, RequestContext
from kokoro_server.engine.cluster.engine import ClusterEngine
from kokoro_server.engine.cluster.messages import (
    BuildId,
    ClusterSettings,
    pack_failure,
    pack_phonemes,
    pack_sound,
    pack_utterance,
    unpack_phonemes,
    unpack_sound,
)
from kokoro_server.engine.cluster.remote import ClusterTimeouts, RemoteTask
from kokoro_server.model.assets import MODEL_SHA256
from kokoro_server.text.chunking import Utterance
from tests.fakes.live import make_app
from tests.fakes.requests import asking, utterance

pytestmark = [
    pytest.mark.skipif(shutil.which("redis-server") is None and "CI" not in os.environ, reason="needs redis-server"),
    pytest.mark.serial,
]
in_namespaces = pytest.mark.skipif(
    not (hasattr(os, "geteuid") and os.geteuid() == 0 and shutil.which("ip")) and "CI" not in os.environ,
    reason="needs Linux, root and iproute2",
)

QUICK = ClusterTimeouts(heartbeat_interval=0.2, heartbeat_timeout=0.8, machine_timeout=6.0, start_timeout=4.0)
"""What is asked of machines on a crowded one: they are looked at often, and given as long as real ones to answer."""
PACE = 0.002
"""Seconds that a fake worker takes for a character."""
TEXT = " ".join(f"Sentence {'very ' * (i % 7)}{i} is this one." for i in range(60))


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with redis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@contextmanager
def machine(url: str, folder: Path, *options: str, host: Host | None = None) -> Iterator[Machine]:
    started = Machine(url, folder, *options, host=host)
    try:
        yield started
    finally:
        started.end()


@contextmanager
def front(url: str, workers: int = 0, **options: Any) -> Iterator[ClusterEngine]:
    """A front server's engine that knows of so many workers."""
    settings: dict[str, Any] = {
        "max_waiting": 8,
        "max_in_flight": 16,
        "max_per_request": 12,
        "timeouts": QUICK,
        **options,
    }
    with closing(ClusterEngine(ClusterSettings(url, url, 60, TIMEOUT, BUILD_ID), **settings)) as engine:
        engine.start()
        until(lambda: engine.get_status()["workers"] == workers, 30)
        yield engine


@pytest.fixture(scope="module")
def machines(broker: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Machine]]:
    """Two machines, with three workers between them."""
    folder = tmp_path_factory.mktemp("machines")
    options = ("--mode", "error", "--pace", str(PACE))
    with (
        machine(broker.url(), folder, "--workers", "2", *options) as one,
        machine(broker.url(), folder, *options) as other,
    ):
        yield [one, other]


@pytest.fixture(scope="module")
def pair(broker: Redis, machines: list[Machine]) -> Iterator[ClusterEngine]:
    """A front server of the two machines."""
    with front(broker.url(), 3) as engine:
        yield engine


def spoken(machines: list[Machine]) -> int:
    """Utterances that the machines have spoken so far."""
    return sum(each.log.count("characters, ") for each in machines)


def lengths(engine: ClusterEngine, text: str = TEXT, listener: RequestContext | None = None) -> list[int]:
    """How long the chunks are; on a busy machine a roll call may come late, which is given a moment."""
    deadline = time.monotonic() + 3
    while not engine.get_status()["workers"] and time.monotonic() < deadline:
        time.sleep(0.02)
    return [len(chunk.samples) for chunk in engine.synthesize(asking(text), listener or RequestContext())]


def planned(engine: ClusterEngine, text: str = TEXT) -> list[int]:
    """What the fake workers make of it: a millisecond a character."""
    return [24 * len(each.text) for each in engine.plan(asking(text))]


class Hearing(threading.Thread):
    """Somebody who listens to a text while the test does something else; `heard` are the chunks' lengths."""

    def __init__(self, engine: ClusterEngine, text: str = TEXT, background: bool = False) -> None:
        super().__init__(daemon=True)
        self.heard: list[int] = []
        self.at: list[float] = []
        self.error: Exception | None = None
        self._chunks = engine.synthesize(replace(asking(text), is_background=background), RequestContext())
        self.start()

    def run(self) -> None:
        try:
            for chunk in self._chunks:
                self.heard.append(len(chunk.samples))
                self.at.append(time.monotonic())
        except Exception as exc:
            self.error = exc

    def result(self, seconds: float = 30.0) -> list[int]:
        self.join(seconds)
        if self.error is not None:
            raise self.error
        assert not self.is_alive()
        return self.heard


def test_only_the_cluster_imports_celery() -> None:
    importers = [
        path
        for path in (IMPORT_ROOT / "kokoro_server").rglob("*.py")
        if re.search(r"^\s*(import|from) celery", path.read_text("utf-8"), re.M)
    ]
    assert {path.parent for path in importers} == {IMPORT_ROOT / "kokoro_server/engine/cluster"}
    assert subprocess.run([sys.executable, "-c", NO_CELERY], cwd=IMPORT_ROOT).returncode == 0


NO_CELERY = "import sys, kokoro_tts_api; sys.exit('celery' in sys.modules)"


# What travels


def test_sound_travels_without_loss_of_what_any_format_keeps() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 5000).astype(np.float32)
    words = (Word("Grüße", 0, 5, 0.0, 0.1), Word("you", 6, 9, 0.1, 0.2))
    chunk = unpack_sound(pack_sound(Chunk(samples, words)))
    assert chunk.words == words
    assert np.array_equal(to_pcm(chunk.samples), to_pcm(samples))


def test_silence_of_no_length_travels() -> None:
    assert len(unpack_sound(pack_sound(Chunk(np.zeros(0, np.float32)))).samples) == 0


def test_an_utterance_travels_but_for_its_gain() -> None:
    sent = utterance("Hello there.", "bf_emma", gain=0.5, speed=1.5, pronunciations=(("there", "/x/"),))
    assert Utterance.from_json(pack_utterance(sent)) == replace(sent, gain=1.0)


@pytest.mark.parametrize("error", [SynthesisFailed("a"), TimedOut("b"), Unsupported("c"), WorkerUnavailable("d")])
def test_failures_travel(error: Exception) -> None:
    for opened in (unpack_sound, unpack_phonemes):
        with pytest.raises(type(error), match=f"^{error}$"):
            opened(pack_failure(error))  # type: ignore[arg-type]


RUBBISH: list[dict[str, Any]] = [
    {},
    {"sound": b"fLaC", "words": "[]"},
    {"sound": "text", "words": "[]"},
    {"sound": pack_sound(Chunk(np.zeros(9, np.float32)))["sound"], "words": "[[1]]"},
    {"sound": pack_sound(Chunk(np.zeros(9, np.float32)))["sound"], "words": "{"},
]


@pytest.mark.parametrize("answer", RUBBISH)
def test_rubbish_is_a_failure(answer: dict[str, Any]) -> None:
    with pytest.raises(SynthesisFailed, match="not sound"):
        unpack_sound(answer)
    with pytest.raises(SynthesisFailed, match="no pronunciation"):
        unpack_phonemes(answer)


def test_a_reading_travels() -> None:
    assert unpack_phonemes(pack_phonemes(Phonemization("həlˈO", (0, 1, 0)))) == Phonemization("həlˈO", (0, 1, 0))


@pytest.mark.parametrize(
    ("broker", "shown"),
    [
        ("redis://127.0.0.1:6379/0", "redis://127.0.0.1:6379/0"),
        ("rediss://me:se@cret@host:1/2?ssl_cert_reqs=none", "rediss://host:1/2"),
        ("amqp://guest:secret@rabbit//", "amqp://rabbit//"),
    ],
)
def test_a_password_is_never_shown(broker: str, shown: str) -> None:
    assert str(ClusterSettings(broker, broker, 60, 60, BUILD_ID)) == shown


def test_when_a_letter_is_lost() -> None:
    letter = RemoteTask("speak", utterance())
    now = time.monotonic()
    letter.send_count, letter.sent_at = 1, now - 5
    assert letter.is_lost([], QUICK)
    letter.send_count = 2
    assert not letter.is_lost([], QUICK)
    letter.machine, letter.started_at = "here", now - 7
    assert letter.is_lost([], QUICK)
    assert not letter.is_lost(["here"], QUICK)
    letter.started_at = now
    assert not letter.is_lost([], QUICK)


# A cluster at work


def test_a_long_text_comes_whole_and_in_order(pair: ClusterEngine) -> None:
    expected = planned(pair)
    assert len(set(expected)) > 4
    assert lengths(pair) == expected
    totals = pair.get_status()["totals"]
    assert 0 < totals["lag_seconds"] < 10 * totals["begun"]
    assert totals["sent_again"] == 0


def test_the_machines_are_never_far_ahead_of_the_listener(pair: ClusterEngine, machines: list[Machine]) -> None:
    before = spoken(machines)
    with closing(pair.synthesize(asking(TEXT * 3), RequestContext())) as chunks:
        next(chunks)
        until(lambda: spoken(machines) - before == 5)  # what was heard, one for each worker, and one to spare
        time.sleep(1.2)  # enough for more of them, at 0.56 s each, if they were asked for
        assert spoken(machines) - before == 5


def test_pauses_and_gain_are_made_here(pair: ClusterEngine) -> None:
    plain = np.concatenate([chunk.samples for chunk in pair.synthesize(asking("Hi."), RequestContext())])
    assert 0.2 < np.abs(plain).max() < 0.3


def test_a_reading_is_asked_for(pair: ClusterEngine) -> None:
    assert pair.phonemize("Hello", Language.AMERICAN_ENGLISH, RequestContext()) == Phonemization("hello", (0, 5, 0))


def test_a_failure_on_a_machine_is_told(pair: ClusterEngine) -> None:
    with pytest.raises(SynthesisFailed, match="ValueError"):
        lengths(pair, "This is bad.")
    assert lengths(pair, "This is good.")


def test_a_listener_has_a_deadline(pair: ClusterEngine) -> None:
    with pytest.raises(TimedOut):
        lengths(pair, TEXT, RequestContext(deadline=time.monotonic() + 0.3))


def test_whoever_leaves_frees_the_machines(pair: ClusterEngine, machines: list[Machine]) -> None:
    heard = pair.synthesize(asking(TEXT * 3), RequestContext())
    for _ in range(3):
        next(heard)
    until(lambda: pair.get_status()["busy"] >= 3)
    before = spoken(machines)
    heard.close()
    lengths(pair, "Hi.")
    time.sleep(1.2)  # twice what each of those takes that were given up
    assert spoken(machines) - before <= 2  # this one, and at most one that was at its end just then


def test_a_short_text_does_not_wait_for_long_ones(pair: ClusterEngine, machines: list[Machine]) -> None:
    long = [Hearing(pair, TEXT) for _ in range(3)]
    until(lambda: all(each.heard for each in long))
    before = spoken(machines)
    lengths(pair, "Hi.")
    assert all(each.is_alive() for each in long)
    assert spoken(machines) - before <= 8  # those under way, one more for each of the others, and itself
    for each in long:
        assert each.result() == planned(pair)


def test_listeners_come_before_the_background(pair: ClusterEngine, machines: list[Machine]) -> None:
    book = Hearing(pair, TEXT * 2, background=True)
    until(lambda: pair.get_status()["busy"] >= 4)
    before = spoken(machines)
    assert lengths(pair, "Hi.") == planned(pair, "Hi.")
    assert spoken(machines) - before <= 2  # itself, and at most one of the book's that was at its end just then
    book.join(30)
    assert isinstance(book.error, ClientGone)  # it gave way, and is asked for again


def test_a_book_is_spoken_beside_a_listener(pair: ClusterEngine) -> None:
    listening = Hearing(pair, "A listener hears this sentence, which is one of middling length.")
    book = Hearing(pair, "This is the whole of a book.", background=True)
    assert book.result() and listening.result()


@pytest.fixture(scope="module")
def slow(broker: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine of an edition of its own, with one worker that takes 20 ms for a character."""
    with machine(broker.url(), tmp_path_factory.mktemp("slow"), "--pace", "0.02", "--version", "8") as only:
        yield only


def test_listeners_of_one_front_server_come_before_the_background_of_another(broker: Redis, slow: Machine) -> None:
    with front_of_edition(broker, "8") as library, front_of_edition(broker, "8") as radio:
        books = [Hearing(library, f"This is book {number}.", background=True) for number in range(3)]
        until(lambda: library.get_status()["busy"] == 2)  # one is spoken, one waits in Redis
        assert lengths(radio, "Hello there.")
        assert slow.log.count("characters, ") <= 2
        assert all(book.result() for book in books)


def test_the_lag_is_told_while_utterances_wait_for_a_machine(broker: Redis, slow: Machine, tmp_path: Path) -> None:
    with front_of_edition(broker, "8") as engine:
        client = make_app(tmp_path, engine).test_client()  # type: ignore[arg-type]  # any engine would do
        assert figure(client, "kokoro_cluster_lag_seconds") == 0
        under_way = [Hearing(engine, "Hello there, all of you.") for _ in range(2)]  # one worker, and one that waits
        until(lambda: figure(client, "kokoro_cluster_lag_seconds") > 0.2)
        for each in under_way:
            assert each.result()
        until(lambda: figure(client, "kokoro_cluster_lag_seconds") == 0)
        assert (
            figure(client, 'kokoro_cluster_machines{state="there"}') == figure(client, "kokoro_cluster_broker_up") == 1
        )
        assert figure(client, "kokoro_engine_begun_total") == 2


def figure(client: Any, name: str) -> float:
    (line,) = [line for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(line.rpartition(" ")[2])


def test_requests_beyond_the_queue_are_refused(broker: Redis, slow: Machine) -> None:
    with front_of_edition(broker, "8", max_waiting=1) as engine:
        under_way = [Hearing(engine, "Hello there, you two.") for _ in range(3)]  # one worker, one to spare, one waits
        until(lambda: engine.get_status() | {"busy": 2, "waiting": 1} == engine.get_status())
        with pytest.raises(Busy) as caught:
            lengths(engine)
        assert (caught.value.retry_after or 0) > 0
        for each in under_way:
            assert each.result()


@contextmanager
def front_of_edition(broker: Redis, version: str, **options: Any) -> Iterator[ClusterEngine]:
    settings: dict[str, Any] = {
        "max_waiting": 8,
        "max_in_flight": 16,
        "max_per_request": 12,
        "timeouts": QUICK,
        **options,
    }
    link = ClusterSettings(broker.url(), broker.url(), 60, TIMEOUT, replace(BUILD_ID, version=version))
    with closing(ClusterEngine(link, **settings)) as engine:
        engine.start()
        until(lambda: engine.get_status()["workers"] == 1, 30)
        yield engine


def test_nothing_is_left_in_redis(broker: Redis, pair: ClusterEngine) -> None:
    from redis import Redis as Client

    until(lambda: pair.get_status()["workers"] == 3, 30)
    lengths(pair)
    with Client(port=broker.port) as client:
        left = client.keys("celery-task-meta-*")
        assert all(0 < client.ttl(key) <= 60 for key in left)
        # Notes on what was withdrawn; no sound, which would stay for a minute.
        until(lambda: all(client.strlen(key) < 500 for key in left), 20)
        assert client.llen(f"kokoro-{BUILD_ID.digest}") == 0
        until(lambda: client.hlen("unacked") == 0)


# Bad days


def test_another_edition_is_refused(pair: ClusterEngine, broker: Redis, tmp_path: Path, caplog: Any) -> None:
    with machine(broker.url(), tmp_path, "--version", "0.9") as stranger:
        until(lambda: "is refused: it has version 0.9" in caplog.text, 30)
        assert pair.get_status()["workers"] == 3
        refused = pair.get_status()["refused"]
        until(lambda: "This machine is refused" in stranger.log)
        lengths(pair)
        assert "characters" not in stranger.log
    until(lambda: pair.get_status()["refused"] == refused - 1)


def test_a_machine_that_cannot_load_ends_with_the_reason(broker: Redis, tmp_path: Path) -> None:
    with machine(broker.url(), tmp_path, "--mode", "cannot-load") as broken:
        assert broken.exit_code() == 1
        assert "no such model" in broken.log


def test_a_machine_that_cannot_speak_any_more_stops_and_another_takes_over(broker: Redis, tmp_path: Path) -> None:
    url = broker.url()
    version = ("--version", "7")
    with front_machines(url, tmp_path, (*version, "--mode", "die", "--once", str(tmp_path / "once"))) as broken:
        with front_of_edition(broker, "7") as engine:
            with pytest.raises(SynthesisFailed):
                lengths(engine, "This is bad.")
            waiting = Hearing(engine, "This is good.")
            with machine(url, tmp_path, *version):
                assert waiting.result() == planned(engine, "This is good.")
        assert "This machine can't speak and stops" in broken.log
        broken.exit_code()


@contextmanager
def front_machines(url: str, folder: Path, options: tuple[str, ...]) -> Iterator[Machine]:
    with machine(url, folder, *options) as started:
        until(lambda: "At work" in started.log, 30)
        yield started


def test_a_machine_that_is_told_to_stop_ends_what_it_has_begun(broker: Redis, tmp_path: Path) -> None:
    version = ("--version", "6")
    with front_machines(broker.url(), tmp_path, (*version, "--pace", "0.1")) as going:
        with front_of_edition(broker, "6") as engine:
            hearing = Hearing(engine, "Hello there.")
            until(lambda: engine.get_status()["totals"]["begun"] == 1)  # and it takes 1.2 s
            going.stop()
            assert hearing.result() == planned(engine, "Hello there.")
        assert going.exit_code() == 0


def test_a_broker_that_is_away_is_told_at_once_and_found_again(tmp_path: Path) -> None:
    server = Redis(tmp_path)
    with front(server.url()) as engine:
        client = make_app(tmp_path, engine).test_client()  # type: ignore[arg-type]
        answer = refused(client)
        assert "broker" in answer.json["message"] and engine.get_status()["broker"] == "away"
        server.start()
        try:
            assert client.get("/health/ready").status_code == 503
            until(lambda: engine.get_status()["broker"] == "there")
            assert "No worker machine" in refused(client).json["message"]
            with machine(server.url(), tmp_path):
                until(lambda: engine.get_status()["workers"] == 1, 30)
                assert client.post("/synthesize/stream", json={"text": "Hi."}).status_code == 200
                assert client.get("/health/ready").status_code == 200
                server.kill()
                until(lambda: client.get("/health/ready").status_code == 503)
        finally:
            server.kill()


def refused(client: Any) -> Any:
    began = time.monotonic()
    answer = client.post("/synthesize/stream", json={"text": "Hi."})
    assert time.monotonic() - began < 1.0
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    return answer


def test_a_redis_that_restarts_loses_nothing(tmp_path: Path) -> None:
    patience = replace(QUICK, start_timeout=100.0)  # whatever was lost is sent again because Redis is back
    with (
        redis(tmp_path) as server,
        machine(server.url(), tmp_path, "--pace", str(PACE)),
        front(server.url(), 1, timeouts=patience) as engine,
    ):
        hearing = Hearing(engine, TEXT)
        until(lambda: len(hearing.heard) >= 2)
        server.kill()  # and with it all that it held
        until(lambda: engine.get_status()["broker"] == "away")
        with pytest.raises(WorkerUnavailable):
            lengths(engine, "Hi.")
        server.start()
        assert hearing.result(60) == planned(engine)


@contextmanager
def cluster_of(count: int, folder: Path, *options: str) -> Iterator[tuple[list[Host], ClusterEngine]]:
    """So many hosts, each a machine with these options, and a front server that has four workers there."""
    with hosts(count) as there, ExitStack() as stack:
        server = stack.enter_context(redis(folder, ["127.0.0.1", *(host.ours for host in there)]))
        for host in there:
            stack.enter_context(machine(server.url(host.ours), folder, *options, host=host))
        yield there, stack.enter_context(front(server.url(), 4))


@in_namespaces
@pytest.mark.parametrize("accident", [Host.cut, Host.kill])
def test_a_host_that_is_lost_leaves_no_gap(accident: Callable[[Host], None], tmp_path: Path) -> None:
    with cluster_of(2, tmp_path, "--pace", str(2 * PACE), "--workers", "2") as (there, engine):
        hearing = Hearing(engine, TEXT)
        until(lambda: len(hearing.heard) >= 3)
        accident(there[0])
        assert hearing.result() == planned(engine)
        *others, longest = sorted(later - sooner for sooner, later in pairwise(hearing.at))
        assert (
            longest < QUICK.machine_timeout + QUICK.start_timeout and others[-1] < QUICK.machine_timeout / 2
        )  # one delay, once
        assert engine.get_status()["machines"] == 1
        if accident is Host.cut:
            there[0].mend()
            until(lambda: engine.get_status()["machines"] == 2, 40)
            assert lengths(engine, "Hi.") == planned(engine, "Hi.")


@in_namespaces
def test_each_machine_makes_it_faster(tmp_path: Path) -> None:
    with cluster_of(4, tmp_path, "--pace", str(2 * PACE)) as (_, engine):
        gains: list[float] = []
        while len(gains) < 3 and max(gains, default=0.0) < 0.9 * 4:  # others' work may spoil a run, but not each
            began = time.monotonic()
            listeners = [Hearing(engine, TEXT) for _ in range(3)]
            for each in listeners:
                assert each.result() == planned(engine)
            gains.append(2 * PACE * len(TEXT) * len(listeners) / (time.monotonic() - began))
        assert max(gains) >= 0.9 * 4, gains


@pytest.mark.real
def test_the_real_network_speaks_on_another_machine(broker: Redis, tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    environment = {**os.environ, "KOKORO_BROKER": broker.url(), "KOKORO_WORKERS": "1"}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "kokoro_server", "worker"], cwd=IMPORT_ROOT, env=environment, stderr=file
        )
    try:
        edition = BuildId(__version__, MODEL_SHA256)
        with closing(
            ClusterEngine(ClusterSettings(broker.url(), broker.url(), 60, 60, edition), 8, 16, 12, QUICK)
        ) as engine:
            engine.start()
            until(lambda: engine.get_status()["workers"] == 1, 120)
            found = join_chunks(engine.synthesize(asking("Hello there. How are you?"), RequestContext()))
            assert [word.text for word in found.words] == ["Hello", "there", "How", "are", "you"]
            assert 1.0 < found.seconds < 4.0
            assert engine.phonemize("Hello", Language.AMERICAN_ENGLISH, RequestContext()).phonemes == "həlˈO"
        process.terminate()
        assert process.wait(20) == 0
        assert "Hello" not in log.read_text("utf-8")
    finally:
        process.kill()
        process.wait()
