"""Play audio aloud with the sounddevice package, or with a program of the system."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from kokoro_server.audio.samples import SAMPLE_RATE, build_wav_header
from kokoro_server.cli.files import save_audio
from kokoro_server.core.errors import SpeechError

SAMPLE_RATE_ARGUMENT = str(SAMPLE_RATE)


class PlaybackError(SpeechError):
    """Raised when no player is available, or when it failed."""


@dataclass(frozen=True)
class PlayerProgram:
    """Describe a command that plays raw samples from its stdin, or a WAV file where an argument contains {file}."""

    command: tuple[str, ...]

    @property
    def reads_stdin(self) -> bool:
        """Tell whether the command reads samples from its stdin."""
        return not any("{file}" in word for word in self.command)

    @property
    def name(self) -> str:
        """Return the program's name without folder and extension."""
        return Path(self.command[0]).stem


PLAYER_PROGRAMS = (
    PlayerProgram(("paplay", "--raw", "--format=s16le", f"--rate={SAMPLE_RATE_ARGUMENT}", "--channels=1")),
    PlayerProgram(("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", SAMPLE_RATE_ARGUMENT, "-c", "1", "-")),
    PlayerProgram(("afplay", "{file}")),
    PlayerProgram(("powershell", "-NoProfile", "-Command", "(New-Object Media.SoundPlayer '{file}').PlaySync()")),
)


Player = Callable[[Iterable[bytes]], None]
"""Function that plays blocks of s16le mono samples at SAMPLE_RATE as they arrive. Raises PlaybackError, and what the
blocks raise."""


def find_player(programs: Sequence[PlayerProgram] = PLAYER_PROGRAMS) -> Player:
    """Return the first player that this machine has. Raises PlaybackError when there is none."""
    device = _import_sounddevice()
    if device is not None:
        return partial(_play_on_device, device)
    program = next((each for each in programs if shutil.which(each.command[0])), None)
    if program is None:
        names = ", ".join(each.name for each in programs)
        raise PlaybackError(
            f"Nothing here plays sound: pip install sounddevice, or one of {names}; or write a file (-o)."
        )
    return partial(_stream_to_program if program.reads_stdin else _play_file, program)


def _import_sounddevice() -> Any:
    """Import sounddevice, an optional dependency; None without it, without PortAudio or without an output device."""
    try:
        import sounddevice  # type: ignore[import-not-found,import-untyped,unused-ignore]

        sounddevice.query_devices(kind="output")
    except (ImportError, OSError):
        return None
    except sounddevice.PortAudioError:
        return None
    return sounddevice


def _play_on_device(device: Any, pcm: Iterable[bytes]) -> None:
    try:
        with device.RawOutputStream(samplerate=SAMPLE_RATE, channels=1, dtype="int16") as stream:
            for block in pcm:
                stream.write(block)
    except device.PortAudioError as exc:
        raise PlaybackError(f"The sound device does not play: {exc}.") from exc


def _stream_to_program(program: PlayerProgram, pcm: Iterable[bytes]) -> None:
    with subprocess.Popen(
        program.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin is not None and child.stderr is not None
        with suppress(BrokenPipeError):  # the program ended early; its exit code and stderr are checked below
            for block in pcm:
                child.stdin.write(block)
        with suppress(BrokenPipeError):
            child.stdin.close()
        stderr = child.stderr.read()
    _check_exit_code(program, child.returncode, stderr)


def _play_file(program: PlayerProgram, pcm: Iterable[bytes]) -> None:
    handle, name = tempfile.mkstemp(suffix=".wav", prefix="kokoro-say-")
    os.close(handle)
    path = Path(name)
    try:
        save_audio(path, "wav", chain([build_wav_header()], pcm))
        # The name stands inside single quotes of a PowerShell command, where '' is a quote.
        quoted = name.replace("'", "''") if program.name == "powershell" else name
        command = [word.replace("{file}", quoted) for word in program.command]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    finally:
        path.unlink(missing_ok=True)
    _check_exit_code(program, done.returncode, done.stderr)


def _check_exit_code(program: PlayerProgram, code: int, stderr: bytes) -> None:
    if code:
        why = stderr.decode("utf-8", "replace").strip().splitlines()
        raise PlaybackError(f"{program.name} did not play (exit code {code}): {why[-1] if why else 'it said nothing'}.")
