"""Convolutions and matrices by tiles: tap by tap over rows of bf16, the sums in float32.

A block of rows is activated once. Then, for each 32 channels out and each 32 rows, one product and its end: bias,
residual, and the sums for the next normalisation.
"""

from itertools import product

from llvmlite import ir  # type: ignore[import-untyped]

from kokoro_server.model.kernels.amx import DEPTH, SIDE, Precision, Tiles, tile_product
from kokoro_server.model.kernels.builder import FLOAT, HALF, Code
from kokoro_server.model.kernels.convolution import activate

CONVOLUTION = "*x *y *before *scale *shift *turns *inverse *u *steps *bias taps dilation inputs pitch length at_once"
"""What all blocks of one convolution share."""
MATRIX = "*x *y *u *steps *bias inputs x_pitch y_pitch slope"
"""What all blocks of one matrix share."""


SIGNALS = {"snake": HALF, "leaky": FLOAT, "plain": FLOAT}
"""What a layer's rows are kept in, by its activation: those of the generator as they are multiplied."""
ONE = Precision(1, 1)
PRECISIONS = (ONE, Precision(2, 1), Precision(2, 2))
"""The generator's layers need the first alone."""


def tiled_name(activation: str, residual: bool, precision: Precision) -> str:
    """The convolution that does this."""
    return f"tiled_{activation}_{'add' if residual else 'set'}_{precision}"


def matrix_name(precision: Precision, source: ir.Type = FLOAT, target: ir.Type = FLOAT) -> str:
    """The matrix of that precision that reads and writes these."""
    return f"matrix_{precision}_{source}_{target}"


def tiled_kernels(module: ir.Module, width: int) -> None:
    """Write all of them."""
    finishes = {key: _finish(module, *key, width) for key in product((False, True), (FLOAT, HALF))}
    activated = {
        (kind, parts): activate(module, kind, width, parts, signal)
        for kind, signal in SIGNALS.items()
        for parts in ((1,) if signal is HALF else (1, 2))
    }
    for precision in PRECISIONS:
        multiply = tile_product(module, precision, width)
        for kind, residual in product(SIGNALS, (False, True)):
            if precision == ONE or SIGNALS[kind] is FLOAT:
                name, finish = tiled_name(kind, residual, precision), finishes[residual, SIGNALS[kind]]
                _convolution(
                    module, name, precision, activated[kind, precision.signal], multiply, finish, SIGNALS[kind]
                )
        for source, target in product((FLOAT, HALF), repeat=2):
            if precision == ONE or source is target is FLOAT:
                _matrix(module, precision, source, target, width, multiply)


def _convolution(
    module: ir.Module,
    name: str,
    precision: Precision,
    activate: Code,
    multiply: Code,
    finish: Code,
    signal: ir.Type,
) -> None:
    """y = filter(activation(x * scale + shift)) + bias (+ before) for `count` rows from `first`, and its sums.

    For `panels` times 32 channels from `panel` on. `u` is as `tiled_weights` has it; `rows` (bf16, in planes that lie
    `plane` apart) and `c` (32 x 32 floats) are scratch. `most` rows are activated at a time. Rows up to the next 32
    are written, those past `length` not counted.
    """
    arguments = "*sums *squares *rows *c first count panel panels plane"
    code = Code(module, name, arguments, finish.width, CONVOLUTION)
    tiles = Tiles(code)
    tiles.configure()
    span = code.mul(code.dilation, code.add(code.taps, -1))
    blocks = code.builder.sdiv(code.inputs, code.index(DEPTH))
    step = code.mul(code.dilation, code.inputs)
    with code.loop(code.count, code.at_once) as start:
        first = code.add(code.first, start)
        count = code.lesser(code.builder.sub(code.count, start), code.at_once)
        code.call(
            activate, code.x, code.rows, code.scale, code.shift, code.turns, code.inverse,
            code.builder.sub(first, code.builder.sdiv(span, code.index(2))), code.add(code.whole(count, SIDE), span),
            code.length, code.inputs, code.plane,
        )  # fmt: skip
        with code.loop(code.panels) as ahead:
            panel = code.add(code.panel, ahead)
            weights = code.at(code.u, code.mul(panel, SIDE * precision.weights, code.taps, code.inputs), HALF)
            channel = code.mul(panel, SIDE)
            here = [code.at(pointer, channel, signal) for pointer in (code.y, code.before)]
            here += [code.at(pointer, channel) for pointer in (code.steps, code.bias, code.sums, code.squares)]
            with code.loop(count, SIDE) as row:
                left = code.at(code.rows, code.mul(row, code.inputs), HALF)
                code.call(multiply, left, weights, code.c, code.taps, blocks, code.inputs, step, code.plane)
                code.call(finish, code.c, *here, code.add(first, row), code.length, code.pitch)
    tiles.release()
    code.done()


