"""Background requests: they give way to listeners, and are never refused."""

import threading
from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.waiting import until
from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import Busy, ClientGone
from kokoro_server.core.languages import Language
from kokoro_server.core.request import SpeechRequest
from kokoro_server.core.voices import find_voice
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.pool import Pool
from kokoro_server.text.chunking import Utterance, UtteranceSizes, plan_utterances

DEADLINE = 5.0  # seconds


class Scribe:
    """A worker that notes what it begins, and speaks until it is let go or cancelled."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.let_go = threading.Event()
        self._stop = threading.Event()
        self.is_ready = True
        self.is_unloaded = False
        self.restarts = 0

    def start(self) -> None:
        pass

    def on_idle(self) -> None:
        pass

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        self._stop.clear()
        self.begun.append(utterance.text)
        while not self.let_go.wait(0.002):
            if self._stop.is_set():
                raise ClientGone("Cancelled.")
        yield Chunk(np.zeros(10, np.float32))

    def cancel(self) -> None:
        self._stop.set()

    def close(self) -> None:
        self._stop.set()


@pytest.fixture
def worker() -> Scribe:
    return Scribe()


@pytest.fixture
def pool(worker: Scribe) -> Iterator[Pool]:
    pool = Pool("pool", [worker], threads=1, max_waiting=1, sizes=UtteranceSizes())  # type: ignore[list-item]
    pool.start()
    yield pool
    worker.let_go.set()
    pool.close()


def request(text: str, background: bool = False) -> SpeechRequest:
    return SpeechRequest(text, find_voice("af_heart"), Language.AMERICAN_ENGLISH, is_background=background)


class Client(threading.Thread):
    """Reads all of a request's sound."""

    def __init__(self, pool: Pool, wanted: SpeechRequest) -> None:
        super().__init__(daemon=True)
        self._pool, self._wanted = pool, wanted
        self.error: Exception | None = None
        self.chunks = 0
        self.start()

    def run(self) -> None:
        try:
            for _ in self._pool.synthesize(self._wanted, RequestContext()):
                self.chunks += 1
        except (ClientGone, Busy) as exc:
            self.error = exc


def test_a_listener_interrupts_the_background(pool: Pool, worker: Scribe) -> None:
    book = Client(pool, request("A long book.", background=True))
    until(lambda: worker.begun == ["A long book."])
    listener = Client(pool, request("Hello."))
    book.join(DEADLINE)
    assert isinstance(book.error, ClientGone)
    until(lambda: worker.begun == ["A long book.", "Hello."])
    worker.let_go.set()
    listener.join(DEADLINE)
    assert (listener.error, listener.chunks) == (None, 1)


def test_the_background_waits_until_no_listener_is_served(pool: Pool, worker: Scribe) -> None:
    listener = Client(pool, request("Hello."))
    until(lambda: worker.begun == ["Hello."])
    book = Client(pool, request("A long book.", background=True))
    until(lambda: bool(pool._scheduler._background))
    another = Client(pool, request("World."))
    until(lambda: bool(pool._scheduler._foreground))
    worker.let_go.set()
    for each in (listener, another, book):
        each.join(DEADLINE)
        assert (each.error, each.chunks) == (None, 1)
    assert worker.begun == ["Hello.", "World.", "A long book."]


def test_the_background_is_not_refused_and_takes_no_place(pool: Pool, worker: Scribe) -> None:
    books = [Client(pool, request(f"Book {i}.", background=True)) for i in range(4)]
    until(lambda: len(worker.begun) == 1 and len(pool._scheduler._background) == 3)
    assert pool.get_status()["waiting"] == 0
    listeners = [Client(pool, request(f"Hello {i}.")) for i in range(2)]
    until(lambda: bool(worker.begun) and worker.begun[-1].startswith("Hello"))
    worker.let_go.set()
    for each in (*books[1:], *listeners):
        each.join(DEADLINE)
        assert (each.error, each.chunks) == (None, 1)


def test_a_background_utterance_is_long_and_rests_as_its_request_says() -> None:
    text = "This sentence has forty-one characters so. " * 6
    wanted = SpeechRequest(text, find_voice("af_heart"), Language.AMERICAN_ENGLISH, final_pause=0.7, is_background=True)
    assert [each.pause for each in plan_utterances(wanted, UtteranceSizes())] == [0.7]
    assert len(plan_utterances(request(text), UtteranceSizes())) > 1
