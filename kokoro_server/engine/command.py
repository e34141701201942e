"""Run a `kokoro` command for each utterance: hexgrad's, ours, or any with the same options."""

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

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.core.errors import (
    ClientGone,
    StorageUnavailable,
    SynthesisFailed,
    TimedOut,
    Unsupported,
    WorkerUnavailable,
)
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import DETACHED_POPEN_OPTIONS, IMPORT_ROOT
from kokoro_server.text.chunking import Utterance

log = logging.getLogger(__name__)

HELP_TIMEOUT = 60.0
"""Seconds for `--help`: hexgrad's command imports torch first, which takes 5 s from a warm disk."""
RUN_FOLDER_PREFIX = "kokoro-run-"
"""Prefix of our folders in TEMP_DIR. The server removes such folders at its start, so no other program's folder may
have it."""
EXIT_POLL_INTERVAL = 0.02
"""Seconds between two checks whether the process has ended or the utterance was cancelled."""
MAX_STDERR_LINES = 5
"""Last lines of a failed command's stderr that are logged."""


class CommandWorker:
    """Run the command, one process tree at a time. Implements Worker.

    Args:
        command: Program and leading arguments.
        folder: Where the folder of each run is created.
        timeout: Seconds for one utterance.
    """

    def __init__(self, command: Sequence[str], folder: Path, timeout: float) -> None:
        self._command = list(command)
        self._folder = folder
        self._timeout = timeout
        self._cancel_event = threading.Event()
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Return True: no process is kept."""
        return True

    @property
    def is_unloaded(self) -> bool:
        """Return False: no process is kept."""
        return False

    @property
    def restarts(self) -> int:
        """Return 0: no process is kept."""
        return 0

    def start(self) -> None:
        """Check that `--help` exits with 0. Raises WorkerUnavailable."""
        try:
            code, stderr = self._run_process(["--help"], HELP_TIMEOUT)
        except (TimedOut, ClientGone) as exc:
            raise WorkerUnavailable(f"{self._command_line} --help did not answer: {exc}") from exc
        if code:
            raise WorkerUnavailable(
                f"{self._command_line} --help exited with {code}: {_join_last_lines(stderr) or 'it said nothing'}"
            )

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[Chunk]:
        """Return an iterator that yields the utterance as one chunk, its pause included. See Worker."""
        # Here, not in the generator: a cancel() before the first chunk is read must not be lost.
        self._cancel_event.clear()
        return self._yield_chunk(utterance)

    def _yield_chunk(self, utterance: Utterance) -> Iterator[Chunk]:
        """Yield the samples of one run, followed by silence for the pause."""
        try:
            samples = self._run_on_utterance(utterance)
        except OSError as exc:
            raise StorageUnavailable(f"The temp folder can't be used: {exc.strerror}. See KOKORO_TEMP_DIR.") from exc
        # The command knows no pauses between utterances: they are appended here.
        silence = np.zeros(round(utterance.pause * SAMPLE_RATE), np.float32)
        yield Chunk(np.concatenate([samples, silence]))

    def _run_on_utterance(self, utterance: Utterance) -> NDArray[np.float32]:
        """Run the command on the utterance; return its samples, float32 [n] at 24 kHz.

        The text goes in and the WAV comes out by files in a temporary folder. Raises OSError, and what _run_process()
        raises.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        # A folder for each run: a command that is killed leaves its files there, and they go with it.
        with tempfile.TemporaryDirectory(prefix=RUN_FOLDER_PREFIX, dir=self._folder) as folder:
            text, sound = Path(folder, "text.txt"), Path(folder, "sound.wav")
            text.write_text(utterance.text, "utf-8")
            code, stderr = self._run_process(
                self._build_options(utterance, text, sound), self._timeout, _build_environment(utterance)
            )
            # A command may write a WAV file and fail nevertheless; its exit code decides.
            if code:
                log.error("%s exited with %d: %s", self._command_line, code, _join_last_lines(stderr))
                raise SynthesisFailed(f"The speech command failed with exit code {code}.")
            return _read_wav(sound, stderr)

    def phonemize(self, utterance: Utterance) -> Phonemization:
        """Raise Unsupported: a command does not report phonemes."""
        raise Unsupported("This server's engine is a command, which does not tell how it reads.")

    def on_idle(self) -> None:
        """Do nothing: no process is kept."""

    def cancel(self) -> None:
        """Kill the process tree of the current run, within 20 ms. Thread-safe."""
        self._cancel_event.set()

    def close(self) -> None:
        """Kill the current run and refuse further ones. Thread-safe."""
        self._is_closed = True
        self.cancel()

    @property
    def _command_line(self) -> str:
        """Return the command line for messages."""
        return " ".join(self._command)

    def _build_options(self, utterance: Utterance, text: Path, wav: Path) -> list[str]:
        """Return the options of one run.

        The text is not among them: a command line is visible to all users, limited in length, and may be parsed as an
        option.
        """
        return [
            *("--voice", utterance.voice.name, "--language", utterance.language),
            *("--speed", f"{utterance.speed:g}", "-i", str(text.resolve()), "-o", str(wav.resolve())),
        ]

    def _run_process(
        self, options: list[str], timeout: float, settings: dict[str, str] | None = None
    ) -> tuple[int, bytes]:
        """Run the command; return its exit code and stderr. Kills the process tree when it raises.

        Args:
            flags: Options after the command.
            timeout: Seconds.
            settings: Additional environment variables.

        Raises:
            WorkerUnavailable: The command cannot be run, or close() was called.
            TimedOut, ClientGone: It took too long, or was cancelled.
        """
        if self._is_closed:
            raise WorkerUnavailable("The server is shutting down.")
        # UTF-8 whatever the locale is: the text file and the output are UTF-8.
        environment = {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8", **(settings or {})}
        # A file, because a pipe that nobody reads would block the process once it is full.
        with tempfile.TemporaryFile() as stderr:
            try:
                process = subprocess.Popen(
                    self._command + options,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=stderr,
                    env=environment,
                    cwd=IMPORT_ROOT,
                    **DETACHED_POPEN_OPTIONS,
                )
            except OSError as exc:
                raise WorkerUnavailable(f"{self._command_line} cannot be run: {exc.strerror or exc}.") from exc
            try:
                self._wait_for_exit(process, timeout)
            finally:
                # It was cancelled or took too long; its children (espeak, a wrapper's Python) must end as well.
                if process.poll() is None:
                    _kill_process_tree(process.pid)
                    process.wait()
            stderr.seek(0)
            return process.returncode, stderr.read()

    def _wait_for_exit(self, process: subprocess.Popen[bytes], timeout: float) -> None:
        """Wait for the process to exit. Raises ClientGone when cancelled, TimedOut after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while process.poll() is None:
            if self._cancel_event.wait(EXIT_POLL_INTERVAL):
                raise ClientGone("The client left.")
            if time.monotonic() > deadline:
                raise TimedOut(f"The speech command took longer than {timeout:g} seconds.")


def _build_environment(utterance: Utterance) -> dict[str, str]:
    """Return environment variables that our own command reads; hexgrad's has no option for them and ignores these."""
    return {"KOKORO_EMOJI": "named" if utterance.emoji else "silent"}


def _kill_process_tree(pid: int) -> None:
    """Kill the process with that id and all its descendants."""
    try:
        parent = psutil.Process(pid)
        # List the tree before killing: orphans cannot be found by their parent.
        family = [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family[1:], timeout=0.5)


def _read_wav(path: Path, stderr: bytes) -> NDArray[np.float32]:
    """Return the samples of the WAV, float32 [n]. Raises SynthesisFailed unless it is 24 kHz mono, 16 bits."""
    try:
        with wave.open(str(path), "rb") as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if shape != (1, 2, SAMPLE_RATE):
                raise SynthesisFailed(f"The speech command wrote {shape}: expected 24 kHz mono, 16 bits.")
            return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / np.float32(32768)
    except (FileNotFoundError, EOFError, wave.Error) as exc:
        log.error("The command exited with 0 but wrote no WAV file: %s", _join_last_lines(stderr))
        raise SynthesisFailed("The speech command ended without writing sound.") from exc


def _join_last_lines(stderr: bytes) -> str:
    """Return the last lines of stderr, joined into one."""
    return " | ".join(stderr.decode("utf-8", "replace").strip().splitlines()[-MAX_STDERR_LINES:])
