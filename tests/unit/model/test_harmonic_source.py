"""Both ends of the decoder beside their definitions."""

import numpy as np
import pytest

from kokoro_server.model.native.harmonic_source import BINS, SILENT_PHASES, compute_source_spectrum, invert_spectrum

WEIGHT = np.array([[0.5], [0.25], [-0.125], [0.1], [0.0], [0.3], [-0.2], [0.1], [0.05]], np.float32)
BIAS = np.array([-0.03], np.float32)


def test_a_steady_voice_is_its_harmonics() -> None:
    pitch = np.full(80, 200.0, np.float32)
    got = compute_source_spectrum(pitch, WEIGHT, BIAS)
    assert got.shape == (80 * 300 // 5 + 1, 2 * BINS)
    # Between the centres of its values the phase runs evenly: frame 100 begins at sample 490.
    sample = np.arange(490, 510)
    cycles = (sample + 0.5 - 150 + 300) * 200 / 24000
    waves = np.sin(2 * np.pi * np.outer(np.arange(1, 10), cycles))
    wave = np.tanh(0.1 * WEIGHT[:, 0] @ waves + BIAS[0])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(20) / 20)
    spectrum = np.fft.rfft(wave * window)
    np.testing.assert_allclose(got[100, :BINS], np.abs(spectrum), atol=1e-5)
    np.testing.assert_allclose(got[100, :BINS] * np.exp(1j * got[100, BINS:]), spectrum, atol=1e-5)


def test_a_silent_source_has_settled_phases() -> None:
    got = compute_source_spectrum(np.zeros(20, np.float32), WEIGHT, BIAS)
    np.testing.assert_allclose(got[:, BINS + 2 :], np.tile(SILENT_PHASES[2:], (len(got), 1)))
    np.testing.assert_allclose(got[:, BINS], np.pi)
    np.testing.assert_allclose(got[:, BINS + 1], 0, atol=1e-5)


@pytest.mark.parametrize("time", [5, 41])
def test_sound_is_the_overlapping_sum_of_frames(time: int) -> None:
    random = np.random.default_rng(5)
    spectrum = random.normal(size=(time, 2 * BINS)).astype(np.float32)
    basis, edges = random.normal(size=(22, 1, 20)).astype(np.float32), np.linspace(0, 1, 20, dtype=np.float32)
    magnitude, angle = np.exp(spectrum[:, :BINS]), np.sin(spectrum[:, BINS:])
    parts = np.concatenate([magnitude * np.cos(angle), magnitude * np.sin(angle)], axis=1)
    expected = np.zeros(5 * time + 15)
    for i in range(time):
        expected[5 * i : 5 * i + 20] += parts[i] @ basis[:, 0]
    expected[1:20] /= edges[1:]
    np.testing.assert_allclose(invert_spectrum(spectrum, basis, edges), 4 * expected[10:-10], rtol=1e-3, atol=1e-3)
