"""An engine for books: speaks at once, the same for the same text, and notes what it was asked for."""

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word
from kokoro_server.core.errors import SpeechError
from kokoro_server.core.request import Phonemization, SpeechRequest
from kokoro_server.engine.base import RequestContext
from kokoro_server.text.chunking import Utterance, UtteranceSizes, plan_utterances

SECONDS_A_CHARACTER = 0.01


class BookEngine:
    """Speaks a hum of a hundredth of a second a character, words and rests included.

    `log` is a file that gets the text of every request that was spoken to its end, a line each; `pause` how many
    seconds each takes; `troubles` are raised, one a try, instead of speaking the text that they belong to.
    """

    def __init__(
        self, log: Path | None = None, pause: float = 0.0, troubles: Mapping[str, list[SpeechError]] | None = None
    ) -> None:
        self.texts: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self._log = log
        self._pause = pause
        self._troubles = dict(troubles or {})

    def start(self) -> None:
        pass

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        return plan_utterances(request, UtteranceSizes(first=20, longest=80))

    def synthesize(self, request: SpeechRequest, context: RequestContext) -> Generator[Chunk, None, None]:
        troubles = self._troubles.get(request.text.strip(), [])
        if troubles:
            raise troubles.pop(0)
        self._wait(context, lambda: self.hold.is_set())
        ends = time.monotonic() + self._pause
        self._wait(context, lambda: time.monotonic() >= ends)
        for utterance in self.plan(request):
            yield make_hum(utterance)
        self._record_text(request.text)

    def phonemize(self, text: str, language: str, context: RequestContext, emoji: bool = True) -> Phonemization:
        return Phonemization(text, (0, 0))

    def get_status(self) -> dict[str, Any]:
        return {"engine": "book"}

    def close(self) -> None:
        pass

    def _wait(self, context: RequestContext, enough: Callable[[], bool]) -> None:
        context.ensure_active()
        while not enough():
            context.ensure_active()
            time.sleep(0.002)

    def _record_text(self, text: str) -> None:
        self.texts.append(text)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(repr(text) + "\n")


def make_hum(utterance: Utterance) -> Chunk:
    """A sound that depends on nothing but the utterance."""
    seconds = len(utterance.text) * SECONDS_A_CHARACTER
    pitch = 100 + hashlib.sha256(utterance.text.encode()).digest()[0]
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * pitch * times)
    rest = np.zeros(round(utterance.pause * SAMPLE_RATE))
    words, at = [], 0
    for text in utterance.text.split():
        at = utterance.text.index(text, at)
        start = utterance.start + at
        words.append(Word(text, start, start + len(text), at * 0.01, (at + len(text)) * 0.01))
        at += len(text)
    return Chunk(np.concatenate([sound, rest]).astype(np.float32), tuple(words))
