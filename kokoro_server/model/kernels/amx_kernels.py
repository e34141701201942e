"""Write convolutions and GEMM for AMX tile registers: tap by tap over rows of bf16, with sums in float32.

A block of rows is activated and converted to bf16 once. Then, for each panel of 32 output channels and each 32 rows,
one tile product over all taps and input channels leaves 32 x 32 sums in scratch, and an epilogue scales them, adds
bias and residual, stores y, and collects the statistics for the next normalization.

Filters are applied tap by tap: the values of a Toom-Cook transform need more precision than bf16 has.
"""

from itertools import product

from llvmlite import ir

from kokoro_server.model.kernels.amx import DEPTH, TILE_SIDE, Precision, TileEmitter, emit_tile_microkernel
from kokoro_server.model.kernels.builder import BF16, FLOAT, FunctionBuilder
from kokoro_server.model.kernels.convolution import emit_activation

CONVOLUTION_RECORD = (
    "*x *y *residual *scale *shift *alpha_over_pi *inverse_alpha *u *scales *bias "
    "taps dilation inputs pitch length block_rows"
)
"""Fields of the record that all blocks of one convolution share, 8 bytes each."""
GEMM_RECORD = "*x *y *u *scales *bias inputs x_pitch y_pitch slope"
"""Fields of the record that all blocks of one GEMM share, 8 bytes each."""


STORAGE_TYPES = {"snake": BF16, "leaky": FLOAT, "plain": FLOAT}
"""Storage type of a layer's activations, by its activation function: the generator's are bf16, as they are multiplied.
"""
BF16X1 = Precision(1, 1)
"""One bf16 value for each number: all that the generator's layers use."""
PRECISIONS = (BF16X1, Precision(2, 1), Precision(2, 2))
"""All precisions that kernels are written for."""


def name_convolution(activation: str, residual: bool, precision: Precision) -> str:
    """Return the symbol of a convolution kernel."""
    return f"amx_conv_{activation}_{'add' if residual else 'set'}_{precision}"


def name_gemm(precision: Precision, source: ir.Type = FLOAT, destination: ir.Type = FLOAT) -> str:
    """Return the symbol of a GEMM kernel that reads `source` and writes `destination`."""
    return f"amx_gemm_{precision}_{source}_{destination}"


def emit_amx_kernels(module: ir.Module, width: int) -> None:
    """Write all kernels of an AMX target; vectors of `width` floats do the activations and the epilogues."""
    epilogues = {key: _emit_epilogue(module, *key, width) for key in product((False, True), (FLOAT, BF16))}
    activations = {
        (kind, parts): emit_activation(module, kind, width, parts, signal)
        for kind, signal in STORAGE_TYPES.items()
        for parts in ((1,) if signal is BF16 else (1, 2))
    }
    for precision in PRECISIONS:
        multiply = emit_tile_microkernel(module, precision, width)
        for kind, residual in product(STORAGE_TYPES, (False, True)):
            if precision == BF16X1 or STORAGE_TYPES[kind] is FLOAT:
                name, epilogue = name_convolution(kind, residual, precision), epilogues[residual, STORAGE_TYPES[kind]]
                _emit_convolution(
                    module,
                    name,
                    precision,
                    activations[kind, precision.signal_parts],
                    multiply,
                    epilogue,
                    STORAGE_TYPES[kind],
                )
        for source, destination in product((FLOAT, BF16), repeat=2):
            if precision == BF16X1 or source is destination is FLOAT:
                _emit_gemm(module, precision, source, destination, width, multiply)


