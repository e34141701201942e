"""One convolution of Kokoro's residual blocks: normalise, activate, convolve, add, measure for the next.

Rows are moments, columns channels: a dilated filter reads rows further apart, and every step runs along the
channels. A block of rows goes through all steps while it is in the cache:

    activate     rows of x, scaled and shifted (AdaIN), through Snake or leaky ReLU
    transform    each tile of n rows to n points                  V [points, tiles, channels in]
    product      at each point, over the channels                 M [points, tiles, panel of channels out]
    untransform  n points to m rows, plus bias and residual       y, and sums for the next normalisation
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]

from kokoro_server.model.kernels.builder import FLOAT, WHOLE, Code, Shape
from kokoro_server.model.kernels.gemm import counted
from kokoro_server.model.kernels.toom_cook import Matrix, Scheme

# sin²(πr) for |r| <= 1/2 as r² * polynomial(r²), least squares at Chebyshev nodes: error below 5e-7.
SNAKE = (9.86952173, -32.4650351, 42.64226575, -29.42105229, 10.5730692)
LEAK = 0.2
LINE = 16  # floats in a cache line of 64 bytes


@dataclass(frozen=True)
class Kernel:
    """What one conv function does: its scheme, its activation, and whether it adds a residual."""

    scheme: Scheme
    taps: int
    activation: str
    residual: bool

    @property
    def weights(self) -> ir.Type:
        """What its filters are kept in: the many points of the generator's need float32."""
        return FLOAT if self.activation == "snake" else WHOLE

    @property
    def name(self) -> str:
        return f"conv_{self.taps}_{self.activation}_{'add' if self.residual else 'set'}"


ACTIVATIONS = ("snake", "leaky", "plain")


def rows_of(activation: str, shape: Shape) -> ir.Type:
    """What the rows are kept in that a layer of that activation reads and writes: in 16 bits those of the generator,
    which are by far the most and pass through memory at every layer."""
    return shape.kept if activation == "snake" else FLOAT


def activate(module: ir.Module, kind: str, width: int, parts: int = 0, signal: ir.Type = FLOAT) -> Code:
    """out[row] = activation(x[first + row] * scale + shift), zero outside 0..length; x is of the type `signal`.

    In float32; or as so many parts in bf16, in planes that lie `plane` after each other.
    """
    names = "*x *out *scale *shift *alpha *inverse first rows length channels plane"
    code = Code(module, f"activate_{kind}_{parts}", names, width)

    def put(value: ir.Value, place: ir.Value) -> None:
        if parts:
            code.store_halves(value, code.out, place, parts, code.plane)
        else:
            code.store(value, code.out, place)

    with code.loop(code.rows) as row:
        place = code.add(code.first, row)
        inside = code.builder.icmp_unsigned("<", place, code.length)
        target = code.mul(row, code.channels)
        with code.builder.if_else(inside) as (then, otherwise):
            with then:
                source = code.at(code.x, code.mul(place, code.channels), signal)
                with code.loop(code.channels, width) as channel:
                    put(_activated(code, kind, code.load(source, channel, signal), channel), code.add(target, channel))
            with otherwise, code.loop(code.channels, width) as channel:
                put(code.splat(0.0), code.add(target, channel))
    code.done()
    return code


def _activated(code: Code, kind: str, value: ir.Value, channel: ir.Value) -> ir.Value:
    value = code.fma(value, code.load(code.scale, channel), code.load(code.shift, channel))
    if kind == "plain":
        return value
    if kind == "leaky":
        return code.most(value, code.builder.fmul(value, code.splat(LEAK)))
    turns = code.builder.fmul(value, code.load(code.alpha, channel))
    rest = code.builder.fsub(turns, code.round(turns))
    square = code.builder.fmul(rest, rest)
    series = code.splat(SNAKE[-1])
    for coefficient in reversed(SNAKE[:-1]):
        series = code.fma(series, square, code.splat(coefficient))
    return code.fma(code.builder.fmul(series, square), code.load(code.inverse, channel), value)


