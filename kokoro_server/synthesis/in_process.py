"""Run the network inside the calling process, as a worker of the engine's pool, without a child process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from kokoro_server.audio.samples import Chunk
from kokoro_server.core.errors import Cancelled, ClientGone, SpeechError, SynthesisFailed, WorkerUnavailable
from kokoro_server.core.request import Phonemization
from kokoro_server.synthesis.synthesizer import UtteranceSynthesizer
from kokoro_server.text.chunking import Utterance
from kokoro_server.text.g2p import encode_phonemes


class InProcessWorker:
    """Synthesize utterances with a network in this process; a Worker (see kokoro_server.engine.base).

    A crash of a native library ends the whole process, which is why the server uses child processes instead.
    """

    def __init__(self, load: Callable[[], UtteranceSynthesizer]) -> None:
        """Create a worker that calls `load` when it is started."""
        self._load = load
        self._synthesizer: UtteranceSynthesizer | None = None
        self._stop = threading.Event()
        self.is_unloaded = False
        self.restarts = 0

    @property
    def is_ready(self) -> bool:
        """Return whether the network is loaded."""
        return self._synthesizer is not None

    def start(self) -> None:
        """Load the network. Raises WorkerUnavailable."""
        try:
            self._synthesizer = self._load()
        except (OSError, ValueError) as exc:
            raise WorkerUnavailable(f"The network cannot be loaded: {exc}") from exc

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Return the chunks of the utterance. See Worker."""
        self._stop = threading.Event()
        return self._iterate_chunks(utterance, threads, self._stop)

    def _iterate_chunks(self, utterance: Utterance, threads: int, stop: threading.Event) -> Iterator[Chunk]:
        try:
            yield from self._get_synthesizer().synthesize(utterance, threads, stop)
        except Cancelled as exc:
            raise ClientGone("The synthesis was cancelled.") from exc
        except SpeechError:
            raise
        except Exception as exc:  # edge of one utterance, as in the worker process
            raise SynthesisFailed(f"The speech engine failed: {type(exc).__name__}: {exc}.") from exc

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Return the phonemes of the utterance. See Worker."""
        phonemes = self._get_synthesizer().phonemize(utterance)
        return Phonemization(phonemes, (0, *encode_phonemes(phonemes), 0))

    def on_idle(self) -> None:
        """Do nothing: there is no process to look after."""

    def cancel(self) -> None:
        """Make the latest synthesize() end soon if it is still in progress. Thread-safe."""
        self._stop.set()
        if self._synthesizer is not None:
            self._synthesizer.cancel()

    def close(self) -> None:
        """Stop what is in progress and release the network."""
        self.cancel()
        self._synthesizer = None

    def _get_synthesizer(self) -> UtteranceSynthesizer:
        if self._synthesizer is None:
            self.start()
        assert self._synthesizer is not None
        return self._synthesizer
