"""Frames between a worker and its owner: two lengths, a JSON header, and raw bytes that follow it."""

from __future__ import annotations

import json
import struct
from typing import IO, Any

LENGTHS = struct.Struct("!II")
MAX_HEADER = 4 << 20
MAX_PAYLOAD = 256 << 20
"""Bytes; what is longer is rubbish on the pipe. 256 MB is 45 minutes of float32 sound."""


class BadFrame(Exception):
    """The pipe holds something that isn't a frame."""


def write_frame(pipe: IO[bytes], header: dict[str, Any], payload: bytes = b"") -> None:
    """Write one frame and flush it. Raises OSError when the other side has gone."""
    encoded = json.dumps(header).encode("ascii")
    pipe.write(LENGTHS.pack(len(encoded), len(payload)) + encoded)
    pipe.write(payload)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], bytes] | None:
    """The next frame, or None at the pipe's end. Raises BadFrame."""
    lengths = pipe.read(LENGTHS.size)
    if not lengths:
        return None
    if len(lengths) < LENGTHS.size:
        raise BadFrame("the pipe ended inside a frame")
    header_length, payload_length = LENGTHS.unpack(lengths)
    if header_length > MAX_HEADER or payload_length > MAX_PAYLOAD:
        raise BadFrame(f"a frame of {header_length} + {payload_length} bytes is not one of ours")
    encoded, payload = pipe.read(header_length), pipe.read(payload_length)
    if len(encoded) < header_length or len(payload) < payload_length:
        raise BadFrame("the pipe ended inside a frame")
    try:
        header = json.loads(encoded)
    except (ValueError, RecursionError) as exc:
        raise BadFrame("a frame's header isn't JSON") from exc
    if not isinstance(header, dict) or not isinstance(header.get("kind"), str):
        raise BadFrame("a frame's header has no kind")
    return header, payload