def transform(module: ir.Module, scheme: Scheme, width: int) -> Code:
    """V[point, tile] = input @ rows of the tile; tiles go by group, then by phase of the dilation."""
    n, m = scheme.points, scheme.outputs
    code = Code(module, f"transform_{m}_{n}", "*rows *v groups dilation channels slots", width)
    plane = _plane(code)
    with code.loop(code.groups) as group, code.loop(code.dilation) as phase:
        first = code.add(code.mul(group, m, code.dilation), phase)
        source = code.at(code.rows, code.mul(first, code.channels))
        target = code.at(code.v, code.mul(code.add(code.mul(group, code.dilation), phase), code.channels))
        stride = code.mul(code.dilation, code.channels)
        with code.loop(code.channels, width) as channel:
            load = partial(_load_row, code, source, stride, channel)
            for point, value in enumerate(_evaluated(code, scheme, load)):
                code.store(value, target, code.add(code.mul(plane, point), channel))
    code.done()
    return code


def _load_row(code: Code, source: ir.Value, stride: ir.Value, channel: ir.Value, row: int) -> ir.Value:
    return code.load(source, code.add(code.mul(stride, row), channel))


def _evaluated(code: Code, scheme: Scheme, row: Callable[[int], ir.Value]) -> list[ir.Value]:
    """input @ rows, each pair of points ±p from one even and one odd sum; `row` loads a row of the tile.

    Row by row, so that the sums stay in registers and every row is loaded once.
    """
    pairs = range(1, scheme.points - 1, 2)
    even = _sums(code, scheme.input[[0, *pairs]], range(0, scheme.points, 2), row)
    odd = _sums(code, scheme.input[[*pairs, -1]], range(1, scheme.points, 2), row)
    values = [even[0]]
    for a, b in zip(even[1:], odd[:-1], strict=True):
        values += [code.builder.fadd(a, b), code.builder.fsub(a, b)]
    return [*values, odd[-1]]


def _sums(code: Code, weights: Matrix, places: Iterable[int], load: Callable[[int], ir.Value]) -> list[ir.Value]:
    """weights @ what `load` gives at these places, all sums at once."""
    totals: list[ir.Value | None] = [None] * len(weights)
    for place in places:
        value = load(place)
        totals = [code.plus(total, w, value) for total, w in zip(totals, weights[:, place], strict=True)]
    return totals


def _plane(code: Code) -> ir.Value:
    """Floats from one point of V to the next: a line beside the tiles, lest all points share a cache set."""
    return code.add(code.mul(code.slots, code.channels), LINE)


def product(module: ir.Module, shape: Shape, micro: Code, kind: ir.Type) -> Code:
    """M[point, tile, panel] = V[point, tile] @ U[point] for one panel of output channels.

    `shape.rows` tiles at a time keep their sums in registers through all input channels.
    """
    name = "product_whole" if kind is WHOLE else "product_float"
    code = Code(module, name, "*v *u *steps *m points slots channels", shape.width)
    with code.loop(code.points) as point:
        weights = code.at(code.u, code.mul(point, code.channels, shape.panel), kind)
        tiles = code.at(code.v, code.mul(point, _plane(code)))
        sums = code.at(code.m, code.mul(point, code.slots, shape.panel))
        steps = code.at(code.steps, code.mul(point, shape.panel))
        with code.loop(code.slots, shape.rows) as slot:
            left = code.at(tiles, code.mul(slot, code.channels))
            out = code.at(sums, code.mul(slot, shape.panel))
            code.call(micro, left, weights, steps, steps, out, code.channels, code.channels, shape.panel)
    code.done()
    return code


def _untransform(module: ir.Module, kernel: Kernel, shape: Shape) -> Code:
    """y rows of one panel = output @ M + bias (+ residual), and their sums and squares up to `length`."""
    scheme = kernel.scheme
    names = "*m *y *before *bias *sums *squares first groups dilation slots length pitch"
    code = Code(module, f"untransform_{kernel.name}", names, shape.width)
    plane = code.mul(code.slots, shape.panel)
    with code.loop(code.groups) as group, code.loop(code.dilation) as phase:
        tile = code.at(code.m, code.mul(code.add(code.mul(group, code.dilation), phase), shape.panel))
        first = code.add(code.first, code.mul(group, scheme.outputs, code.dilation), phase)
        for column in range(0, shape.panel, shape.width):
            load = partial(_load_row, code, tile, plane, code.index(column))
            _write(code, kernel, load, first, column, rows_of(kernel.activation, shape))
    code.done()
    return code


