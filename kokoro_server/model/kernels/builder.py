"""Build LLVM IR for vector loops: a thin layer over llvmlite with the operations that the kernels need.

A kernel is one LLVM function of pointers and 64-bit integers that returns nothing. FunctionBuilder writes it:

- a size, an offset or a loop counter is an i64; Python integers become constants;
- `load` widens any storage type to a vector of float32, all arithmetic is in float32, `store` narrows it again;
- `loop` emits a do-while loop, so its bound has to be above 0;
- arguments are read as attributes: `FunctionBuilder(module, "f", "*x rows", 8).rows`.

Pointers are `noalias`. The one exception that callers make is an output that is also the residual: each element is
loaded before it is stored, and no other is read after that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from llvmlite import ir


class _BFloat(ir.Type):  # type: ignore[misc]
    """LLVM's `bfloat`: the upper 16 bits of a float32. llvmlite has no class for it."""

    def _to_string(self) -> str:
        return "bfloat"


FLOAT = ir.FloatType()
BF16 = _BFloat()
F16 = ir.HalfType()  # IEEE 754 binary16
I16 = ir.IntType(16)  # quantized weights
DOUBLE = ir.DoubleType()
INDEX = ir.IntType(64)  # sizes, offsets and loop counters
POINTER = ir.PointerType()
VOID = ir.VoidType()
TYPE_SIZES = {FLOAT: 4, BF16: 2, F16: 2, I16: 2}
"""Bytes of one element, by storage type."""


def _get_argument_type(name: str) -> ir.Type:
    """Return the LLVM type of a kernel argument: a pointer where the name starts with a star."""
    return POINTER if name.startswith("*") else INDEX


@dataclass(frozen=True)
class Target:
    """Describe an instruction set: the vector width and how the GEMM microkernel divides the registers.

    The microkernel keeps a block of `rows` x (`columns` * `width`) sums in `rows` * `columns` vector registers:
    12 x 2 of AVX-512's 32, 6 x 2 of AVX's 16. The others hold one row of weights and the broadcast input.
    """

    width: int  # floats in a vector
    columns: int  # vectors of output channels
    rows: int  # rows of the signal
    has_tiles: bool = False  # products run in AMX tile registers, in bf16
    # What the generator's activations are stored in. 16 bits halve the memory traffic of its large arrays, where the
    # CPU converts from and to them in one instruction.
    storage_type: ir.Type = F16

    @property
    def panel(self) -> int:
        """Output channels that one microkernel call computes: the width of a panel of weights."""
        return self.width * self.columns

    @property
    def storage_types(self) -> tuple[ir.Type, ...]:
        """All types that activations are stored in."""
        return (FLOAT,) if self.storage_type is FLOAT else (FLOAT, self.storage_type)