def _finish(module: ir.Module, residual: bool, signal: ir.Type, width: int) -> Code:
    """y [32, 32] = c * steps + bias (+ before) from `row` on, and the sums and squares of the rows before `length`."""
    names = "*c *y *before *steps *bias *sums *squares row length pitch"
    code = Code(module, f"finish_{'add' if residual else 'set'}_{signal}", names, width)
    builder = code.builder
    columns = range(0, SIDE, width)
    steps, bias = ([code.load(each, column) for column in columns] for each in (code.steps, code.bias))
    counted = [(pointer, column) for pointer in (code.sums, code.squares) for column in columns]
    begun = [code.load(pointer, column) for pointer, column in counted]
    before = builder.block
    with code.loop(SIDE) as down:
        counters = [builder.phi(code.vector) for _ in counted]
        row = code.add(code.row, down)
        inside = builder.icmp_signed("<", row, code.length)
        values = []
        for column, step, extra in zip(columns, steps, bias, strict=True):
            place = code.add(code.mul(row, code.pitch), column)
            value = code.fma(code.load(code.c, code.add(code.mul(down, SIDE), column)), step, extra)
            if residual:
                value = builder.fadd(value, code.load(code.before, place, signal))
            code.store(value, code.y, place, signal)
            values.append(builder.select(inside, value, code.splat(0.0)))
        sums, squares = counters[: len(columns)], counters[len(columns) :]
        ended = [builder.fadd(total, value) for total, value in zip(sums, values, strict=True)]
        ended += [code.fma(value, value, total) for total, value in zip(squares, values, strict=True)]
        for counter, start, end in zip(counters, begun, ended, strict=True):
            counter.add_incoming(start, before)
            counter.add_incoming(end, builder.block)
    for (pointer, column), end in zip(counted, ended, strict=True):
        code.store(end, pointer, column)
    code.done()
    return code


def _matrix(
    module: ir.Module, precision: Precision, source: ir.Type, target: ir.Type, width: int, multiply: Code
) -> None:
    """y = leaky(x) @ u * steps + bias for `rows` rows from `first`; those of x are `x_pitch` apart and may overlap.

    For `panels` times 32 channels from `panel` on. `u` is as `tiled_weights` has it for one tap, `slope` holds the bits
    of what numbers below zero are multiplied with; `halves` (planes of `plane`) and `c` are scratch. Rows up to the
    next 32 are written.
    """
    name = matrix_name(precision, source, target)
    code = Code(module, name, "*halves *c first rows panel panels plane", width, MATRIX)
    tiles = Tiles(code)
    tiles.configure()
    first = code.at(code.x, code.mul(code.first, code.x_pitch), source)
    last = code.mul(code.x_pitch, code.add(code.rows, -1))
    _narrow(code, first, source, code.add(last, code.inputs), precision.signal)
    depth = code.whole(code.inputs, DEPTH)
    columns = range(0, SIDE, width)
    with code.loop(code.panels) as ahead:
        panel = code.add(code.panel, ahead)
        channel = code.mul(panel, SIDE)
        weights = code.at(code.u, code.mul(channel, depth, precision.weights), HALF)
        steps, bias = (
            [code.load(each, code.add(channel, column)) for column in columns] for each in (code.steps, code.bias)
        )
        with code.loop(code.rows, SIDE) as row:
            left = code.at(code.halves, code.mul(row, code.x_pitch), HALF)
            blocks = code.builder.sdiv(depth, code.index(DEPTH))
            code.call(multiply, left, weights, code.c, 1, blocks, code.x_pitch, 0, code.plane)
            with code.loop(SIDE) as down:
                place = code.add(code.mul(code.add(code.first, row, down), code.y_pitch), channel)
                for column, step, extra in zip(columns, steps, bias, strict=True):
                    value = code.fma(code.load(code.c, code.add(code.mul(down, SIDE), column)), step, extra)
                    code.store(value, code.y, code.add(place, column), target)
    tiles.release()
    code.done()


def _narrow(code: Code, first: ir.Value, source: ir.Type, count: ir.Value, parts: int) -> None:
    """The first `count` numbers, leaky, as halves, and zeros to the end of the plane: stale ones may be no numbers."""
    slope = code.splat(code.float_of(code.slope))
    whole = code.whole(count, code.width)
    with code.loop(whole, code.width) as place:
        value = code.below(code.load(first, place, source), code.builder.sub(count, place))
        value = code.most(value, code.builder.fmul(value, slope))
        code.store_halves(value, code.halves, place, parts, code.plane)
    with code.loop(code.builder.sub(code.plane, whole), code.width) as place:
        code.store_halves(code.splat(0.0), code.halves, code.add(whole, place), parts, code.plane)
