"""A worker inside the test's own process: it speaks a tone, and can be held up, made to fail, and looked at."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence

import numpy as np

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word
from kokoro_server.core.errors import ClientGone, SpeechError, SynthesisFailed, WorkerUnavailable
from kokoro_server.core.request import Phonemization
from kokoro_server.engine.base import WorkDone, WorkerEvent
from kokoro_server.text.chunking import Utterance

GATE_TIMEOUT = 20.0
"""Seconds that a gate is waited for: a test that forgot to open it fails instead of hanging."""


class FakeWorker:
    """Speaks `ms` milliseconds of tone a character, in `pieces` chunks of one utterance.

    A `gate` holds every piece up until it has a permit for it; `errors` are raised by the utterances in turn (None:
    that one is spoken) at the piece `fails_at`, `start_errors` by the starts. With `ends` it yields WorkDone before its
    last piece.
    """

    def __init__(
        self,
        ms: float = 1.0,
        pieces: int = 1,
        gate: threading.Semaphore | None = None,
        errors: Sequence[Exception | None] = (),
        start_errors: Sequence[SpeechError | None] = (),
        sends_work_done: bool = False,
        fails_at: int = 0,
    ) -> None:
        self.utterances: list[Utterance] = []
        self.threads: list[int] = []
        self.starts = 0
        self.cancel_count = 0
        self.idle_count = 0
        self.is_closed = False
        self.is_alive = False
        self._ms = ms
        self._pieces = pieces
        self.gate = gate or threading.Semaphore(0)
        self._gated = gate is not None
        self._errors = list(errors)
        self._start_errors = list(start_errors)
        self._stop = threading.Event()
        self._sends_work_done = sends_work_done
        self._fails_at = fails_at

    @property
    def is_ready(self) -> bool:
        return self.is_alive

    @property
    def is_unloaded(self) -> bool:
        return False

    @property
    def restarts(self) -> int:
        return max(0, self.starts - 1)

    @property
    def texts(self) -> list[str]:
        """What it was asked to speak, in order."""
        return [utterance.text for utterance in self.utterances]

    def start(self) -> None:
        self.starts += 1
        error = self._start_errors.pop(0) if self._start_errors else None
        if error is not None:
            raise error
        self.is_alive = True

    def synthesize(self, utterance: Utterance, threads: int) -> Iterator[WorkerEvent]:
        if self.is_closed:
            raise WorkerUnavailable("This worker was closed.")
        self._stop = threading.Event()
        self.utterances.append(utterance)
        self.threads.append(threads)
        return self._yield_chunks(utterance, self._stop)

    def _yield_chunks(self, utterance: Utterance, stop: threading.Event) -> Iterator[WorkerEvent]:
        error = self._errors.pop(0) if self._errors else None
        for piece in range(self._pieces):
            if self._sends_work_done and piece == self._pieces - 1:
                self._stop = threading.Event()  # a cancel is about the next one
                yield WorkDone()
            self._pass_gate(stop)
            if error is not None and piece == self._fails_at:
                raise error
            yield make_tone(utterance, self._ms / self._pieces, words=piece == 0)

    def phonemize(self, utterance: Utterance) -> Phonemization:
        return Phonemization(utterance.text.lower(), (0, *range(1, len(utterance.text) + 1), 0))

    def on_idle(self) -> None:
        self.idle_count += 1

    def cancel(self) -> None:
        self.cancel_count += 1
        self._stop.set()

    def close(self) -> None:
        self.is_closed = True
        self.is_alive = False
        self._stop.set()

    def _pass_gate(self, stop: threading.Event) -> None:
        deadline = time.monotonic() + GATE_TIMEOUT
        while self._gated and not self.gate.acquire(timeout=0.005):
            if self.is_closed:
                raise WorkerUnavailable("This worker was closed.")
            if stop.is_set():
                raise ClientGone("The client left.")
            if time.monotonic() > deadline:
                raise SynthesisFailed("nobody opened the gate")


def make_tone(utterance: Utterance, ms: float, words: bool = True) -> Chunk:
    """A quiet tone of `ms` milliseconds a character, and a word for each of the text's, evenly spread."""
    times = np.arange(round(len(utterance.text) * ms * SAMPLE_RATE / 1000)) / SAMPLE_RATE
    samples = (0.25 * np.sin(2 * np.pi * 440 * times)).astype(np.float32)
    return Chunk(samples, tuple(_spread_words(utterance, ms / 1000)) if words else ())


def _spread_words(utterance: Utterance, seconds: float) -> Iterator[Word]:
    for run in utterance.spans:
        at = 0
        for text in run.text.split():
            at = run.text.index(text, at)
            end = at + len(text)
            yield Word(text, run.start + at, run.start + end, at * seconds, end * seconds)
            at = end
