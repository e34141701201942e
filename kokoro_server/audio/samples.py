"""Define audio formats, chunks and timed words, and convert, trim and store samples.

All samples inside the program are mono float32 in -1..1 at SAMPLE_RATE. The functions keep no state and may be called
from any thread.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 24_000  # Hz; the output rate of the network
UNKNOWN_RIFF_SIZE = 0xFFFFFFFF  # placeholder in a RIFF header while the length is not known
WAV_HEADER_SIZE = 44
BYTES_PER_SAMPLE = 2  # bytes of one s16le sample
PCM_FULL_SCALE = 32_767  # full scale of s16le

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Format:
    """Describe an audio format: its name in requests, its media type, and the sample rates (Hz) that it supports."""

    name: str
    content_type: str
    extension: str
    rates: tuple[int, ...] = ()  # empty: any rate

    def choose_rate(self, sample_rate: int) -> int:
        """Return the lowest supported rate of at least `sample_rate` Hz, or the highest one if there is none."""
        if not self.rates or sample_rate in self.rates:
            return sample_rate
        return min((rate for rate in self.rates if rate >= sample_rate), default=max(self.rates))


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
    """Hold a word of the text as sent, its half-open character span `start:end` there, and its times in seconds.

    The times count from the first sample of the chunk that holds the word, or of the whole audio after
    `with_absolute_times`. A worker, which does not have the text as sent, leaves `text` empty; the engine fills it in.
    """

    text: str
    start: int
    end: int
    start_time: float
    end_time: float

    def with_offset(self, seconds: float) -> "Word":
        """Return the word with both times increased by `seconds`."""
        return replace(self, start_time=self.start_time + seconds, end_time=self.end_time + seconds)


@dataclass(frozen=True, eq=False)
class Chunk:
    """Hold a piece of speech: samples [n] in -1..1 at SAMPLE_RATE, and its words, timed from its first sample."""

    samples: Samples
    words: tuple[Word, ...] = ()

    @property
    def seconds(self) -> float:
        """Return the duration in seconds."""
        return len(self.samples) / SAMPLE_RATE


def with_absolute_times(chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the same chunks with word times counted from the start of the first chunk."""
    elapsed = 0
    for chunk in chunks:
        offset = elapsed / SAMPLE_RATE
        yield replace(chunk, words=tuple(word.with_offset(offset) for word in chunk.words))
        elapsed += len(chunk.samples)


def join_chunks(chunks: Iterable[Chunk]) -> Chunk:
    """Concatenate chunks into one, with word times counted from its start; no chunks give an empty one."""
    parts = list(with_absolute_times(chunks))
    samples = np.concatenate([part.samples for part in parts] or [np.zeros(0, np.float32)])
    return Chunk(samples, tuple(word for part in parts for word in part.words))


def clip_samples(samples: Samples) -> Samples:
    """Clip samples to -1..1, and replace NaN by silence, so that any encoder accepts them."""
    return np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)


def to_pcm(samples: Samples) -> NDArray[np.int16]:
    """Convert float samples to signed 16-bit little-endian; values beyond full scale are clipped, not wrapped."""
    return np.rint(clip_samples(samples) * PCM_FULL_SCALE).astype("<i2")


def build_wav_header(sample_rate: int = SAMPLE_RATE, data_size: int | None = None) -> bytes:
    """Build the 44-byte RIFF header of mono s16le samples.

    `data_size` is in bytes. If it is None or does not fit in 32 bits, both size fields are UNKNOWN_SIZE.
    """
    if data_size is None or data_size > UNKNOWN_RIFF_SIZE - WAV_HEADER_SIZE:
        riff_size = data_size = UNKNOWN_RIFF_SIZE
    else:
        riff_size = data_size + WAV_HEADER_SIZE - 8  # RIFF does not count its own tag and size field
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", riff_size, b"WAVE"),
        *(b"fmt ", 16, 1, 1, sample_rate, sample_rate * BYTES_PER_SAMPLE, BYTES_PER_SAMPLE, 8 * BYTES_PER_SAMPLE),
        *(b"data", data_size),
    )


def write_wav(path: Path, chunks: Iterable[Chunk]) -> None:
    """Write a WAV file while the chunks arrive, and its exact size at the end. Raises OSError if the disk fails."""
    with path.open("wb") as file:
        file.write(build_wav_header())
        size = sum(file.write(to_pcm(chunk.samples).tobytes()) for chunk in chunks)
        file.seek(0)
        file.write(build_wav_header(data_size=size))


# Level range below the loudest 10 ms frame that still counts as speech. Measured on six voices: soft onsets and
# fricatives ("h", "f", "th") lie up to 40 dB below the loudest frame, breath and noise in pauses 46 dB and more.
SPEECH_RANGE_DB = 45.0  # dB
SILENCE_RMS = 1e-3  # RMS; a run of the network that is never louder contains no speech
_FRAME = SAMPLE_RATE // 100  # 10 ms: one period of the lowest voice
_FADE = SAMPLE_RATE // 250  # 4 ms: long enough to avoid a click, shorter than any consonant


def trim_silence(samples: Samples, head_pause: float, tail_pause: float) -> tuple[Samples, float]:
    """Cut or pad the silence at both ends of one run of the network to fixed lengths.

    Args:
        samples: Mono samples [n].
        head_pause: Seconds of silence before the speech in the result.
        tail_pause: Seconds of silence after the speech in the result.

    Returns:
        The samples, and the seconds cut at the start: a word spoken at t before is spoken at t minus these now.
        They are negative if silence was added. A run without speech gives the two silences alone.

    Raises:
        ValueError: If a sample is NaN or infinite: the run failed and must not be sent as silence.
    """
    if not np.isfinite(samples).all():
        raise ValueError("the network made samples that are not finite numbers")
    first, last = _find_speech(samples)
    # Ends of the wanted range in the input; each may lie outside it, where silence is added.
    start = first - round(head_pause * SAMPLE_RATE)
    end = last + round(tail_pause * SAMPLE_RATE)
    kept = _fade_ends(samples[max(start, 0) : end])
    missing = max(-start, 0), max(end - len(samples), 0)
    return np.pad(kept, missing), start / SAMPLE_RATE


def _find_speech(samples: Samples) -> tuple[int, int]:
    """Return the sample range [first, last) that contains speech; (0, 0) if there is none."""
    padded = np.pad(samples, (0, -len(samples) % _FRAME))
    levels = np.sqrt(np.mean(np.square(padded.reshape(-1, _FRAME)), axis=1))
    loudest = levels.max(initial=0.0)
    if loudest < SILENCE_RMS:
        return 0, 0
    # Levels are RMS amplitudes, hence dB / 20.
    spoken = np.flatnonzero(levels > loudest * 10 ** (-SPEECH_RANGE_DB / 20))
    return int(spoken[0]) * _FRAME, min((int(spoken[-1]) + 1) * _FRAME, len(samples))


def _fade_ends(samples: Samples) -> Samples:
    """Return a copy with a linear fade-in and fade-out, so that cutting into noise does not click."""
    length = min(_FADE, len(samples) // 2)
    rise = np.linspace(0.0, 1.0, length, dtype=np.float32)
    faded = samples.copy()
    faded[:length] *= rise
    faded[len(samples) - length :] *= rise[::-1]
    return faded