def _emit_convolution(  # one kernel of a table of them: what differs between two of its entries
    module: ir.Module,
    name: str,
    precision: Precision,
    activate: FunctionBuilder,
    multiply: FunctionBuilder,
    finish: FunctionBuilder,
    signal: ir.Type,
) -> None:
    """Write y = filter(activation(x * scale + shift)) + bias (+ residual) for `count` rows from `first`.

    For `panels` panels of 32 output channels from `panel` on. `u` has the layout of `pack_tiles`. Scratch: `rows`, the
    activated rows in bf16, part p at p * `plane`, and `c`, 32 x 32 floats. At most `block_rows` rows (a multiple of 32)
    are activated at a time, so that they stay in the cache for all panels. Rows up to the next multiple of 32 are
    written; those past `length` do not enter `sums` and `squares`.
    """
    arguments = "*sums *squares *rows *c first count panel panels plane"
    code = FunctionBuilder(module, name, arguments, finish.width, CONVOLUTION_RECORD)
    tiles = TileEmitter(code)
    tiles.configure()
    # A filter spans dilation * (taps - 1) rows more than its output, half of them on either side. Rows of tap t start
    # t * dilation rows, or t * step bf16, after those of tap 0.
    span = code.mul(code.dilation, code.add(code.taps, -1))
    blocks = code.builder.sdiv(code.inputs, code.index(DEPTH))
    step = code.mul(code.dilation, code.inputs)
    with code.loop(code.count, code.block_rows) as start:
        first = code.add(code.first, start)
        count = code.min_size(code.builder.sub(code.count, start), code.block_rows)
        code.call(
            activate, code.x, code.rows, code.scale, code.shift, code.alpha_over_pi, code.inverse_alpha,
            code.builder.sub(first, code.builder.sdiv(span, code.index(2))),
            code.add(code.round_up(count, TILE_SIDE), span), code.length, code.inputs, code.plane,
        )  # fmt: skip
        with code.loop(code.panels) as number:
            panel = code.add(code.panel, number)
            # A panel has taps * inputs * 32 weights of `weight_parts` bf16 each.
            weights = code.offset_address(
                code.u, code.mul(panel, TILE_SIDE * precision.weight_parts, code.taps, code.inputs), BF16
            )
            channel = code.mul(panel, TILE_SIDE)
            columns = [code.offset_address(pointer, channel, signal) for pointer in (code.y, code.residual)]
            columns += [
                code.offset_address(pointer, channel) for pointer in (code.scales, code.bias, code.sums, code.squares)
            ]
            with code.loop(count, TILE_SIDE) as row:
                left = code.offset_address(code.rows, code.mul(row, code.inputs), BF16)
                code.call(multiply, left, weights, code.c, code.taps, blocks, code.inputs, step, code.plane)
                code.call(finish, code.c, *columns, code.add(first, row), code.length, code.pitch)
    tiles.release()
    code.finish()


def _emit_epilogue(module: ir.Module, residual: bool, signal: ir.Type, width: int) -> FunctionBuilder:
    """Write the epilogue y [32, 32] = c * scales + bias (+ residual), rows from `row` on, `pitch` elements apart.

    The sums and squares [32] of the rows before `length` are added to `sums` and `squares`.
    """
    names = "*c *y *residual *scales *bias *sums *squares row length pitch"
    code = FunctionBuilder(module, f"epilogue_{'add' if residual else 'set'}_{signal}", names, width)
    builder = code.builder
    columns = range(0, TILE_SIDE, width)
    scales, bias = ([code.load(each, column) for column in columns] for each in (code.scales, code.bias))
    # Statistics are read once, kept in registers over the 32 rows, and written back: first all sums, then all squares.
    statistics = [(pointer, column) for pointer in (code.sums, code.squares) for column in columns]
    initial = [code.load(pointer, column) for pointer, column in statistics]
    before = builder.block
    with code.loop(TILE_SIDE) as down:
        phis = [builder.phi(code.vector) for _ in statistics]
        row = code.add(code.row, down)
        inside = builder.icmp_signed("<", row, code.length)
        values = []
        for column, scale, addend in zip(columns, scales, bias, strict=True):
            offset = code.add(code.mul(row, code.pitch), column)
            value = code.fma(code.load(code.c, code.add(code.mul(down, TILE_SIDE), column)), scale, addend)
            if residual:
                value = builder.fadd(value, code.load(code.residual, offset, signal))
            code.store(value, code.y, offset, signal)
            values.append(builder.select(inside, value, code.broadcast(0.0)))
        sums, squares = phis[: len(columns)], phis[len(columns) :]
        updated = [builder.fadd(total, value) for total, value in zip(sums, values, strict=True)]
        updated += [code.fma(value, value, total) for total, value in zip(squares, values, strict=True)]
        for phi, start, end in zip(phis, initial, updated, strict=True):
            phi.add_incoming(start, before)
            phi.add_incoming(end, builder.block)
    for (pointer, column), end in zip(statistics, updated, strict=True):
        code.store(end, pointer, column)
    code.finish()
    return code


