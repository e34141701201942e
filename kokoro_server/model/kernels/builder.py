"""A small vocabulary for writing vector loops in LLVM's language: enough for convolutions, and no more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir  # type: ignore[import-untyped]


class _BFloat(ir.Type):  # type: ignore[misc]
    """The upper half of a float, which llvmlite has no name for."""

    def _to_string(self) -> str:
        return "bfloat"


FLOAT = ir.FloatType()
HALF = _BFloat()
SHORT = ir.HalfType()  # binary16 of IEEE 754
WHOLE = ir.IntType(16)
DOUBLE = ir.DoubleType()
INDEX = ir.IntType(64)
POINTER = ir.PointerType()
VOID = ir.VoidType()
SIZES = {FLOAT: 4, HALF: 2, SHORT: 2, WHOLE: 2}  # bytes


def _kind(name: str) -> ir.Type:
    return POINTER if name.startswith("*") else INDEX


@dataclass(frozen=True)
class Shape:
    """How registers are used: `width` floats in a vector, a product of `rows` x `columns` vectors.

    The generator's rows are `kept` in 16 bits where the CPU has instructions for them.
    """

    width: int
    columns: int
    rows: int
    tiles: bool = False  # whether tile registers do the products, in bf16
    kept: ir.Type = SHORT

    @property
    def panel(self) -> int:
        """Output channels that one product makes at a time."""
        return self.width * self.columns

    @property
    def signals(self) -> tuple[ir.Type, ...]:
        """All that rows are kept in."""
        return (FLOAT,) if self.kept is FLOAT else (FLOAT, self.kept)


class Code:
    """One function being written. Sizes and offsets count floats; values are LLVM's."""

    def __init__(self, module: ir.Module, name: str, arguments: str, width: int, record: str = "") -> None:
        """`arguments` are names, pointers marked by a star: "*x rows". So are the fields of the record that comes
        ahead of them, if there is one: what many calls share is handed over once."""
        self.width = width
        self.vector = ir.VectorType(FLOAT, width)
        names = (["*record"] if record else []) + arguments.split()
        types = [_kind(name) for name in names]
        self.function = ir.Function(module, ir.FunctionType(VOID, types), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments = dict(zip((name.lstrip("*") for name in names), self.function.args, strict=True))
        for argument in self.function.args:
            if argument.type == POINTER:
                argument.add_attribute("noalias")
        for place, field in enumerate(record.split()):
            address = self.at(self.record, place, INDEX)
            self.arguments[field.lstrip("*")] = self.builder.load(address, typ=_kind(field))

    def __getattr__(self, name: str) -> ir.Value:
        """An argument, by its name."""
        try:
            return self.arguments[name]
        except KeyError:
            raise AttributeError(name) from None

    def index(self, value: int | ir.Value) -> ir.Value:
        return ir.Constant(INDEX, value) if isinstance(value, int) else value

    def add(self, *terms: int | ir.Value) -> ir.Value:
        total = self.index(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.index(term))
        return total

    def mul(self, *factors: int | ir.Value) -> ir.Value:
        product = self.index(factors[0])
        for factor in factors[1:]:
            product = self.builder.mul(product, self.index(factor))
        return product

    def whole(self, value: ir.Value, size: int) -> ir.Value:
        """The next multiple of a power of two."""
        return self.builder.and_(self.add(value, size - 1), self.index(-size))

    def lesser(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of two sizes."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def at(self, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> ir.Value:
        """The address `offset` floats after `base`, or so many of another kind."""
        return self.builder.gep(base, [self.index(offset)], source_etype=kind)

    @contextmanager
    def loop(self, stop: int | ir.Value, step: int | ir.Value = 1) -> Iterator[ir.Value]:
        """Count from 0 while below `stop`, which is above 0."""
        builder = self.builder
        before, body = builder.block, builder.append_basic_block("loop")
        after = builder.append_basic_block("after")
        builder.branch(body)
        builder.position_at_end(body)
        counter = builder.phi(INDEX)
        counter.add_incoming(ir.Constant(INDEX, 0), before)
        yield counter
        following = self.add(counter, step)
        counter.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, self.index(stop)), body, after)
        builder.position_at_end(after)

    def splat(self, value: float | ir.Value) -> ir.Value:
        """One float in every lane."""
        if isinstance(value, float):
            return ir.Constant(self.vector, [value] * self.width)
        lane = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
        return self.builder.shuffle_vector(lane, lane, mask)

    def load(self, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> ir.Value:
        """A vector of floats, or of shorter ones or whole numbers as floats."""
        value = self.builder.load(self.at(base, offset, kind), align=SIZES[kind], typ=ir.VectorType(kind, self.width))
        if kind is WHOLE:
            return self.builder.sitofp(value, self.vector)
        return value if kind is FLOAT else self.builder.fpext(value, self.vector)

    def scalar(self, base: ir.Value, offset: int | ir.Value) -> ir.Value:
        return self.builder.load(self.at(base, offset), align=4, typ=FLOAT)

    def store(self, value: ir.Value, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> None:
        """Floats as they are, or as the nearest of another kind of float."""
        if kind is not FLOAT:
            value = self.builder.fptrunc(value, ir.VectorType(kind, self.width))
        self.builder.store(value, self.at(base, offset, kind), align=SIZES[kind])

    def float_of(self, bits: ir.Value) -> ir.Value:
        """The float whose bits a size holds."""
        return self.builder.bitcast(self.builder.trunc(bits, ir.IntType(32)), FLOAT)

    def below(self, value: ir.Value, count: ir.Value) -> ir.Value:
        """The first `count` lanes, and zeros in the others."""
        kind = ir.VectorType(INDEX, self.width)
        counts = ir.Constant(kind, ir.Undefined)
        for lane in range(self.width):
            counts = self.builder.insert_element(counts, count, ir.Constant(ir.IntType(32), lane))
        inside = self.builder.icmp_signed("<", ir.Constant(kind, list(range(self.width))), counts)
        return self.builder.select(inside, value, self.splat(0.0))

    def store_halves(
        self, value: ir.Value, base: ir.Value, offset: int | ir.Value, parts: int, plane: ir.Value
    ) -> None:
        """The bf16 nearest to each float, and with two parts, `plane` halves after it, the one nearest to the rest."""
        halves = ir.VectorType(HALF, self.width)
        for part in range(parts):
            near = self.builder.fptrunc(value, halves)
            place = self.add(offset, self.mul(plane, part)) if part else offset
            self.builder.store(near, self.at(base, place, HALF), align=2)
            if part + 1 < parts:
                value = self.builder.fsub(value, self.builder.fpext(near, self.vector))

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """a * b + c."""
        return self._intrinsic("llvm.fma", [a, b, c])

    def round(self, a: ir.Value) -> ir.Value:
        """To the nearest whole number, ties to even."""
        return self._intrinsic("llvm.roundeven", [a])

    def most(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The larger of both, lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def least(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """The smaller of both, lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def scaled_by_power(self, value: ir.Value, power: ir.Value) -> ir.Value:
        """value * 2**power for whole powers, by adding to the exponent."""
        whole = ir.VectorType(ir.IntType(32), self.width)
        shift = ir.Constant(whole, [23] * self.width)
        steps = self.builder.shl(self.builder.fptosi(power, whole), shift)
        return self.builder.bitcast(self.builder.add(self.builder.bitcast(value, whole), steps), self.vector)

    def plus(self, total: ir.Value | None, weight: float, value: ir.Value) -> ir.Value | None:
        """total + weight * value, where no total is zero and a zero weight adds nothing."""
        if weight == 0.0:
            return total
        scaled = self.splat(float(weight))
        return self.builder.fmul(scaled, value) if total is None else self.fma(scaled, value, total)

    def call(self, callee: "Code", *arguments: int | ir.Value) -> None:
        self.builder.call(callee.function, [self.index(a) if isinstance(a, int) else a for a in arguments])

    def done(self) -> None:
        self.builder.ret_void()

    def _intrinsic(self, name: str, arguments: list[ir.Value]) -> ir.Value:
        kind = arguments[0].type
        full = f"{name}.v{self.width}f32"
        module = self.function.module
        function = module.globals.get(full) or ir.Function(module, ir.FunctionType(kind, [kind] * len(arguments)), full)
        return self.builder.call(function, arguments)
