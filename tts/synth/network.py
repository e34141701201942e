"""Kokoro's network: tokens, a style and a speed go in, sound and the frames of every token come out."""

import logging
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir
from threading import Lock
from typing import Any, Protocol

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from tts.synth.decoder import Decoder
from tts.synth.graph.build import DECODER, HEAD, TAIL, WHOLE, build
from tts.synth.graph.durations import FRAMES
from tts.synth.graph.prepared import cache_key, fingerprint, prepared
from tts.synth.graph.store import map_arrays
from tts.synth.kernels.crew import Cancelled, Crew
from tts.synth.kernels.library import Library, native_shape
from tts.synth.session import Session

__all__ = ["Cancelled", "Network"]

MAX_TOKENS = 510
STYLE_WIDTH = 256
DECODER_STYLE = 128  # the first half of a style is the decoder's, the second the predictors'
PREPARED_VERSION = "2"  # raise it when a pass writes something else

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]
Feeds = dict[str, NDArray[Any]]


class Way(Protocol):
    """How a prepared folder is run."""

    def speak(self, feeds: Feeds, threads: int) -> tuple[Samples, Frames | None]: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...

    def inputs(self) -> dict[str, Any]: ...


class Network:
    """The prepared model in memory. One run at a time; `cancel` may come from any thread."""

    def __init__(self, model: Path, cache: Path | None, threads: int = 1, device: str = "cpu") -> None:
        """Load, and prepare first if need be; ValueError on a device that onnxruntime does not offer."""
        cache = cache or Path(gettempdir()) / "kokoro-graphs"
        shape = native_shape()
        key = cache_key(fingerprint(model), PREPARED_VERSION, onnxruntime.__version__, repr(shape))
        folder = prepared(cache, key, lambda folder: build(model, folder, shape))
        self._threads = threads
        self._way: Way = (
            Parts(folder, Library(cache, shape)) if _split(folder, device) else Whole(folder, device)
        )

    def speak(
        self, tokens: Sequence[int], style: NDArray[np.float32], speed: float, threads: int | None = None
    ) -> tuple[Samples, Frames | None]:
        """Sound [samples] at 24 kHz, and frames [tokens + 2] of 600 samples each, with both zeros' own.

        `tokens` are 1 to 510 ids without the zeros at either end, `style` is [256]. Frames are None when the
        model hides its durations. Raises ValueError on other shapes, Cancelled when `cancel` came meanwhile.
        """
        _check(tokens, style)
        ids = "input_ids" if "input_ids" in self._way.inputs() else "tokens"
        feeds: Feeds = {
            ids: np.array([[0, *tokens, 0]], np.int64),
            "style": style.reshape(1, STYLE_WIDTH),
            "speed": np.array([speed], np.float32),
        }
        samples, frames = self._way.speak(feeds, threads or self._threads)
        return samples.reshape(-1), None if frames is None else frames.reshape(-1)

    def cancel(self) -> None:
        """Make the running `speak` raise Cancelled; without one, nothing happens."""
        self._way.cancel()

    def close(self) -> None:
        """Stop what runs and let the threads and the weights go."""
        self._way.cancel()
        self._way.close()


def _split(folder: Path, device: str) -> bool:
    """Own kernels run on the CPU; another device takes the whole graph."""
    return device == "cpu" and (folder / HEAD).exists()


def _check(tokens: Sequence[int], style: NDArray[np.float32]) -> None:
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ValueError(f"{len(tokens)} tokens, 1 to {MAX_TOKENS} were expected")
    if style.size != STYLE_WIDTH:
        raise ValueError(f"style of shape {style.shape}, [{STYLE_WIDTH}] was expected")


class Whole:
    """The whole graph in onnxruntime: other devices, and exports whose decoder is not the known one."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder = folder
        self._device = device
        self._sessions: dict[int, Session] = {}
        self._session(1)

    def speak(self, feeds: Feeds, threads: int) -> tuple[Samples, Frames | None]:
        session = self._session(threads)
        outputs = dict(zip(session.outputs, session.run(feeds), strict=True))
        return outputs[session.outputs[0]].astype(np.float32, copy=False), outputs.get(FRAMES)

    def inputs(self) -> dict[str, Any]:
        return self._session(1).inputs

    def cancel(self) -> None:
        for session in list(self._sessions.values()):
            session.cancel()

    def close(self) -> None:
        self._sessions.clear()

    def _session(self, threads: int) -> Session:
        if threads not in self._sessions:
            self._sessions[threads] = Session(self._folder / WHOLE, threads, self._device)
        return self._sessions[threads]


class Parts:
    """Text, pitch and durations in onnxruntime, the decoder in our kernels, the last step in onnxruntime."""

    def __init__(self, folder: Path, library: Library) -> None:
        self._heads = {1: Session(folder / HEAD, threads=1)}
        self._folder = folder
        self._tail = Session(folder / TAIL, threads=1)
        self._decoder = Decoder(map_arrays(folder, DECODER), library)
        self._crews: dict[int, Crew] = {}
        self._guard = Lock()
        self._running: Crew | None = None

    def speak(self, feeds: Feeds, threads: int) -> tuple[Samples, Frames | None]:
        crew = self._begin(threads)
        try:
            mixed, source, *frames = self._head(threads).run(feeds)
            style = feeds["style"][0, :DECODER_STYLE]
            spectrum = self._decoder(_single(mixed), _single(source), style, crew)
            samples = self._tail.run({name: spectrum[None] for name in self._tail.inputs})[0]
            return samples.astype(np.float32, copy=False), frames[0] if frames else None
        finally:
            with self._guard:
                self._running = None

    def inputs(self) -> dict[str, Any]:
        return self._heads[1].inputs

    def cancel(self) -> None:
        with self._guard:
            if self._running is not None:
                self._running.cancelled.set()
                for session in (*self._heads.values(), self._tail):
                    session.cancel()

    def close(self) -> None:
        for crew in self._crews.values():
            crew.close()

    def _begin(self, threads: int) -> Crew:
        crew = self._crews.get(threads)
        if crew is None:
            crew = self._crews[threads] = Crew(threads)
        crew.cancelled.clear()
        with self._guard:
            self._running = crew
        return crew

    def _head(self, threads: int) -> Session:
        if threads not in self._heads:
            self._heads[threads] = Session(self._folder / HEAD, threads)
        return self._heads[threads]


def _single(batch: NDArray[Any]) -> NDArray[np.float32]:
    only: Samples = batch[0].astype(np.float32, copy=False)
    return only
