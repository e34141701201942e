"""Layers over rows of sound: what the decoder and the generator are made of, run by the kernels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import FLOAT, HALF, SHORT, WHOLE, Shape
from kokoro_server.model.kernels.convolution import Kernel, transformed_weights
from kokoro_server.model.kernels.gemm import counted, panelled
from kokoro_server.model.kernels.library import SCHEMES, Library
from kokoro_server.model.kernels.norm import measure_name
from kokoro_server.model.kernels.thread_pool import Crew, Scratch

Array = NDArray[np.float32]
Signal = NDArray[Any]  # float32, float16, or uint16 that hold bf16
Frames = NDArray[np.int64]

SPARE_ROWS = 64  # that a kernel may write past the end: less than a tile at dilation 5, or a product's rows
CACHE = 96 * 1024  # floats of V that stay in a second-level cache of 512 KiB beside the rest
WIDE_TILES = 64  # that share one reading of weights too many for the cache
DENSE_ROWS = 96  # rows that pass by one panel of weights while it is in the cache
ROWS_MEASURED = 512  # at a time
FLOAT32 = np.dtype(np.float32)
KINDS: dict[np.dtype[Any], Any] = {
    FLOAT32: FLOAT,
    np.dtype(np.float16): SHORT,
    np.dtype(np.uint16): HALF,
}  # what the kernels call them


def kept_in(shape: Shape) -> np.dtype[Any]:
    """What the generator's rows are arrays of."""
    return next(array for array, kind in KINDS.items() if kind is shape.kept)


@dataclass
class Rows:
    """A signal [length, channels], with room behind it, and its sums over time for the next normalisation."""

    data: Signal
    length: int
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    @property
    def values(self) -> Signal:
        """The signal without its spare rows."""
        return self.data[: self.length]


def leaky(values: Array, slope: float) -> Array:
    """The leaky ReLU: what is below zero times the slope."""
    larger: Array = np.maximum(values, values * np.float32(slope))
    return larger


def measured(library: Library, crew: Crew, data: Signal, length: int, added: Signal | None = None) -> Rows:
    """Rows whose sums are taken here; `added` [length, channels], with data's pitch, joins them first."""
    channels, pitch = data.shape[1], data.strides[0] // data.itemsize
    starts = range(0, length, ROWS_MEASURED)
    sums = np.zeros((len(starts), 2, channels), np.float32)
    x, y, measures = address(data), address(data if added is None else added), address(sums)
    function = library[measure_name(added is not None, KINDS[data.dtype])]

    def work(block: tuple[int, int], scratch: Scratch) -> None:
        number, start = block
        place, target = data.strides[0] * start, measures + 8 * channels * number
        rows = min(ROWS_MEASURED, length - start)
        function(x + place, y + place, target, target + 4 * channels, rows, channels, pitch)

    crew.each(enumerate(starts), work)
    total = sums.sum(0, dtype=np.float64)
    return Rows(data, length, total[0], total[1])


class Workshop:
    """Buffers by name, kept from one utterance to the next: a length seen before costs no new pages."""

    def __init__(self) -> None:
        self._arrays: dict[str, Signal] = {}

    def rows(self, name: str, length: int, channels: int, kind: np.dtype[Any] = FLOAT32) -> Signal:
        """An array [length + SPARE_ROWS, channels] that holds whatever was there."""
        size = (length + SPARE_ROWS) * channels
        array = self._arrays.get(name)
        if array is None or array.size < size or array.dtype != kind:
            self._arrays.pop(name, None)  # before its successor comes
            array = self._arrays[name] = np.zeros(size, kind)
        return array[:size].reshape(-1, channels)

    def tidy(self, limit: int) -> None:
        """Give large buffers back, lest one long text hold its memory for ever; `limit` in bytes."""
        if sum(array.nbytes for array in self._arrays.values()) > limit:
            self._arrays.clear()


@dataclass(frozen=True)
class Norm:
    """AdaIN's style-given gain and offset [channels], and Snake's frequency in turns and its inverse."""

    gain: Array
    offset: Array
    turns: Array
    inverse: Array

    def affine(self, library: Library, rows: Rows) -> tuple[Array, Array]:
        """Normalisation, gain and offset as one scale and one shift."""
        scale, shift = np.empty_like(self.gain), np.empty_like(self.gain)
        arrays: tuple[NDArray[Any], ...] = rows.sums, rows.squares, self.gain, self.offset, scale, shift
        library["affine"](*map(address, arrays), rows.length, len(scale))
        return scale, shift

    @staticmethod
    def of(norm: "Norm | None", library: Library, rows: Rows) -> tuple[Array, Array, Array, Array]:
        """What the kernels read: scale, shift, turns, inverse. Without a norm they change nothing."""
        if norm is None:
            one, zero = np.ones(rows.data.shape[1], np.float32), np.zeros(rows.data.shape[1], np.float32)
            return one, zero, one, one
        return *norm.affine(library, rows), norm.turns, norm.inverse


