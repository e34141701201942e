"""Synthesize one utterance: normalize, phonemize, run the network, trim, and time the words.

Offsets pass through three texts, and word times refer to the first:

1. The text as sent. Each TextSpan of the utterance knows its range there.
2. The normalized text ("$5" -> "five dollars"), joined from Replacements, each with its range in the text as sent.
3. PhonemeWords with their ranges in the normalized text, split into runs of at most 510 symbols for the network.

The network returns the duration of every token in frames of 25 ms. Their running sum gives the times of each
PhonemeWord, and mapping its range back through 2 to 1 gives the word of the client's text.
"""

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

from kokoro_server.audio.loudness import limit_peaks
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word, trim_silence
from kokoro_server.core.errors import Cancelled
from kokoro_server.core.request import TextSpan
from kokoro_server.model.assets import Assets
from kokoro_server.model.kokoro import Network, do_nothing
from kokoro_server.text.chunking import BOUNDARY_PAUSES, Utterance
from kokoro_server.text.g2p import TOKEN_LIMIT, PhonemeWord, Phonemizer, encode_phonemes, join_phonemes, split_for_model
from kokoro_server.text.g2p.punctuation import MODEL_MARKS
from kokoro_server.text.normalization import NormalizedText, Replacement, drop_emoji, join_spoken, normalize
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
        """Load phonemizer and network in parallel.

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
            phonemizer = other.submit(Phonemizer, "a")
            self._network = Network(assets.model, cache, threads, device)
            self._phonemizer = phonemizer.result()
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
        script = self._prepare_script(utterance)
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
        return join_phonemes(self._prepare_script(utterance).words)

    def cancel(self) -> None:
        """Make the network's present run, if any, raise Cancelled; may be called from any thread."""
        self._network.cancel()

    def _prepare_script(self, utterance: Utterance) -> Script:
        """Normalize and phonemize an utterance; spans with phonemes of their own keep them."""
        replacements: list[Replacement] = []
        fixed: list[PhonemeWord] = []
        length = 0  # of the normalized text so far
        for span in utterance.spans:
            added = list(_normalize_span(span, utterance))
            replacements += added
            length += sum(len(replacement.spoken) for replacement in added)
            if span.phonemes:
                # A span with phonemes is one replacement, as written: it is the end of the normalized text so far.
                fixed.append(PhonemeWord(span.phonemes, length - len(span.text), length))
        text = NormalizedText(replacements)
        if utterance.is_phonemes:
            return Script(text, [PhonemeWord(text.text, 0, len(text.text))])
        return Script(text, self._phonemizer(text.text, utterance.language, dict(utterance.pronunciations), fixed))

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


@dataclass(frozen=True)
class Script:
    """Hold the normalized text of an utterance, mapped to the text as sent, and its phonemes word by word."""

    text: NormalizedText
    words: list[PhonemeWord]


def _normalize_span(span: TextSpan, utterance: Utterance) -> Iterator[Replacement]:
    """Yield the replacements for a span, with offsets in the text as sent.

    Text that has phonemes or a pronunciation of its own stays as written.
    """
    if span.phonemes or utterance.is_phonemes or not utterance.normalize:
        yield from _keep_as_written(span, utterance)
    elif not span.is_verbatim:
        yield Replacement(
            join_spoken(normalize(span.text, utterance.language, emoji=utterance.emoji)), span.start, span.end
        )
    else:
        # Normalize the text between the words with a pronunciation; the last item ends the last gap.
        at = 0
        for start, end in [*_find_pronounced_words(span.text, utterance), (len(span.text), len(span.text))]:
            for replacement in normalize(span.text[at:start], utterance.language, emoji=utterance.emoji):
                yield _shift_to_source(replacement, span, at)
            if end > start:
                yield Replacement(span.text[start:end], span.start + start, span.start + end)
            at = end


def _keep_as_written(span: TextSpan, utterance: Utterance) -> Iterator[Replacement]:
    """Yield replacements that keep a span as written.

    Emoji are dropped if they are to be silent, as the phonemizer would name them.
    """
    if span.phonemes or utterance.is_phonemes or utterance.emoji:
        yield Replacement(span.text, span.start, span.end)
    elif not span.is_verbatim:
        yield Replacement(join_spoken(drop_emoji(span.text)), span.start, span.end)
    else:
        yield from (_shift_to_source(replacement, span, 0) for replacement in drop_emoji(span.text))


def _shift_to_source(replacement: Replacement, span: TextSpan, at: int) -> Replacement:
    """Shift a replacement for the span's text from `at` on to offsets in the text as sent.

    If one written word becomes several spoken ones ("U.S.A" -> "U S A"), the replacement stands for it as a whole, even
    where the lengths happen to be equal.
    """
    start, end = at + replacement.start, at + replacement.end
    whole = replacement.spoken.count(" ") > span.text.count(" ", start, end) == 0
    return Replacement(replacement.spoken, span.start + start, span.start + end, whole)


def _find_pronounced_words(text: str, utterance: Utterance) -> Iterator[tuple[int, int]]:
    """Yield the spans in `text` of the words with a pronunciation in the request; of several matches the longest."""
    words = sorted((word for word, _ in utterance.pronunciations), key=len, reverse=True)
    if words:
        # Whole words only, in any case; longer entries come first, as alternation takes the first match.
        any_word = rf"(?<!\w)(?:{'|'.join(map(re.escape, words))})(?!\w)"
        yield from (found.span() for found in re.finditer(any_word, text, re.IGNORECASE))


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


def _map_to_source(timed: Iterable[tuple[PhonemeWord, float, float]], text: NormalizedText) -> Iterator[Word]:
    """Map timed words to the text as sent, and merge those that stand for the same written word; drop silent ones."""
    heard = ((text.find_source_span(item.start, item.end), item, start, end) for item, start, end in timed)
    # Words of one replacement ("five dollars" for "$5") have the same span in the text as sent.
    for (start, end), group in groupby(heard, key=lambda each: each[0]):
        parts = list(group)
        if any(any(map(str.isalpha, item.phonemes)) for _, item, _, _ in parts):
            spoken = text.text[parts[0][1].start : parts[-1][1].end]
            yield Word(spoken, start, end, parts[0][2], parts[-1][3])
