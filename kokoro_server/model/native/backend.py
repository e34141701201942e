"""Run the network in generated kernels: encoder, harmonic source, decoder, inverse STFT."""

from collections.abc import Callable, Mapping
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from kokoro_server.model.kernels.library import Library
from kokoro_server.model.kernels.thread_pool import Crew
from kokoro_server.model.native.decoder import Decoding
from kokoro_server.model.native.encoder import Encoding
from kokoro_server.model.native.harmonic_source import harmonic_spectra, sound
from kokoro_server.model.native.layers import Workshop

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]

DECODER_STYLE = 128
"""Width of a style's first half, which is the decoder's; the second half is the predictors'."""
KEPT_BUFFERS = 64 << 20
"""Bytes of activation buffers that are kept between utterances."""


class Own:
    """Backend over packed arrays and compiled kernels. One run at a time; `cancel` may come from any thread.

    There is one thread pool for each number of threads asked for so far, kept until `close`.
    """

    def __init__(self, arrays: Mapping[str, Samples], library: Library) -> None:
        # numpy's own threads would take the cores from the thread pool and from other workers.
        threadpool_limits(1, user_api="blas")
        self._arrays = arrays
        self._library = library
        self._workshop = Workshop()
        self._crews: dict[int, Crew] = {}
        self._guard = Lock()
        self._running: Crew | None = None

    def speak(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]:
        """Run the network; see Backend.infer."""
        crew = self._begin(threads)
        try:
            return self._speak(crew, tokens, style, speed, ending)
        finally:
            self._workshop.tidy(KEPT_BUFFERS)
            with self._guard:
                self._running = None

    def _speak(
        self, crew: Crew, tokens: NDArray[np.int64], style: Samples, speed: float, ending: Callable[[], None]
    ) -> tuple[Samples, Frames]:
        arrays, tools = self._arrays, (self._arrays, self._library, self._workshop, crew)
        spoken = Encoding(*tools, style[DECODER_STYLE:]).speak(tokens, speed)
        source = harmonic_spectra(spoken.pitch, arrays["harmonics.weight"], arrays["harmonics.bias"])
        spectrum = Decoding(*tools, style[:DECODER_STYLE]).spectrum(spoken.mixed, source)
        ending()
        return sound(spectrum, arrays["istft.basis"], arrays["istft.window_sum"]), spoken.frames

    def cancel(self) -> None:
        """Make the running `infer` raise Cancelled at its next block."""
        with self._guard:
            if self._running is not None:
                self._running.cancelled.set()

    def close(self) -> None:
        """End the threads of all pools."""
        for crew in self._crews.values():
            crew.close()

    def _begin(self, threads: int) -> Crew:
        """Return the pool of that many threads as the running one, not cancelled."""
        crew = self._crews.get(threads)
        if crew is None:
            crew = self._crews[threads] = Crew(threads)
        # Clear before it is published: a cancellation that comes later must not be lost.
        crew.cancelled.clear()
        with self._guard:
            self._running = crew
        return crew
