"""Convert a book's cover from any image type to a JPEG of limited size."""

from __future__ import annotations

import io
import logging

import av

log = logging.getLogger(__name__)

MAX_SIDE = 1_400
"""Pixels of the longer side: enough for shops and players."""
MAX_PIXELS = 50_000_000
"""Limit on the pixels of the original: larger ones take too much memory to decode."""
JPEG_QUALITY = "3"
"""JPEG quantizer on FFmpeg's scale: 2 is the best quality, 31 the worst."""


def as_jpeg(picture: bytes) -> bytes | None:
    """Return the picture as a JPEG, scaled down to MAX_SIDE where it is larger.

    Returns None when the picture cannot be decoded or has more than MAX_PIXELS pixels.
    """
    try:
        with av.open(io.BytesIO(picture), "r") as container:
            stream = container.streams.video[0]
            if not 0 < stream.width * stream.height <= MAX_PIXELS:
                return None
            return _encode_jpeg(next(container.decode(stream)))
    except (av.FFmpegError, IndexError, StopIteration, ValueError) as exc:
        log.warning("Cannot decode a cover: %s", exc)
        return None


def _encode_jpeg(frame: av.VideoFrame) -> bytes:
    shrink = min(1.0, MAX_SIDE / max(frame.width, frame.height))
    # yuvj420p halves the colour planes, so both sides must be even
    width, height = (max(2, round(side * shrink) & ~1) for side in (frame.width, frame.height))
    codec = av.CodecContext.create("mjpeg", "w")
    assert isinstance(codec, av.VideoCodecContext)
    codec.width, codec.height, codec.pix_fmt = width, height, "yuvj420p"
    codec.framerate = 1  # type: ignore[assignment]  # meaningless for a still picture, but the encoder requires one
    codec.options = {"qmin": JPEG_QUALITY, "qmax": JPEG_QUALITY}
    still = frame.reformat(width, height, "yuvj420p")
    still.pts = 0
    return b"".join(bytes(packet) for packet in (*codec.encode(still), *codec.encode(None)))
