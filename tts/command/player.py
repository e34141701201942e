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

from tts.command.files import save
from tts.speech.audio import SAMPLE_RATE, wav_header
from tts.speech.errors import SpeechError

RATE = str(SAMPLE_RATE)


class CannotPlay(SpeechError):
    """Raised when no player is available, or when it failed."""


@dataclass(frozen=True)
class Program:
    """Describe a command that plays raw samples from its stdin, or a WAV file where an argument contains {file}."""

    command: tuple[str, ...]

    @property
    def streams(self) -> bool:
        """Tell whether the command reads samples from its stdin."""
        return not any("{file}" in word for word in self.command)

    @property
    def name(self) -> str:
        """Return the program's name without folder and extension."""
        return Path(self.command[0]).stem


PROGRAMS = (
    Program(("paplay", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=1")),
    Program(("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", RATE, "-c", "1", "-")),
    Program(("afplay", "{file}")),
    Program(("powershell", "-NoProfile", "-Command", "(New-Object Media.SoundPlayer '{file}').PlaySync()")),
)


Player = Callable[[Iterable[bytes]], None]
"""Function that plays blocks of s16le mono samples at SAMPLE_RATE as they arrive. Raises PlaybackError, and what the
blocks raise."""


def find_player(programs: Sequence[Program] = PROGRAMS) -> Player:
    """Return the first player that this machine has. Raises PlaybackError when there is none."""
    device = _sounddevice()
    if device is not None:
        return partial(_play_on, device)
    program = next((each for each in programs if shutil.which(each.command[0])), None)
    if program is None:
        names = ", ".join(each.name for each in programs)
        raise CannotPlay(f"Nothing here plays sound: pip install sounddevice, or one of {names}; or write a file (-o).")
    return partial(_stream_to if program.streams else _hand_file_to, program)


def _sounddevice() -> Any:
    """Import sounddevice, an optional dependency; None without it, without PortAudio or without an output device."""
    try:
        import sounddevice  # type: ignore[import-not-found,import-untyped,unused-ignore]

        sounddevice.query_devices(kind="output")
    except (ImportError, OSError):
        return None
    except sounddevice.PortAudioError:
        return None
    return sounddevice


def _play_on(device: Any, pcm: Iterable[bytes]) -> None:
    try:
        with device.RawOutputStream(samplerate=SAMPLE_RATE, channels=1, dtype="int16") as stream:
            for block in pcm:
                stream.write(block)
    except device.PortAudioError as exc:
        raise CannotPlay(f"The sound device does not play: {exc}.") from exc


def _stream_to(program: Program, pcm: Iterable[bytes]) -> None:
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
    _check(program, child.returncode, stderr)


def _hand_file_to(program: Program, pcm: Iterable[bytes]) -> None:
    handle, name = tempfile.mkstemp(suffix=".wav", prefix="kokoro-say-")
    os.close(handle)
    path = Path(name)
    try:
        save(path, "wav", chain([wav_header()], pcm))
        # The name stands inside single quotes of a PowerShell command, where '' is a quote.
        quoted = name.replace("'", "''") if program.name == "powershell" else name
        command = [word.replace("{file}", quoted) for word in program.command]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    finally:
        path.unlink(missing_ok=True)
    _check(program, done.returncode, done.stderr)


def _check(program: Program, code: int, stderr: bytes) -> None:
    if code:
        why = stderr.decode("utf-8", "replace").strip().splitlines()
        raise CannotPlay(f"{program.name} did not play (exit code {code}): {why[-1] if why else 'it said nothing'}.")
