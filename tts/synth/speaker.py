"""The path from an utterance to sound: readings, phonemes, tokens, network, and word times on the text as sent."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tts.speech.audio import SAMPLE_RATE, Chunk, Word, trim
from tts.speech.loudness import limit
from tts.speech.request import Run
from tts.speech.sentences import Strength
from tts.speech.text import RESTS, Utterance
from tts.synth.assets import Assets
from tts.synth.network import Cancelled, Network, nothing
from tts.synth.phonemes import TOKEN_LIMIT, Phonemizer, Spoken, joined, pieces, tokens
from tts.synth.phonemes.marks import KNOWN
from tts.synth.readings import Reading, SpokenText, read, spoken_text, without_emoji

__all__ = ["Cancelled", "Speaker"]

FRAME_SECONDS = 600 / SAMPLE_RATE
"""One duration frame of the network: 600 samples (ISTFTNet's upsampling 10 * 6 * hop 5 * 2)."""
HEARD_EARLY = 3 * FRAME_SECONDS
"""Seconds by which a phoneme is heard before its frames: hexgrad's pipeline takes off the same three frames, and the
onsets after pauses lay 0.04 to 0.08 s before the frames when they were measured."""
SLOWEST, FASTEST = 0.9, 1.2
"""Paces that the network speaks clearly at. Fast, it swallows first words ("Baker opens his shop"): at speed 2 a
listener got 10 of 76 words wrong where the network did 1.5 of it, and 2 where it did 1.2. Slow, it fills the rest
before the first word with voice ("Eh, nobody told me" at 0.5): from 1 to 5 frames early at 1, up to 7 at 0.9, 9 to 21
at 0.5. Beyond these paces the sound is stretched, which keeps pitch and words."""
HEAD = 0.06
"""Seconds of rest kept before speech: no soft onset is cut, and MP3 and AAC hide their encoders' run-up in it."""


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

    def speak(
        self,
        utterance: Utterance,
        threads: int,
        stop: threading.Event | None = None,
        ending: Callable[[], None] = nothing,
    ) -> Iterator[Chunk]:
        """The utterance's sound, trimmed to short rests, one chunk a run of the network. Raises Cancelled.

        `ending` is called when the network's work for the last chunk is done.
        """
        script = self._script(utterance)
        runs = pieces(script.spoken)
        for number, run in enumerate(runs):
            if stop is not None and stop.is_set():
                raise Cancelled
            is_last = number == len(runs) - 1
            rest, close = (utterance.rest, _close(run, utterance)) if is_last else (0.0, "")
            yield self._speak_run(run, script, utterance, rest, threads, close, ending if is_last else nothing)

    def phonemes(self, utterance: Utterance) -> str:
        """What will be spoken, in the network's symbols."""
        return joined(self._script(utterance).spoken)

    def cancel(self) -> None:
        """Make the network's run under way, if any, raise Cancelled; called from another thread."""
        self._network.cancel()

    def _script(self, utterance: Utterance) -> Script:
        readings: list[Reading] = []
        fixed: list[Spoken] = []
        said = 0
        for run in utterance.runs:
            of_run = list(_readings(run, utterance))
            readings += of_run
            said += sum(len(reading.spoken) for reading in of_run)
            if run.phonemes:
                fixed.append(Spoken(run.phonemes, said - len(run.text), said))
        text = SpokenText(readings)
        if utterance.phonemes:
            return Script(text, [Spoken(text.text, 0, len(text.text))])
        return Script(text, self._phonemizer(text.text, utterance.language, dict(utterance.pronunciations), fixed))

    def _speak_run(
        self,
        run: Sequence[Spoken],
        script: Script,
        utterance: Utterance,
        rest: float,
        threads: int,
        close: str,
        ending: Callable[[], None],
    ) -> Chunk:
        ids = tokens(joined(run).rstrip() + close if close else joined(run))
        if not any(map(str.isalpha, joined(run))):  # of bare punctuation the network makes a burst of noise
            return Chunk(np.zeros(round(rest * SAMPLE_RATE), np.float32))
        style = self._style(utterance.voice)[len(ids) - 1]
        pace = float(np.clip(utterance.speed, SLOWEST, FASTEST))
        samples, frames = self._network.speak(ids, style, pace, threads, ending)
        if pace != utterance.speed:
            from tts.speech.tempo import change_tempo  # PyAV costs a worker 19 MB, which few requests are worth

            samples = change_tempo(samples, utterance.speed / pace)
        sound, cut = trim(samples, HEAD, rest)
        sound = limit(sound)  # some voices go beyond full scale, where every format would clip them
        if frames is None:
            return Chunk(sound)
        return Chunk(
            sound,
            tuple(_words(_timed(run, frames * (pace / utterance.speed), cut, len(sound) / SAMPLE_RATE), script.text)),
        )


@dataclass(frozen=True)
class Script:
    """What is read for an utterance, with its way back to the text as sent, and how each word of it sounds."""

    text: SpokenText
    spoken: list[Spoken]


def _readings(run: Run, utterance: Utterance) -> Iterator[Reading]:
    """What is read for each stretch of a run; what has its own phonemes or pronunciation is left as written."""
    if run.phonemes or utterance.phonemes or not utterance.normalize:
        yield from _as_written(run, utterance)
    elif not run.plain:
        yield Reading(spoken_text(read(run.text, utterance.language, emoji=utterance.emoji)), run.start, run.end)
    else:
        at = 0
        for start, end in [*_kept(run.text, utterance), (len(run.text), len(run.text))]:
            for reading in read(run.text[at:start], utterance.language, emoji=utterance.emoji):
                yield _placed(reading, run, at)
            if end > start:
                yield Reading(run.text[start:end], run.start + start, run.start + end)
            at = end


def _as_written(run: Run, utterance: Utterance) -> Iterator[Reading]:
    """A run whose marks stay as they are; emoji, which the phonemizer would name, may still be silent."""
    if run.phonemes or utterance.phonemes or utterance.emoji:
        yield Reading(run.text, run.start, run.end)
    elif not run.plain:
        yield Reading(spoken_text(without_emoji(run.text)), run.start, run.end)
    else:
        yield from (_placed(reading, run, 0) for reading in without_emoji(run.text))


def _placed(reading: Reading, run: Run, at: int) -> Reading:
    """A reading of the run's text from `at` on, in the text as sent; the letters of "U.S.A" are not words there."""
    start, end = at + reading.start, at + reading.end
    whole = reading.spoken.count(" ") > run.text.count(" ", start, end) == 0
    return Reading(reading.spoken, run.start + start, run.start + end, whole)


def _kept(text: str, utterance: Utterance) -> Iterator[tuple[int, int]]:
    """Where the words stand whose pronunciation is given."""
    words = sorted((word for word, _ in utterance.pronunciations), key=len, reverse=True)
    if words:
        any_word = rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)"
        yield from (found.span() for found in re.finditer(any_word, text, re.IGNORECASE))


