"""The blocks that decoder and predictors share: weights by name, and adaptive normalisation by a style."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Shape
from kokoro_server.model.kernels.library import Library
from kokoro_server.model.kernels.thread_pool import Crew
from kokoro_server.model.native.amx_layers import Tiled, TiledConvolution, TiledDense
from kokoro_server.model.native.layers import Convolution, Dense, Matrix, Norm, Rows, Signal, Workshop, leaky, measured

Array = NDArray[np.float32]
Weights = Mapping[str, Array]
Prepared = dict[str, NDArray[Any]]

WHOLE = 32  # channels are filled up to whole vectors and tiles of any machine
PLAIN, SPLIT = 1, 2
"""Parts of a number where the machine multiplies in bf16. One is enough for what makes the sound: it differs from
float32's by no more than two runtimes do. What decides on durations and pitch takes two, which are as good as float32.
"""
ROOT_HALF = np.float32(np.sqrt(0.5))


def whole(array: Array, axis: int) -> Array:
    """Zeros after the channels, up to whole vectors and tiles."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % WHOLE)
    return np.pad(array, widths)


def filled(channels: int) -> int:
    """The channels with those that `whole` adds."""
    return channels + -channels % WHOLE


def windowed(parameters: Weights, name: str) -> tuple[Array, Array]:
    """A convolution [out, in, taps] as a matrix over windows of rows [taps * in, out], and its bias."""
    weight = parameters[f"{name}.weight"]
    bias = parameters[f"{name}.bias"] if f"{name}.bias" in parameters else np.zeros(len(weight), np.float32)
    return weight.transpose(2, 1, 0).reshape(-1, len(weight)), bias


def prepare_dense(name: str, weight: Array, bias: Array, shape: Shape, parts: int) -> Prepared:
    if shape.tiles:
        return _prepared_tiles(name, weight[None], bias, parts)
    panels, steps, wide = Dense.weights(weight, bias, shape)
    return {f"{name}.panels": panels, f"{name}.steps": steps, f"{name}.bias": wide}


def _prepared_tiles(name: str, weight: Array, bias: Array, parts: int) -> Prepared:
    """A filter [taps, in, out] and its bias, as `Blocks` finds them."""
    filter = Tiled.of(weight, bias, parts)
    return {
        f"{name}.tiles": filter.weights,
        f"{name}.steps": filter.steps,
        f"{name}.bias": filter.bias,
        f"{name}.parts": np.array(filter.signal_parts),
    }


def prepare_filter(name: str, weight: Array, bias: Array, activation: str, shape: Shape, parts: int) -> Prepared:
    if shape.tiles:
        return _prepared_tiles(name, weight.transpose(2, 1, 0), bias, parts)
    points, steps = Convolution.weights(weight, activation, shape)
    return {f"{name}.points": points, f"{name}.steps": steps, f"{name}.bias": bias}


def prepare_styles(parameters: Weights, name: str, norms: Iterable[str]) -> Prepared:
    """The map from style to all gains and offsets at once, [style, sum of channels], and where each norm's begin."""
    ready: Prepared = {}
    weights, shifts, start = [], [], 0
    for norm in norms:
        weight, bias = parameters[f"{norm}.fc.weight"], parameters[f"{norm}.fc.bias"]
        weights.append(whole(weight.reshape(len(weight), 2, -1), axis=2).reshape(len(weight), -1))
        shifts.append(whole(bias.reshape(2, -1), axis=1).reshape(-1))
        ready[f"{norm}.place"] = np.array([start, start + len(shifts[-1])])
        start += len(shifts[-1])
    return {**ready, f"{name}.weight": np.concatenate(weights, axis=1), f"{name}.shift": np.concatenate(shifts)}


def prepare_adain(parameters: Weights, name: str, shape: Shape, parts: int) -> Prepared:
    """An AdaIN block with its shortcut; the division of their sum by √2 goes into both ways' weights."""
    ready: Prepared = {}
    for part, share in ((1, np.float32(1)), (2, ROOT_HALF)):
        weight = whole(parameters[f"{name}.conv{part}.weight"], axis=1)
        bias = parameters[f"{name}.conv{part}.bias"] * share
        ready.update(prepare_filter(f"{name}.conv{part}", weight * share, bias, "leaky", shape, parts))
    if f"{name}.conv1x1.weight" in parameters:
        shortcut, bias = windowed(parameters, f"{name}.conv1x1")
        shortcut = whole(shortcut, axis=0) * ROOT_HALF
        ready.update(prepare_dense(f"{name}.conv1x1", shortcut, bias * ROOT_HALF, shape, parts))
    if f"{name}.pool.weight" in parameters:
        ready[f"{name}.pool.weight"] = whole(parameters[f"{name}.pool.weight"][:, 0].T, axis=1)
        ready[f"{name}.pool.bias"] = whole(parameters[f"{name}.pool.bias"], axis=0)
    return ready


