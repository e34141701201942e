"""Pack parameters for the kernels, and run the blocks that encoder and decoder share.

The `prepare_*` functions run once, when the cache is built: they turn the model's parameters into packed arrays, whose
names are the module's name and a suffix (`decode.0.conv1.points`). NetworkPart runs blocks over these arrays for one
utterance: convolutions, dense layers, and AdaIN blocks, whose normalization depends on the style:

    y = (conv2(leaky(norm2(conv1(leaky(norm1(x)))))) + shortcut(x)) / √2
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.native.activations import Activations, Array, Signal
from kokoro_server.model.native.amx_layers import AmxConvolution, AmxDense, AmxWeights
from kokoro_server.model.native.kernel_context import KernelContext
from kokoro_server.model.native.layers import Convolution, Dense, DenseLayer, Norm, leaky_relu

Weights = Mapping[str, Array]
PackedArrays = dict[str, NDArray[Any]]

CHANNEL_MULTIPLE = 32
"""Channels are padded to a multiple of this, which suits the vectors and tiles of every target."""
PLAIN, SPLIT = 1, 2
"""Number of bf16 values that represent a number on AMX targets.

One is enough for the decoder: its sound then differs from float32's by no more than that of two runtimes. What decides
on durations and pitch takes two, which are as good as float32.
"""
ROOT_HALF = np.float32(np.sqrt(0.5))


def pad_channels(array: Array, axis: int) -> Array:
    """Pad an axis of channels with zeros to a multiple of CHANNEL_MULTIPLE."""
    widths = [(0, 0)] * array.ndim
    widths[axis] = (0, -array.shape[axis] % CHANNEL_MULTIPLE)
    return np.pad(array, widths)


def count_padded_channels(channels: int) -> int:
    """Return the number of channels after pad_channels."""
    return channels + -channels % CHANNEL_MULTIPLE


def make_window_matrix(parameters: Weights, name: str) -> tuple[Array, Array]:
    """Return a convolution [out, in, taps] as a matrix [taps * in, out] over windows of rows, and its bias [out]."""
    # A window of `taps` rows of [time, in] is contiguous: its element tap * in + channel meets weight[:, channel, tap].
    weight = parameters[f"{name}.weight"]
    bias = parameters[f"{name}.bias"] if f"{name}.bias" in parameters else np.zeros(len(weight), np.float32)
    return weight.transpose(2, 1, 0).reshape(-1, len(weight)), bias


def prepare_dense(name: str, weight: Array, bias: Array, target: Target, parts: int) -> PackedArrays:
    """Pack a dense layer [in, out] for the target; `parts` is PLAIN or SPLIT."""
    if target.has_tiles:
        return _pack_amx(name, weight[None], bias, parts)
    panels, scales, padded_bias = Dense.pack(weight, bias, target)
    return {f"{name}.panels": panels, f"{name}.scales": scales, f"{name}.bias": padded_bias}


def _pack_amx(name: str, weight: Array, bias: Array, parts: int) -> PackedArrays:
    """Pack a filter [taps, in, out] and its bias for AMX."""
    packed = AmxWeights.pack(weight, bias, parts)
    return {
        f"{name}.tiles": packed.weights,
        f"{name}.scales": packed.scales,
        f"{name}.bias": packed.bias,
        f"{name}.parts": np.array(packed.signal_parts),
    }


# Six facts decide how a filter is packed; each caller has other ones.
def prepare_filter(name: str, weight: Array, bias: Array, activation: str, target: Target, parts: int) -> PackedArrays:
    """Pack a convolution [out, in, taps] that follows `activation`; `parts` is PLAIN or SPLIT."""
    if target.has_tiles:
        return _pack_amx(name, weight.transpose(2, 1, 0), bias, parts)
    points, scales = Convolution.pack(weight, activation, target)
    return {f"{name}.points": points, f"{name}.scales": scales, f"{name}.bias": bias}


def prepare_styles(parameters: Weights, name: str, norms: Iterable[str]) -> PackedArrays:
    """Join the dense layers that map the style to each norm's gamma and beta into one.

    `{name}.weight` is [128, sum of 2 * channels], `{name}.shift` its bias, and `{norm}.place` where that norm's values,
    gamma then beta, start and end. Channels are padded to CHANNEL_MULTIPLE.
    """
    ready: PackedArrays = {}
    weights, shifts, start = [], [], 0
    for norm in norms:
        weight, bias = parameters[f"{norm}.fc.weight"], parameters[f"{norm}.fc.bias"]
        weights.append(pad_channels(weight.reshape(len(weight), 2, -1), axis=2).reshape(len(weight), -1))
        shifts.append(pad_channels(bias.reshape(2, -1), axis=1).reshape(-1))
        ready[f"{norm}.place"] = np.array([start, start + len(shifts[-1])])
        start += len(shifts[-1])
    return {**ready, f"{name}.weight": np.concatenate(weights, axis=1), f"{name}.shift": np.concatenate(shifts)}


def prepare_adain(parameters: Weights, name: str, target: Target, parts: int) -> PackedArrays:
    """Pack an AdaIN block; the division by √2 goes into the weights of conv2 and of the shortcut."""
    ready: PackedArrays = {}
    for part, share in ((1, np.float32(1)), (2, ROOT_HALF)):
        weight = pad_channels(parameters[f"{name}.conv{part}.weight"], axis=1)
        bias = parameters[f"{name}.conv{part}.bias"] * share
        ready.update(prepare_filter(f"{name}.conv{part}", weight * share, bias, "leaky", target, parts))
    if f"{name}.conv1x1.weight" in parameters:
        shortcut, bias = make_window_matrix(parameters, f"{name}.conv1x1")
        shortcut = pad_channels(shortcut, axis=0) * ROOT_HALF
        ready.update(prepare_dense(f"{name}.conv1x1", shortcut, bias * ROOT_HALF, target, parts))
    # An upsampling block has a depthwise transposed convolution [channels, 1, 3]: kept as [3, channels].
    if f"{name}.pool.weight" in parameters:
        ready[f"{name}.pool.weight"] = pad_channels(parameters[f"{name}.pool.weight"][:, 0].T, axis=1)
        ready[f"{name}.pool.bias"] = pad_channels(parameters[f"{name}.pool.bias"], axis=0)
    return ready


class NetworkPart:
    """Run one utterance through the packed arrays of a part of the network, with its style.

    Subclasses are the encoder's and the decoder's passes. An instance serves one utterance and one thread.
    """

    STYLES = ""
    """Name of the array that maps the style to every norm's gamma and beta."""

    def __init__(self, weights: Weights, context: KernelContext, style: Array) -> None:
        self.weights = weights
        self.context = context
        self._style = style
        self._styles = style @ weights[f"{self.STYLES}.weight"] + weights[f"{self.STYLES}.shift"]

    def run_adain(self, name: str, x: Activations, y: Array) -> Activations:
        """Run an AdaIN block into the first columns of y: AdaIN, leaky ReLU and filter, twice, plus the shortcut."""
        # y takes the shortcut first: conv1x1 where the channels change, else x itself. conv2 adds to it in place.
        outputs = len(self.weights[f"{name}.conv2.bias"])
        if f"{name}.conv1x1.bias" in self.weights:
            self.multiply(f"{name}.conv1x1", x.data, y, x.length)
        else:
            np.multiply(x.values, ROOT_HALF, out=y[: x.length, :outputs])
        hidden = self.context.arena.get_rows("hidden", x.length, outputs)
        rows = self.convolve(f"{name}.conv1", "leaky", x, f"{name}.norm1", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def run_adain_up(self, name: str, x: Activations, y: Array) -> Activations:
        """Run an AdaIN block that doubles the rows: a depthwise transposed convolution, and a repeated shortcut."""
        length, outputs = 2 * x.length, len(self.weights[f"{name}.conv2.bias"])
        doubled = self.context.with_stats(self._upsample_rows(name, x), length)
        shortcut = self.context.arena.get_rows("shortcut", x.length, outputs)
        self.multiply(f"{name}.conv1x1", x.data, shortcut, x.length)
        y[:length] = np.repeat(shortcut[: x.length], 2, axis=0)
        hidden = self.context.arena.get_rows("hidden", length, outputs)
        rows = self.convolve(f"{name}.conv1", "plain", doubled, "", hidden)
        return self.convolve(f"{name}.conv2", "leaky", rows, f"{name}.norm2", y, residual=y)

    def _upsample_rows(self, name: str, x: Activations) -> Array:
        """Apply norm1, leaky ReLU, and the depthwise transposed convolution of 3 taps at stride 2."""
        # Output row 2t is x[t] * taps[1], row 2t + 1 is x[t] * taps[2] + x[t + 1] * taps[0]; x is zero past the end.
        scale, shift = self.get_norm(f"{name}.norm1").compute_affine(self.context, x)
        active = leaky_relu(x.values * scale + shift, 0.2)
        taps, bias = self.weights[f"{name}.pool.weight"], self.weights[f"{name}.pool.bias"]
        following = np.concatenate([active[1:], np.zeros_like(active[:1])])
        y = self.context.arena.get_rows("pooled", 2 * x.length, active.shape[1])
        y[: 2 * x.length : 2] = active * taps[1] + bias
        y[1 : 2 * x.length : 2] = active * taps[2] + following * taps[0] + bias
        return y

    def convolve(  # the operands of y = residual + filter(activation(norm(x)))
        self,
        name: str,
        activation: str,
        x: Activations,
        norm: str,
        y: Signal,
        taps: int = 3,
        dilation: int = 1,
        residual: Signal | None = None,
    ) -> Activations:
        """Compute y = residual + filter(activation(norm(x))).

        Args:
            name: The filter's name.
            activation: "snake", "leaky" or "plain".
            x: Input with its statistics.
            norm: The norm's name; "" for none.
            y: Output with spare rows; may be the residual's array.
            taps: Filter length: 3, 7 or 11.
            dilation: Rows between two taps: 1, 3 or 5.
            residual: Array with y's pitch and dtype.
        """
        style_norm = self.get_norm(norm) if norm else None
        if self.context.target.has_tiles:
            tiled = AmxConvolution(self._get_amx_weights(name), activation, dilation)
            return tiled(self.context, x, style_norm, y, residual)
        points, scales, bias = (self.weights[f"{name}.{what}"] for what in ("points", "scales", "bias"))
        layer = Convolution(points, scales, bias, taps, activation, dilation)
        return layer(self.context, x, style_norm, y, residual)

    def multiply(  # the operands of y = leaky_relu(x) @ weights + bias
        self, name: str, x: Signal, y: Signal, rows: int, pitch: int | None = None, slope: float = 1.0
    ) -> None:
        """Apply a dense layer to `rows` leaky rows of x, which start `pitch` elements apart, into y."""
        self.get_dense(name, slope)(self.context, x, y, rows, pitch)

    def get_dense(self, name: str, slope: float = 1.0) -> DenseLayer:
        """Return the dense layer of that name for the kernels' target, after a leaky ReLU of that slope."""
        if self.context.target.has_tiles:
            return AmxDense(self._get_amx_weights(name), slope)
        panels, scales, bias = (self.weights[f"{name}.{what}"] for what in ("panels", "scales", "bias"))
        return Dense(panels, scales, bias, slope)

    def _get_amx_weights(self, name: str) -> AmxWeights:
        tiles, scales, bias, parts = (self.weights[f"{name}.{what}"] for what in ("tiles", "scales", "bias", "parts"))
        return AmxWeights(tiles, scales, bias, int(parts))

    def get_style(self, name: str) -> tuple[Array, Array]:
        """Return the gamma and beta that the style gives one norm, [channels] each."""
        start, end = self.weights[f"{name}.place"]
        gamma, beta = self._styles[start:end].reshape(2, -1)
        return gamma, beta

    def get_norm(self, name: str) -> Norm:
        """Return one norm's parameters for this style, with Snake's where the layer has it."""
        gamma, beta = self.get_style(name)
        # Without Snake any array of that size will do: the kernel does not read it.
        alpha_over_pi = self.weights.get(f"{name}.alpha_over_pi", gamma)
        return Norm(gamma, beta, alpha_over_pi, self.weights.get(f"{name}.inverse_alpha", gamma))
