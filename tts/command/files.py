"""Sound into a file: whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tts.speech.audio import FORMATS, SAMPLE_RATE, WAV_HEADER_SIZE, wav_header


def format_of(path: Path) -> str | None:
    """The format that a file's name stands for."""
    suffix = path.suffix.lower().removeprefix(".")
    return next((format.name for format in FORMATS.values() if format.extension == suffix), None)


def save(path: Path, format: str, blocks: Iterable[bytes]) -> int:
    """Write one container, of SAMPLE_RATE, and return its size in bytes. Raises OSError, and what `blocks` raises."""
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            size = sum(map(file.write, blocks))
            if format == "wav":  # while it was made, nobody knew how long it would be
                file.seek(0)
                file.write(wav_header(SAMPLE_RATE, size - WAV_HEADER_SIZE))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return size
