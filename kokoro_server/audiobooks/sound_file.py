"""Store a job's audio in one append-only file: the segments one after the other, each a complete FLAC stream.

The database holds offset and size of each segment. `append` returns after the bytes are on the disk, so that a segment
recorded in the database always has its audio. Bytes after the last recorded segment are a write that was interrupted;
they are cut off when the file is opened.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np

from kokoro_server.audio.encoding import encode_file
from kokoro_server.audio.samples import PCM_FULL_SCALE, Chunk, Samples
from kokoro_server.audiobooks.jobs import Segment


class SegmentFile:
    """Append segments to a job's audio file; close it after use. Not thread-safe."""

    def __init__(self, path: Path, length: int) -> None:
        """Open the file, creating it if needed, and truncate it to `length` bytes. Raises OSError."""
        made = not path.exists()
        self._file = path.open("ab")
        self._file.truncate(length)
        if made:
            _sync_folder(path.parent)

    def append(self, chunk: Chunk) -> tuple[int, int]:
        """Append a chunk, flush it to the disk and return its offset and size in bytes. Raises OSError.

        A chunk without samples has size 0.
        """
        piece = encode_file([chunk], "flac") if len(chunk.samples) else b""
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(piece)
        self._file.flush()
        os.fsync(self._file.fileno())
        return offset, len(piece)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_segments(path: Path, segments: Iterable[Segment]) -> Iterator[Chunk]:
    """Yield the audio of the segments, one chunk each, as stored (16 bit, lossless). Raises OSError."""
    with path.open("rb") as file:
        for segment in segments:
            file.seek(segment.offset)
            yield Chunk(_decode_flac(file.read(segment.size)))


def _decode_flac(piece: bytes) -> Samples:
    if not piece:
        return np.zeros(0, np.float32)
    with av.open(io.BytesIO(piece), "r", format="flac") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    whole = np.concatenate(frames).astype(np.float32)
    return whole / np.float32(PCM_FULL_SCALE)


def _sync_folder(folder: Path) -> None:
    """Flush a new file's directory entry to the disk; Windows does so with the file, and can't open folders."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
