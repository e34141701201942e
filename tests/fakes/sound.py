"""What a client hears: an answer's bytes decoded again."""

from __future__ import annotations

import io

import av
import numpy as np
from numpy.typing import NDArray

from kokoro_server.audio.samples import WAV_HEADER_SIZE


def decoded(data: bytes, format: str, rate: int = 24_000) -> tuple[NDArray[np.float32], int]:
    """(samples [n] in -1..1, Hz); `rate` is what raw pcm has, which cannot say so itself."""
    if format == "pcm":
        return np.frombuffer(data, "<i2").astype(np.float32) / 32767, rate  # type: ignore[return-value]
    if format == "wav":
        return decoded(data[WAV_HEADER_SIZE:], "pcm", int.from_bytes(data[24:28], "little"))
    with av.open(io.BytesIO(data)) as container:
        frames = list(container.decode(audio=0))  # type: ignore[union-attr]
    found = frames[0].sample_rate
    resampler = av.AudioResampler("flt", "mono", found)
    parts = [part.to_ndarray()[0] for frame in frames for part in resampler.resample(frame)]
    return np.concatenate(parts), found
