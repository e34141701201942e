"""Choose the kernels for this CPU: by its features, by a measurement, or by name.

CPU features alone decide between AMX, vectors and the baseline. Between 512-bit and 256-bit vectors they do not: some
CPUs lower their clock for the wide ones. There, one layer of the generator is timed with each candidate, once for a
machine, and the result is stored in the cache folder.
"""

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from kokoro_server.model.cache.artifacts import prepare_artifact
from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.kernels.library import TARGETS, KernelLibrary, list_supported_targets, make_machine_key
from kokoro_server.model.kernels.thread_pool import ThreadPool
from kokoro_server.model.native.activations import SPARE_ROWS, Activations, BufferArena, get_storage_dtype
from kokoro_server.model.native.kernel_context import KernelContext
from kokoro_server.model.native.layers import Convolution, Norm

TIMINGS_FILE = "seconds.json"
# The layer that is timed: one of the generator's second stage over a second of sound (80 rows, upsampled by 10 and 6).
ROWS, CHANNELS, TAPS, DILATION = 4800, 128, 7, 3
RUNS = 7
"""Rounds of timing; the shortest time of each candidate counts."""
WIDE = 8
"""Floats in the narrowest vectors that are worth timing."""
MARGIN = 1.05
"""Factor by which narrower kernels have to be faster than the first candidate: more than the noise of a measurement."""

log = logging.getLogger(__name__)


def get_target(name: str) -> Target:
    """Return the target of that name. Raises ValueError if there is none, or if this CPU cannot run its kernels."""
    if name not in TARGETS:
        raise ValueError(f"kernels {name!r} are none of {', '.join(TARGETS)}")
    if name not in list_supported_targets():
        raise ValueError(f"this CPU has no {name!r}: it can run {', '.join(list_supported_targets())}")
    return TARGETS[name]


def list_candidates() -> list[str]:
    """List the targets of which one is the fastest on this CPU, the widest first; a single one needs no timing.

    AMX tiles are three times as fast as vectors. Among vectors, the wider ones make some CPUs lower their clock.
    """
    names = list_supported_targets()
    # Empty where the CPU has AMX or no vectors of at least 8 floats: then the first supported target is the choice.
    return [name for name in names if TARGETS[name].width >= WIDE and not TARGETS[names[0]].has_tiles] or names[:1]


def find_fastest_target(cache: Path) -> Target:
    """Return the fastest target for this CPU, after timing the candidates unless `cache` has the result.

    Args:
        cache: Folder of the compiled kernels and the result, shared by all workers. Several may time at once.

    Raises:
        OSError: If the folder cannot be written.
    """
    names = list_candidates()
    if len(names) == 1:
        return TARGETS[names[0]]

    def measure(folder: Path) -> None:
        layers = {name: make_timed_layer(KernelLibrary(cache, TARGETS[name])) for name in names}
        # Interleaved, so that a change of load or of the clock meets all candidates; the minimum, since load only adds.
        rounds = [{name: time_layer(layer) for name, layer in layers.items()} for _ in range(RUNS)]
        seconds = {name: min(times[name] for times in rounds) for name in names}
        log.info("Seconds for a layer, by kernels: %s", seconds)
        (folder / TIMINGS_FILE).write_text(json.dumps(seconds), encoding="utf-8")

    folder = prepare_artifact(cache, make_machine_key("choice"), measure)
    found: dict[str, float] = json.loads((folder / TIMINGS_FILE).read_text(encoding="utf-8"))
    return TARGETS[min(names, key=lambda name: found[name] * (1 if name == names[0] else MARGIN))]


def make_timed_layer(library: KernelLibrary) -> Callable[[], Activations]:
    """Return a function that runs one layer of the generator's second stage, where most of the time goes."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(ROWS + SPARE_ROWS, CHANNELS)).astype(get_storage_dtype(library.target))
    weight = rng.normal(size=(CHANNELS, CHANNELS, TAPS)).astype(np.float32)
    ones, context = np.ones(CHANNELS, np.float32), KernelContext(library, ThreadPool(1), BufferArena())
    layer = Convolution(*Convolution.pack(weight, "snake", library.target), ones, TAPS, "snake", DILATION)
    rows, y = context.with_stats(signal, ROWS), np.zeros_like(signal)
    return partial(layer, context, rows, Norm(ones, ones, ones, ones), y)


def time_layer(layer: Callable[[], object]) -> float:
    """Run a layer once and return the seconds it took."""
    began = time.perf_counter()
    layer()
    return time.perf_counter() - began
