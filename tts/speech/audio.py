"""Sound on its way to a client: its rate and formats, the chunks it comes in, and the words inside them."""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000  # Hz; what the network makes
UNKNOWN_SIZE = 0xFFFFFFFF  # what a RIFF header says while the length is not known yet
WAV_HEADER_SIZE = 44
PCM_BYTES = 2  # a sample of s16le
PCM_PEAK = 32_767

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """One way of sending sound: its name on the wire, its media type, and the rates (Hz) that it can hold."""

    name: str
    content_type: str
    extension: str
    rates: tuple[int, ...] = ()  # none listed: any

    def rate_for(self, wanted: int) -> int:
        """The lowest rate of this format that loses nothing of `wanted` Hz, or else its highest."""
        if not self.rates or wanted in self.rates:
            return wanted
        return min((rate for rate in self.rates if rate >= wanted), default=max(self.rates))


_MPEG_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)

FORMATS: Mapping[str, Format] = MappingProxyType(
    {
        format.name: format
        for format in (
            Format("wav", "audio/wav", "wav"),
            Format("mp3", "audio/mpeg", "mp3", _MPEG_RATES),
            Format("opus", "audio/opus", "opus", _OPUS_RATES),
            Format("aac", "audio/aac", "aac", _MPEG_RATES),
            Format("flac", "audio/flac", "flac"),
            Format("pcm", "audio/pcm", "pcm"),
        )
    }
)


@dataclass(frozen=True)
class Word:
    """A word as it was sent (characters `start` to `end` of the text) and when it is spoken (seconds)."""

    text: str
    start: int
    end: int
    start_time: float
    end_time: float

    def later(self, seconds: float) -> "Word":
        return replace(self, start_time=self.start_time + seconds, end_time=self.end_time + seconds)


@dataclass(frozen=True, eq=False)
class Chunk:
    """A piece of speech: samples [n] in -1..1 at SAMPLE_RATE, and its words, timed from its first sample."""

    samples: Samples
    words: tuple[Word, ...] = ()

    @property
    def seconds(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def timed(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """The same chunks with word times counted from the start of the first one."""
    elapsed = 0
    for chunk in chunks:
        offset = elapsed / SAMPLE_RATE
        yield replace(chunk, words=tuple(word.later(offset) for word in chunk.words))
        elapsed += len(chunk.samples)


def join(chunks: Iterable[Chunk]) -> Chunk:
    """One chunk that sounds like all of them in a row."""
    parts = list(timed(chunks))
    samples = np.concatenate([part.samples for part in parts] or [np.zeros(0, np.float32)])
    return Chunk(samples, tuple(word for part in parts for word in part.words))


def clip(samples: Samples) -> Samples:
    """Samples that any encoder takes: -1..1, and silence where the network made no number."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def to_pcm(samples: Samples) -> NDArray[np.int16]:
    """Signed 16-bit little-endian samples; what is too loud is clipped, it never wraps round."""
    return np.rint(clip(samples) * PCM_PEAK).astype("<i2")


def wav_header(sample_rate: int = SAMPLE_RATE, data_size: int | None = None) -> bytes:
    """The 44 bytes before mono s16le samples; `data_size` in bytes, None while it is not known."""
    if data_size is None or data_size > UNKNOWN_SIZE - WAV_HEADER_SIZE:
        riff_size = data_size = UNKNOWN_SIZE
    else:
        riff_size = data_size + WAV_HEADER_SIZE - 8
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", riff_size, b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate, sample_rate * PCM_BYTES, PCM_BYTES, 8 * PCM_BYTES),
        *(b"data", data_size),
    )


def write_wav(path: Path, chunks: Iterable[Chunk]) -> None:
    """Write a WAV file with exact sizes while the chunks arrive. Raises OSError when the disk refuses."""
    with path.open("wb") as file:
        file.write(wav_header())
        size = sum(file.write(to_pcm(chunk.samples).tobytes()) for chunk in chunks)
        file.seek(0)
        file.write(wav_header(data_size=size))


# How far below its loudest 10 ms speech still counts as speech. Measured on six voices: the soft onsets and
# fricatives ("h", "f", "th") lie up to 40 dB below, breath and noise in the rests 46 dB and more.
SPEECH_RANGE = 45.0  # dB
SILENCE = 1e-3  # RMS; a run that never gets louder says nothing
_FRAME = SAMPLE_RATE // 100  # 10 ms: a period of the lowest voice
_FADE = SAMPLE_RATE // 250  # 4 ms: long enough not to click, and shorter than any consonant


def trim(samples: Samples, keep_head: float, keep_tail: float) -> tuple[Samples, float]:
    """The speech of one run between rests of exactly `keep_head` and `keep_tail` seconds.

    Returns the samples, and the seconds cut before them: a word that was spoken at t is now spoken at t minus
    those. They are negative where the run had less rest than wanted, and silence was added. A run without
    speech comes out as the two rests alone. Raises ValueError for samples that are no numbers: such a run has
    failed, and must not pass for silence.
    """
    if not np.isfinite(samples).all():
        raise ValueError("the network made samples that are not finite numbers")
    first, last = _speech_span(samples)
    start = first - round(keep_head * SAMPLE_RATE)
    end = last + round(keep_tail * SAMPLE_RATE)
    kept = _fade_ends(samples[max(start, 0) : end])
    missing = max(-start, 0), max(end - len(samples), 0)
    return np.pad(kept, missing), start / SAMPLE_RATE


def _speech_span(samples: Samples) -> tuple[int, int]:
    """Where speech begins and ends, in samples; the same place twice where there is none."""
    padded = np.pad(samples, (0, -len(samples) % _FRAME))
    levels = np.sqrt(np.mean(np.square(padded.reshape(-1, _FRAME)), axis=1))
    loudest = levels.max(initial=0.0)
    if loudest < SILENCE:
        return 0, 0
    spoken = np.flatnonzero(levels > loudest * 10 ** (-SPEECH_RANGE / 20))
    return int(spoken[0]) * _FRAME, min((int(spoken[-1]) + 1) * _FRAME, len(samples))


def _fade_ends(samples: Samples) -> Samples:
    length = min(_FADE, len(samples) // 2)
    rise = np.linspace(0.0, 1.0, length, dtype=np.float32)
    faded = samples.copy()
    faded[:length] *= rise
    faded[len(samples) - length :] *= rise[::-1]
    return faded
