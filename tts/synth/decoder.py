"""Kokoro's decoder, the ISTFTNet that makes sound of text, pitch and energy: nine tenths of the work.

Its shape is fixed by the published weights (hexgrad/Kokoro-82M, config.json: upsample rates 10 and 6, kernels
20 and 12, residual blocks of 3, 7 and 11 taps at dilations 1, 3 and 5); the graph gives the weights.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tts.synth.kernels.crew import Crew
from tts.synth.kernels.emit import Shape
from tts.synth.kernels.library import Library
from tts.synth.layers import SPARE_ROWS, Convolution, Dense, Norm, Rows, Workshop, measured

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

TEXT = 512  # channels of the aligned text; F0 and energy follow it
WIDE = 1024  # channels of the decoder's blocks
ASIDE = 64  # channels of the text that every block sees again
DILATIONS = (1, 3, 5)
TAPS = (3, 7, 11)
RATES = (10, 6)
NOISE_TAPS = (7, 11)
NOISE_STRIDE = 6  # of the first convolution over the source; the second one has one tap
SOURCE = 22
WHOLE = 16  # channels are filled up to whole vectors of any machine
KEPT_BUFFERS = 64 << 20  # bytes of buffers that stay between utterances
ROOT_HALF = np.float32(np.sqrt(0.5))


def prepare(parameters: Weights, shape: Shape) -> dict[str, Array]:
    """The parameters in the form that the kernels read, by the names that `Decoder` uses."""
    ready: dict[str, Array] = {}
    for name in ("encode", "decode.0", "decode.1", "decode.2", "decode.3"):
        ready.update(_prepare_decode(parameters, name, shape))
    blocks = [
        f"generator.{kind}.{i}" for kind, count in (("resblocks", 6), ("noise_res", 2)) for i in range(count)
    ]
    for block in blocks:
        for i in range(len(DILATIONS)):
            for part in (1, 2):
                ready.update(_prepare_snake(parameters, block, part, i, shape))
    for i, rate in enumerate(RATES):
        ready.update(_dense(f"generator.ups.{i}", *_upsample(parameters, i, rate), shape))
        ready.update(
            _dense(f"generator.noise_convs.{i}", *_windowed(parameters, f"generator.noise_convs.{i}"), shape)
        )
    weight, bias = _windowed(parameters, "generator.conv_post")
    ready.update(_dense("generator.conv_post", (weight / len(TAPS)).astype(np.float32), bias, shape))
    ready.update(_dense("asr_res", *_windowed(parameters, "asr_res.asr_res.0"), shape))
    return ready


def _prepare_decode(parameters: Weights, name: str, shape: Shape) -> dict[str, Array]:
    """An AdaIN block with a shortcut; the division of its sum by √2 goes into the weights of both ways."""
    ready: dict[str, Array] = {}
    for part, share in ((1, np.float32(1)), (2, ROOT_HALF)):
        weight = _whole(parameters[f"{name}.conv{part}.weight"], axis=1)
        ready[f"{name}.conv{part}.points"] = Convolution.weights(weight * share, "leaky", shape)
        ready[f"{name}.conv{part}.bias"] = parameters[f"{name}.conv{part}.bias"] * share
        ready.update(_style(parameters, f"{name}.norm{part}"))
    shortcut, bias = _windowed(parameters, f"{name}.conv1x1")
    ready.update(_dense(f"{name}.conv1x1", _whole(shortcut, axis=0) * ROOT_HALF, bias * ROOT_HALF, shape))
    if f"{name}.pool.weight" in parameters:
        ready[f"{name}.pool.weight"] = _whole(parameters[f"{name}.pool.weight"][:, 0].T, axis=1)
        ready[f"{name}.pool.bias"] = _whole(parameters[f"{name}.pool.bias"], axis=0)
    return ready


def _prepare_snake(parameters: Weights, block: str, part: int, i: int, shape: Shape) -> dict[str, Array]:
    conv = f"{block}.convs{part}.{i}"
    alpha = parameters[f"{block}.alpha{part}.{i}"]
    norm = f"{block}.adain{part}.{i}"
    return {
        f"{conv}.points": Convolution.weights(parameters[f"{conv}.weight"], "snake", shape),
        f"{conv}.bias": parameters[f"{conv}.bias"],
        f"{norm}.turns": (alpha / np.pi).astype(np.float32),
        f"{norm}.inverse": (1.0 / alpha).astype(np.float32),
        **_style(parameters, norm),
    }


def _style(parameters: Weights, norm: str) -> dict[str, Array]:
    """The map from style to gain and offset, [style, 2, channels]."""
    weight, bias = parameters[f"{norm}.fc.weight"], parameters[f"{norm}.fc.bias"]
    return {
        f"{norm}.weight": _whole(weight.reshape(len(weight), 2, -1), axis=2),
        f"{norm}.shift": _whole(bias.reshape(2, -1), axis=1),
    }


def _dense(name: str, weight: Array, bias: Array, shape: Shape) -> dict[str, Array]:
    panels, filled = Dense.weights(weight, bias, shape)
    return {f"{name}.panels": panels, f"{name}.bias": filled}


def _windowed(parameters: Weights, name: str) -> tuple[Array, Array]:
    """A convolution [out, in, taps] as a matrix over windows of rows, [taps * in, out]."""
    weight = parameters[f"{name}.weight"]
    return weight.transpose(2, 1, 0).reshape(-1, len(weight)), parameters[f"{name}.bias"]


def _upsample(parameters: Weights, stage: int, rate: int) -> tuple[Array, Array]:
    """A transposed convolution [in, out, 2 rate] as a matrix over windows x[t-1], x[t]: [2 in, rate * out].

    Row t holds the `rate` outputs that both rows reach. The second stage is fed the sum of three blocks for
    their mean, so its weights hold the third.
    """
    weight = parameters[f"generator.ups.{stage}.weight"] / (1 if stage == 0 else len(TAPS))
    inputs, outputs, _ = weight.shape
    halves = weight.reshape(inputs, outputs, 2, rate).transpose(2, 0, 3, 1)
    matrix = np.concatenate([halves[1], halves[0]]).reshape(2 * inputs, rate * outputs)
    return matrix, np.tile(parameters[f"generator.ups.{stage}.bias"], rate)


def _whole(array: Array, axis: int) -> Array:
    """Zeros after the channels, up to whole vectors."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % WHOLE)
    return np.pad(array, widths)


