"""Load and run Kokoro's network: tokens, a style and a speed in, samples and the duration of every token out.

Loading prepares the model once for a machine and caches the result on disk. On the CPU, the published graph runs in
generated kernels (NativeBackend); other devices, other graph layouts, and machines without llvmlite run the graph in
onnxruntime (OnnxBackend). Libraries that only one of the two needs are imported where that one is loaded.
"""

import logging
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import gettempdir
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.cache.arrays import map_arrays
from kokoro_server.model.cache.artifacts import compute_source_digest, make_cache_key, prepare_artifact, sha256_of
from kokoro_server.model.cache.heap import trim_heap

MAX_TOKENS = 510
"""Most tokens in a run, without the zeros at both ends: ALBERT has 512 positions."""
STYLE_WIDTH = 256
"""Width of a style: 128 values for the decoder, 128 for the predictors."""

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


def do_nothing() -> None:
    """Default callback: does nothing."""


class Backend(Protocol):
    """Run a prepared model. One run at a time; `cancel` may come from any thread."""

    def infer(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]:
        """Run the network.

        Args:
            tokens: Ids [tokens + 2], with a zero at both ends.
            style: [256], float32.
            speed: Factor that durations are divided by.
            threads: Threads to use.
            ending: Called when only about a hundredth of the work is left.

        Returns:
            Samples at 24 kHz, and frames [tokens + 2] of 600 samples each; None if the model hides them.

        Raises:
            Cancelled: If `cancel` was called meanwhile.
        """
        ...

    def cancel(self) -> None:
        """Make the running `infer` raise Cancelled; without one, do nothing."""
        ...

    def close(self) -> None:
        """Free threads and weights."""
        ...


class Network:
    """Hold the prepared model in memory and run it. One run at a time; `cancel` may come from any thread."""

    def __init__(self, model: Path, cache: Path | None, threads: int = 1, device: str = "cpu") -> None:
        """Load the model, after preparing it if the cache has nothing for it.

        Args:
            model: An ONNX export of Kokoro.
            cache: Folder of prepared models and kernels; one in the system's temporary folder by default.
            threads: Threads of a run that asks for no other number.
            device: "cpu" for the fastest kernels, "cpu:avx" for the kernels of that name, "cpu:onnxruntime" for none
                of ours; else a device of onnxruntime.

        Raises:
            ValueError: If the device or its kernels are unknown, or this machine lacks them.
            OSError: If the model cannot be read or the cache cannot be written.
        """
        cache = cache or Path(gettempdir()) / "kokoro-graphs"
        self._threads = threads
        self._backend = _load_backend(model, cache, device)

    def infer(
        self,
        tokens: Sequence[int],
        style: NDArray[np.float32],
        speed: float,
        threads: int | None = None,
        ending: Callable[[], None] = do_nothing,
    ) -> tuple[Samples, Frames | None]:
        """Synthesize samples of one run of tokens.

        Args:
            tokens: 1 to 510 ids, without the zeros at both ends.
            style: [256], float32: a row of a voice.
            speed: Factor that durations are divided by: 2 is twice as fast.
            threads: Threads to use; those of the constructor by default.
            ending: Called when only about a hundredth of the work is left.

        Returns:
            Samples at 24 kHz, float32, and frames [tokens + 2], int64, of 600 samples each, with those of both zeros.
            Frames are None if the model hides its durations.

        Raises:
            ValueError: If `tokens` or `style` have another size.
            Cancelled: If `cancel` was called meanwhile.
        """
        _check_inputs(tokens, style)
        ids = np.array([0, *tokens, 0], np.int64)
        return self._backend.infer(ids, style.reshape(-1).astype(np.float32), speed, threads or self._threads, ending)

    def cancel(self) -> None:
        """Make the running `infer` raise Cancelled; without one, do nothing. Thread-safe."""
        self._backend.cancel()

    def close(self) -> None:
        """Cancel a run in progress, and free threads and weights."""
        self._backend.cancel()
        self._backend.close()


def parse_device(device: str) -> tuple[str, str]:
    """Split "cpu:avx" into the device's name and that of its kernels, "" for none.

    Raises ValueError if another device than "cpu" names kernels.
    """
    name, _, kernels = device.partition(":")
    if kernels and name != "cpu":
        raise ValueError(f"device {device!r}: only the kernels of cpu have names")
    return name, kernels


def _load_backend(model: Path, cache: Path, device: str) -> Backend:
    """Load NativeBackend on the CPU for the published graph, OnnxBackend for other devices and other graphs."""
    sha = sha256_of(model)
    name, kernels = parse_device(device)
    own = _load_native_backend(model, sha, cache, kernels) if name == "cpu" and kernels != "onnxruntime" else None
    if kernels not in ("", "onnxruntime") and own is None:
        raise ValueError(f"device {device!r}: there are no kernels for this machine or this model")
    return own or _load_onnx_backend(model, sha, cache, name)


def _load_native_backend(model: Path, sha: str, cache: Path, kernels: str) -> Backend | None:
    """Load the backend of generated kernels; None if the graph has another layout or llvmlite is not installed."""
    try:
        # Here, because llvmlite has no wheel for some machines; requirements.txt leaves it out for those.
        from kokoro_server.model.kernels.library import KernelLibrary
        from kokoro_server.model.native.autotune import find_fastest_target, get_target
        from kokoro_server.model.native.backend import NativeBackend
    except ModuleNotFoundError as exc:
        if exc.name != "llvmlite":
            raise
        log.warning("llvmlite is not installed: the network runs in onnxruntime, which is slower")
        return None
    library = KernelLibrary(cache, get_target(kernels) if kernels else find_fastest_target(cache))

    def build(folder: Path) -> None:
        # Here, because onnx takes 60 MB that a worker needs only once in the life of a cache.
        from kokoro_server.model.native.build import build_kernels

        build_kernels(model, folder, library.target)
        trim_heap()  # returns 200 MB that a worker would hold for its whole life

    folder = prepare_artifact(cache, make_cache_key(sha, compute_source_digest(), repr(library.target)), build)
    arrays = map_arrays(folder)
    return NativeBackend(arrays, library) if arrays else None


def _load_onnx_backend(model: Path, sha: str, cache: Path, device: str) -> Backend:
    """Load the backend of onnxruntime."""
    # Here, because onnxruntime and onnx take 100 MB that NativeBackend does without.
    from kokoro_server.model.onnx.backend import OnnxBackend, build_onnx_graph

    key = make_cache_key(sha, compute_source_digest(), "onnxruntime", version("onnxruntime"))
    return OnnxBackend(prepare_artifact(cache, key, lambda folder: build_onnx_graph(model, folder)), device)


def _check_inputs(tokens: Sequence[int], style: NDArray[np.float32]) -> None:
    """Raise ValueError if `tokens` or `style` have the wrong size."""
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ValueError(f"{len(tokens)} tokens, 1 to {MAX_TOKENS} were expected")
    if style.size != STYLE_WIDTH:
        raise ValueError(f"style of shape {style.shape}, [{STYLE_WIDTH}] was expected")
