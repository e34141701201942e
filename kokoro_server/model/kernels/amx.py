"""Products in the tile registers of Intel's AMX: bf16 in, float32 sums out, 32 rows and 32 channels at a time.

A tile holds 16 rows of 64 bytes. Four of the eight hold sums, two take rows of the signal, two take weights. A number
is one bf16, or two whose sum it is: their three largest products come within 2**-16 of float32's. Weights that were
quantised to 8 bits are whole numbers of steps, which one bf16 holds exactly.

See the Intel Architecture Instruction Set Extensions Programming Reference, chapter 3, and for the split G. Henry et
al., "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations" (2019).
"""

from dataclasses import dataclass

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import HALF, VOID, Code

ROWS = 16  # of a tile
PAIRS = 16  # of bf16 in a tile's row
DEPTH = 2 * PAIRS  # channels that one multiplication adds up
SIDE = 2 * ROWS  # rows and channels of the sums that are kept in registers
TILE = ROWS * DEPTH  # bf16 in a tile
LEFT, RIGHT = (4, 5), (6, 7)  # tiles of the signal, and of the weights; 0 to 3 are the sums
BYTE = ir.IntType(8)
MARGIN = 1e-5  # of float32's rounding, with room


class Tiles:
    """The tile instructions, written into one function."""

    def __init__(self, code: Code) -> None:
        self._code = code

    def configure(self) -> None:
        """All eight tiles at their full size."""
        module = self._code.function.module
        name = "tile_sizes"
        if name not in module.globals:
            sizes = [1, *[0] * 15, *[4 * PAIRS, 0] * 8, *[0] * 16, *[ROWS] * 8, *[0] * 8]  # palette 1, bytes, rows
            kind = ir.ArrayType(BYTE, len(sizes))
            constant = ir.GlobalVariable(module, kind, name)
            constant.initializer = ir.Constant(kind, sizes)
            constant.global_constant = True
            constant.linkage = "internal"
        self._call("ldtilecfg", module.globals[name])

    def release(self) -> None:
        self._call("tilerelease")

    def zero(self, tile: int) -> None:
        self._call("tilezero", tile)

    def load(self, tile: int, address: ir.Value, pitch: ir.Value) -> None:
        """16 rows that start `pitch` bytes apart."""
        self._call("tileloadd64", tile, address, pitch)

    def store(self, tile: int, address: ir.Value, pitch: ir.Value) -> None:
        self._call("tilestored64", tile, address, pitch)

    def multiply(self, row: int, column: int) -> None:
        """Add one of the four products to its sum."""
        self._call("tdpbf16ps", 2 * row + column, LEFT[row], RIGHT[column])

    def _call(self, name: str, *arguments: int | ir.Value) -> None:
        values = [ir.Constant(BYTE, a) if isinstance(a, int) else a for a in arguments]
        module = self._code.function.module
        full = f"llvm.x86.{name}"
        kind = ir.FunctionType(VOID, [value.type for value in values])
        self._code.builder.call(module.globals.get(full) or ir.Function(module, kind, full), values)


@dataclass(frozen=True)
class Precision:
    """Parts of each number of the signal, and of each weight."""

    signal: int
    weights: int

    def __str__(self) -> str:
        return f"{self.signal}{self.weights}"


