"""The Python API: speech without a server, on a fake engine, on a fake network in this process, and on the real one."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import kokoro_server
from kokoro_server import Synthesizer
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word
from kokoro_server.config import ConfigError
from kokoro_server.core.errors import BadRequest, Cancelled, SpeechError, SynthesisFailed, WorkerUnavailable
from kokoro_server.engine.pool import Pool
from kokoro_server.synthesis.in_process import InProcessWorker
from kokoro_server.text.chunking import Utterance, UtteranceSizes
from tests.fakes.engine import FakeEngine
from tests.fakes.requests import LONG
from tests.fakes.running import ROOT


class FakeNetwork:
    """Synthesize 10 samples a character; raise `error`, or wait for `go` and for a cancel."""

    def __init__(self, error: Exception | None = None, go: threading.Event | None = None) -> None:
        self.begun = threading.Event()
        self._error = error
        self._go = go
        self._cancelled = threading.Event()

    def synthesize(self, utterance: Utterance, threads: int, stop: threading.Event) -> Iterator[Chunk]:
        self.begun.set()
        if self._error:
            raise self._error
        while self._go is not None and not self._go.wait(0.01):
            if stop.is_set() or self._cancelled.is_set():
                raise Cancelled
        size = len(utterance.text)
        word = Word("", utterance.start, utterance.start + size, 0.0, size / SAMPLE_RATE)
        yield Chunk(np.full(10 * size, 0.5, np.float32), (word,))

    def phonemize(self, utterance: Utterance) -> str:
        return "a"

    def cancel(self) -> None:
        self._cancelled.set()


def pool(network: FakeNetwork) -> Pool:
    load: Callable[[], object] = lambda: network  # noqa: E731
    return Pool("in-process", [InProcessWorker(load)], 1, 10, UtteranceSizes())  # type: ignore[arg-type]


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, kokoro_server; print([n for n in ('numpy', 'flask', 'llvmlite') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="nonsense"):
        kokoro_server.nonsense  # noqa: B018


def test_samples_rate_and_words() -> None:
    with Synthesizer(engine=FakeEngine(0.5)) as synthesizer:
        speech = synthesizer.synthesize("Hello there.", voice="bf_emma", speed=1.0)
    assert speech.sample_rate == SAMPLE_RATE and speech.samples.dtype == np.float32
    assert speech.seconds == pytest.approx(0.5)
    assert [(word.text, word.start, word.end) for word in speech.words] == [("Hello", 0, 5), ("there.", 6, 12)]


def test_a_stream_joined_is_the_whole() -> None:
    with Synthesizer(engine=pool(FakeNetwork())) as synthesizer:
        chunks = list(synthesizer.stream(LONG))
        whole = synthesizer.synthesize(LONG)
    assert len(chunks) > 1
    assert np.array_equal(np.concatenate([chunk.samples for chunk in chunks]), whole.samples)
    assert whole.words[0].text == LONG[: whole.words[0].end]


def test_it_is_saved_as_wav(tmp_path: Path) -> None:
    with Synthesizer(engine=FakeEngine(0.1)) as synthesizer:
        synthesizer.synthesize("Hi.").save(tmp_path / "hi.wav")
    data = (tmp_path / "hi.wav").read_bytes()
    assert data[:4] == b"RIFF" and len(data) == 44 + 2 * 2400


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"text": ""}, "text"),
        ({"text": "Hi.", "voice": "af_hart"}, "Did you mean af_heart"),
        ({"text": "Hi.", "speed": 9.0}, "speed"),
        ({"text": "Hi.", "language": "klingon"}, "language"),
        ({"text": "[pause:x]"}, "pause"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], words: str) -> None:
    with Synthesizer(engine=FakeEngine()) as synthesizer, pytest.raises(BadRequest) as caught:
        synthesizer.synthesize(**arguments)  # type: ignore[arg-type]
    assert words in caught.value.message


def test_a_wrong_setting_is_named() -> None:
    with pytest.raises(ConfigError, match="KOKORO_THREADS"):
        Synthesizer(engine=FakeEngine(), THREADS=0)


def test_a_failure_is_one_of_ours_and_the_next_text_is_spoken() -> None:
    network = FakeNetwork(error=RuntimeError("no"))
    with Synthesizer(engine=pool(network)) as synthesizer:
        with pytest.raises(SynthesisFailed, match="RuntimeError"):
            synthesizer.synthesize("Hi.")
        network._error = None
        assert synthesizer.synthesize("Hi.").samples.size == 30


def test_a_network_that_cannot_be_loaded() -> None:
    def load() -> object:
        raise ValueError("no such device")

    engine = Pool("in-process", [InProcessWorker(load)], 1, 1, UtteranceSizes())  # type: ignore[arg-type]
    with pytest.raises(WorkerUnavailable, match="no such device"):
        Synthesizer(engine=engine)


def test_closing_a_stream_stops_the_network() -> None:
    network = FakeNetwork(go=threading.Event())
    with Synthesizer(engine=pool(network)) as synthesizer:
        reader = threading.Thread(target=_synthesize_until_closed, args=(synthesizer,))
        reader.start()
        assert network.begun.wait(10)
        synthesizer.close()
        reader.join(10)
        assert not reader.is_alive()
        with pytest.raises(WorkerUnavailable):
            synthesizer.synthesize("Hi.")


def _synthesize_until_closed(synthesizer: Synthesizer) -> None:
    with pytest.raises(SpeechError):
        synthesizer.synthesize("Hi.")


@pytest.mark.real
def test_the_real_network_speaks_every_word() -> None:
    with Synthesizer() as synthesizer:
        speech = synthesizer.synthesize("It costs $5, she said.")
        assert "af_heart" in synthesizer.list_voices()
    assert [word.text for word in speech.words] == ["It", "costs", "$5", "she", "said"]
    assert 1.0 < speech.seconds < 5.0 and np.abs(speech.samples).max() > 0.1
    times = [time for word in speech.words for time in (word.start_time, word.end_time)]
    assert times == sorted(times) and times[-1] <= speech.seconds
