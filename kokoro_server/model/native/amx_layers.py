"""Layers over rows of sound for CPUs with tile registers: the same as in `layers`, tap by tap in bf16."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.amx import DEPTH, SIDE, Precision, in_steps, tiled_weights
from kokoro_server.model.kernels.amx_kernels import matrix_name, tiled_name
from kokoro_server.model.kernels.library import Library
from kokoro_server.model.kernels.thread_pool import Crew, Scratch
from kokoro_server.model.native.layers import KINDS, Array, Norm, Rows, Signal, address, share_of

Halves = NDArray[Any]  # uint16, which hold bf16
Block = tuple[int, int, int, int]

ROWS_AT_ONCE = 512
HALVES_AT_ONCE = 1 << 19  # of activated rows, which leave a second-level cache of 2 MB room for a panel of weights
CHUNKS = 4  # times that many rows are one block of work: an interpreter's turn, and an end for who cancels
TURNS = 3  # blocks of work for each thread, lest all wait for the slowest
LINE = 32  # halves in a cache line


@dataclass(frozen=True)
class Tiled:
    """Weights [panels of 32 out, taps, blocks of 32 in, parts, 2, 16, 32] in bf16, counted in steps [out], a bias
    [out], and the parts of each number of the signal."""

    weights: Halves
    steps: Array
    bias: Array
    signal_parts: int

    @staticmethod
    def of(weight: Array, bias: Array, parts: int) -> "Tiled":
        """A filter [taps, in, out], whose numbers take so many parts unless one holds them exactly."""
        whole, steps = in_steps(weight)
        weights = tiled_weights(whole, parts if (steps == 1).all() else 1)
        missing = len(weights) * SIDE - len(bias)
        return Tiled(weights, np.pad(steps, (0, missing)), np.pad(bias, (0, missing)).astype(np.float32), parts)

    @property
    def precision(self) -> Precision:
        return Precision(self.signal_parts, self.weights.shape[3])

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """What the kernels read, in their order."""
        return self.weights, self.steps, self.bias


@dataclass(frozen=True)
class TiledConvolution:
    """A filter with its activation."""

    filter: Tiled
    activation: str

    def __call__(
        self,
        library: Library,
        crew: Crew,
        x: Rows,
        norm: Norm | None,
        y: Signal,
        dilation: int,
        residual: Signal | None = None,
    ) -> Rows:
        """y = residual + filter(activation(norm(x))); y and the residual may be one array."""
        inputs, outputs = x.data.shape[1], len(self.filter.bias)
        panels, taps = self.filter.weights.shape[:2]
        precision = self.filter.precision
        most = _at_once(inputs * precision.signal)
        before = y if residual is None else residual
        arrays = (x.data, y, before, *Norm.of(norm, library, x), *self.filter.arrays)
        record = _record(*map(address, arrays), taps, dilation, inputs, y.shape[1], x.length, most)
        blocks = list(_blocks(x.length, most, panels, crew.threads))
        sums = np.zeros((len(blocks), 2, outputs), np.float32)
        here, measures = address(record), address(sums)
        plane = inputs * (min(most, -(-x.length // SIDE) * SIDE) + dilation * (taps - 1))
        size = precision.signal * plane // 2
        function = library[tiled_name(self.activation, residual is not None, precision)]

        def work(block: tuple[int, Block], scratch: Scratch) -> None:
            number, (first, count, panel, width) = block
            place = measures + 8 * outputs * number
            halves, c = scratch.address("halves", size), scratch.address("sums", SIDE * SIDE)
            function(here, place, place + 4 * outputs, halves, c, first, count, panel, width, plane)

        crew.each(enumerate(blocks), work)
        total = sums.sum(0, dtype=np.float64)
        return Rows(y, x.length, total[0], total[1])


@dataclass(frozen=True)
class TiledDense:
    """A matrix, which is a filter of one tap."""

    filter: Tiled

    @property
    def outputs(self) -> int:
        return len(self.filter.bias)

    def __call__(
        self,
        library: Library,
        crew: Crew,
        x: Signal,
        y: Signal,
        rows: int,
        pitch: int | None = None,
        slope: float = 1.0,
    ) -> None:
        """y[row] = leaky(x[row]) @ weights + bias; both have spare rows.

        With a `pitch` the rows of x start so many numbers apart; they are read up to 31 numbers past their ends.
        """
        panels, _, blocks, _ = self.filter.weights.shape[:4]
        precision = self.filter.precision
        depth = blocks * DEPTH
        inputs, x_pitch = (min(depth, x.shape[1]), x.shape[1]) if pitch is None else (depth, pitch)
        most = _at_once(depth * precision.signal)
        bits = int(np.float32(slope).view(np.uint32))
        record = _record(*map(address, (x, y, *self.filter.arrays)), inputs, x_pitch, y.shape[1], bits)
        here = address(record)
        longest = x_pitch * (min(most, -(-rows // SIDE) * SIDE) - 1) + depth
        plane = -(-longest // LINE) * LINE + LINE
        size = precision.signal * plane // 2
        function = library[matrix_name(precision, KINDS[x.dtype], KINDS[y.dtype])]

        def work(block: Block, scratch: Scratch) -> None:
            halves, c = scratch.address("halves", size), scratch.address("sums", SIDE * SIDE)
            function(here, halves, c, *block, plane)

        crew.each(_parted(rows, most, panels, crew.threads), work)


def _record(*values: int) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _at_once(depth: int) -> int:
    """Rows of so many halves that are kept in the cache at a time."""
    return max(min(ROWS_AT_ONCE, HALVES_AT_ONCE // depth) // SIDE, 1) * SIDE


def _blocks(length: int, most: int, panels: int, threads: int) -> Iterator[Block]:
    """First row, rows, first panel and panels of each block of work.

    Few rows are parted by panels, so that no thread reads all weights; many by rows, so that none activates all.
    """
    if length <= most:
        return _parted(length, most, panels, threads)
    share = -(-length // (TURNS * threads * SIDE)) * SIDE if threads > 1 else length
    size = min(share, CHUNKS * most)
    return ((first, min(size, length - first), 0, panels) for first in range(0, length, size))


def _parted(length: int, most: int, panels: int, threads: int) -> Iterator[Block]:
    """The same by `most` rows, and as many panels as keep the threads busy."""
    share = share_of(panels, -(-length // most), threads)
    for first, panel in product(range(0, length, most), range(0, panels, share)):
        yield first, min(most, length - first), panel, min(share, panels - panel)
