"""Sound to test with, and ears to hear what came of it."""

import io

import av
import numpy as np
from numpy.typing import NDArray

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Samples

QUIET_HEAD = 0.25  # seconds


def speechlike(seconds: float, head: float = QUIET_HEAD, seed: int = 0) -> Samples:
    """A buzz with syllables and a wandering pitch after `head` seconds of near-silence, never repeating."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wander = np.random.default_rng(seed).uniform(0.5, 2.0, 3)
    phase = 2 * np.pi * (140 * time + 9 * np.sin(2 * np.pi * wander[0] * time) + 5 * np.sin(wander[1] * time))
    buzz = sum(np.sin(n * phase) / n for n in range(1, 12))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time + wander[2])
    return (0.25 * buzz * syllables * np.where(time < head, 1e-3, 1.0)).astype(np.float32)  # type: ignore[no-any-return]


def cut(samples: Samples, length: int) -> list[Chunk]:
    return [Chunk(samples[start : start + length]) for start in range(0, len(samples), length)]


def decode(data: bytes, format: str, rate: int = SAMPLE_RATE) -> tuple[NDArray[np.float64], int]:
    """Samples [n] in -1..1 and their rate, as FFmpeg hears the file."""
    options = {"sample_rate": str(rate)} if format == "pcm" else {}
    with av.open(io.BytesIO(data), format="s16le" if format == "pcm" else None, options=options) as container:
        frames = list(container.decode(audio=0))  # type: ignore[union-attr]
    parts = [frame.to_ndarray().reshape(-1) for frame in frames]
    scale = 32_768 if parts[0].dtype == np.int16 else 1
    return np.concatenate(parts) / scale, frames[0].sample_rate


def likeness(heard: NDArray[np.floating], sent: NDArray[np.floating]) -> float:
    """Correlation of two sounds that start together, over what both have: 1 when they are the same."""
    length = min(len(heard), len(sent))
    return float(np.corrcoef(heard[:length], sent[:length])[0, 1])
