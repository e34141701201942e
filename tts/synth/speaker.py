"""The path from an utterance to sound: readings, phonemes, tokens, network, and word times on the text as sent."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.speech.audio import SAMPLE_RATE, Chunk, Word, trim
from tts.speech.text import Utterance
from tts.speech.voices import Voice
from tts.synth.assets import Assets
from tts.synth.network import Cancelled, Network
from tts.synth.phonemes import Phonemizer, Spoken, joined, pieces, tokens

__all__ = ["Cancelled", "Speaker"]

log = logging.getLogger(__name__)

FRAME_SECONDS = 600 / SAMPLE_RATE
"""One duration frame of the network: 600 samples (ISTFTNet's upsampling 10 * 6 * hop 5 * 2)."""
HEAD = 0.03
"""Seconds of rest kept before speech, so that a soft onset is never cut."""
TAIL = 0.1
"""Seconds of rest kept after the last word of a request."""


class Speaker:
    """The network with its voices and its reading of text, loaded once; one utterance at a time."""

    def __init__(self, assets: Assets, cache: Path, device: str = "cpu", threads: int = 1) -> None:
        """Load everything, reading and network at the same time. Raises what either raises."""
        self._style = lru_cache(maxsize=16)(assets.style)
        with ThreadPoolExecutor(1) as other:
            phonemizer = other.submit(Phonemizer, "a")
            self._network = Network(assets.model, cache, threads, device)
            self._phonemizer = phonemizer.result()
        self.description = f"{assets.model.name} on {device}, up to {threads} threads"

    def speak(self, utterance: Utterance, threads: int, stop: threading.Event | None = None) -> Iterator[Chunk]:
        """The utterance's sound, trimmed to short rests, one chunk a run of the network. Raises Cancelled."""
        runs = pieces(self.phonemes(utterance))
        for number, run in enumerate(runs):
            if stop is not None and stop.is_set():
                raise Cancelled
            rest = 0.0 if number < len(runs) - 1 else utterance.rest or TAIL
            yield self._speak_run(run, utterance, rest, threads)

    def phonemes(self, utterance: Utterance) -> list[Spoken]:
        """What will be spoken, word by word, with the characters of the utterance's text that each comes from."""
        if utterance.phonemes:
            return [Spoken(utterance.text, 0, len(utterance.text))]
        return self._phonemizer(utterance.text, utterance.language)

    def cancel(self) -> None:
        """Make the network's run under way, if any, raise Cancelled; called from another thread."""
        self._network.cancel()

    def _speak_run(self, run: Sequence[Spoken], utterance: Utterance, rest: float, threads: int) -> Chunk:
        ids = tokens(joined(run))
        if not ids:
            return Chunk(np.zeros(round(rest * SAMPLE_RATE), np.float32))
        style = self._styles(utterance.voice)[len(ids) - 1]
        samples, frames = self._network.speak(ids, style, utterance.speed, threads)
        sound, cut = trim(samples, HEAD, rest)
        words = () if frames is None else _words(run, frames, utterance, cut, len(sound) / SAMPLE_RATE)
        return Chunk(sound, words)

    def _styles(self, voice: Voice) -> NDArray[np.float32]:
        return self._style(voice)


def _words(
    run: Sequence[Spoken], frames: NDArray[np.int64], utterance: Utterance, cut: float, seconds: float
) -> tuple[Word, ...]:
    """The written words of a run and when each is spoken, in seconds of the trimmed sound.

    `frames` has one count for each token and both ends' zeros; several spoken words for one written word are one.
    """
    edges = np.concatenate([[0], np.cumsum(frames)]) * FRAME_SECONDS - cut
    timed = []
    at = 1
    for item in run:
        said = len(tokens(item.phonemes.rstrip()))
        timed.append((item, edges[at], edges[at + said]))
        at += len(tokens(item.phonemes))
    words = []
    for (start, end), group in groupby(timed, key=lambda each: (each[0].start, each[0].end)):
        parts = list(group)
        text = utterance.text[start:end]
        if any(map(str.isalnum, text)):
            times = np.clip([parts[0][1], parts[-1][2]], 0.0, seconds)
            words.append(Word(text, utterance.start + start, utterance.start + end, *times.tolist()))
    return tuple(words)
