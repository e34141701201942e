"""An engine for books: speaks at once, the same for the same text, and notes what it was asked for."""

import hashlib
import threading
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tts.engines.base import Listener
from tts.speech.audio import SAMPLE_RATE, Chunk, Word
from tts.speech.errors import SpeechError
from tts.speech.request import Pronunciation, SpeechRequest
from tts.speech.text import Sizes, Utterance, utterances

SECONDS_A_CHARACTER = 0.01


class BookEngine:
    """Speaks a hum of a hundredth of a second a character, words and rests included.

    `log` is a file that gets the text of every request that was spoken to its end, a line each; `pause` how many
    seconds each takes; `troubles` are raised, one a try, instead of speaking the text that they belong to.
    """

    def __init__(
        self, log: Path | None = None, pause: float = 0.0, troubles: Mapping[str, list[SpeechError]] | None = None
    ) -> None:
        self.spoken: list[str] = []
        self.hold = threading.Event()
        self.hold.set()
        self._log = log
        self._pause = pause
        self._troubles = dict(troubles or {})

    def start(self) -> None:
        pass

    def plan(self, request: SpeechRequest) -> list[Utterance]:
        return utterances(request, Sizes(first=20, longest=80))

    def synthesize(self, request: SpeechRequest, listener: Listener) -> Generator[Chunk, None, None]:
        troubles = self._troubles.get(request.text.strip(), [])
        if troubles:
            raise troubles.pop(0)
        self._wait(listener, lambda: self.hold.is_set())
        ends = time.monotonic() + self._pause
        self._wait(listener, lambda: time.monotonic() >= ends)
        for utterance in self.plan(request):
            yield hum(utterance)
        self._note(request.text)

    def phonemize(self, text: str, language: str, listener: Listener, emoji: bool = True) -> Pronunciation:
        return Pronunciation(text, (0, 0))

    def status(self) -> dict[str, Any]:
        return {"engine": "book"}

    def close(self) -> None:
        pass

    def _wait(self, listener: Listener, enough: Callable[[], bool]) -> None:
        listener.check()
        while not enough():
            listener.check()
            time.sleep(0.002)

    def _note(self, text: str) -> None:
        self.spoken.append(text)
        if self._log is not None:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(repr(text) + "\n")


def hum(utterance: Utterance) -> Chunk:
    """A sound that depends on nothing but the utterance."""
    seconds = len(utterance.text) * SECONDS_A_CHARACTER
    pitch = 100 + hashlib.sha256(utterance.text.encode()).digest()[0]
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = 0.3 * np.sin(2 * np.pi * pitch * times)
    rest = np.zeros(round(utterance.rest * SAMPLE_RATE))
    words, at = [], 0
    for text in utterance.text.split():
        at = utterance.text.index(text, at)
        start = utterance.start + at
        words.append(Word(text, start, start + len(text), at * 0.01, (at + len(text)) * 0.01))
        at += len(text)
    return Chunk(np.concatenate([sound, rest]).astype(np.float32), tuple(words))
