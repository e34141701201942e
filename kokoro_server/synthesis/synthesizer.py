"""Synthesize one utterance: phonemize, run the network, trim, and time the words.

The front end returns the phonemes word by word; they are split into runs of at most 510 symbols for the network, which
returns the duration of every token in frames of 25 ms. Their running sum gives the times of each PhonemeWord, and the
front end's AlignedText the place of each in the text as sent.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from itertools import compress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kokoro_server.audio.loudness import limit_peaks
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word, trim_silence
from kokoro_server.core.errors import Cancelled
from kokoro_server.model.assets import Assets
from kokoro_server.model.kokoro import Network, do_nothing
from kokoro_server.synthesis.front_end import FrontEnd, Script
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.chunking import BOUNDARY_PAUSES, Utterance
from kokoro_server.text.g2p import TOKEN_LIMIT, PhonemeWord, encode_phonemes, join_phonemes, split_for_model
from kokoro_server.text.g2p.punctuation import MODEL_MARKS
from kokoro_server.text.segmentation import Strength

FRAME_SECONDS = 600 / SAMPLE_RATE
"""Seconds of one duration frame of the network: 600 samples (ISTFTNet's upsampling 10 * 6, hop 5, times 2)."""
ONSET_LEAD = 3 * FRAME_SECONDS
"""Seconds by which a phoneme is audible before its frames: hexgrad's pipeline subtracts the same three frames, and
measured onsets after pauses lie 0.04 to 0.08 s before the frames."""
MIN_PACE, MAX_PACE = 0.9, 1.2
"""Range of the speeds at which the network speaks clearly; the rest of a request's speed is time stretching, which
keeps pitch and words. Faster, the network drops first words ("Baker opens his shop"): of 76 words at speed 2, a
listener got 10 wrong with 1.5 by the network and 2 with 1.2. Slower, it adds voice to the pause before the first word
("Eh, nobody told me" at 0.5): it starts 1 to 5 frames early at 1, up to 7 at 0.9, and 9 to 21 at 0.5."""
HEAD_PAUSE = 0.06
"""Seconds of silence kept before speech: keeps soft onsets, and hides the priming samples of MP3 and AAC encoders."""


class UtteranceSynthesizer:
    """Hold the loaded network, voices and phonemizer, and synthesize one utterance at a time.

    `description` names the model, device and threads for the log. Only `cancel` may be called from another thread
    while a call is in progress.
    """

    def __init__(self, assets: Assets, cache: Path, device: str = "cpu", threads: int = 1) -> None:
        """Load the front end, with English, and the network in parallel.

        Args:
            assets: The model and the voices.
            cache: Folder for the prepared model.
            device: `cpu`, `cpu:KERNELS` or a device of onnxruntime; see `Network`.
            threads: Maximum number of threads of the network.

        Raises:
            ValueError: If the device is not available.
            OSError: If a file cannot be read.
        """
        self._load_style = lru_cache(maxsize=16)(assets.load_style)
        with ThreadPoolExecutor(1) as other:
            front_end = other.submit(FrontEnd, "a")
            self._network = Network(assets.model, cache, threads, device)
            self._front_end = front_end.result()
        self.description = f"{assets.model.name} on {device}, up to {threads} threads"

    def synthesize(
        self,
        utterance: Utterance,
        threads: int,
        stop: threading.Event | None = None,
        on_work_done: Callable[[], None] = do_nothing,
    ) -> Iterator[Chunk]:
        """Yield the audio of an utterance, one chunk per run of the network, with silence trimmed at both ends.

        Args:
            utterance: The utterance; the last chunk ends with its pause. Its `gain` is not applied.
            threads: Number of threads of the network for this call.
            stop: Checked before each run.
            on_work_done: Called at most once, when the network has nearly done its work for the last chunk.

        Raises:
            Cancelled: If `stop` is set or `cancel` is called meanwhile.
            ValueError: If the network's output is not finite.
        """
        script = self._front_end.phonemize(utterance)
        runs = split_for_model(script.words)
        for number, run in enumerate(runs):
            if stop is not None and stop.is_set():
                raise Cancelled
            is_last = number == len(runs) - 1
            # Only the last run of the utterance gets its pause, and a full stop if it needs one.
            rest, close = (utterance.pause, _choose_final_mark(run, utterance)) if is_last else (0.0, "")
            yield self._synthesize_run(
                run, script, utterance, rest, threads, close, on_work_done if is_last else do_nothing
            )

    def phonemize(self, utterance: Utterance) -> str:
        """Return the phonemes of an utterance in the network's symbols."""
        return join_phonemes(self._front_end.phonemize(utterance).words)

    def cancel(self) -> None:
        """Make the network's present run, if any, raise Cancelled; may be called from any thread."""
        self._network.cancel()

    def _synthesize_run(  # one run of the network, and what the last run of an utterance gets
        self,
        run: Sequence[PhonemeWord],
        script: Script,
        utterance: Utterance,
        pause: float,
        threads: int,
        final_mark: str,
        on_work_done: Callable[[], None],
    ) -> Chunk:
        """Run the network once: [n] symbols to samples, stretched, trimmed and limited, with timed words."""
        ids = encode_phonemes(join_phonemes(run).rstrip() + final_mark if final_mark else join_phonemes(run))
        if not any(map(str.isalpha, join_phonemes(run))):  # the network makes noise of punctuation alone
            return Chunk(np.zeros(round(pause * SAMPLE_RATE), np.float32))
        style = self._load_style(utterance.voice)[len(ids) - 1]  # row n - 1 is the style for n symbols
        pace = float(np.clip(utterance.speed, MIN_PACE, MAX_PACE))
        samples, frames = self._network.infer(ids, style, pace, threads, on_work_done)
        if pace != utterance.speed:
            from kokoro_server.audio.time_stretch import change_tempo  # PyAV takes 19 MB, and few requests need it

            samples = change_tempo(samples, utterance.speed / pace)
        sound, cut = trim_silence(samples, HEAD_PAUSE, pause)
        sound = limit_peaks(sound)  # some voices exceed full scale, where every format would clip them
        if frames is None:
            return Chunk(sound)
        # Frames are at the network's pace; stretching scales all durations alike.
        return Chunk(
            sound,
            tuple(
                _map_to_source(
                    _time_words(run, frames * (pace / utterance.speed), cut, len(sound) / SAMPLE_RATE), script.text
                )
            ),
        )


def _choose_final_mark(run: Sequence[PhonemeWord], utterance: Utterance) -> str:
    """Return a full stop to add to text that ends without punctuation, since the voices cut such an end short.

    An utterance that was split inside a sentence gets none; its pause is no longer than that after a word.
    """
    phonemes = join_phonemes(run).rstrip()
    is_end = utterance.pause * utterance.speed > BOUNDARY_PAUSES[Strength.WORD]
    needs_stop = (
        is_end and not utterance.is_phonemes and phonemes[-1:] not in MODEL_MARKS and len(phonemes) < TOKEN_LIMIT
    )
    return "." if needs_stop else ""


def _time_words(
    run: Sequence[PhonemeWord], frames: NDArray[np.floating | np.int64], cut: float, seconds: float
) -> Iterator[tuple[PhonemeWord, float, float]]:
    """Yield each word or mark with its start and end in seconds of the trimmed audio.

    Half of the space after a word belongs to the word, the other half to the next one.

    Args:
        run: The words that the network spoke.
        frames: Durations [n + 2] of the n tokens and of the zeros at both ends, in frames.
        cut: Seconds trimmed at the start of the audio.
        seconds: Duration of the trimmed audio; times are clipped to it.
    """
    # edges[i] is the start of token i, where token 0 is the zero at the start; edges[i + 1] is its end.
    heard = np.concatenate([[0], np.cumsum(frames)]) * FRAME_SECONDS - ONSET_LEAD - cut
    edges = np.clip(heard, 0.0, seconds).tolist()
    at, start = 1, edges[1]
    for item in run:
        last = at + len(encode_phonemes(item.phonemes.rstrip()))
        at += len(encode_phonemes(item.phonemes))  # with the space, if any, between `last` and the new `at`
        end = (edges[last] + edges[at]) / 2
        yield item, start, end
        start = end


def _map_to_source(timed: Iterable[tuple[PhonemeWord, float, float]], text: AlignedText) -> Iterator[Word]:
    """Map timed words to the text as sent, and merge those that stand for the same written word; drop silent ones.

    The words of one replacement ("five dollars" for "$5") have the same span in the text as sent. The spans overlap
    where a part of a replacement was replaced again. The words' `text` stays empty: the text as sent is not here.
    """
    merged: list[Word] = []
    audible: list[bool] = []
    for item, start_time, end_time in timed:
        start, end = text.find_source_span(item.start, item.end)
        is_audible = any(map(str.isalpha, item.phonemes))
        if merged and start < merged[-1].end:
            before = merged[-1]
            merged[-1] = replace(before, end=max(end, before.end), end_time=end_time)
            audible[-1] |= is_audible
        else:
            merged.append(Word("", start, end, start_time, end_time))
            audible.append(is_audible)
    return compress(merged, audible)
