"""A worker that is one run of a `kokoro` command for each utterance: hexgrad's own, ours, or any with its flags."""

from __future__ import annotations

import logging
import os
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from tts.engines.base import OUT_OF_REACH, ROOT
from tts.speech.audio import SAMPLE_RATE, Chunk
from tts.speech.errors import (
    ClientGone,
    StorageUnavailable,
    SynthesisFailed,
    TimedOut,
    Unsupported,
    WorkerUnavailable,
)
from tts.speech.request import Pronunciation
from tts.speech.text import Utterance

log = logging.getLogger(__name__)

HELP_TIMEOUT = 60.0
"""Seconds for `--help`: hexgrad's command imports torch first, which takes 5 s from a warm disk."""
RUN_PREFIX = "kokoro-run-"
"""What the names of our folders in TEMP_DIR begin with; start-up removes them, so nobody else's may begin so."""
POLL = 0.02
"""Seconds between two looks at whether a run has ended or its listener has left."""
STDERR_LINES = 5
"""Last lines of a failed command's stderr that go into the log."""


class Command:
    """Runs the command, a process tree at a time."""

    def __init__(self, command: Sequence[str], folder: Path, timeout: float) -> None:
        self._command = list(command)
        self._folder = folder
        self._timeout = timeout
        self._cancelled = threading.Event()
        self._closed = False

    @property
    def ready(self) -> bool:
        return True

    @property
    def asleep(self) -> bool:
        return False

    @property
    def restarts(self) -> int:
        return 0

    def start(self) -> None:
        """Check that the command answers. Raises WorkerUnavailable."""
        try:
            code, stderr = self._run(["--help"], HELP_TIMEOUT)
        except (TimedOut, ClientGone) as exc:
            raise WorkerUnavailable(f"{self._shown} --help did not answer: {exc}") from exc
        if code:
            raise WorkerUnavailable(f"{self._shown} --help exited with {code}: {_tail(stderr) or 'it said nothing'}")

    def speak(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        self._cancelled.clear()
        return self._speak(utterance)

    def _speak(self, utterance: Utterance) -> Iterator[Chunk]:
        try:
            samples = self._spoken(utterance)
        except OSError as exc:
            raise StorageUnavailable(f"The temp folder can't be used: {exc.strerror}. See KOKORO_TEMP_DIR.") from exc
        rest = np.zeros(round(utterance.rest * SAMPLE_RATE), np.float32)
        yield Chunk(np.concatenate([samples, rest]))

    def _spoken(self, utterance: Utterance) -> NDArray[np.float32]:
        """The samples of one run, in a folder that is made again when somebody removed it. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=RUN_PREFIX, dir=self._folder) as folder:
            text, sound = Path(folder, "text.txt"), Path(folder, "sound.wav")
            text.write_text(utterance.text, "utf-8")
            code, stderr = self._run(self._flags(utterance, text, sound), self._timeout, _manner(utterance))
            if code:
                log.error("%s exited with %d: %s", self._shown, code, _tail(stderr))
                raise SynthesisFailed(f"The speech command failed with exit code {code}.")
            return _read(sound, stderr)

    def phonemize(self, utterance: Utterance) -> Pronunciation:
        raise Unsupported("This server's engine is a command, which does not tell how it reads.")

    def rest(self) -> None:
        """Nothing runs between two utterances."""

    def cancel(self) -> None:
        self._cancelled.set()

    def close(self) -> None:
        self._closed = True
        self.cancel()

    @property
    def _shown(self) -> str:
        return " ".join(self._command)

    def _flags(self, utterance: Utterance, text: Path, sound: Path) -> list[str]:
        """No text on the command line: it is public there, bounded, and may look like an option."""
        return [
            *("--voice", utterance.voice.name, "--language", utterance.language),
            *("--speed", f"{utterance.speed:g}", "-i", str(text.resolve()), "-o", str(sound.resolve())),
        ]

    def _run(self, flags: list[str], timeout: float, settings: dict[str, str] | None = None) -> tuple[int, bytes]:
        """(exit code, stderr) of one run. Raises WorkerUnavailable, or TimedOut or ClientGone with the tree killed."""
        if self._closed:
            raise WorkerUnavailable("The server is shutting down.")
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", **(settings or {})}
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(
                    self._command + flags,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=environment,
                    cwd=ROOT,
                    **OUT_OF_REACH,
                )
            except OSError as exc:
                raise WorkerUnavailable(f"{self._shown} cannot be run: {exc.strerror or exc}.") from exc
            try:
                self._wait(process, timeout)
            finally:
                if process.poll() is None:
                    _kill_tree(process.pid)
                    process.wait()
            stderr.seek(0)
            return process.returncode, stderr.read()

    def _wait(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while process.poll() is None:
            if self._cancelled.wait(POLL):
                raise ClientGone("The client left.")
            if time.monotonic() > deadline:
                raise TimedOut(f"The speech command took longer than {timeout:g} seconds.")


def _manner(utterance: Utterance) -> dict[str, str]:
    """What our own command can be told beside hexgrad's flags: a setting, which others do not look at."""
    return {"KOKORO_EMOJI": "named" if utterance.emoji else "silent"}


def _kill_tree(pid: int) -> None:
    try:
        parent = psutil.Process(pid)
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=0.5)


def _read(path: Path, stderr: bytes) -> NDArray[np.float32]:
    """The WAV's samples, float32 [n]. Raises SynthesisFailed when it isn't what `kokoro` writes."""
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if shape != (1, 2, SAMPLE_RATE):
                raise SynthesisFailed(f"The speech command wrote {shape}: expected 24 kHz mono, 16 bits.")
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)
    except (FileNotFoundError, EOFError, wave.Error) as exc:
        log.error("The command ended well but left no sound: %s", _tail(stderr))
        raise SynthesisFailed("The speech command ended without writing sound.") from exc


def _tail(stderr: bytes) -> str:
    return " | ".join(stderr.decode("utf-8", "replace").strip().splitlines()[-STDERR_LINES:])