def _filled(channels: int) -> int:
    return channels + -channels % WHOLE


class Decoder:
    """The prepared weights and the kernels; one run at a time."""

    def __init__(self, weights: Weights, library: Library) -> None:
        self._weights = weights
        self._library = library
        self._workshop = Workshop()

    def __call__(self, mixed: Array, source: Array, style: Array, crew: Crew) -> Array:
        """Spectrum [22, time] of `mixed` [514, frames], `source` [22, time] and half a style [128].

        Raises Cancelled when the crew is.
        """
        run = _Run(self._weights, self._library, self._workshop, crew, style)
        try:
            return run.generator(run.blocks(mixed), source)
        finally:
            self._workshop.tidy(KEPT_BUFFERS)


class _Run:
    """One utterance on its way through the decoder."""

    def __init__(
        self, weights: Weights, library: Library, workshop: Workshop, crew: Crew, style: Array
    ) -> None:
        self._weights = weights
        self._library = library
        self._workshop = workshop
        self._crew = crew
        self._style = style

    def blocks(self, mixed: Array) -> Rows:
        """The five AdaIN blocks: [514, frames] to rows [2 * frames, 512]."""
        frames = mixed.shape[1]
        x = self._workshop.rows("mixed", frames, _filled(TEXT + 2))
        x[:frames, : TEXT + 2] = mixed.T
        x[:, TEXT + 2 :] = 0.0
        names = ("decode.0", "decode.1", "decode.2")
        both = [self._workshop.rows(f"wide.{i}", frames, _filled(WIDE + ASIDE + 2)) for i in (0, 1)]
        aside = self._workshop.rows("aside", frames, ASIDE)
        self._dense("asr_res", x, aside, frames)
        for wide in both:
            wide[:frames, WIDE : WIDE + ASIDE] = aside[:frames]
            wide[:frames, WIDE + ASIDE : WIDE + ASIDE + 2] = mixed[TEXT:].T
            wide[:, WIDE + ASIDE + 2 :] = 0.0
        rows = self._decode("encode", measured(x, frames), both[0])
        for i, name in enumerate(names):
            rows = self._decode(name, self._with_aside(rows), both[(i + 1) % 2])
        return self._decode_up("decode.3", self._with_aside(rows))

    def _with_aside(self, rows: Rows) -> Rows:
        """The sums of the channels beside a block's own, which its convolution did not take."""
        rest = measured(rows.data[:, WIDE:], rows.length)
        return Rows(
            rows.data,
            rows.length,
            np.concatenate([rows.sums, rest.sums]),
            np.concatenate([rows.squares, rest.squares]),
        )

    def _decode(self, name: str, x: Rows, y: Array) -> Rows:
        self._dense(f"{name}.conv1x1", x.data, y, x.length)
        hidden = self._workshop.rows("hidden", x.length, WIDE)
        rows = self._convolve(f"{name}.conv1", "leaky", x, f"{name}.norm1", hidden)
        return self._convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def _decode_up(self, name: str, x: Rows) -> Rows:
        """The block that doubles the rows: each channel's transposed convolution, and repeated rows aside."""
        length = 2 * x.length
        doubled = measured(self._pool(name, x), length)
        shortcut = self._workshop.rows("shortcut", x.length, TEXT)
        self._dense(f"{name}.conv1x1", x.data, shortcut, x.length)
        y = self._workshop.rows("doubled", length, TEXT)
        y[:length] = np.repeat(shortcut[: x.length], 2, axis=0)
        hidden = self._workshop.rows("hidden", length, TEXT)
        rows = self._convolve(f"{name}.conv1", "plain", doubled, "", hidden)
        return self._convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def _pool(self, name: str, x: Rows) -> Array:
        """Leaky ReLU of the normalised rows, then the transposed convolution of 3 taps at stride 2."""
        scale, shift = self._norm(f"{name}.norm1").affine(x)
        active = _leaky(x.values * scale + shift, 0.2)
        taps, bias = self._weights[f"{name}.pool.weight"], self._weights[f"{name}.pool.bias"]
        following = np.concatenate([active[1:], np.zeros_like(active[:1])])
        y = self._workshop.rows("pooled", 2 * x.length, active.shape[1])
        y[: 2 * x.length : 2] = active * taps[1] + bias
        y[1 : 2 * x.length : 2] = active * taps[2] + following * taps[0] + bias
        return y

    def generator(self, x: Rows, source: Array) -> Array:
        """Rows [2 * frames, 512] and the source [22, time] to the spectrum [22, time]."""
        harmonics = np.zeros((source.shape[1] + 2 * SPARE_ROWS, SOURCE), np.float32)
        harmonics[SPARE_ROWS : SPARE_ROWS + source.shape[1]] = source.T
        signal, slopes = x.values, (0.1, 0.1, 0.01)
        for stage, rate in enumerate(RATES):
            up = self._upsample(stage, rate, _leaky(signal, slopes[stage]))
            up.values[:] += self._noise(stage, harmonics, up.length).values
            signal = self._stage(stage, measured(up.data, up.length))
        return self._spectrum(_leaky(signal, slopes[-1]))

    def _upsample(self, stage: int, rate: int, signal: Array) -> Rows:
        """The transposed convolution; the second one mirrors its second output to the front."""
        length, channels = signal.shape
        padded = np.zeros((length + 2 + SPARE_ROWS, channels), np.float32)
        padded[1 : 1 + length] = signal
        name = f"generator.ups.{stage}"
        outputs = len(self._weights[f"{name}.bias"])
        y = self._workshop.rows(name, length + 1, outputs)
        self._dense(name, padded, y, length + 1, pitch=channels)
        flat = y.reshape(-1, outputs // rate)
        first = rate // 2
        if stage == 0:
            return Rows(flat[first:], length * rate, *_no_sums())
        flat[first - 1] = flat[first + 1]
        return Rows(flat[first - 1 :], length * rate + 1, *_no_sums())

    def _noise(self, stage: int, harmonics: Array, length: int) -> Rows:
        """The source's way into a stage: one strided convolution and a residual block."""
        name = f"generator.noise_convs.{stage}"
        stride, before = (NOISE_STRIDE, NOISE_STRIDE // 2) if stage == 0 else (1, 0)
        y = self._workshop.rows(f"noise.{stage}", length, len(self._weights[f"{name}.bias"]))
        self._dense(name, harmonics[SPARE_ROWS - before :], y, length, pitch=stride * SOURCE)
        taps = NOISE_TAPS[stage]
        return self._residual(f"generator.noise_res.{stage}", taps, measured(y, length), y)

    def _stage(self, stage: int, x: Rows) -> Array:
        """The sum of the three residual blocks; its third, their mean, is in the weights that follow."""
        channels = x.data.shape[1]
        total = self._workshop.rows(f"total.{stage}", x.length, channels)
        other = self._workshop.rows(f"noise.{stage}", x.length, channels)
        for i, taps in enumerate(TAPS):
            block = f"generator.resblocks.{stage * len(TAPS) + i}"
            rows = self._residual(block, taps, x, other if i else total)
            if i:
                total[: x.length] += rows.values
        return total[: x.length]

    def _residual(self, block: str, taps: int, x: Rows, y: Array) -> Rows:
        """Three times norm, Snake, dilated filter, norm, Snake, filter, add; y may be x's own array."""
        hidden = self._workshop.rows(f"hidden.{x.data.shape[1]}", x.length, x.data.shape[1])
        for i, dilation in enumerate(DILATIONS):
            inner = self._convolve(
                f"{block}.convs1.{i}", "snake", x, f"{block}.adain1.{i}", hidden, taps=taps, dilation=dilation
            )
            x = self._convolve(
                f"{block}.convs2.{i}", "snake", inner, f"{block}.adain2.{i}", y, taps=taps, residual=x.data
            )
        return x

    def _spectrum(self, signal: Array) -> Array:
        """The last convolution, 7 taps to 22 channels."""
        length, channels = signal.shape
        padded = np.zeros((length + 6 + SPARE_ROWS, channels), np.float32)
        padded[3 : 3 + length] = signal
        y = self._workshop.rows("spectrum", length, len(self._weights["generator.conv_post.bias"]))
        self._dense("generator.conv_post", padded, y, length, pitch=channels)
        return np.ascontiguousarray(y[:length, :SOURCE].T)

    def _convolve(
        self,
        name: str,
        activation: str,
        x: Rows,
        norm: str,
        y: Array,
        taps: int = 3,
        dilation: int = 1,
        residual: Array | None = None,
    ) -> Rows:
        weights = self._weights
        convolution = Convolution(weights[f"{name}.points"], weights[f"{name}.bias"], taps, activation)
        given = self._norm(norm) if norm else None
        return convolution(self._library, self._crew, x, given, y, dilation, residual)

    def _dense(self, name: str, x: Array, y: Array, rows: int, pitch: int | None = None) -> None:
        layer = Dense(self._weights[f"{name}.panels"], self._weights[f"{name}.bias"])
        layer(self._library, self._crew, x, y, rows, pitch)

    def _norm(self, name: str) -> Norm:
        weight, shift = self._weights[f"{name}.weight"], self._weights[f"{name}.shift"]
        gain, offset = np.tensordot(self._style, weight, axes=1) + shift
        nothing = self._weights.get(f"{name}.turns"), self._weights.get(f"{name}.inverse")
        turns, inverse = (gain if value is None else value for value in nothing)
        return Norm(gain, offset, turns, inverse)


def _leaky(values: Array, slope: float) -> Array:
    larger: Array = np.maximum(values, values * np.float32(slope))
    return larger


def _no_sums() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.zeros(0), np.zeros(0)
