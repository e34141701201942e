"""Makes a book's cover a plain JPEG of a usual size, whatever picture the file had."""

from __future__ import annotations

import io
import logging

import av

log = logging.getLogger(__name__)

LONGEST_SIDE = 1_400
"""Pixels: what shops ask for, and enough for any player."""
MOST_PIXELS = 50_000_000
QUALITY = "3"
"""FFmpeg's scale for JPEG: 2 is the best, 31 the worst."""


def as_jpeg(picture: bytes) -> bytes | None:
    """The picture as a JPEG, smaller if need be; None when it can't be read or is no picture of a usual size."""
    try:
        with av.open(io.BytesIO(picture), "r") as container:
            stream = container.streams.video[0]
            if not 0 < stream.width * stream.height <= MOST_PIXELS:
                return None
            return _encoded(next(container.decode(stream)))
    except (av.FFmpegError, IndexError, StopIteration, ValueError) as exc:
        log.warning("A cover can't be read: %s", exc)
        return None


def _encoded(frame: av.VideoFrame) -> bytes:
    shrink = min(1.0, LONGEST_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * shrink) & ~1) for side in (frame.width, frame.height))
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.framerate = 1  # type: ignore[assignment]  # a picture has none, the encoder wants one
    codec.options = {"qmin": QUALITY, "qmax": QUALITY}
    still = frame.reformat(width, height, "yuvj420p")
    still.pts = 0
    return b"".join(bytes(packet) for packet in (*codec.encode(still), *codec.encode(None)))
