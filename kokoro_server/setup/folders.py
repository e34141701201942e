"""Prepare the temp folder of generated files, and remove files that an earlier run left there."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from kokoro_server.api.native import TEMP_FILE_PREFIX
from kokoro_server.engine.command import RUN_FOLDER_PREFIX
from kokoro_server.setup import StartupError


def ensure_temp_directory(folder: Path, cleanup: bool = True) -> None:
    """Create the folder, check that it is writable, and remove leftover files. Raises StartupError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as proof:
            proof.write(b"ok")
        remove_leftovers(folder, cleanup)
    except OSError as exc:
        raise StartupError(f"The temp folder {folder} cannot be used: {exc.strerror}. Set KOKORO_TEMP_DIR.") from exc


def remove_leftovers(folder: Path, cleanup: bool) -> None:
    """Remove this program's files from the folder; without `cleanup` keep the generated audio. Raises OSError."""
    for prefix in (RUN_FOLDER_PREFIX, TEMP_FILE_PREFIX) if cleanup else (RUN_FOLDER_PREFIX,):
        for left in folder.glob(f"{prefix}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
