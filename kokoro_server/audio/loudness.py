"""Normalize the loudness of streamed speech (EBU R 128) and limit its peaks.

`measure_loudness` implements ITU-R BS.1770-5: K-weight the signal, take the mean square of overlapping 400 ms blocks,
and average the blocks that pass an absolute and a relative gate. `normalize_loudness` applies this to all chunks so
far, so it needs no look-ahead: the first chunk that contains speech sets the gain, later chunks change it by at most
1 dB each. `limit_peaks` then turns the signal down around peaks above -1 dBFS.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk, Samples

BlockPowers = NDArray[np.floating]

# ITU-R BS.1770-5: blocks of 400 ms every 100 ms; blocks below -70 LUFS or 10 LU below the mean of the rest are ignored.
_STEP = SAMPLE_RATE // 10
_BLOCK = 4 * _STEP
_LUFS_OFFSET = -0.691  # dB, from BS.1770; makes a full-scale sine of 997 Hz read -3.01 LUFS
_ABSOLUTE_GATE = -70.0  # LUFS
_RELATIVE_GATE = -10.0  # LU

_MAX_GAIN = 20.0  # dB; more would amplify the noise of a whispered run
_MAX_GAIN_STEP = 1.0  # dB from one chunk to the next: not noticeable
_CEILING = 10 ** (-1 / 20)  # -1 dBFS, required by R 128: headroom for lossy codecs
_PEAK_WINDOW = SAMPLE_RATE // 1_000  # 1 ms
_LIMITER_REACH = 5  # windows before and after a peak over which the gain falls and recovers


def normalize_loudness(chunks: Iterable[Chunk], target: float) -> Iterator[Chunk]:
    """Yield the chunks scaled to `target` LUFS by a slowly varying gain; words and lengths do not change.

    The gain depends only on the chunks so far, so no chunk waits for the next one.
    """
    heard: BlockPowers = np.zeros(0)
    gain: float | None = None
    for chunk in chunks:
        heard = np.concatenate([heard, _measure_block_powers(chunk.samples)])
        before, gain = gain, _update_gain(gain, target - _apply_gates(heard))
        ramp = _build_gain_ramp(gain if before is None else before, gain, len(chunk.samples))
        yield replace(chunk, samples=limit_peaks(chunk.samples * ramp))


def measure_loudness(samples: Samples) -> float:
    """Return the integrated loudness in LUFS of mono samples [n] in -1..1; minus infinity for silence."""
    return _apply_gates(_measure_block_powers(samples))


def _update_gain(before: float | None, wanted: float) -> float | None:
    """Return the next gain in dB, within _MAX_GAIN_STEP of `before`; None until a chunk contained speech."""
    if not np.isfinite(wanted):
        return before
    wanted = float(np.clip(wanted, -_MAX_GAIN, _MAX_GAIN))
    if before is None:
        return wanted
    return before + float(np.clip(wanted - before, -_MAX_GAIN_STEP, _MAX_GAIN_STEP))


def _build_gain_ramp(start: float | None, end: float | None, length: int) -> Samples:
    """Return factors [length] that go linearly in dB from one gain to another; None is 0 dB."""
    decibels = np.linspace(start or 0.0, end or 0.0, length)
    return np.power(10.0, decibels / 20).astype(np.float32)


def _measure_block_powers(samples: Samples) -> BlockPowers:
    """Return the mean square of each block of the K-weighted samples; less than a block is one short block."""
    # Prefix sums: the energy of samples[a:b] is energies[b] - energies[a].
    energies = np.concatenate([[0.0], np.cumsum(np.square(_apply_k_weighting(samples)))])
    length = min(_BLOCK, len(samples))
    starts = np.arange(0, len(samples) - length + 1, _STEP) if length else np.zeros(0, int)
    powers: BlockPowers = (energies[starts + length] - energies[starts]) / max(length, 1)
    return powers


def _apply_k_weighting(samples: Samples) -> BlockPowers:
    """Apply the K-weighting filters of BS.1770 in the frequency domain."""
    length = len(samples) + _BLOCK  # zero padding: the filters' tail must not wrap round to the start
    response = _compute_k_response(np.fft.rfftfreq(length))
    weighted: BlockPowers = np.fft.irfft(np.fft.rfft(samples, length) * response, length)
    return weighted[: len(samples)]


def _compute_k_response(frequencies: NDArray[np.floating]) -> NDArray[np.complexfloating]:
    """Return the response at `frequencies` (cycles per sample) of the two filters of BS.1770, a shelf and a high-pass.

    The standard lists coefficients for 48 kHz only. The underlying corner frequencies, Q and gain were derived by
    Brecht De Man, "Evaluation of implementations of the EBU R128 loudness measurement", 2018. Both filters are second
    order, by the bilinear transform: s = j tan(pi f) / tan(pi fc / SAMPLE_RATE).
    """
    shelf = 1j * np.tan(np.pi * frequencies) / np.tan(np.pi * 1_681.974450955533 / SAMPLE_RATE)
    top = 10 ** (3.999843853973347 / 20)
    middle = top**0.4996667741545416
    q = 0.7071752369554196
    shelved = (top * shelf**2 + middle / q * shelf + 1) / (shelf**2 + shelf / q + 1)
    high = 1j * np.tan(np.pi * frequencies) / np.tan(np.pi * 38.13547087602444 / SAMPLE_RATE)
    response: NDArray[np.complexfloating] = shelved * high**2 / (high**2 + high / 0.5003270373238773 + 1)
    return response


def _apply_gates(powers: BlockPowers) -> float:
    """Return the loudness in LUFS of the blocks that pass both gates; minus infinity if none does."""
    loud = powers[powers > _power_from_lufs(_ABSOLUTE_GATE)]
    if not len(loud):
        return -np.inf
    loud = loud[loud > loud.mean() * 10 ** (_RELATIVE_GATE / 10)]
    return float(_LUFS_OFFSET + 10 * np.log10(loud.mean()))


def _power_from_lufs(lufs: float) -> float:
    """Convert LUFS to the mean square of a block."""
    return float(10 ** ((lufs - _LUFS_OFFSET) / 10))


def limit_peaks(samples: Samples) -> Samples:
    """Reduce the gain smoothly around each peak above -1 dBFS, no further than the peak needs.

    Each 1 ms window gets the gain that it needs, then the minimum over its neighbours, then the mean of these minima;
    the gain of a sample is interpolated between window centres. Without peaks the input itself is returned.
    """
    peaks = np.abs(np.pad(samples, (0, -len(samples) % _PEAK_WINDOW))).reshape(-1, _PEAK_WINDOW).max(axis=1)
    if peaks.max(initial=0.0) <= _CEILING:
        return samples
    needed = _CEILING / np.maximum(peaks, _CEILING)
    # The minimum reaches one window further than the mean below, so that interpolated gains hold for every peak.
    lowest = _slide_window(needed, _LIMITER_REACH + 1).min(axis=1)
    smooth = _slide_window(lowest, _LIMITER_REACH).mean(axis=1)
    centres = np.arange(len(smooth)) * _PEAK_WINDOW + _PEAK_WINDOW / 2
    gains: Samples = np.interp(np.arange(len(samples)), centres, smooth).astype(np.float32)
    return samples * gains


def _slide_window(values: NDArray[np.floating], reach: int) -> NDArray[np.floating]:
    """Return the neighbourhoods [n, 2 * reach + 1] of values [n], with both ends repeated."""
    view: NDArray[np.floating] = sliding_window_view(np.pad(values, reach, mode="edge"), 2 * reach + 1)
    return view
