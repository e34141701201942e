"""Run the network's layers with the kernels: convolutions, dense layers, LSTMs.

A layer splits its rows (and, where they are few, its output panels) into blocks, and the thread pool runs one kernel
call for each block. A block is chosen so that its intermediate arrays stay in one core's second-level cache. Statistics
are float32 sums for each block, which are added up in float64.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import I16, Target
from kokoro_server.model.kernels.convolution import ConvolutionKernel, winograd_weights
from kokoro_server.model.kernels.gemm import pack_panels, quantize
from kokoro_server.model.kernels.library import SCHEMES
from kokoro_server.model.kernels.thread_pool import Scratch
from kokoro_server.model.native.activations import LLVM_TYPES, Activations, Array, Signal, address_of
from kokoro_server.model.native.kernel_context import KernelContext

Frames = NDArray[np.int64]

CACHE_FLOATS = 96 * 1024  # floats of V (384 KiB) that stay in a second-level cache of 512 KiB beside the rest
WIDE_TILES = 64  # tiles in a block whose weights do not fit the cache: they are read once for so many tiles
DENSE_ROWS = 96  # rows in a block of a dense layer, which share one reading of a panel of weights


def leaky_relu(values: Array, slope: float) -> Array:
    """Apply leaky ReLU: values below zero are multiplied by the slope, 0 to 1."""
    larger: Array = np.maximum(values, values * np.float32(slope))
    return larger


@dataclass(frozen=True)
class Norm:
    """Hold the parameters of AdaIN and Snake, [channels] each.

    `gamma` and `beta` come from the style: normalized values are multiplied by 1 + gamma, and beta is added. Snake,
    x + sin²(alpha * x) / alpha, takes alpha / π and 1 / alpha. Other activations ignore these two.
    """

    gamma: Array
    beta: Array
    alpha_over_pi: Array
    inverse_alpha: Array

    def compute_affine(self, context: KernelContext, rows: Activations) -> tuple[Array, Array]:
        """Return normalization, gamma and beta as one scale and one shift [channels]."""
        scale, shift = np.empty_like(self.gamma), np.empty_like(self.gamma)
        arrays = rows.sums, rows.squares, self.gamma, self.beta, scale, shift
        context.call("affine", *arrays, rows.length, len(scale))
        return scale, shift

    @staticmethod
    def get_arrays(norm: "Norm | None", context: KernelContext, rows: Activations) -> tuple[Array, Array, Array, Array]:
        """Return what the kernels read: scale, shift, alpha / π, 1 / alpha. Without a norm, scale 1 and shift 0."""
        if norm is None:
            # Activations after no norm are never Snake, so the last two only have to be readable.
            one, zero = np.ones(rows.data.shape[1], np.float32), np.zeros(rows.data.shape[1], np.float32)
            return one, zero, one, one
        return *norm.compute_affine(context, rows), norm.alpha_over_pi, norm.inverse_alpha


@dataclass(frozen=True)
class Convolution:
    """Convolve with Toom-Cook kernels, after an activation.

    Weights are [panels, points, in, panel], float32 or int16; scales [panels, points, panel]; bias [out]. `taps` lie
    `dilation` rows apart: 1, 3 or 5.
    """

    points: Signal
    scales: Array
    bias: Array
    taps: int
    activation: str
    dilation: int = 1

    @staticmethod
    def pack(weight: Array, activation: str, target: Target) -> tuple[Signal, Array]:
        """Return the packed weights and scales for a filter [out, in, taps]."""
        kernel = ConvolutionKernel(SCHEMES[activation, weight.shape[2]], weight.shape[2], activation, False)
        return winograd_weights(weight, kernel.scheme, kernel.weight_type is I16, target)

    def __call__(
        self, context: KernelContext, x: Activations, norm: Norm | None, y: Signal, residual: Signal | None = None
    ) -> Activations:
        """Compute y = residual + filter(activation(norm(x))) and the statistics of y.

        Args:
            context: Where it runs.
            x: Input [length, in] with its statistics.
            norm: Normalization to apply first; None for none.
            y: Output with spare rows; its first `out` columns are written. May be the residual's array, not x's.
            residual: Array with y's pitch and dtype.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        kernel = ConvolutionKernel(
            SCHEMES[self.activation, self.taps], self.taps, self.activation, residual is not None
        )
        inputs, outputs, pitch, dilation = x.data.shape[1], len(self.bias), y.shape[1], self.dilation
        scale, shift, turns, inverse = Norm.get_arrays(norm, context, x)
        before = y if residual is None else residual
        addresses = [address_of(a) for a in (x.data, y, before, scale, shift, turns, inverse)]
        weights = [address_of(self.points), address_of(self.scales), address_of(self.bias)]
        # V takes points * inputs floats for each tile. Where the weights of one point exceed the cache, every panel
        # comes from memory anyway, and the number of tiles that share a panel matters instead.
        wide = inputs * outputs > CACHE_FLOATS
        fitting = WIDE_TILES if wide else CACHE_FLOATS // (kernel.scheme.point_count * inputs)
        blocks = list(_iterate_blocks(context, x.length, dilation, kernel.scheme.outputs, fitting))
        sums = np.zeros((len(blocks), 2, outputs), np.float32)
        measures = address_of(sums)
        function = context.library[kernel.name]

        def work(block: tuple[int, int, int], scratch: Scratch) -> None:
            number, first, groups = block
            # Tiles up to the next multiple of the microkernel's rows; the sums of the last ones are not read.
            tiles = -(-groups * dilation // context.target.rows) * context.target.rows
            sizes = kernel.count_scratch_floats(groups, dilation, tiles, inputs, context.target.panel)
            memory = [scratch.address(name, size) for name, size in sizes.items()]
            function(
                *addresses, *weights, *(measures + 4 * outputs * (2 * number + i) for i in (0, 1)), *memory,
                first, groups, dilation, tiles, x.length, inputs, outputs, pitch,
            )  # fmt: skip

        context.pool.parallel_for(blocks, work)
        return Activations.from_block_sums(y, x.length, sums)


def _iterate_blocks(
    context: KernelContext, length: int, dilation: int, outputs: int, fitting: int
) -> Iterator[tuple[int, int, int]]:
    """Yield number, first row and groups of each block: about `fitting` tiles, and equally many blocks for each thread.

    Args:
        context: Where the blocks run: its microkernel takes some tiles at a time, its threads share the blocks.
        length: Output rows.
        dilation: Tiles in a group.
        outputs: Output rows m of a tile: a group covers m * dilation rows.
        fitting: Tiles that fit the cache.
    """
    threads = context.pool.threads
    groups = -(-length // (dilation * outputs))
    size = _choose_groups(fitting, dilation, context.target.rows)
    rounds = -(-groups // (size * threads))
    # With one or two blocks for each thread, a short last one would leave threads idle: make them equal.
    if rounds <= 2:
        size = -(-groups // (rounds * threads))
    for number, group in enumerate(range(0, groups, size)):
        yield number, group * dilation * outputs, min(size, groups - group)


def _choose_groups(fitting: int, dilation: int, rows: int) -> int:
    """Return a number of groups near the fitting one that fills the microkernel's rows best, the largest of equals."""
    near = max(fitting // dilation, 1)

    def fullness(groups: int) -> float:
        tiles = groups * dilation
        return tiles / (-(-tiles // rows) * rows)

    return max(range(max(near - 2, 1), near + 3), key=lambda groups: (round(fullness(groups), 2), groups))


class DenseLayer(Protocol):
    """Multiply rows by weights and add a bias, after leaky ReLU."""

    @property
    def outputs(self) -> int:
        """Output channels, padded to whole panels."""
        ...

    def __call__(self, context: KernelContext, x: Signal, y: Signal, rows: int, pitch: int | None = None) -> None:
        """Write leaky_relu(x) @ weights + bias for `rows` rows to y, whose rows lie `pitch` numbers apart."""


@dataclass(frozen=True)
class Dense:
    """Apply a dense layer in vector registers, after a leaky ReLU.

    Weights are int16 [panels, in, panel], scales and bias [panels * panel]; `slope` is that of the leaky ReLU below
    zero, 1.0 for none.
    """

    panels: NDArray[Any]
    scales: Array
    bias: Array
    slope: float = 1.0

    @staticmethod
    def pack(weight: Array, bias: Array, target: Target) -> tuple[NDArray[Any], Array, Array]:
        """Return packed weights, scales and bias for a matrix [in, out], zeros after the last output."""
        integers, scales = quantize(weight[None])
        panels = pack_panels(integers[0], target)
        missing = panels.shape[0] * target.panel - len(bias)
        return panels, np.pad(scales[0], (0, missing)), np.pad(bias, (0, missing)).astype(np.float32)

    @property
    def outputs(self) -> int:
        """Output channels, padded to whole panels."""
        return len(self.bias)

    def __call__(self, context: KernelContext, x: Signal, y: Signal, rows: int, pitch: int | None = None) -> None:
        """Compute y[row] = leaky_relu(x[row]) @ weights + bias for `rows` rows.

        Args:
            context: Where it runs.
            x: Inputs of any storage type with spare rows.
            y: Output of any storage type with spare rows; its first `outputs` columns are written.
            rows: Rows to compute.
            pitch: Elements between the starts of two rows of x; x's width by default. A smaller or larger one makes
                rows overlapping windows or strides.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        inputs, panel = self.panels.shape[1:]
        x_pitch = x.shape[1] if pitch is None else pitch
        y_pitch = y.shape[1]
        source, destination, weights, scales, bias = (
            address_of(a) for a in (x, y, self.panels, self.scales, self.bias)
        )
        names = "gemm", f"widen_{LLVM_TYPES[x.dtype]}", f"narrow_{LLVM_TYPES[y.dtype]}"
        function, widen, narrow = (context.library[name] for name in names)
        unit = context.target.rows
        step = -(-DENSE_ROWS // unit) * unit
        share = count_panels_per_block(len(self.panels), -(-rows // step), context.pool.threads)
        # The GEMM kernel reads and writes float32: other inputs are widened, and other outputs narrowed, by the block.
        reads_x, narrows = x.dtype == np.float32 and self.slope == 1.0, y.dtype != np.float32
        bits = int(np.float32(self.slope).view(np.uint32))
        longest = x_pitch * (step - 1) + inputs + context.target.width

        def work(block: tuple[int, int], scratch: Scratch) -> None:
            first, panels = block
            start = panels * panel
            outputs = min(share, len(self.panels) - panels) * panel
            count = min(step, rows - first)
            left = source + x.itemsize * first * x_pitch
            if not reads_x:
                stored, left = left, scratch.address("left", longest)
                widen(stored, left, x_pitch * (-(-count // unit) * unit - 1) + inputs, bits)
            cell = destination + y.itemsize * (first * y_pitch + start)
            out, out_pitch = (scratch.address("out", step * outputs), outputs) if narrows else (cell, y_pitch)
            # Weights are int16 (2 bytes), scales and bias float32.
            function(
                left, out, weights + 2 * start * inputs, scales + 4 * start, bias + 4 * start,
                count, inputs, outputs, x_pitch, out_pitch,
            )  # fmt: skip
            if narrows:
                narrow(out, cell, count, outputs, y_pitch)

        context.pool.parallel_for(product(range(0, rows, step), range(0, len(self.panels), share)), work)


def count_panels_per_block(panels: int, row_blocks: int, threads: int) -> int:
    """Return the panels in one block: all of them, unless the rows alone do not keep the threads busy."""
    # With several threads, aim at two blocks for each.
    blocks = 1 if threads == 1 else max(-(-2 * threads // row_blocks), 1)
    return -(-panels // blocks)


@dataclass(frozen=True)
class Lstm:
    """Run a bidirectional LSTM: both directions' input weights in one dense layer, then one thread for each direction.

    The state weights are [2, units / width, units, 4, width].
    """

    inputs: DenseLayer
    state: Array

    def __call__(self, context: KernelContext, x: Array, rows: int, repeats: Frames | None = None) -> Array:
        """Return a new array [steps, 2 * units], forward outputs first.

        Args:
            context: Where it runs; its arena lends the buffer "gates".
            x: Inputs [rows, in] with spare rows.
            rows: Rows of x.
            repeats: Number of steps [rows] that take each row of x; one each by default.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        units = self.state.shape[2]
        # Equal rows have equal gates, so the product is computed once for each row and repeated afterwards.
        gates = context.arena.get_rows("gates", rows, self.inputs.outputs)
        self.inputs(context, x, gates, rows)
        steps = gates[:rows] if repeats is None else np.repeat(gates[:rows], repeats, axis=0)
        y = np.empty((len(steps), 2 * units), np.float32)

        def work(direction: int, scratch: Scratch) -> None:
            # Backwards: from the last step, with negative pitches. Gates of both directions are one row of 8 * units.
            first, sign = (0, 1) if direction == 0 else (len(steps) - 1, -1)
            gate, out = steps[first, 4 * units * direction :], y[first, units * direction :]
            memory = np.zeros((3, units), np.float32)
            context.call(
                "lstm", gate, self.state[direction], out, *memory,
                len(steps), units, sign * 8 * units, sign * 2 * units,
            )  # fmt: skip

        context.pool.parallel_for((0, 1), work)
        return y
