"""Run the network in generated kernels: encoder, harmonic source, decoder, inverse STFT."""

from collections.abc import Callable, Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from kokoro_server.model.kernels.library import KernelLibrary
from kokoro_server.model.kernels.thread_pool import ThreadPool
from kokoro_server.model.native.activations import BufferArena
from kokoro_server.model.native.decoder import DecoderPass
from kokoro_server.model.native.encoder import EncoderPass
from kokoro_server.model.native.harmonic_source import compute_source_spectrum, invert_spectrum
from kokoro_server.model.native.kernel_context import KernelContext

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]

DECODER_STYLE = 128
"""Width of a style's first half, which is the decoder's; the second half is the predictors'."""
MAX_KEPT_BYTES = 64 << 20
"""Bytes of activation buffers that are kept between utterances."""


class NativeBackend:
    """Backend over packed arrays and compiled kernels. One run at a time; `cancel` may come from any thread.

    There is one thread pool for each number of threads asked for so far, kept until `close`.
    """

    def __init__(self, arrays: Mapping[str, Samples], library: KernelLibrary) -> None:
        # numpy's own threads would take the cores from the thread pool and from other workers.
        threadpool_limits(1, user_api="blas")
        self._arrays = arrays
        self._library = library
        self._arena = BufferArena()
        self._pools: dict[int, ThreadPool] = {}
        self._guard = Lock()
        self._running: ThreadPool | None = None

    def infer(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]:
        """Run the network; see Backend.infer."""
        context = KernelContext(self._library, self._begin(threads), self._arena)
        try:
            return self._infer(context, tokens, style, speed, ending)
        finally:
            self._arena.trim(MAX_KEPT_BYTES)
            with self._guard:
                self._running = None

    def _infer(
        self,
        context: KernelContext,
        tokens: NDArray[np.int64],
        style: Samples,
        speed: float,
        ending: Callable[[], None],
    ) -> tuple[Samples, Frames]:
        arrays = self._arrays
        spoken = EncoderPass(arrays, context, style[DECODER_STYLE:]).encode(tokens, speed)
        source = compute_source_spectrum(spoken.pitch, arrays["harmonics.weight"], arrays["harmonics.bias"])
        spectrum = DecoderPass(arrays, context, style[:DECODER_STYLE]).compute_spectrum(spoken.mixed, source)
        ending()
        return invert_spectrum(spectrum, arrays["istft.basis"], arrays["istft.window_sum"]), spoken.frames

    def cancel(self) -> None:
        """Make the running `infer` raise Cancelled at its next block."""
        with self._guard:
            if self._running is not None:
                self._running.cancel_event.set()

    def close(self) -> None:
        """End the threads of all pools."""
        for pool in self._pools.values():
            pool.close()

    def _begin(self, threads: int) -> ThreadPool:
        """Return the pool of that many threads as the running one, not cancelled."""
        pool = self._pools.get(threads)
        if pool is None:
            pool = self._pools[threads] = ThreadPool(threads)
        # Clear before it is published: a cancellation that comes later must not be lost.
        pool.cancel_event.clear()
        with self._guard:
            self._running = pool
        return pool