def _close(run: Sequence[Spoken], utterance: Utterance) -> str:
    """A full stop to speak after a text that ends without a mark, since the voices swallow such an end.

    What was cut within a sentence goes on, and is followed by no more rest than a word is.
    """
    said = joined(run).rstrip()
    ends = utterance.rest * utterance.speed > RESTS[Strength.WORD]
    wanted = ends and not utterance.phonemes and said[-1:] not in KNOWN and len(said) < TOKEN_LIMIT
    return "." if wanted else ""


def _timed(
    run: Sequence[Spoken], frames: NDArray[np.floating | np.int64], cut: float, seconds: float
) -> Iterator[tuple[Spoken, float, float]]:
    """Each word or mark with its first and last second in the trimmed sound; a space belongs half to either side.

    `frames` has one count for each token and for the zeros at both ends; `cut` seconds were trimmed before.
    """
    heard = np.concatenate([[0], np.cumsum(frames)]) * FRAME_SECONDS - HEARD_EARLY - cut
    edges = np.clip(heard, 0.0, seconds).tolist()
    at, start = 1, edges[1]
    for item in run:
        last = at + len(tokens(item.phonemes.rstrip()))
        at += len(tokens(item.phonemes))
        end = (edges[last] + edges[at]) / 2
        yield item, start, end
        start = end


def _words(timed: Iterable[tuple[Spoken, float, float]], text: SpokenText) -> Iterator[Word]:
    """The words and when they are spoken; several spoken ones for one that is written are one."""
    heard = ((text.span(item.start, item.end), item, start, end) for item, start, end in timed)
    for (start, end), group in groupby(heard, key=lambda each: each[0]):
        parts = list(group)
        if any(any(map(str.isalpha, item.phonemes)) for _, item, _, _ in parts):
            said = text.text[parts[0][1].start : parts[-1][1].end]
            yield Word(said, start, end, parts[0][2], parts[-1][3])
