"""Measures of a spoken sound: is it there, is it whole, is its pace that of speech."""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

AUDIBLE = 0.01  # of full scale, -40 dB: quieter than any voiced sound, louder than the network's noise floor
SILENT_RMS = 0.003  # speech of normal loudness has 0.05 to 0.15
VOICED_SHARE = 0.2  # of the 20 ms frames; real speech has 0.6 to 0.9
FULL_SCALE = 32766 / 32768  # the last two steps of 16 bits
CLIPPED_RUN = 3  # samples: a lone peak may touch full scale, a flat top is clipping


@dataclass(frozen=True)
class Sound:
    """Samples float32 [n] in -1..1 with their rate in Hz."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


@dataclass(frozen=True)
class Speech:
    """What was measured of a spoken text; times in seconds, levels of full scale."""

    seconds: float
    seconds_per_word: float
    peak: float
    rms: float
    silent: bool
    clipped: bool
    head: float  # silence before the first audible sample
    tail: float  # silence after the last


def read_wav(source: bytes | Path | str) -> Sound:
    """A 16-bit mono WAV of bytes or a file, sizes in its header or not. Raises ValueError for another."""
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    with wave.open(io.BytesIO(data)) as wav:
        shape = (wav.getnchannels(), wav.getsampwidth())
        if shape != (1, 2):
            raise ValueError(f"expected 1 channel of 2 bytes a sample, the WAV has {shape}")
        pcm = wav.readframes(wav.getnframes())
        rate = wav.getframerate()
    return Sound(np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768), rate)


def wav_bytes(sound: Sound) -> bytes:
    """The sound as a 16-bit WAV, clipped to full scale."""
    pcm = np.clip(np.round(sound.samples * 32768), -32768, 32767).astype("<i2")
    held = io.BytesIO()
    with wave.open(held, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(sound.rate)
        wav.writeframes(pcm.tobytes())
    return held.getvalue()


def as_sound(source: Sound | Samples | bytes | Path | str) -> Sound:
    """Whatever a test holds, as a sound; bare samples are taken at Kokoro's 24 kHz."""
    if isinstance(source, Sound):
        return source
    if isinstance(source, np.ndarray):
        return Sound(source, 24000)
    return read_wav(source)


def measure_speech(source: Sound | Samples | bytes | Path | str, words: int) -> Speech:
    """The measures of a sound that should speak so many words (at least 1)."""
    sound = as_sound(source)
    head, tail = silence_at_ends(sound)
    return Speech(
        seconds=sound.seconds,
        seconds_per_word=sound.seconds / words,
        peak=float(np.max(np.abs(sound.samples), initial=0.0)),
        rms=rms(sound.samples),
        silent=is_silent(sound),
        clipped=is_clipped(sound.samples),
        head=head,
        tail=tail,
    )


def rms(samples: Samples) -> float:
    """Root mean square, 0 for an empty sound."""
    return float(np.sqrt(np.mean(np.square(samples)))) if len(samples) else 0.0


def is_silent(sound: Sound) -> bool:
    """Too quiet for speech, or loud in too few places to be more than a click."""
    frame = sound.rate // 50
    whole = sound.samples[: len(sound.samples) // frame * frame].reshape(-1, frame)
    if not len(whole) or rms(sound.samples) < SILENT_RMS:
        return True
    voiced = np.sqrt(np.mean(np.square(whole), axis=1)) > AUDIBLE
    return float(np.mean(voiced)) < VOICED_SHARE


def is_clipped(samples: Samples) -> bool:
    """Does a flat top of several samples touch full scale?"""
    touching = np.abs(samples) >= FULL_SCALE
    runs = np.convolve(touching, np.ones(CLIPPED_RUN), "valid") if len(samples) >= CLIPPED_RUN else np.zeros(1)
    return bool(np.max(runs) >= CLIPPED_RUN)


def silence_at_ends(sound: Sound) -> tuple[float, float]:
    """Seconds of silence before the first and after the last audible sample; all of it twice when none is."""
    audible = np.flatnonzero(np.abs(sound.samples) > AUDIBLE)
    if not len(audible):
        return sound.seconds, sound.seconds
    return float(audible[0]) / sound.rate, (len(sound.samples) - 1 - float(audible[-1])) / sound.rate
