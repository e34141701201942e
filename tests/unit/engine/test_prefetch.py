"""How far a request is ahead of its listener: when several of its utterances may be made at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing

import numpy as np
import pytest

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.prefetch import PrefetchPolicy
from kokoro_server.text.chunking import UtteranceSizes
from tests.fakes.requests import asking, utterance
from tests.fakes.worker import FakeWorker

pytestmark = pytest.mark.serial


def sound(seconds: float) -> Chunk:
    return Chunk(np.zeros(round(seconds * SAMPLE_RATE), np.float32))


def underway(lengths: Sequence[int], *made: tuple[float, float]) -> Callable[[int], bool]:
    """Whether the headway suffices for so many workers: utterances of such lengths, of which some were `made`, each at
    a time and so long."""
    now = 0.0
    headway = PrefetchPolicy([utterance("a" * length) for length in lengths], lambda: now)
    for number, (at, seconds) in enumerate(made):
        now = at
        headway.record_chunk(number, sound(seconds))
    return headway.can_prefetch


def test_before_the_first_sound_nothing_suffices() -> None:
    assert not underway([10, 10])(1)


@pytest.mark.parametrize(("length", "enough"), [(39, True), (41, False)])
def test_one_more_must_be_there_before_what_there_is_ends(length: int, enough: bool) -> None:
    # 10 characters took a second and sound for two: on half of the cores, 40 take eight, and 2 s are left.
    assert underway([10, length], (1.0, 8.0))(2) is enough


def test_the_second_has_the_sound_of_the_first_for_its_making() -> None:
    assert underway([10, 10, 80], (1.0, 10.0))(2)
    assert not underway([10, 10, 120], (1.0, 10.0))(2)
    assert underway([10, 10, 120], (1.0, 10.0))(1)  # alone it is not asked for yet


def test_what_was_heard_already_is_not_left() -> None:
    assert underway([10, 10, 15], (1.0, 2.0), (2.0, 2.0))(2)
    assert not underway([10, 10, 15], (1.0, 2.0), (2.9, 2.0))(2)


def test_all_is_made_when_nothing_is_left_to_make() -> None:
    assert underway([10], (1.0, 2.0))(4)


def test_a_rest_in_the_beginning_says_nothing_of_the_pace() -> None:
    assert not underway([0, 10, 10], (0.0, 5.0))(2)


def most_ahead(gate: threading.Semaphore | None, ms: float) -> int:
    """How many utterances two workers had begun, at the most, beyond those that were heard."""
    workers = [FakeWorker(ms=ms, gate=gate) for _ in range(2)]
    ahead = []
    with closing(Pool("fake", workers, 2, 10, UtteranceSizes(), idle_interval=0.01)) as pool:
        pool.start()
        for heard, _ in enumerate(
            pool.synthesize(asking("One sentence after another is said. " * 30), RequestContext()), 1
        ):
            time.sleep(0.02)
            ahead.append(sum(len(worker.utterances) for worker in workers) - heard)
    assert len(ahead) > 4
    return max(ahead)


def test_fast_workers_speak_several_at_once() -> None:
    assert most_ahead(None, ms=60) == 2


def test_slow_workers_speak_one_after_another() -> None:
    gate = threading.Semaphore(0)
    done = threading.Event()

    def release() -> None:
        while not done.wait(0.05):
            gate.release()

    thread = threading.Thread(target=release)
    thread.start()
    try:
        assert most_ahead(gate, ms=0.1) == 1
    finally:
        done.set()
        thread.join()
