"""Write the kernels of the normalizations: statistics of channels, AdaIN's scale and shift, ALBERT's layer norm.

AdaIN normalizes each channel over time, then multiplies by 1 + gamma and adds beta, which the style gives. Both steps
are one scale and one shift for each channel, which the next convolution applies as it reads its input. Their sums are
collected where the activations are written: in float32 for a block of rows, then in float64 over the blocks.
"""

from collections.abc import Callable

from llvmlite import ir

from kokoro_server.model.kernels.builder import DOUBLE, FLOAT, FunctionBuilder

EPSILON = 1e-5
"""Added to the variance by AdaIN's instance norm, and by the layer norms of the predictors and the text encoder."""
BERT_EPSILON = 1e-12
"""Added to the variance by ALBERT's layer normalization."""


def emit_affine(module: ir.Module, width: int) -> FunctionBuilder:
    """Write the kernel that computes AdaIN's scale and shift from sums (float64) over `length` rows.

    scale = (1 + gamma) / sqrt(variance + epsilon) and shift = beta - mean * scale, for each of `channels` channels.
    """
    code = FunctionBuilder(module, "affine", "*sums *squares *gamma *beta *scale *shift length channels", width)
    builder = code.builder
    # Scalar code in float64: the mean of squares minus the square of the mean cancels digits, and channels are few.
    share = builder.fdiv(ir.Constant(DOUBLE, 1.0), builder.sitofp(code.length, DOUBLE))
    square_root = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), "llvm.sqrt.f64")
    with code.loop(code.channels) as channel:
        mean = builder.fmul(builder.load(code.offset_address(code.sums, channel, DOUBLE), typ=DOUBLE), share)
        power = builder.fmul(builder.load(code.offset_address(code.squares, channel, DOUBLE), typ=DOUBLE), share)
        variance = builder.fsub(power, builder.fmul(mean, mean))
        # A constant channel's variance may come out slightly negative.
        positive = builder.fcmp_ordered(">", variance, ir.Constant(DOUBLE, 0.0))
        variance = builder.select(positive, variance, ir.Constant(DOUBLE, 0.0))
        root = builder.call(square_root, [builder.fadd(variance, ir.Constant(DOUBLE, EPSILON))])
        gamma, beta = (builder.fpext(code.load_scalar(each, channel), DOUBLE) for each in (code.gamma, code.beta))
        scale = builder.fdiv(builder.fadd(gamma, ir.Constant(DOUBLE, 1.0)), root)
        shift = builder.fsub(beta, builder.fmul(mean, scale))
        for value, pointer in ((scale, code.scale), (shift, code.shift)):
            builder.store(builder.fptrunc(value, FLOAT), code.offset_address(pointer, channel))
    code.finish()
    return code


def emit_layer_norm(module: ir.Module, width: int) -> FunctionBuilder:
    """Write x = layer_norm(x + y) * gamma + beta over the channels of each row, in place; float32."""
    code = FunctionBuilder(module, "layer_norm", "*x *y *gamma *beta rows channels", width)
    builder = code.builder
    count = builder.sitofp(code.channels, FLOAT)
    root = ir.Function(module, ir.FunctionType(FLOAT, [FLOAT]), "llvm.sqrt.f32")
    with code.loop(code.rows) as row:
        x, y = (code.offset_address(each, code.mul(row, code.channels)) for each in (code.x, code.y))

        # Three passes over a row of 3 KiB, which stays in the first-level cache: sum, center and square, scale.
        def add_rows(channel: ir.Value, x: ir.Value = x, y: ir.Value = y) -> ir.Value:
            value = builder.fadd(code.load(x, channel), code.load(y, channel))
            code.store(value, x, channel)
            return value

        mean = code.broadcast(builder.fdiv(_emit_channel_sum(code, add_rows), count))

        def center_and_square(channel: ir.Value, x: ir.Value = x, mean: ir.Value = mean) -> ir.Value:
            value = builder.fsub(code.load(x, channel), mean)
            code.store(value, x, channel)
            return builder.fmul(value, value)

        variance = builder.fdiv(_emit_channel_sum(code, center_and_square), count)
        variance = builder.fadd(variance, ir.Constant(FLOAT, BERT_EPSILON))
        scale = code.broadcast(builder.fdiv(ir.Constant(FLOAT, 1.0), builder.call(root, [variance])))
        with code.loop(code.channels, width) as channel:
            factor = builder.fmul(code.load(code.gamma, channel), scale)
            code.store(code.fma(code.load(x, channel), factor, code.load(code.beta, channel)), x, channel)
    code.finish()
    return code


def _emit_channel_sum(code: FunctionBuilder, term: Callable[[ir.Value], ir.Value]) -> ir.Value:
    """Emit the sum over all channels of the vectors that `term` returns for each vector of them."""
    before = code.builder.block
    with code.loop(code.channels, code.width) as channel:
        total = code.builder.phi(code.vector)
        added = code.builder.fadd(total, term(channel))
        total.add_incoming(code.broadcast(0.0), before)
        total.add_incoming(added, code.builder.block)
    module = code.function.module
    # Lanes are added at the end, in order: without fast-math flags the reduction is sequential.
    name = f"llvm.vector.reduce.fadd.v{code.width}f32"
    kind = ir.FunctionType(FLOAT, [FLOAT, code.vector])
    reduce = module.globals.get(name) or ir.Function(module, kind, name)
    return code.builder.call(reduce, [ir.Constant(FLOAT, 0.0), added])


def name_statistics(adding: bool, signal: ir.Type) -> str:
    """Return the symbol of the statistics kernel for activations of that storage type."""
    return f"channel_stats_{'sum_' if adding else ''}{signal}"


def emit_statistics(module: ir.Module, width: int, adding: bool, signal: ir.Type) -> FunctionBuilder:
    """Write the sums and sums of squares of each channel over `rows` rows of x, which start `pitch` elements apart.

    With `adding`, y is added to x in place first. Squares are of the values before they are rounded to storage.
    """
    code = FunctionBuilder(module, name_statistics(adding, signal), "*x *y *sums *squares rows channels pitch", width)
    builder = code.builder
    # Channels outside, rows inside: both sums of a vector of channels stay in registers.
    with code.loop(code.channels, width) as channel:
        before = builder.block
        with code.loop(code.rows) as row:
            total, squares = builder.phi(code.vector), builder.phi(code.vector)
            offset = code.add(code.mul(row, code.pitch), channel)
            value = code.load(code.x, offset, signal)
            if adding:
                value = builder.fadd(value, code.load(code.y, offset, signal))
                code.store(value, code.x, offset, signal)
            new_total, new_squares = builder.fadd(total, value), code.fma(value, value, squares)
            for phi, end in ((total, new_total), (squares, new_squares)):
                phi.add_incoming(code.broadcast(0.0), before)
                phi.add_incoming(end, builder.block)
        code.store(new_total, code.sums, channel)
        code.store(new_squares, code.squares, channel)
    code.finish()
    return code