def _write(
    code: Code, kernel: Kernel, load: Callable[[int], ir.Value], first: ir.Value, column: int, kept: ir.Type
) -> None:
    """Store one tile's rows for one vector of channels; rows past the end are written but not counted."""
    builder = code.builder
    total, squares = code.load(code.sums, column), code.load(code.squares, column)
    bias = code.load(code.bias, column)
    for j, value in enumerate(_interpolated(code, kernel.scheme, load)):
        row = code.add(first, code.mul(code.dilation, j))
        place = code.add(code.mul(row, code.pitch), column)
        value = builder.fadd(value, bias)
        if kernel.residual:
            value = builder.fadd(value, code.load(code.before, place, kept))
        code.store(value, code.y, place, kept)
        inside = builder.icmp_signed("<", row, code.length)
        counted = builder.select(inside, value, code.splat(0.0))
        total, squares = builder.fadd(total, counted), code.fma(counted, counted, squares)
    code.store(total, code.sums, column)
    code.store(squares, code.squares, column)


def _interpolated(code: Code, scheme: Scheme, point: Callable[[int], ir.Value]) -> list[ir.Value]:
    """output @ points, pair by pair: even rows take the sum of each pair ±p, odd rows the difference."""
    first, last = point(0), point(scheme.points - 1)
    totals: list[ir.Value | None] = [code.plus(None, weights[0], first) for weights in scheme.output]
    for p in range(1, scheme.points - 1, 2):
        a, b = point(p), point(p + 1)
        halves = code.builder.fadd(a, b), code.builder.fsub(a, b)
        totals = [code.plus(t, scheme.output[j, p], halves[j % 2]) for j, t in enumerate(totals)]
    return [code.plus(t, scheme.output[j, -1], last) for j, t in enumerate(totals)]


def convolution(
    module: ir.Module, kernel: Kernel, shape: Shape, product: Code, activate: Code, transform: Code
) -> Code:
    """All four steps over one block of `groups` x dilation tiles, whose first output row is `first`.

    `rows`, `v` and `m` are scratch; `u` is [panels, points, channels in, panel], in `steps` if it is whole numbers.
    """
    names = (
        "*x *y *before *scale *shift *alpha *inverse *u *steps *bias *sums *squares *rows *v *m "
        "first groups dilation slots length inputs outputs pitch"
    )
    scheme, kept = kernel.scheme, rows_of(kernel.activation, shape)
    untransformed = _untransform(module, kernel, shape)
    code = Code(module, kernel.name, names, shape.width)
    halo = code.mul(code.dilation, kernel.taps // 2)
    start = code.builder.sub(code.first, halo)
    count = code.mul(code.dilation, code.add(code.mul(code.groups, scheme.outputs), kernel.taps - 1))
    code.call(
        activate, code.x, code.rows, code.scale, code.shift, code.alpha, code.inverse,
        start, count, code.length, code.inputs, 0,
    )  # fmt: skip
    code.call(transform, code.rows, code.v, code.groups, code.dilation, code.inputs, code.slots)
    with code.loop(code.outputs, shape.panel) as channel:
        weights = code.at(code.u, code.mul(channel, scheme.points, code.inputs), kernel.weights)
        steps = code.at(code.steps, code.mul(channel, scheme.points))
        code.call(product, code.v, weights, steps, code.m, scheme.points, code.slots, code.inputs)
        here = [code.at(pointer, channel, kept) for pointer in (code.y, code.before)]
        here += [code.at(pointer, channel) for pointer in (code.bias, code.sums, code.squares)]
        code.call(
            untransformed, code.m, *here, code.first, code.groups, code.dilation, code.slots,
            code.length, code.pitch,
        )  # fmt: skip
    code.done()
    return code


def transformed_weights(weight: np.ndarray, scheme: Scheme, whole: bool, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    """A filter [out, in, taps] at the scheme's points [panels, points, in, panel], and their steps: one less axis."""
    outputs, inputs, _ = weight.shape
    if whole:
        points, steps = counted(weight.transpose(2, 1, 0), scheme.taps)
    else:
        points = np.einsum("pk,oik->pio", scheme.taps, weight.astype(np.float64)).astype(np.float32)
        steps = np.ones((scheme.points, outputs), np.float32)
    panels = points.reshape(scheme.points, inputs, outputs // shape.panel, shape.panel)
    steps = steps.reshape(scheme.points, -1, shape.panel).transpose(1, 0, 2)
    return np.ascontiguousarray(panels.transpose(2, 0, 1, 3)), np.ascontiguousarray(steps)
