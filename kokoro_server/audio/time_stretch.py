"""Change the tempo of speech at constant pitch, for paces at which the network speaks unclearly."""

from __future__ import annotations

import av
import av.filter
import numpy as np
from numpy.typing import NDArray

from kokoro_server.audio.samples import SAMPLE_RATE

MAX_STEP, MIN_STEP = 2.0, 0.5
"""Range of the factor of one atempo filter; larger changes take several filters in series."""


def change_tempo(samples: NDArray[np.float32], factor: float) -> NDArray[np.float32]:
    """Stretch mono samples [n] to about [n / factor] at constant pitch, by FFmpeg's atempo (WSOLA)."""
    if not len(samples):
        return samples
    graph = av.filter.Graph()
    layout = {"sample_rate": str(SAMPLE_RATE), "sample_fmt": "flt", "channel_layout": "mono"}
    source = graph.add("abuffer", **layout, time_base=f"1/{SAMPLE_RATE}")
    tempos = [graph.add("atempo", f"{each:.6f}") for each in _split_factor(factor)]
    graph.link_nodes(source, *tempos, graph.add("abuffersink")).configure()
    frame = av.AudioFrame.from_ndarray(samples[np.newaxis], "flt", "mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    graph.push(frame)
    graph.push(None)  # end of input: the filters release what they hold
    parts = []
    # The sink gives one frame at a time; BlockingIOError or EOFError means that it has no more.
    while True:
        try:
            parts.append(graph.pull().to_ndarray()[0])
        except (av.BlockingIOError, av.EOFError):
            return np.concatenate(parts) if parts else samples[:0]


def _split_factor(factor: float) -> list[float]:
    """Return factors within the range of one filter whose product is `factor`."""
    steps = []
    while factor > MAX_STEP or factor < MIN_STEP:
        step = MAX_STEP if factor > 1 else MIN_STEP
        steps.append(step)
        factor /= step
    return [*steps, factor]
