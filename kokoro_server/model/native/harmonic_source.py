"""Compute the decoder's harmonic source spectra, and invert its output spectrum to samples.

The source is that of a source-filter model (X. Wang et al., "Neural source-filter waveform models", 2019) with nine
harmonics and no noise, as in the published export: F0 -> phase -> sum of sines -> tanh -> STFT. Both transforms have
windows of 20 samples, every 5 samples, and 11 bins.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

RATE = 24000  # Hz
PITCH_SAMPLES = 300  # samples that one value of F0 lasts
AMPLITUDE = 0.1  # of each sine, before the mixing weights
VOICED = 10.0  # Hz; at a lower F0 the source is silent
SIZE, STEP, BINS = 20, 5, 11  # samples in a window, samples between two windows, bins 0 to size / 2
SILENT = 1e-6  # magnitude below which a bin holds only rounding errors
# The network reads the phases of silent bins, too, and there they are rounding errors. These are the ones that
# onnxruntime computes, so that our output equals the export's.
SILENT_PHASES = np.array([np.pi, 0.0, 2.49, -2.125, 0.793, -2.129, 0.173, 2.927, -1.345, 2.736, -1.547], np.float32)


def prepare_source(parameters: Weights) -> dict[str, Array]:
    """Return the parameters of both functions, by the names that NativeBackend uses."""
    names = {
        "harmonics.weight": "generator.m_source.l_linear.weight",
        "harmonics.bias": "generator.m_source.l_linear.bias",
        "istft.basis": "generator.stft.istft.stft.inverse_basis",
        "istft.window_sum": "generator.stft.istft.stft.window_sum",
    }
    return {name: parameters[source] for name, source in names.items()}


def compute_source_spectrum(pitch: Array, weight: Array, bias: Array) -> Array:
    """Compute the source's spectrum [time, 22]: 11 magnitudes, then 11 phases.

    Args:
        pitch: F0 [2 * frames] in Hz, a value for 300 samples; below 10 Hz is unvoiced.
        weight: Mixing weights of the nine harmonics.
        bias: One value, added to the mix.

    Returns:
        float32 [120 * frames + 1, 22].
    """
    wave = _mix_harmonics(pitch, weight.reshape(-1).astype(np.float64), float(bias.reshape(-1)[0]))
    padded = np.pad(wave, SIZE // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::STEP]
    both = np.ascontiguousarray(windows) @ _make_filters()
    magnitudes, phases = _to_polar(both[:, :BINS], both[:, BINS:])
    return np.concatenate([magnitudes, phases], axis=1)


def _mix_harmonics(pitch: Array, weight: NDArray[np.float64], bias: float) -> Array:
    """Return tanh of the mixed sines, [600 * frames]."""
    # The phase is in float64: in float32 it would drift within a second. It is summed at the rate of F0 and then
    # interpolated linearly, as the export does, between the centres of the values (half-pixel coordinates).
    cycles = np.cumsum(pitch.astype(np.float64) / RATE) * PITCH_SAMPLES
    centres = (np.arange(len(pitch) * PITCH_SAMPLES) + 0.5) / PITCH_SAMPLES - 0.5
    turns = np.interp(centres, np.arange(len(pitch)), cycles)
    angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
    voiced = np.repeat(pitch > VOICED, PITCH_SAMPLES)
    mixed = _sum_sines(angle, weight * AMPLITUDE) * voiced + np.float32(bias)
    return np.tanh(mixed.astype(np.float32))


def _sum_sines(angle: Array, weight: NDArray[np.float64]) -> Array:
    """Return the sum of weight[h] * sin((h + 1) * angle), by Clenshaw's recurrence: one sine and one cosine."""
    double = 2 * np.cos(angle)
    later, last = np.zeros_like(angle), np.zeros_like(angle)
    for w in reversed(weight.astype(np.float32)):
        later, last = double * later - last + w, later
    mixed: Array = later * np.sin(angle)
    return mixed


def _make_filters() -> Array:
    """Return Hann-windowed cosines, then negative sines, [20, 22]: the real and imaginary parts of the transform."""
    turns = np.outer(np.arange(SIZE), np.arange(BINS)) / SIZE
    window = np.sin(np.pi * np.arange(SIZE) / SIZE)[:, None] ** 2
    sines = -np.sin(2 * np.pi * turns)
    sines[:, [0, -1]] = 0.0  # exactly: their rounding errors would decide between the phases π and -π
    filters: Array = (np.concatenate([np.cos(2 * np.pi * turns), sines], axis=1) * window).astype(np.float32)
    return filters


def _to_polar(real: Array, imaginary: Array) -> tuple[Array, Array]:
    """Return magnitude and phase. A real negative value has the phase +π, a silent bin that of SILENT_PHASES."""
    magnitude = np.sqrt(real * real + imaginary * imaginary)
    # Adding 0 turns -0.0 into +0.0, for which arctan2 of a negative number is +π.
    phase = np.arctan2(imaginary + np.float32(0), real)
    return magnitude, np.where(magnitude < SILENT, SILENT_PHASES, phase)


def invert_spectrum(spectrum: Array, basis: Array, edges: Array) -> Array:
    """Invert the decoder's output spectrum to samples by overlap-add.

    Args:
        spectrum: [time, 22]: 11 logarithms of magnitudes, then 11 values whose sines are the phases.
        basis: Inverse transform with its window, [22, 20].
        edges: Sum of the squared windows [20] by which the export divides the first samples.

    Returns:
        float32 [5 * (time - 1)].
    """
    magnitude, angle = np.exp(spectrum[:, :BINS]), np.sin(spectrum[:, BINS:])
    parts = np.concatenate([magnitude * np.cos(angle), magnitude * np.sin(angle)], axis=1)
    frames = (parts @ basis.reshape(2 * BINS, SIZE)).reshape(-1, SIZE // STEP, STEP)
    # A window of 20 samples is 4 parts of 5; part p of window t belongs to samples 5 * (t + p) and after.
    joined = np.zeros((len(frames) + SIZE // STEP - 1, STEP), np.float32)
    for part in range(SIZE // STEP):
        joined[part : part + len(frames)] += frames[:, part]
    samples = joined.reshape(-1)
    divided = edges > np.finfo(np.float32).tiny
    samples[:SIZE][divided] /= edges[divided]
    return samples[SIZE // 2 : -SIZE // 2] * np.float32(SIZE / STEP)
