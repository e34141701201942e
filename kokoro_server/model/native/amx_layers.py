"""Run convolutions and dense layers on CPUs with AMX: the same interface as in `layers`, tap by tap in bf16.

A block of work is some rows and some panels of 32 output channels. Its arguments that are the same for all blocks are
packed into one record (see amx_kernels), so that a call through ctypes converts few of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.amx import DEPTH, TILE_SIDE, Precision, detect_scale, pack_tiles
from kokoro_server.model.kernels.amx_kernels import name_convolution, name_gemm
from kokoro_server.model.kernels.thread_pool import Scratch
from kokoro_server.model.native.activations import LLVM_TYPES, Activations, Array, Signal, address_of
from kokoro_server.model.native.kernel_context import KernelContext
from kokoro_server.model.native.layers import Norm, count_panels_per_block

Halves = NDArray[Any]  # uint16 that hold the bits of bf16
Block = tuple[int, int, int, int]  # first row, rows, first panel, panels

MAX_CONVOLUTION_ROWS = 512  # rows that are activated at a time, at most
MAX_DENSE_VALUES = 1 << 19  # bf16 activated at a time (1 MB): leaves half of a 2 MB second-level cache for weights
CHUNKS = 4  # times that many rows in a block: few calls from Python, and still a soon answer to a cancellation
BLOCKS_PER_THREAD = 3  # blocks for each thread, so that no thread waits long for the slowest
CACHE_LINE_BF16 = 32  # bf16 in a cache line of 64 bytes


@dataclass(frozen=True)
class AmxWeights:
    """Hold a filter packed for AMX.

    Weights are bf16 bits [panels of 32 out, taps, blocks of 32 in, parts, 2, 16, 32]; scales and bias are float32
    [panels * 32]; `signal_parts` is the number of bf16 parts, 1 or 2, that the signal is split into.
    """

    weights: Halves
    scales: Array
    bias: Array
    signal_parts: int

    @staticmethod
    def pack(weight: Array, bias: Array, parts: int) -> "AmxWeights":
        """Pack a filter [taps, in, out] and its bias, with `parts` bf16 parts for each number.

        Weights that are integers times a scale take one part, which holds them exactly.
        """
        integers, scales = detect_scale(weight)
        weights = pack_tiles(integers, parts if (scales == 1).all() else 1)
        missing = len(weights) * TILE_SIDE - len(bias)
        return AmxWeights(weights, np.pad(scales, (0, missing)), np.pad(bias, (0, missing)).astype(np.float32), parts)

    @property
    def precision(self) -> Precision:
        """Parts of the signal's numbers and of the weights."""
        return Precision(self.signal_parts, self.weights.shape[3])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Weights, scales and bias: the order of the kernels' records."""
        return self.weights, self.scales, self.bias


