"""What a normalisation over time needs: sums of a signal, and one scale and shift made of them."""

from collections.abc import Callable

from llvmlite import ir  # type: ignore[import-untyped]

from kokoro_server.model.kernels.builder import DOUBLE, FLOAT, Code

EPSILON = 1e-5  # of the instance normalisation
BERT_EPSILON = 1e-12


def affine(module: ir.Module, width: int) -> Code:
    """scale and shift that take rows with these sums (float64) to no mean, variance 1, then to 1 + gain and offset."""
    code = Code(module, "affine", "*sums *squares *gain *offset *scale *shift length channels", width)
    builder = code.builder
    share = builder.fdiv(ir.Constant(DOUBLE, 1.0), builder.sitofp(code.length, DOUBLE))
    square_root = ir.Function(module, ir.FunctionType(DOUBLE, [DOUBLE]), "llvm.sqrt.f64")
    with code.loop(code.channels) as channel:
        mean = builder.fmul(builder.load(code.at(code.sums, channel, DOUBLE), typ=DOUBLE), share)
        power = builder.fmul(builder.load(code.at(code.squares, channel, DOUBLE), typ=DOUBLE), share)
        variance = builder.fsub(power, builder.fmul(mean, mean))
        positive = builder.fcmp_ordered(">", variance, ir.Constant(DOUBLE, 0.0))
        variance = builder.select(positive, variance, ir.Constant(DOUBLE, 0.0))
        root = builder.call(square_root, [builder.fadd(variance, ir.Constant(DOUBLE, EPSILON))])
        gain, offset = (builder.fpext(code.scalar(each, channel), DOUBLE) for each in (code.gain, code.offset))
        scale = builder.fdiv(builder.fadd(gain, ir.Constant(DOUBLE, 1.0)), root)
        shift = builder.fsub(offset, builder.fmul(mean, scale))
        for value, target in ((scale, code.scale), (shift, code.shift)):
            builder.store(builder.fptrunc(value, FLOAT), code.at(target, channel))
    code.done()
    return code


def layer_norm(module: ir.Module, width: int) -> Code:
    """Rows of x plus y, each row to no mean and variance 1, then gain and offset by channel; into x."""
    code = Code(module, "layer_norm", "*x *y *gain *offset rows channels", width)
    builder = code.builder
    count = builder.sitofp(code.channels, FLOAT)
    root = ir.Function(module, ir.FunctionType(FLOAT, [FLOAT]), "llvm.sqrt.f32")
    with code.loop(code.rows) as row:
        x, y = (code.at(each, code.mul(row, code.channels)) for each in (code.x, code.y))

        def joined(channel: ir.Value, x: ir.Value = x, y: ir.Value = y) -> ir.Value:
            value = builder.fadd(code.load(x, channel), code.load(y, channel))
            code.store(value, x, channel)
            return value

        mean = code.splat(builder.fdiv(_sum(code, joined), count))

        def squared(channel: ir.Value, x: ir.Value = x, mean: ir.Value = mean) -> ir.Value:
            value = builder.fsub(code.load(x, channel), mean)
            code.store(value, x, channel)
            return builder.fmul(value, value)

        variance = builder.fadd(builder.fdiv(_sum(code, squared), count), ir.Constant(FLOAT, BERT_EPSILON))
        scale = code.splat(builder.fdiv(ir.Constant(FLOAT, 1.0), builder.call(root, [variance])))
        with code.loop(code.channels, width) as channel:
            gain = builder.fmul(code.load(code.gain, channel), scale)
            code.store(code.fma(code.load(x, channel), gain, code.load(code.offset, channel)), x, channel)
    code.done()
    return code


def _sum(code: Code, term: Callable[[ir.Value], ir.Value]) -> ir.Value:
    """The sum over all channels of what `term` gives for each vector of them."""
    before = code.builder.block
    with code.loop(code.channels, code.width) as channel:
        total = code.builder.phi(code.vector)
        added = code.builder.fadd(total, term(channel))
        total.add_incoming(code.splat(0.0), before)
        total.add_incoming(added, code.builder.block)
    module = code.function.module
    name = f"llvm.vector.reduce.fadd.v{code.width}f32"
    kind = ir.FunctionType(FLOAT, [FLOAT, code.vector])
    reduce = module.globals.get(name) or ir.Function(module, kind, name)
    return code.builder.call(reduce, [ir.Constant(FLOAT, 0.0), added])


def measure_name(adding: bool, signal: ir.Type) -> str:
    """What measures rows of that type."""
    return f"measure_{'sum_' if adding else ''}{signal}"


def measure(module: ir.Module, width: int, adding: bool, signal: ir.Type) -> Code:
    """Sums and squares over `rows` rows of x, whose rows start `pitch` apart; `adding` y to them first."""
    code = Code(module, measure_name(adding, signal), "*x *y *sums *squares rows channels pitch", width)
    builder = code.builder
    with code.loop(code.channels, width) as channel:
        before = builder.block
        with code.loop(code.rows) as row:
            total, squares = builder.phi(code.vector), builder.phi(code.vector)
            place = code.add(code.mul(row, code.pitch), channel)
            value = code.load(code.x, place, signal)
            if adding:
                value = builder.fadd(value, code.load(code.y, place, signal))
                code.store(value, code.x, place, signal)
            added, squared = builder.fadd(total, value), code.fma(value, value, squares)
            for counter, end in ((total, added), (squares, squared)):
                counter.add_incoming(code.splat(0.0), before)
                counter.add_incoming(end, builder.block)
        code.store(added, code.sums, channel)
        code.store(squared, code.squares, channel)
    code.done()
    return code