def address(array: NDArray[Any]) -> int:
    """Where an array's numbers are."""
    return array.ctypes.data


@dataclass(frozen=True)
class Convolution:
    """A filter at the points of its scheme [panels, points, in, panel], counted in steps [panels, points, panel], with
    its bias [out]."""

    points: Signal
    steps: Array
    bias: Array
    taps: int
    activation: str

    @staticmethod
    def weights(weight: Array, activation: str, shape: Shape) -> tuple[Signal, Array]:
        """`points` and `steps` for a filter [out, in, taps]."""
        kernel = Kernel(SCHEMES[activation, weight.shape[2]], weight.shape[2], activation, False)
        return transformed_weights(weight, kernel.scheme, kernel.weights is WHOLE, shape)

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
        kernel = Kernel(SCHEMES[self.activation, self.taps], self.taps, self.activation, residual is not None)
        inputs, outputs, pitch = x.data.shape[1], len(self.bias), y.shape[1]
        scale, shift, turns, inverse = Norm.of(norm, library, x)
        before = y if residual is None else residual
        addresses = [address(a) for a in (x.data, y, before, scale, shift, turns, inverse)]
        weights = [address(self.points), address(self.steps), address(self.bias)]
        wide = inputs * outputs > CACHE
        fitting = WIDE_TILES if wide else CACHE // (kernel.scheme.points * inputs)
        blocks = list(_blocks(x.length, dilation, kernel.scheme.outputs, fitting, library.shape.rows, crew.threads))
        sums = np.zeros((len(blocks), 2, outputs), np.float32)
        measures = address(sums)
        function = library[kernel.name]

        def work(block: tuple[int, int, int], scratch: Scratch) -> None:
            number, first, groups = block
            slots = -(-groups * dilation // library.shape.rows) * library.shape.rows
            memory = _scratch(scratch, kernel, groups, dilation, slots, inputs, library.shape)
            function(
                *addresses, *weights, *(measures + 4 * outputs * (2 * number + i) for i in (0, 1)), *memory,
                first, groups, dilation, slots, x.length, inputs, outputs, pitch,
            )  # fmt: skip

        crew.each(blocks, work)
        total = sums.sum(0, dtype=np.float64)
        return Rows(y, x.length, total[0], total[1])


def _blocks(
    length: int, dilation: int, outputs: int, fitting: int, rows: int, threads: int
) -> Iterator[tuple[int, int, int]]:
    """Number, first row and groups of each block: about `fitting` tiles, and as many blocks a thread."""
    groups = -(-length // (dilation * outputs))
    size = _full_groups(fitting, dilation, rows)
    rounds = -(-groups // (size * threads))
    if rounds <= 2:
        size = -(-groups // (rounds * threads))
    for number, group in enumerate(range(0, groups, size)):
        yield number, group * dilation * outputs, min(size, groups - group)


def _full_groups(fitting: int, dilation: int, rows: int) -> int:
    """Groups of `dilation` tiles near the fitting number that leave the fewest of a product's rows empty."""
    near = max(fitting // dilation, 1)

    def fullness(groups: int) -> float:
        tiles = groups * dilation
        return tiles / (-(-tiles // rows) * rows)

    return max(range(max(near - 2, 1), near + 3), key=lambda groups: (round(fullness(groups), 2), groups))


def _scratch(
    scratch: Scratch, kernel: Kernel, groups: int, dilation: int, slots: int, inputs: int, shape: Shape
) -> tuple[int, int, int]:
    scheme = kernel.scheme
    rows = dilation * (groups * scheme.outputs + kernel.taps - 1) * inputs
    plane = slots * inputs + 16
    return (
        scratch.address("rows", rows),
        scratch.address("points", scheme.points * plane),
        scratch.address("sums", scheme.points * slots * shape.panel),
    )


class Matrix(Protocol):
    """Rows, leaky first, times weights plus a bias; `outputs` are counted up to whole panels."""

    @property
    def outputs(self) -> int: ...

    def __call__(
        self,
        library: Library,
        crew: Crew,
        x: Signal,
        y: Signal,
        rows: int,
        pitch: int | None = None,
        slope: float = 1.0,
    ) -> None: ...


@dataclass(frozen=True)
class Dense:
    """Weights [panels, in, panel] in whole numbers of steps [out], and bias [out], both filled to whole panels."""

    panels: NDArray[Any]
    steps: Array
    bias: Array

    @staticmethod
    def weights(weight: Array, bias: Array, shape: Shape) -> tuple[NDArray[Any], Array, Array]:
        """`panels`, `steps` and `bias` for a matrix [in, out]."""
        whole, steps = counted(weight[None])
        panels = panelled(whole[0], shape)
        missing = panels.shape[0] * shape.panel - len(bias)
        return panels, np.pad(steps[0], (0, missing)), np.pad(bias, (0, missing)).astype(np.float32)

    @property
    def outputs(self) -> int:
        return len(self.bias)

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
        """y[row] = leaky(x[row]) @ weights + bias; rows of x start `pitch` numbers apart; both have spare rows."""
        inputs, panel = self.panels.shape[1:]
        x_pitch = x.shape[1] if pitch is None else pitch
        y_pitch = y.shape[1]
        source, target, weights, steps, bias = (address(a) for a in (x, y, self.panels, self.steps, self.bias))
        names = "dense", f"widen_{KINDS[x.dtype]}", f"narrow_{KINDS[y.dtype]}"
        function, widen, narrow = (library[name] for name in names)
        whole = library.shape.rows
        step = -(-DENSE_ROWS // whole) * whole
        share = share_of(len(self.panels), -(-rows // step), crew.threads)
        as_it_is, shorter = x.dtype == np.float32 and slope == 1.0, y.dtype != np.float32
        bits = int(np.float32(slope).view(np.uint32))
        longest = x_pitch * (step - 1) + inputs + library.shape.width

        def work(block: tuple[int, int], scratch: Scratch) -> None:
            first, panels = block
            start = panels * panel
            outputs = min(share, len(self.panels) - panels) * panel
            count = min(step, rows - first)
            left = source + x.itemsize * first * x_pitch
            if not as_it_is:
                given, left = left, scratch.address("left", longest)
                widen(given, left, x_pitch * (-(-count // whole) * whole - 1) + inputs, bits)
            place = target + y.itemsize * (first * y_pitch + start)
            out, out_pitch = (scratch.address("out", step * outputs), outputs) if shorter else (place, y_pitch)
            function(
                left, out, weights + 2 * start * inputs, steps + 4 * start, bias + 4 * start,
                count, inputs, outputs, x_pitch, out_pitch,
            )  # fmt: skip
            if shorter:
                narrow(out, place, count, outputs, y_pitch)

        crew.each(product(range(0, rows, step), range(0, len(self.panels), share)), work)


def share_of(panels: int, row_blocks: int, threads: int) -> int:
    """Panels of one block of work: all of them, unless the rows alone do not keep the threads busy."""
    blocks = 1 if threads == 1 else max(-(-2 * threads // row_blocks), 1)
    return -(-panels // blocks)


@dataclass(frozen=True)
class Lstm:
    """Both directions' input weights as one matrix, and state weights [2, units / width, units, 4, width]."""

    inputs: Matrix
    state: Array

    def __call__(
        self,
        library: Library,
        crew: Crew,
        workshop: Workshop,
        x: Array,
        rows: int,
        repeats: Frames | None = None,
    ) -> Array:
        """Outputs [rows, 2 * units] of x [rows, in]; with `repeats` [rows], each row comes that often."""
        units = self.state.shape[2]
        gates = workshop.rows("gates", rows, self.inputs.outputs)
        self.inputs(library, crew, x, gates, rows)
        steps = gates[:rows] if repeats is None else np.repeat(gates[:rows], repeats, axis=0)
        y = np.empty((len(steps), 2 * units), np.float32)
        function = library["lstm"]

        def work(direction: int, scratch: Scratch) -> None:
            first, sign = (0, 1) if direction == 0 else (len(steps) - 1, -1)
            gate, out = steps[first, 4 * units * direction :], y[first, units * direction :]
            memory = np.zeros((3, units), np.float32)
            function(
                *(address(a) for a in (gate, self.state[direction], out, *memory)),
                len(steps), units, sign * 8 * units, sign * 2 * units,
            )  # fmt: skip

        crew.each((0, 1), work)
        return y