class Blocks:
    """One utterance's run through named weights, with its style."""

    STYLES = ""
    """The name of the map from the style to all gains and offsets."""

    def __init__(self, weights: Weights, library: Library, workshop: Workshop, crew: Crew, style: Array) -> None:
        self.weights = weights
        self.library = library
        self.workshop = workshop
        self.crew = crew
        self._style = style
        self._styles = style @ weights[f"{self.STYLES}.weight"] + weights[f"{self.STYLES}.shift"]

    def adain(self, name: str, x: Rows, y: Array) -> Rows:
        """AdaIN, leaky ReLU and filter, twice, beside a shortcut; the first columns of y take the sum."""
        outputs = len(self.weights[f"{name}.conv2.bias"])
        if f"{name}.conv1x1.bias" in self.weights:
            self.dense(f"{name}.conv1x1", x.data, y, x.length)
        else:
            np.multiply(x.values, ROOT_HALF, out=y[: x.length, :outputs])
        hidden = self.workshop.rows("hidden", x.length, outputs)
        rows = self.convolve(f"{name}.conv1", "leaky", x, f"{name}.norm1", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def adain_up(self, name: str, x: Rows, y: Array) -> Rows:
        """The same with twice the rows: each channel's transposed convolution, and repeated rows aside."""
        length, outputs = 2 * x.length, len(self.weights[f"{name}.conv2.bias"])
        doubled = self.measured(self._pool(name, x), length)
        shortcut = self.workshop.rows("shortcut", x.length, outputs)
        self.dense(f"{name}.conv1x1", x.data, shortcut, x.length)
        y[:length] = np.repeat(shortcut[: x.length], 2, axis=0)
        hidden = self.workshop.rows("hidden", length, outputs)
        rows = self.convolve(f"{name}.conv1", "plain", doubled, "", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def _pool(self, name: str, x: Rows) -> Array:
        """Leaky ReLU of the normalised rows, then the transposed convolution of 3 taps at stride 2."""
        scale, shift = self.norm(f"{name}.norm1").affine(self.library, x)
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
        y: Signal,
        taps: int = 3,
        dilation: int = 1,
        residual: Signal | None = None,
    ) -> Rows:
        """One filter after its normalisation ("" for none) and activation, into y."""
        given = self.norm(norm) if norm else None
        if self.library.shape.tiles:
            tiled = TiledConvolution(self._tiled(name), activation)
            return tiled(self.library, self.crew, x, given, y, dilation, residual)
        points, steps, bias = (self.weights[f"{name}.{what}"] for what in ("points", "steps", "bias"))
        layer = Convolution(points, steps, bias, taps, activation)
        return layer(self.library, self.crew, x, given, y, dilation, residual)

    def dense(self, name: str, x: Signal, y: Signal, rows: int, pitch: int | None = None, slope: float = 1.0) -> None:
        """One matrix over leaky rows of x, which start `pitch` numbers apart, into y."""
        self.matrix(name)(self.library, self.crew, x, y, rows, pitch, slope)

    def matrix(self, name: str) -> Matrix:
        if self.library.shape.tiles:
            return TiledDense(self._tiled(name))
        return Dense(*(self.weights[f"{name}.{what}"] for what in ("panels", "steps", "bias")))

    def _tiled(self, name: str) -> Tiled:
        tiles, steps, bias, parts = (self.weights[f"{name}.{what}"] for what in ("tiles", "steps", "bias", "parts"))
        return Tiled(tiles, steps, bias, int(parts))

    def measured(self, data: Signal, length: int, added: Signal | None = None) -> Rows:
        """The first rows of an array with their sums; `added` joins them first."""
        return measured(self.library, self.crew, data, length, added)

    def styled(self, name: str) -> tuple[Array, Array]:
        """The style's gain and offset for one normalisation."""
        start, end = self.weights[f"{name}.place"]
        gain, offset = self._styles[start:end].reshape(2, -1)
        return gain, offset

    def norm(self, name: str) -> Norm:
        gain, offset = self.styled(name)
        turns = self.weights.get(f"{name}.turns", gain)
        return Norm(gain, offset, turns, self.weights.get(f"{name}.inverse", gain))
