"""Write audio files atomically: a complete file or none."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE, WAV_HEADER_SIZE, build_wav_header


def detect_format(path: Path) -> str | None:
    """Return the name of the format that the file's extension stands for, None for an unknown one."""
    suffix = path.suffix.lower().removeprefix(".")
    return next((format.name for format in FORMATS.values() if format.extension == suffix), None)


def save_audio(path: Path, format: str, blocks: Iterable[bytes]) -> int:
    """Write encoded audio to a `.part` file, then rename it to `path`.

    Args:
        path: File to create or replace.
        format: Name in FORMATS; a WAV header gets its sizes filled in at the end.
        blocks: Bytes of one container at SAMPLE_RATE.

    Returns:
        The size of the file in bytes.

    Raises:
        OSError: The file cannot be written. What `blocks` raises passes through; the `.part` file is removed.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            size = sum(map(file.write, blocks))
            if format == "wav":  # streamed with an unknown length; the length is known now
                file.seek(0)
                file.write(build_wav_header(SAMPLE_RATE, size - WAV_HEADER_SIZE))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return size