@dataclass(frozen=True)
class AmxConvolution:
    """Convolve with AMX kernels, after an activation."""

    filter: AmxWeights
    activation: str
    dilation: int = 1

    def __call__(
        self, context: KernelContext, x: Activations, norm: Norm | None, y: Signal, residual: Signal | None = None
    ) -> Activations:
        """Compute y = residual + filter(activation(norm(x))) and the statistics of y, as Convolution does."""
        inputs, outputs = x.data.shape[1], len(self.filter.bias)
        panels, taps, dilation = *self.filter.weights.shape[:2], self.dilation
        precision = self.filter.precision
        most = _choose_row_count(inputs * precision.signal_parts)
        before = y if residual is None else residual
        arrays = (x.data, y, before, *Norm.get_arrays(norm, context, x), *self.filter.arrays)
        # In the order of CONVOLUTION_RECORD. `record` lives until parallel_for returns, and so does its address.
        record = _pack_record(*map(address_of, arrays), taps, dilation, inputs, y.shape[1], x.length, most)
        blocks = list(_iterate_convolution_blocks(x.length, most, panels, context.pool.threads))
        sums = np.zeros((len(blocks), 2, outputs), np.float32)
        record_address, measures = address_of(record), address_of(sums)
        # bf16 in one plane: the rows of a block and the filter's span; `size` is the floats that all planes take.
        plane = inputs * (min(most, -(-x.length // TILE_SIDE) * TILE_SIDE) + dilation * (taps - 1))
        size = precision.signal_parts * plane // 2
        function = context.library[name_convolution(self.activation, residual is not None, precision)]

        def work(block: tuple[int, Block], scratch: Scratch) -> None:
            number, (first, count, panel, panel_count) = block
            block_sums = measures + 8 * outputs * number  # [2, outputs] floats: sums, then squares
            converted, c = scratch.address("halves", size), scratch.address("sums", TILE_SIDE * TILE_SIDE)
            function(
                record_address, block_sums, block_sums + 4 * outputs, converted, c,
                first, count, panel, panel_count, plane,
            )  # fmt: skip

        context.pool.parallel_for(enumerate(blocks), work)
        return Activations.from_block_sums(y, x.length, sums)


@dataclass(frozen=True)
class AmxDense:
    """Apply a dense layer with AMX kernels, a filter of one tap, after a leaky ReLU with that slope below zero."""

    filter: AmxWeights
    slope: float = 1.0

    @property
    def outputs(self) -> int:
        """Output channels, padded to whole panels."""
        return len(self.filter.bias)

    def __call__(self, context: KernelContext, x: Signal, y: Signal, rows: int, pitch: int | None = None) -> None:
        """Compute y[row] = leaky_relu(x[row]) @ weights + bias for `rows` rows, as Dense does.

        With a `pitch`, rows of x are read up to 31 elements past their ends: input channels go up to whole blocks.
        """
        panels, _, blocks, _ = self.filter.weights.shape[:4]
        precision = self.filter.precision
        depth = blocks * DEPTH
        inputs, x_pitch = (min(depth, x.shape[1]), x.shape[1]) if pitch is None else (depth, pitch)
        most = _choose_row_count(depth * precision.signal_parts)
        bits = int(np.float32(self.slope).view(np.uint32))
        # In the order of GEMM_RECORD.
        record = _pack_record(*map(address_of, (x, y, *self.filter.arrays)), inputs, x_pitch, y.shape[1], bits)
        record_address = address_of(record)
        # The kernel converts a block's rows as one run of numbers, plus a cache line of zeros past its end.
        longest = x_pitch * (min(most, -(-rows // TILE_SIDE) * TILE_SIDE) - 1) + depth
        plane = -(-longest // CACHE_LINE_BF16) * CACHE_LINE_BF16 + CACHE_LINE_BF16
        size = precision.signal_parts * plane // 2
        function = context.library[name_gemm(precision, LLVM_TYPES[x.dtype], LLVM_TYPES[y.dtype])]

        def work(block: Block, scratch: Scratch) -> None:
            converted, c = scratch.address("halves", size), scratch.address("sums", TILE_SIDE * TILE_SIDE)
            function(record_address, converted, c, *block, plane)

        context.pool.parallel_for(_iterate_dense_blocks(rows, most, panels, context.pool.threads), work)


def _pack_record(*values: int) -> NDArray[np.int64]:
    """Pack addresses and sizes into a record that a kernel reads."""
    return np.array(values, np.int64)


def _choose_row_count(depth: int) -> int:
    """Return the rows of `depth` bf16 each that stay in the cache at a time: a multiple of 32, at least 32."""
    return max(min(MAX_CONVOLUTION_ROWS, MAX_DENSE_VALUES // depth) // TILE_SIDE, 1) * TILE_SIDE


def _iterate_convolution_blocks(length: int, most: int, panels: int, threads: int) -> Iterator[Block]:
    """Yield the blocks of a convolution, for at most `most` activated rows at a time.

    Few rows are split by panels, so that each thread reads only some of the weights; many by rows, so that each thread
    activates only some of them.
    """
    if length <= most:
        return _iterate_dense_blocks(length, most, panels, threads)
    share = -(-length // (BLOCKS_PER_THREAD * threads * TILE_SIDE)) * TILE_SIDE if threads > 1 else length
    size = min(share, CHUNKS * most)
    return ((first, min(size, length - first), 0, panels) for first in range(0, length, size))


def _iterate_dense_blocks(length: int, most: int, panels: int, threads: int) -> Iterator[Block]:
    """Yield blocks of `most` rows and as many panels as keep the threads busy."""
    share = count_panels_per_block(panels, -(-length // most), threads)
    for first, panel in product(range(0, length, most), range(0, panels, share)):
        yield first, min(most, length - first), panel, min(share, panels - panel)
