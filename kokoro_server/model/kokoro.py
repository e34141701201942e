"""Kokoro's network: tokens, a style and a speed go in, sound and the frames of every token come out."""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.cache.arrays import map_arrays
from kokoro_server.model.cache.artifacts import cache_key, fingerprint, prepared, sources
from kokoro_server.model.cache.heap import trim_heap

MAX_TOKENS = 510
STYLE_WIDTH = 256

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


def nothing() -> None:
    """What is done at an end that nobody waits for."""


class Way(Protocol):
    """How a prepared model is run."""

    def speak(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]: ...

    def cancel(self) -> None: ...

    def close(self) -> None: ...


class Network:
    """The prepared model in memory. One run at a time; `cancel` may come from any thread."""

    def __init__(self, model: Path, cache: Path | None, threads: int = 1, device: str = "cpu") -> None:
        """Load, and prepare first if need be; ValueError on a device that is not there.

        "cpu" is whatever is fastest there, "cpu:avx" the kernels of that name, "cpu:onnxruntime" none of ours.
        """
        cache = cache or Path(gettempdir()) / "kokoro-graphs"
        self._threads = threads
        self._way = _way(model, cache, device)

    def speak(
        self,
        tokens: Sequence[int],
        style: NDArray[np.float32],
        speed: float,
        threads: int | None = None,
        ending: Callable[[], None] = nothing,
    ) -> tuple[Samples, Frames | None]:
        """Sound [samples] at 24 kHz, and frames [tokens + 2] of 600 samples each, with both zeros' own.

        `tokens` are 1 to 510 ids without the zeros at either end, `style` is [256]. Frames are None when the
        model hides its durations. `ending` is called when all but a last hundredth of the work is done. Raises
        ValueError on other shapes, Cancelled when `cancel` came meanwhile.
        """
        _check(tokens, style)
        ids = np.array([0, *tokens, 0], np.int64)
        return self._way.speak(ids, style.reshape(-1).astype(np.float32), speed, threads or self._threads, ending)

    def cancel(self) -> None:
        """Make the running `speak` raise Cancelled; without one, nothing happens."""
        self._way.cancel()

    def close(self) -> None:
        """Stop what runs and let the threads and the weights go."""
        self._way.cancel()
        self._way.close()


def parted(device: str) -> tuple[str, str]:
    """A device's name, and that of its kernels, '' for none. Raises ValueError for kernels of others than "cpu"."""
    name, _, kernels = device.partition(":")
    if kernels and name != "cpu":
        raise ValueError(f"device {device!r}: only the kernels of cpu have names")
    return name, kernels


def _way(model: Path, cache: Path, device: str) -> Way:
    """Our kernels on the CPU for the published graph; onnxruntime for other devices and other graphs."""
    sha = fingerprint(model)
    name, kernels = parted(device)
    own = _own(model, sha, cache, kernels) if name == "cpu" and kernels != "onnxruntime" else None
    if kernels not in ("", "onnxruntime") and own is None:
        raise ValueError(f"device {device!r}: there are no kernels for this machine or this model")
    return own or _whole(model, sha, cache, name)


def _own(model: Path, sha: str, cache: Path, kernels: str) -> Way | None:
    """The kernels' way, or None for a graph that does not fit them and a machine that has no llvmlite."""
    try:
        # Here, because llvmlite has no wheel for some machines; requirements.txt leaves it out for those.
        from kokoro_server.model.kernels.library import Library
        from kokoro_server.model.native.autotune import fastest, named
        from kokoro_server.model.native.backend import Own
    except ModuleNotFoundError as exc:
        if exc.name != "llvmlite":
            raise
        log.warning("llvmlite is not installed: the network runs in onnxruntime, which is slower")
        return None
    library = Library(cache, named(kernels) if kernels else fastest(cache))

    def build(folder: Path) -> None:
        # Here, because onnx takes 60 MB that a worker needs only once in the life of a cache.
        from kokoro_server.model.native.build import build_kernels

        build_kernels(model, folder, library.shape)
        trim_heap()  # 200 MB, which a worker would hold for its whole life

    folder = prepared(cache, cache_key(sha, sources(), repr(library.shape)), build)
    arrays = map_arrays(folder)
    return Own(arrays, library) if arrays else None


def _whole(model: Path, sha: str, cache: Path, device: str) -> Way:
    # Here, because onnxruntime and onnx take 100 MB that the kernels' way does without.
    from kokoro_server.model.onnx.backend import Whole, build_whole

    key = cache_key(sha, sources(), "onnxruntime", version("onnxruntime"))
    return Whole(prepared(cache, key, lambda folder: build_whole(model, folder)), device)


def _check(tokens: Sequence[int], style: NDArray[np.float32]) -> None:
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ValueError(f"{len(tokens)} tokens, 1 to {MAX_TOKENS} were expected")
    if style.size != STYLE_WIDTH:
        raise ValueError(f"style of shape {style.shape}, [{STYLE_WIDTH}] was expected")
