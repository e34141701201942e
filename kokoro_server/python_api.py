"""Offer speech synthesis to Python programs, without a server: `Synthesizer` and `synthesize`.

A text takes the same path as in the server: it is validated, planned into utterances, and synthesized by a pool, whose
only worker is the network in this process.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kokoro_server.api.schemas import SpeechFields, make_speech_request
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Samples, Word, join_chunks, write_wav
from kokoro_server.config import Config
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.base import Engine, RequestContext
from kokoro_server.engine.pool import Pool
from kokoro_server.model.assets import AssetsMissing, ensure_assets
from kokoro_server.setup import StartupError
from kokoro_server.setup.limits import make_request_limits
from kokoro_server.synthesis.in_process import InProcessWorker
from kokoro_server.synthesis.synthesizer import UtteranceSynthesizer
from kokoro_server.text.chunking import UtteranceSizes

MAX_CHARACTERS = 10_000_000
"""Characters of a text unless `MAX_TEXT_LENGTH` is given: a program needs no protection from its own texts."""
MAX_CALLERS = 1_000
"""Threads that may wait for the network at once."""


@dataclass(frozen=True)
class SpokenText:
    """Hold the speech of a text.

    Attributes:
        samples: Float32 [n] in -1..1, mono.
        sample_rate: Samples per second, 24,000.
        words: The words in order, with their offsets in the text as given and their times in seconds.
    """

    samples: Samples
    sample_rate: int
    words: tuple[Word, ...]

    @property
    def seconds(self) -> float:
        """Return the duration in seconds."""
        return len(self.samples) / self.sample_rate

    def save(self, path: str | Path) -> None:
        """Write the speech to a WAV file (16 bits, mono). Raises OSError."""
        write_wav(Path(path), [Chunk(self.samples)])


class Synthesizer:
    """Synthesize speech in this process. Thread-safe: callers take turns.

    The network is loaded on construction (about a second; the first time it also fetches the voices and compiles the
    kernels). Use it as a context manager, or call `close`.

    Example:
        with Synthesizer() as synthesizer:
            speech = synthesizer.synthesize("Hello there.", voice="af_heart")
            speech.save("hello.wav")
    """

    def __init__(self, config: Config | None = None, *, engine: Engine | None = None, **settings: Any) -> None:
        """Load the network.

        Args:
            config: The settings; by default those of `settings`. The environment is not read.
            engine: An engine to use instead of the network in this process.
            settings: Settings by name, such as `DEVICE="cpu"`, `THREADS=2` or `PRONUNCIATIONS=Path(…)`.

        Raises:
            ConfigError: A setting is wrong.
            WorkerUnavailable: The weights or voices are missing, or the network cannot be loaded.
        """
        config = config or Config(**{"MAX_TEXT_LENGTH": MAX_CHARACTERS, **settings})
        try:
            self._limits = make_request_limits(config)
        except StartupError as exc:
            raise WorkerUnavailable(str(exc)) from exc
        self._engine = engine or _make_engine(config)
        self._engine.start()
        self._closed = threading.Event()

    def synthesize(
        self,
        text: str,
        voice: str | None = None,
        speed: float = 1.0,
        language: str | None = None,
        *,
        normalize: bool = True,
        pronunciations: Mapping[str, str] | None = None,
    ) -> SpokenText:  # the parameters of a native request, so that what is learnt there holds here
        """Return the speech of a text, which may hold inline tags, or be SSML.

        Args:
            text: What to say.
            voice: A voice or a blend, such as "af_bella(2)+af_sky(1)"; None for the default voice.
            speed: Pace as a factor, 0.25 to 4.
            language: Name or code of the text's language; None for the voice's own.
            normalize: Whether to expand numbers, dates and symbols into words.
            pronunciations: Words and how to say them: a respelling or /phonemes/.

        Raises:
            BadRequest: An argument is wrong; names it, its value and what is allowed.
            SpeechError: The speech could not be synthesized.
        """
        options = {"normalize": normalize, "pronunciations": pronunciations}
        whole = join_chunks(self.stream(text, voice, speed, language, **options))
        return SpokenText(whole.samples, SAMPLE_RATE, whole.words)

    def stream(
        self, text: str, voice: str | None = None, speed: float = 1.0, language: str | None = None, **options: Any
    ) -> Iterator[Chunk]:
        """Yield the speech of a text as it is synthesized; arguments and errors as in `synthesize`.

        Each chunk has `samples` (float32 [n], 24 kHz) and `words`, whose times count from the chunk's first sample.
        Closing the iterator stops the synthesis.
        """
        if self._closed.is_set():
            raise WorkerUnavailable("The synthesizer is closed.")
        request = make_speech_request(self._limits, SpeechFields(text, voice, language, speed, **options))
        with closing(self._engine.synthesize(request, RequestContext())) as chunks:
            yield from chunks

    def list_voices(self) -> list[str]:
        """Return the names of all voices, sorted."""
        return sorted(self._limits.voices)

    def close(self) -> None:
        """Release the network; what is being synthesized fails."""
        self._closed.set()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def synthesize(text: str, voice: str | None = None, speed: float = 1.0, language: str | None = None) -> SpokenText:
    """Return the speech of one text; loads the network for it. For several texts, keep a Synthesizer.

    Raises:
        WorkerUnavailable: The network cannot be loaded.
        BadRequest: An argument is wrong.
    """
    with Synthesizer() as synthesizer:
        return synthesizer.synthesize(text, voice, speed, language)


def _make_engine(config: Config) -> Engine:
    """Return a pool of one worker, the network in this process, not started yet. Raises WorkerUnavailable."""

    def load() -> UtteranceSynthesizer:
        return UtteranceSynthesizer(assets, config.graphs, config.DEVICE, config.THREADS)

    try:
        assets = ensure_assets(config.MODEL_DIR, config.MODEL, config.HUB)
    except (AssetsMissing, OSError) as exc:
        raise WorkerUnavailable(str(exc)) from exc
    return Pool("in-process", [InProcessWorker(load)], config.THREADS, MAX_CALLERS, UtteranceSizes())
