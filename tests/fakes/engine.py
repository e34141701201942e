"""An engine that makes tones: as long as it is told, when it is told, failing where it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from typing import Any

import numpy as np

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word
from kokoro_server.core.errors import Busy, SpeechError
from kokoro_server.core.request import Phonemization, SpeechRequest
from kokoro_server.engine.base import RequestContext
from kokoro_server.text.chunking import Utterance, UtteranceSizes, plan_utterances

CHUNK_GATE_TIMEOUT = 10.0
"""Seconds that a gated chunk waits before the test has failed."""


class FakeEngine:
    """Speaks a tone of `seconds` for each utterance, its pitch rising from one to the next.

    With `gated`, each chunk after the first waits for one `gate.release()`. `fail_at` is the number of the utterance
    at which `error` is raised. `slots` requests are spoken at once; one more is Busy, for `retry_after` seconds.
    """

    def __init__(
        self,
        seconds: float = 0.1,
        *,
        gated: bool = False,
        fail_at: int | None = None,
        error: SpeechError | None = None,
        slots: int = 1000,
        retry_after: float = 1.0,
        sizes: UtteranceSizes | None = None,
    ) -> None:
        self.gate = threading.Semaphore(0)
        self.chunk_count = 0
        self.open_count = 0
        self.max_open_count = 0
        self.requests: list[SpeechRequest] = []
        self._seconds = seconds
        self._gated = gated
        self._fail_at = fail_at
        self._error = error
        self._slots = slots
        self._retry_after = retry_after
        self._sizes = sizes or UtteranceSizes()
        self._lock = threading.Lock()

    def start(self) -> None:
        """There is nothing to start."""

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        return plan_utterances(request, self._sizes)

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        self._admit(request)
        try:
            for number, utterance in enumerate(self.plan(request)):
                if number == self._fail_at and self._error:
                    raise self._error
                if number and self._gated:
                    self._wait_for_gate(context)
                context.ensure_active()
                self.chunk_count += 1
                yield _make_tone(utterance, 220.0 * (number + 1), self._seconds / request.speed)
        finally:
            with self._lock:
                self.open_count -= 1

    def phonemize(self, text: str, language: str, context: RequestContext, emoji: bool = True) -> Phonemization:
        context.ensure_active()
        return Phonemization(f"{language}:{text.lower()}", (0, *range(1, len(text) + 1), 0))

    def get_status(self) -> dict[str, Any]:
        return {"engine": "fake", "workers": 1, "ready": 1, "busy": self.open_count, "waiting": 0}

    def close(self) -> None:
        """There is nothing to close."""

    def _admit(self, request: SpeechRequest) -> None:
        with self._lock:
            if self.open_count >= self._slots:
                raise Busy("All are speaking.", self._retry_after)
            self.open_count += 1
            self.max_open_count = max(self.max_open_count, self.open_count)
            self.requests.append(request)

    def _wait_for_gate(self, context: RequestContext) -> None:
        deadline = time.monotonic() + CHUNK_GATE_TIMEOUT
        while not self.gate.acquire(timeout=0.02):
            context.ensure_active()
            if time.monotonic() > deadline:
                raise AssertionError("the gate stayed shut")


def _make_tone(utterance: Utterance, pitch: float, seconds: float) -> Chunk:
    """A sine that rises and falls gently after a rest, as speech does, the utterance's words spread over it evenly."""
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    rest = seconds / 5
    swell = np.sin(np.pi * np.maximum(times - rest, 0) / (seconds - rest)) ** 2
    return Chunk(
        (0.5 * swell * np.sin(2 * np.pi * pitch * times)).astype(np.float32), tuple(_spread_words(utterance, seconds))
    )


def _spread_words(utterance: Utterance, seconds: float) -> Generator[Word, None, None]:
    spoken = utterance.text.split()
    at = 0
    for number, word in enumerate(spoken):
        at = utterance.text.index(word, at)
        start, end = number * seconds / len(spoken), (number + 1) * seconds / len(spoken)
        yield Word(word, utterance.start + at, utterance.start + at + len(word), start, end)
        at += len(word)