def _emit_gemm(  # One kernel of a table of them: what differs between two of its entries.
    module: ir.Module,
    precision: Precision,
    source: ir.Type,
    destination: ir.Type,
    width: int,
    multiply: FunctionBuilder,
) -> None:
    """Write y = leaky_relu(x) @ u * scales + bias for `rows` rows from `first`.

    Rows of x start `x_pitch` elements apart and may overlap. For `panels` panels of 32 output channels from `panel`
    on. `u` has the layout of `pack_tiles` for one tap; `slope` holds the bits of a float32. Scratch: `converted`,
    the inputs in bf16, part p at p * `plane`, and `c`, 32 x 32
    floats. Rows up to the next multiple of 32 are written.
    """
    name = name_gemm(precision, source, destination)
    code = FunctionBuilder(module, name, "*converted *c first rows panel panels plane", width, GEMM_RECORD)
    tiles = TileEmitter(code)
    tiles.configure()
    # Overlapping rows are converted once, as one run of numbers with the same pitch: (rows - 1) * x_pitch + inputs.
    first = code.offset_address(code.x, code.mul(code.first, code.x_pitch), source)
    last = code.mul(code.x_pitch, code.add(code.rows, -1))
    _emit_narrowing(code, first, source, code.add(last, code.inputs), precision.signal_parts)
    depth = code.round_up(code.inputs, DEPTH)
    columns = range(0, TILE_SIDE, width)
    with code.loop(code.panels) as number:
        panel = code.add(code.panel, number)
        channel = code.mul(panel, TILE_SIDE)
        weights = code.offset_address(code.u, code.mul(channel, depth, precision.weight_parts), BF16)
        scales, bias = (
            [code.load(each, code.add(channel, column)) for column in columns] for each in (code.scales, code.bias)
        )
        with code.loop(code.rows, TILE_SIDE) as row:
            left = code.offset_address(code.converted, code.mul(row, code.x_pitch), BF16)
            blocks = code.builder.sdiv(depth, code.index(DEPTH))
            code.call(multiply, left, weights, code.c, 1, blocks, code.x_pitch, 0, code.plane)
            with code.loop(TILE_SIDE) as down:
                offset = code.add(code.mul(code.add(code.first, row, down), code.y_pitch), channel)
                for column, scale, addend in zip(columns, scales, bias, strict=True):
                    value = code.fma(code.load(code.c, code.add(code.mul(down, TILE_SIDE), column)), scale, addend)
                    code.store(value, code.y, code.add(offset, column), destination)
    tiles.release()
    code.finish()


def _emit_narrowing(code: FunctionBuilder, first: ir.Value, source: ir.Type, count: ir.Value, parts: int) -> None:
    """Emit the conversion of `count` numbers to bf16, after leaky ReLU, and zeros up to the end of the plane."""
    slope = code.broadcast(code.float_from_bits(code.slope))
    # The product reads up to 31 numbers past a row's end. Their weights are zero, but scratch may hold NaN from an
    # earlier run, and NaN * 0 is NaN: so they have to be zero, too.
    whole = code.round_up(count, code.width)
    with code.loop(whole, code.width) as offset:
        value = code.mask_lanes(code.load(first, offset, source), code.builder.sub(count, offset))
        value = code.max(value, code.builder.fmul(value, slope))
        code.store_bf16_parts(value, code.converted, offset, parts, code.plane)
    with code.loop(code.builder.sub(code.plane, whole), code.width) as offset:
        code.store_bf16_parts(code.broadcast(0.0), code.converted, code.add(whole, offset), parts, code.plane)
