"""Which kernels a CPU runs: the best that its features allow, or those that measured best, or those that are named."""

import json
import logging
import time
from pathlib import Path

import llvmlite  # type: ignore[import-untyped]
import numpy as np
from llvmlite import binding

from tts.synth.graph.prepared import cache_key, prepared, sources
from tts.synth.kernels.crew import Crew
from tts.synth.kernels.emit import Shape
from tts.synth.kernels.library import SHAPES, Library, fitting
from tts.synth.layers import SPARE_ROWS, Convolution, Norm, measured

CHOICE = "seconds.json"
ROWS, CHANNELS, TAPS, DILATION = 4800, 128, 7, 3
"""A layer of the generator's second stage over one second of sound, where most of the time goes."""
RUNS = 7

log = logging.getLogger(__name__)


def named(name: str) -> Shape:
    """The kernels of that name. Raises ValueError when there are none, or this CPU can't run them."""
    if name not in SHAPES:
        raise ValueError(f"kernels {name!r} are none of {', '.join(SHAPES)}")
    if name not in fitting():
        raise ValueError(f"this CPU has no {name!r}: it can run {', '.join(fitting())}")
    return SHAPES[name]


def fastest(cache: Path) -> Shape:
    """The kernels for this CPU.

    Tiles are three times as fast as vectors. Of two kinds of vectors the wider ones make some CPUs slow down, so both
    are measured, once: the folder `cache` remembers.
    """
    names = fitting()
    rivals = [name for name in names if SHAPES[name].width >= 8]
    if SHAPES[names[0]].tiles or len(rivals) < 2:
        return SHAPES[names[0]]

    def measure(folder: Path) -> None:
        seconds = {name: seconds_of(Library(cache, SHAPES[name])) for name in rivals}
        log.info("Kernels, milliseconds a layer: %s", {name: round(1000 * each, 2) for name, each in seconds.items()})
        (folder / CHOICE).write_text(json.dumps(seconds), encoding="utf-8")

    features = binding.get_host_cpu_features().flatten()
    key = cache_key("choice", sources(), llvmlite.__version__, binding.get_host_cpu_name(), features)
    found: dict[str, float] = json.loads((prepared(cache, key, measure) / CHOICE).read_text(encoding="utf-8"))
    return SHAPES[min(found, key=lambda name: found[name])]


def seconds_of(library: Library) -> float:
    """What one layer takes on one core, at best."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(ROWS + SPARE_ROWS, CHANNELS)).astype(np.float32)
    weight = rng.normal(size=(CHANNELS, CHANNELS, TAPS)).astype(np.float32)
    ones, crew = np.ones(CHANNELS, np.float32), Crew(1)
    layer = Convolution(Convolution.weights(weight, "snake", library.shape), ones, TAPS, "snake")
    rows, y, times = measured(library, crew, signal, ROWS), np.zeros_like(signal), []
    for _ in range(RUNS):
        began = time.perf_counter()
        layer(library, crew, rows, Norm(ones, ones, ones, ones), y, DILATION)
        times.append(time.perf_counter() - began)
    return min(times)