def tile_product(module: ir.Module, precision: Precision, width: int) -> Code:
    """c [32, 32] = the sum over `taps` of a [32 rows, channels] @ b[tap].

    The rows of `a` start `pitch` bf16 apart, those of the next tap `step` further on; the second parts lie `plane`
    after the first. `b` is [taps, blocks of 32 channels, parts, 2, 16, 32], as `tiled_weights` has it.
    """
    names = "*a *b *c taps blocks pitch step plane"
    code = Code(module, f"tile_product_{precision}", names, width)
    tiles = Tiles(code)
    for tile in range(4):
        tiles.zero(tile)
    bytes_apart = code.mul(code.pitch, 2)
    row = code.index(4 * PAIRS)
    lower = code.mul(code.pitch, ROWS)
    with code.loop(code.taps) as tap, code.loop(code.blocks) as block:
        left = code.at(code.a, code.add(code.mul(code.step, tap), code.mul(block, DEPTH)), HALF)
        place = code.mul(code.add(code.mul(code.blocks, tap), block), 2 * precision.weights * TILE)
        right = code.at(code.b, place, HALF)

        def load_left(part: int, half: int, left: ir.Value = left) -> None:
            offset = code.add(code.mul(code.plane, part), code.mul(lower, half))
            tiles.load(LEFT[half], code.at(left, offset, HALF), bytes_apart)

        def load_right(part: int, half: int, right: ir.Value = right) -> None:
            tiles.load(RIGHT[half], code.at(right, (2 * part + half) * TILE, HALF), row)

        # Loads stand between the products that they do not hold up.
        load_right(0, 0)
        load_left(0, 0)
        tiles.multiply(0, 0)
        load_right(0, 1)
        tiles.multiply(0, 1)
        load_left(0, 1)
        tiles.multiply(1, 0)
        tiles.multiply(1, 1)
        if precision.weights == 2:
            for half in (0, 1):
                load_right(1, half)
                tiles.multiply(0, half)
                tiles.multiply(1, half)
        if precision.signal == 2:
            if precision.weights == 2:
                load_right(0, 0)
                load_right(0, 1)
            for half in (0, 1):
                load_left(1, half)
                tiles.multiply(half, 0)
                tiles.multiply(half, 1)
    out = code.index(4 * SIDE)
    for tile in range(4):
        tiles.store(tile, code.at(code.c, tile // 2 * ROWS * SIDE + tile % 2 * ROWS), out)
    code.done()
    return code


def halves(values: NDArray[np.float32], parts: int) -> list[NDArray[np.uint16]]:
    """The bits of the nearest bf16, then of the bf16 nearest to what is left."""
    found = []
    rest = values.astype(np.float32)
    for _ in range(parts):
        bits = rest.view(np.uint32)
        near = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        found.append(near)
        rest = rest - (near.astype(np.uint32) << 16).view(np.float32)
    return found


def in_steps(weight: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A filter [taps, in, out] as whole numbers of steps [out], where each channel out was quantised to 8 bits.

    bf16 holds whole numbers up to 256 exactly. Another filter comes back as it is, in steps of 1.
    """
    steps = _steps(np.sort(weight.reshape(-1, weight.shape[2]), axis=0))
    if not steps.all():
        return weight, np.ones_like(steps)
    return np.rint(weight / steps), steps


def _steps(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The steps [out] that all sorted values [count, out] are whole numbers of, at most 256; 0 where there is none."""
    apart, largest = np.diff(levels, axis=0), np.abs(levels).max(axis=0)
    steps = np.min(apart, axis=0, where=apart > largest * MARGIN, initial=np.inf)
    known = np.where(np.isfinite(steps), steps, 1).astype(np.float32)
    whole = np.rint(levels / known)
    near = np.abs(whole * known - levels) <= MARGIN * np.abs(levels) + 1e-3 * known
    fits = (np.abs(whole).max(axis=0) <= 256) & near.all(axis=0) & (np.isfinite(steps) | (largest == 0))
    return np.where(fits, known, 0).astype(np.float32)


def tiled_weights(weight: NDArray[np.float32], parts: int) -> NDArray[np.uint16]:
    """A filter [taps, in, out] as `tile_product` reads it: [panels, taps, blocks, parts, 2, 16, 32].

    Channels are filled up with zeros: those in to 32, those out to 32. A tile's row holds two channels in, by turns,
    for each of 16 channels out.
    """
    taps, inputs, outputs = weight.shape
    full = np.pad(weight, ((0, 0), (0, -inputs % DEPTH), (0, -outputs % SIDE)))
    shape = taps, full.shape[1] // DEPTH, PAIRS, 2, full.shape[2] // SIDE, 2, ROWS
    split = [part.reshape(shape).transpose(4, 0, 1, 5, 2, 6, 3) for part in halves(full, parts)]
    stacked = np.stack(split, axis=3)  # panel, tap, block, part, column, pair, out, which
    return np.ascontiguousarray(stacked.reshape(*stacked.shape[:6], DEPTH))
