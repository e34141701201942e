"""Which kernels a CPU runs: the best that its features allow, or those that measured best, or those that are named."""

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from kokoro_server.model.cache.artifacts import prepared
from kokoro_server.model.kernels.builder import Shape
from kokoro_server.model.kernels.library import SHAPES, Library, fitting, machine_key
from kokoro_server.model.kernels.thread_pool import Crew
from kokoro_server.model.native.layers import SPARE_ROWS, Convolution, Norm, Rows, kept_in, measured

CHOICE = "seconds.json"
ROWS, CHANNELS, TAPS, DILATION = 4800, 128, 7, 3
RUNS = 7
WIDE = 8
"""Floats of the vectors that may be the fastest."""
MARGIN = 1.05

log = logging.getLogger(__name__)


def named(name: str) -> Shape:
    """The kernels of that name. Raises ValueError when there are none, or this CPU can't run them."""
    if name not in SHAPES:
        raise ValueError(f"kernels {name!r} are none of {', '.join(SHAPES)}")
    if name not in fitting():
        raise ValueError(f"this CPU has no {name!r}: it can run {', '.join(fitting())}")
    return SHAPES[name]


def rivals() -> list[str]:
    """The kernels of which one is the fastest on this CPU, the likelier first; where it is known, that one alone.

    Tiles are three times as fast as vectors. Of vectors the wider ones make some CPUs slow down.
    """
    names = fitting()
    return [name for name in names if SHAPES[name].width >= WIDE and not SHAPES[names[0]].tiles] or names[:1]


def fastest(cache: Path) -> Shape:
    """The kernels for this CPU. Rivals are timed by turns, once, maybe beside other workers that do the same, and the
    folder `cache` remembers. The narrower ones have to be faster by more than chance is good for."""
    names = rivals()
    if len(names) == 1:
        return SHAPES[names[0]]

    def measure(folder: Path) -> None:
        layers = {name: layer_of(Library(cache, SHAPES[name])) for name in names}
        turns = [{name: seconds_of(layer) for name, layer in layers.items()} for _ in range(RUNS)]
        seconds = {name: min(turn[name] for turn in turns) for name in names}
        log.info("Seconds for a layer: %s", seconds)
        (folder / CHOICE).write_text(json.dumps(seconds), encoding="utf-8")

    folder = prepared(cache, machine_key("choice"), measure)
    found: dict[str, float] = json.loads((folder / CHOICE).read_text(encoding="utf-8"))
    return SHAPES[min(names, key=lambda name: found[name] * (1 if name == names[0] else MARGIN))]


def layer_of(library: Library) -> Callable[[], Rows]:
    """A layer of the generator's second stage over a second of sound, where most of the time goes, ready to be run."""
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(ROWS + SPARE_ROWS, CHANNELS)).astype(kept_in(library.shape))
    weight = rng.normal(size=(CHANNELS, CHANNELS, TAPS)).astype(np.float32)
    ones, crew = np.ones(CHANNELS, np.float32), Crew(1)
    layer = Convolution(*Convolution.weights(weight, "snake", library.shape), ones, TAPS, "snake")
    rows, y = measured(library, crew, signal, ROWS), np.zeros_like(signal)
    return partial(layer, library, crew, rows, Norm(ones, ones, ones, ones), y, DILATION)


def seconds_of(layer: Callable[[], object]) -> float:
    """What it takes on one core."""
    began = time.perf_counter()
    layer()
    return time.perf_counter() - began
