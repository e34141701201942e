"""The two ends of the decoder that are physics: the voice's harmonics as spectra, and sound out of spectra.

The harmonics are those of a source-filter model (X. Wang et al., "Neural source-filter waveform models",
2019) with nine harmonics and no noise, as the published export has it. Transforms are of 20 samples every 5.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

RATE = 24000
PITCH_SAMPLES = 300  # that one value of F0 lasts
AMPLITUDE = 0.1
VOICED = 10.0  # Hz, below which nothing sounds
SIZE, STEP, BINS = 20, 5, 11
SILENT = 1e-6  # a spectrum's magnitude that is nothing but rounding
# The network hears the phases even of silent bins. These are onnxruntime's, which its published sound has.
SILENT_PHASES = np.array([np.pi, 0.0, 2.49, -2.125, 0.793, -2.129, 0.173, 2.927, -1.345, 2.736, -1.547], np.float32)


def prepare_source(parameters: Weights) -> dict[str, Array]:
    """The few parameters of both ends, by the names that their callers use."""
    names = {
        "harmonics.weight": "generator.m_source.l_linear.weight",
        "harmonics.bias": "generator.m_source.l_linear.bias",
        "sound.basis": "generator.stft.istft.stft.inverse_basis",
        "sound.edges": "generator.stft.istft.stft.window_sum",
    }
    return {name: parameters[source] for name, source in names.items()}


def harmonic_spectra(pitch: Array, weight: Array, bias: Array) -> Array:
    """Magnitudes and phases [time, 22] of the source for F0 [2 * frames] in Hz; `weight` [9] mixes it."""
    wave = _harmonics(pitch, weight.reshape(-1).astype(np.float64), float(bias.reshape(-1)[0]))
    padded = np.pad(wave, SIZE // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, SIZE)[::STEP]
    both = np.ascontiguousarray(windows) @ _filters()
    magnitudes, phases = _polar(both[:, :BINS], both[:, BINS:])
    return np.concatenate([magnitudes, phases], axis=1)


def _harmonics(pitch: Array, weight: NDArray[np.float64], bias: float) -> Array:
    """tanh of the mixed sines, [600 * frames]; the phase in float64, since float32 loses it in a second."""
    cycles = np.cumsum(pitch.astype(np.float64) / RATE) * PITCH_SAMPLES
    centres = (np.arange(len(pitch) * PITCH_SAMPLES) + 0.5) / PITCH_SAMPLES - 0.5
    turns = np.interp(centres, np.arange(len(pitch)), cycles)
    angle = (2 * np.pi * (turns - np.rint(turns))).astype(np.float32)
    voiced = np.repeat(pitch > VOICED, PITCH_SAMPLES)
    mixed = _mixed_sines(angle, weight * AMPLITUDE) * voiced + np.float32(bias)
    return np.tanh(mixed.astype(np.float32))


def _mixed_sines(angle: Array, weight: NDArray[np.float64]) -> Array:
    """The sum of weight[h] * sin((h + 1) * angle), by Clenshaw's recurrence."""
    double = 2 * np.cos(angle)
    later, last = np.zeros_like(angle), np.zeros_like(angle)
    for w in reversed(weight.astype(np.float32)):
        later, last = double * later - last + w, later
    mixed: Array = later * np.sin(angle)
    return mixed


def _filters() -> Array:
    """Hann-windowed cosines, then negative sines: [20, 22]; the first and last sines are exactly nothing."""
    turns = np.outer(np.arange(SIZE), np.arange(BINS)) / SIZE
    window = np.sin(np.pi * np.arange(SIZE) / SIZE)[:, None] ** 2
    sines = -np.sin(2 * np.pi * turns)
    sines[:, [0, -1]] = 0.0
    filters: Array = (np.concatenate([np.cos(2 * np.pi * turns), sines], axis=1) * window).astype(np.float32)
    return filters


def _polar(real: Array, imaginary: Array) -> tuple[Array, Array]:
    """Magnitude and phase; a real negative value has the phase +π, and a silent bin its settled one."""
    magnitude = np.sqrt(real * real + imaginary * imaginary)
    phase = np.arctan2(imaginary + np.float32(0), real)
    return magnitude, np.where(magnitude < SILENT, SILENT_PHASES, phase)


def sound(spectrum: Array, basis: Array, edges: Array) -> Array:
    """Samples [5 * (time - 1)] of log magnitudes and phases' sines [time, 22].

    `basis` [22, 20] is the inverse transform with its window; `edges` [20] is the windows' sum that the
    export divides the first samples by.
    """
    magnitude, angle = np.exp(spectrum[:, :BINS]), np.sin(spectrum[:, BINS:])
    parts = np.concatenate([magnitude * np.cos(angle), magnitude * np.sin(angle)], axis=1)
    frames = (parts @ basis.reshape(2 * BINS, SIZE)).reshape(-1, SIZE // STEP, STEP)
    joined = np.zeros((len(frames) + SIZE // STEP - 1, STEP), np.float32)
    for part in range(SIZE // STEP):
        joined[part : part + len(frames)] += frames[:, part]
    samples = joined.reshape(-1)
    divided = edges > np.finfo(np.float32).tiny
    samples[:SIZE][divided] /= edges[divided]
    return samples[SIZE // 2 : -SIZE // 2] * np.float32(SIZE / STEP)
