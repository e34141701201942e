"""Keeps a job's sound: FLAC pieces, one a portion, in one file that only grows at its end."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np

from tts.books.jobs import Segment
from tts.speech.audio import PCM_PEAK, Chunk, Samples
from tts.speech.encoding import encode_whole


class SoundFile:
    """The file, open at its end; close it."""

    def __init__(self, path: Path, length: int) -> None:
        """Open it, made if need be, and cut off what lies beyond `length` bytes. Raises OSError."""
        made = not path.exists()
        self._file = path.open("ab")
        self._file.truncate(length)
        if made:
            _sync_folder(path.parent)

    def append(self, chunk: Chunk) -> tuple[int, int]:
        """Write a chunk, through to the disk, and tell where: offset and size in bytes. Raises OSError."""
        piece = encode_whole([chunk], "flac") if len(chunk.samples) else b""
        offset = self._file.seek(0, os.SEEK_END)
        self._file.write(piece)
        self._file.flush()
        os.fsync(self._file.fileno())
        return offset, len(piece)

    def close(self) -> None:
        self._file.close()


def read_sound(path: Path, segments: Iterable[Segment]) -> Iterator[Chunk]:
    """The sound of the segments, one chunk each, as it was before it was compressed (16 bit). Raises OSError."""
    with path.open("rb") as file:
        for segment in segments:
            file.seek(segment.offset)
            yield Chunk(_decoded(file.read(segment.size)))


def _decoded(piece: bytes) -> Samples:
    if not piece:
        return np.zeros(0, np.float32)
    with av.open(io.BytesIO(piece), "r", format="flac") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    whole = np.concatenate(frames).astype(np.float32)
    return whole / np.float32(PCM_PEAK)


def _sync_folder(folder: Path) -> None:
    """Have a new file's name on the disk too; Windows does that with the file and can't open folders."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