class FunctionBuilder:
    """Write one LLVM function. Sizes and offsets count elements of the type they address, float32 by default."""

    def __init__(self, module: ir.Module, name: str, arguments: str, width: int, record: str = "") -> None:
        """Start a function and load the fields of its record.

        Args:
            module: The module that the function is added to.
            name: The function's symbol.
            arguments: Names of the arguments separated by spaces, pointers marked by a star: "*x rows".
            width: Floats in a vector.
            record: Names of the fields of a struct, in the same notation. If given, the first argument is a pointer
                to it: an array of 8-byte values that many calls share.
        """
        self.width = width
        self.vector = ir.VectorType(FLOAT, width)
        names = (["*record"] if record else []) + arguments.split()
        types = [_get_argument_type(name) for name in names]
        self.function = ir.Function(module, ir.FunctionType(VOID, types), name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.arguments = dict(zip((name.lstrip("*") for name in names), self.function.args, strict=True))
        for argument in self.function.args:
            if argument.type == POINTER:
                argument.add_attribute("noalias")
        # Fields are 8 bytes each, pointer or integer: the caller packs them into an int64 array.
        for position, field in enumerate(record.split()):
            address = self.offset_address(self.record, position, INDEX)
            self.arguments[field.lstrip("*")] = self.builder.load(address, typ=_get_argument_type(field))

    def __getattr__(self, name: str) -> ir.Value:
        """Return an argument or a field of the record by its name."""
        try:
            return self.arguments[name]
        except KeyError:
            raise AttributeError(name) from None

    def index(self, value: int | ir.Value) -> ir.Value:
        """Return a size as an i64 value."""
        return ir.Constant(INDEX, value) if isinstance(value, int) else value

    def add(self, *terms: int | ir.Value) -> ir.Value:
        """Return the sum of sizes."""
        total = self.index(terms[0])
        for term in terms[1:]:
            total = self.builder.add(total, self.index(term))
        return total

    def mul(self, *factors: int | ir.Value) -> ir.Value:
        """Return the product of sizes."""
        product = self.index(factors[0])
        for factor in factors[1:]:
            product = self.builder.mul(product, self.index(factor))
        return product

    def round_up(self, value: ir.Value, size: int) -> ir.Value:
        """Round a size up to a multiple of `size`, a power of two."""
        # Two's complement: -size is the mask that clears the lowest log2(size) bits.
        return self.builder.and_(self.add(value, size - 1), self.index(-size))

    def min_size(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the smaller of two sizes."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def offset_address(self, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> ir.Value:
        """Return the address of element `offset` of an array at `base`."""
        return self.builder.gep(base, [self.index(offset)], source_etype=kind)

    @contextmanager
    def loop(self, stop: int | ir.Value, step: int | ir.Value = 1) -> Iterator[ir.Value]:
        """Emit a loop round the block, with a counter from 0 in steps of `step` while it is below `stop`.

        The test comes after the body, so `stop` has to be above 0.
        """
        builder = self.builder
        before, body = builder.block, builder.append_basic_block("loop")
        after = builder.append_basic_block("after")
        builder.branch(body)
        builder.position_at_end(body)
        counter = builder.phi(INDEX)
        counter.add_incoming(ir.Constant(INDEX, 0), before)
        yield counter
        # The body may have added blocks of its own (an inner loop): the back edge leaves from the present one.
        following = self.add(counter, step)
        counter.add_incoming(following, builder.block)
        builder.cbranch(builder.icmp_signed("<", following, self.index(stop)), body, after)
        builder.position_at_end(after)

    def broadcast(self, value: float | ir.Value) -> ir.Value:
        """Return a vector with one float in every lane."""
        if isinstance(value, float):
            return ir.Constant(self.vector, [value] * self.width)
        lane = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.width), [0] * self.width)
        return self.builder.shuffle_vector(lane, lane, mask)

    def load(self, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> ir.Value:
        """Load a vector of any storage type and convert it to float32."""
        # Aligned to one element only: rows start where the channels and the pitch put them.
        value = self.builder.load(
            self.offset_address(base, offset, kind), align=TYPE_SIZES[kind], typ=ir.VectorType(kind, self.width)
        )
        if kind is I16:
            return self.builder.sitofp(value, self.vector)
        return value if kind is FLOAT else self.builder.fpext(value, self.vector)

    def load_scalar(self, base: ir.Value, offset: int | ir.Value) -> ir.Value:
        """Load one float32."""
        return self.builder.load(self.offset_address(base, offset), align=4, typ=FLOAT)

    def store(self, value: ir.Value, base: ir.Value, offset: int | ir.Value, kind: ir.Type = FLOAT) -> None:
        """Store a vector of float32, rounded to the nearest value of the storage type."""
        if kind is not FLOAT:
            value = self.builder.fptrunc(value, ir.VectorType(kind, self.width))
        self.builder.store(value, self.offset_address(base, offset, kind), align=TYPE_SIZES[kind])

    def float_from_bits(self, bits: ir.Value) -> ir.Value:
        """Return the float32 whose bits are the lower half of a size: kernels have no float arguments."""
        return self.builder.bitcast(self.builder.trunc(bits, ir.IntType(32)), FLOAT)

    def mask_lanes(self, value: ir.Value, count: ir.Value) -> ir.Value:
        """Keep the first `count` lanes and zero the others."""
        kind = ir.VectorType(INDEX, self.width)
        counts = ir.Constant(kind, ir.Undefined)
        for lane in range(self.width):
            counts = self.builder.insert_element(counts, count, ir.Constant(ir.IntType(32), lane))
        inside = self.builder.icmp_signed("<", ir.Constant(kind, list(range(self.width))), counts)
        return self.builder.select(inside, value, self.broadcast(0.0))

    def store_bf16_parts(
        self, value: ir.Value, base: ir.Value, offset: int | ir.Value, parts: int, plane: ir.Value
    ) -> None:
        """Store floats as sums of `parts` bf16 values: the nearest one, then the nearest to what is left.

        Part p of each float goes to offset + p * plane, counted in bf16.
        """
        bf16 = ir.VectorType(BF16, self.width)
        for part in range(parts):
            nearest = self.builder.fptrunc(value, bf16)
            position = self.add(offset, self.mul(plane, part)) if part else offset
            self.builder.store(nearest, self.offset_address(base, position, BF16), align=2)
            if part + 1 < parts:
                # Exact: what is left of a float32's 24 significant bits after the upper 8 has at most 16.
                value = self.builder.fsub(value, self.builder.fpext(nearest, self.vector))

    def fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a * b + c, rounded once."""
        return self._call_intrinsic("llvm.fma", [a, b, c])

    def round(self, a: ir.Value) -> ir.Value:
        """Round to the nearest whole number, ties to even."""
        return self._call_intrinsic("llvm.roundeven", [a])

    def max(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the larger of both, lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def min(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the smaller of both, lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def scale_by_power(self, value: ir.Value, power: ir.Value) -> ir.Value:
        """Return value * 2**power for whole powers. The result has to be a normal number: nothing is checked."""
        # A float32's exponent is in bits 23 to 30: adding power << 23 to its bits multiplies it by 2**power.
        integers = ir.VectorType(ir.IntType(32), self.width)
        shift = ir.Constant(integers, [23] * self.width)
        increments = self.builder.shl(self.builder.fptosi(power, integers), shift)
        bits = self.builder.bitcast(value, integers)
        return self.builder.bitcast(self.builder.add(bits, increments), self.vector)

    def add_product(self, total: ir.Value | None, weight: float, value: ir.Value) -> ir.Value | None:
        """Return total + weight * value; a total of None stands for zero, and a weight of zero emits nothing."""
        if weight == 0.0:
            return total
        scaled = self.broadcast(float(weight))
        return self.builder.fmul(scaled, value) if total is None else self.fma(scaled, value, total)

    def call(self, callee: "FunctionBuilder", *arguments: int | ir.Value) -> None:
        """Call another kernel of the module."""
        self.builder.call(callee.function, [self.index(a) if isinstance(a, int) else a for a in arguments])

    def finish(self) -> None:
        """End the function."""
        self.builder.ret_void()

    def _call_intrinsic(self, name: str, arguments: list[ir.Value]) -> ir.Value:
        """Call an intrinsic over vectors of float32, declared on first use."""
        kind = arguments[0].type
        full = f"{name}.v{self.width}f32"
        module = self.function.module
        function = module.globals.get(full) or ir.Function(module, ir.FunctionType(kind, [kind] * len(arguments)), full)
        return self.builder.call(function, arguments)
