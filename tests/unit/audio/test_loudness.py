import numpy as np
import pyloudnorm
import pytest

from kokoro_server.audio import loudness
from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Word, join_chunks
from tests.sounds import cut, speechlike

METER = pyloudnorm.Meter(SAMPLE_RATE)


@pytest.mark.parametrize("seconds", [0.45, 1.0, 7.3])
@pytest.mark.parametrize("gain", [1.0, 0.05])
def test_measures_what_pyloudnorm_measures(seconds: float, gain: float) -> None:
    noise = np.random.default_rng(3).normal(0, 0.02, round(seconds * SAMPLE_RATE))
    samples = (gain * (speechlike(seconds) + noise)).astype(np.float32)
    expected = METER.integrated_loudness(samples.astype(np.float64))
    assert loudness.measure_loudness(samples) == pytest.approx(expected, abs=0.05)


def test_soft_passages_do_not_count() -> None:
    loud = speechlike(3.0, head=0.0)
    samples = np.concatenate([loud, (0.1 * loud).astype(np.float32)])
    expected = METER.integrated_loudness(samples.astype(np.float64))
    assert loudness.measure_loudness(samples) == pytest.approx(expected, abs=0.05)
    assert loudness.measure_loudness(samples) == pytest.approx(loudness.measure_loudness(loud), abs=0.5)


def test_full_scale_sine_of_the_standard() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE).astype(np.float32)
    assert loudness.measure_loudness(sine) == pytest.approx(-3.01, abs=0.1)  # what R 128 grants a meter


@pytest.mark.parametrize("length", [0, 100, 50_000])
def test_silence_has_no_loudness(length: int) -> None:
    assert loudness.measure_loudness(np.zeros(length, np.float32)) == -np.inf


@pytest.mark.parametrize("gain", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("target", [-23.0, -16.0])
def test_levels_every_voice_alike(gain: float, target: float) -> None:
    chunks = cut((gain * speechlike(6.0, head=0.05)).astype(np.float32), SAMPLE_RATE)
    levelled = list(loudness.normalize_loudness(chunks, target))
    for chunk in (levelled[0], join_chunks(levelled)):
        assert loudness.measure_loudness(chunk.samples) == pytest.approx(target, abs=0.7)


def test_peaks_stay_below_the_ceiling_and_undistorted() -> None:
    samples = (0.3 * speechlike(3.0, head=0.05)).astype(np.float32)
    samples[30_000:30_400] *= 6
    (chunk,) = loudness.normalize_loudness([Chunk(samples)], -12.0)
    assert np.abs(chunk.samples).max() == pytest.approx(10 ** (-1 / 20), abs=0.02)
    gains = chunk.samples[np.abs(samples) > 1e-3] / samples[np.abs(samples) > 1e-3]
    assert gains.min() > 0
    assert np.abs(np.diff(gains)).max() < 0.01 * gains.max()


def test_gain_changes_slowly_and_waits_for_sound() -> None:
    silence = Chunk(np.zeros(SAMPLE_RATE, np.float32))
    loud = Chunk(speechlike(1.0, head=0.0))
    soft = Chunk((0.1 * loud.samples).astype(np.float32))
    before, first, second = loudness.normalize_loudness([silence, soft, loud], -45.0)
    assert not before.samples.any()
    gains = [gain_at_end(*pair) for pair in ((soft, first), (loud, second))]
    assert gains[0] - gains[1] == pytest.approx(1.0, abs=0.05)


def gain_at_end(before: Chunk, after: Chunk) -> float:
    """The gain in dB that a chunk ends with."""
    return float(20 * np.log10(np.abs(after.samples[-99:]).sum() / np.abs(before.samples[-99:]).sum()))


def test_no_chunk_waits_for_the_next_and_words_stay() -> None:
    words = (Word("a", 0, 1, 0.1, 0.2),)
    chunks = iter([Chunk(speechlike(1.0), words), Chunk(speechlike(0.5))])
    first = next(loudness.normalize_loudness(chunks, -20.0))
    assert first.words == words
    assert first.seconds == 1.0
    assert next(chunks).seconds == 0.5
