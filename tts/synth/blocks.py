"""The blocks that decoder and predictors share: weights by name, and adaptive normalisation by a style."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tts.synth.kernels.crew import Crew
from tts.synth.kernels.emit import Shape
from tts.synth.kernels.library import Library
from tts.synth.layers import Convolution, Dense, Norm, Rows, Workshop, measured

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

WHOLE = 16  # channels are filled up to whole vectors of any machine
ROOT_HALF = np.float32(np.sqrt(0.5))


def whole(array: Array, axis: int) -> Array:
    """Zeros after the channels, up to whole vectors."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % WHOLE)
    return np.pad(array, widths)


def filled(channels: int) -> int:
    """The channels with those that `whole` adds."""
    return channels + -channels % WHOLE


def leaky(values: Array, slope: float) -> Array:
    larger: Array = np.maximum(values, values * np.float32(slope))
    return larger


def windowed(parameters: Weights, name: str) -> tuple[Array, Array]:
    """A convolution [out, in, taps] as a matrix over windows of rows [taps * in, out], and its bias."""
    weight = parameters[f"{name}.weight"]
    bias = parameters[f"{name}.bias"] if f"{name}.bias" in parameters else np.zeros(len(weight), np.float32)
    return weight.transpose(2, 1, 0).reshape(-1, len(weight)), bias


def prepare_dense(name: str, weight: Array, bias: Array, shape: Shape) -> dict[str, Array]:
    panels, wide = Dense.weights(weight, bias, shape)
    return {f"{name}.panels": panels, f"{name}.bias": wide}


def prepare_style(parameters: Weights, norm: str) -> dict[str, Array]:
    """The map from style to gain and offset, [style, 2, channels]."""
    weight, bias = parameters[f"{norm}.fc.weight"], parameters[f"{norm}.fc.bias"]
    return {
        f"{norm}.weight": whole(weight.reshape(len(weight), 2, -1), axis=2),
        f"{norm}.shift": whole(bias.reshape(2, -1), axis=1),
    }


def prepare_adain(parameters: Weights, name: str, shape: Shape) -> dict[str, Array]:
    """An AdaIN block with its shortcut; the division of their sum by √2 goes into both ways' weights."""
    ready: dict[str, Array] = {}
    for part, share in ((1, np.float32(1)), (2, ROOT_HALF)):
        weight = whole(parameters[f"{name}.conv{part}.weight"], axis=1)
        ready[f"{name}.conv{part}.points"] = Convolution.weights(weight * share, "leaky", shape)
        ready[f"{name}.conv{part}.bias"] = parameters[f"{name}.conv{part}.bias"] * share
        ready.update(prepare_style(parameters, f"{name}.norm{part}"))
    if f"{name}.conv1x1.weight" in parameters:
        shortcut, bias = windowed(parameters, f"{name}.conv1x1")
        ready.update(prepare_dense(f"{name}.conv1x1", whole(shortcut, axis=0) * ROOT_HALF, bias * ROOT_HALF, shape))
    if f"{name}.pool.weight" in parameters:
        ready[f"{name}.pool.weight"] = whole(parameters[f"{name}.pool.weight"][:, 0].T, axis=1)
        ready[f"{name}.pool.bias"] = whole(parameters[f"{name}.pool.bias"], axis=0)
    return ready


class Blocks:
    """One utterance's run through named weights, with its style."""

    def __init__(self, weights: Weights, library: Library, workshop: Workshop, crew: Crew, style: Array) -> None:
        self.weights = weights
        self.library = library
        self.workshop = workshop
        self.crew = crew
        self._style = style

    def adain(self, name: str, x: Rows, y: Array) -> Rows:
        """AdaIN, leaky ReLU and filter, twice, beside a shortcut; the first columns of y take the sum."""
        outputs = len(self.weights[f"{name}.conv2.bias"])
        if f"{name}.conv1x1.panels" in self.weights:
            self.dense(f"{name}.conv1x1", x.data, y, x.length)
        else:
            np.multiply(x.values, ROOT_HALF, out=y[: x.length, :outputs])
        hidden = self.workshop.rows("hidden", x.length, outputs)
        rows = self.convolve(f"{name}.conv1", "leaky", x, f"{name}.norm1", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def adain_up(self, name: str, x: Rows, y: Array) -> Rows:
        """The same with twice the rows: each channel's transposed convolution, and repeated rows aside."""
        length, outputs = 2 * x.length, len(self.weights[f"{name}.conv2.bias"])
        doubled = measured(self._pool(name, x), length)
        shortcut = self.workshop.rows("shortcut", x.length, outputs)
        self.dense(f"{name}.conv1x1", x.data, shortcut, x.length)
        y[:length] = np.repeat(shortcut[: x.length], 2, axis=0)
        hidden = self.workshop.rows("hidden", length, outputs)
        rows = self.convolve(f"{name}.conv1", "plain", doubled, "", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def _pool(self, name: str, x: Rows) -> Array:
        """Leaky ReLU of the normalised rows, then the transposed convolution of 3 taps at stride 2."""
        scale, shift = self.norm(f"{name}.norm1").affine(x)
        active = leaky(x.values * scale + shift, 0.2)
        taps, bias = self.weights[f"{name}.pool.weight"], self.weights[f"{name}.pool.bias"]
        following = np.concatenate([active[1:], np.zeros_like(active[:1])])
        y = self.workshop.rows("pooled", 2 * x.length, active.shape[1])
        y[: 2 * x.length : 2] = active * taps[1] + bias
        y[1 : 2 * x.length : 2] = active * taps[2] + following * taps[0] + bias
        return y

    def convolve(
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
        """One filter after its normalisation ("" for none) and activation, into y."""
        layer = Convolution(self.weights[f"{name}.points"], self.weights[f"{name}.bias"], taps, activation)
        given = self.norm(norm) if norm else None
        return layer(self.library, self.crew, x, given, y, dilation, residual)

    def dense(self, name: str, x: Array, y: Array, rows: int, pitch: int | None = None) -> None:
        """One matrix over rows of x, which start `pitch` floats apart, into y."""
        layer = Dense(self.weights[f"{name}.panels"], self.weights[f"{name}.bias"])
        layer(self.library, self.crew, x, y, rows, pitch)

    def styled(self, name: str) -> tuple[Array, Array]:
        """The style's gain and offset for one normalisation."""
        weight, shift = self.weights[f"{name}.weight"], self.weights[f"{name}.shift"]
        gain, offset = np.tensordot(self._style, weight, axes=1) + shift
        return gain, offset

    def norm(self, name: str) -> Norm:
        gain, offset = self.styled(name)
        turns = self.weights.get(f"{name}.turns", gain)
        return Norm(gain, offset, turns, self.weights.get(f"{name}.inverse", gain))
