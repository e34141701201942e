"""Read and write the frames between a worker process and its owner.

A frame is two uint32 lengths (big-endian: header, payload), a JSON object in ASCII with the key "kind", and raw bytes.
To the worker: "speak", "phonemize" (a call each) and "cancel" (the latest call). From the worker: "ready" or "failed"
once after the start; then for every call, in order, any number of "chunk" (payload: float32 samples, little-endian),
one "phonemes", at most one "ending" (the work is done, the last audio follows), and finally "done" or "error".
"""

from __future__ import annotations

import json
import struct
from typing import IO, Any

FRAME_PREFIX = struct.Struct("!II")
"""Lengths of header and payload, in bytes."""
MAX_HEADER_BYTES = 4 << 20
"""Bytes; a longer header is not one of ours."""
MAX_PAYLOAD_BYTES = 256 << 20
"""Bytes; 256 MiB are 45 minutes of float32 samples at 24 kHz."""


class FrameError(Exception):
    """Report bytes on the pipe that are not a frame."""


def write_frame(pipe: IO[bytes], header: dict[str, Any], payload: bytes = b"") -> None:
    """Write one frame and flush the pipe. Raises OSError when the reader has closed it."""
    encoded = json.dumps(header).encode("ascii")
    pipe.write(FRAME_PREFIX.pack(len(encoded), len(payload)) + encoded)
    pipe.write(payload)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """Read the next frame, as (header, payload); return None at the end of the pipe. Raises FrameError."""
    lengths = pipe.read(FRAME_PREFIX.size)
    if not lengths:
        return None
    if len(lengths) < FRAME_PREFIX.size:
        raise FrameError("the pipe ended inside a frame")
    header_length, payload_length = FRAME_PREFIX.unpack(lengths)
    if header_length > MAX_HEADER_BYTES or payload_length > MAX_PAYLOAD_BYTES:
        raise FrameError(f"a frame of {header_length} + {payload_length} bytes is not one of ours")
    encoded, payload = pipe.read(header_length), pipe.read(payload_length)
    if len(encoded) < header_length or len(payload) < payload_length:
        raise FrameError("the pipe ended inside a frame")
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as exc:
        raise FrameError("a frame's header isn't JSON") from exc
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise FrameError("a frame's header has no kind")
    return header, payload
