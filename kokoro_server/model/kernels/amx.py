"""Write products in the tile registers of Intel's AMX (bf16 in, float32 sums out), and pack weights for them.

A tile register holds 16 rows of 64 bytes. Of the eight, four hold a 32 x 32 block of sums, two hold 2 x 16 rows of the
signal (32 bf16 channels each), two hold weights: 16 pairs of input channels x 2 x 16 output channels. One instruction
multiplies a signal tile by a weight tile and adds 16 x 16 sums over 32 channels.

A number is one bf16 value, or the sum of two: then the three largest of the four products are added, which comes within
2**-16 of float32. Weights that were quantized to 8 bits are integers times a scale, and one bf16 holds such an integer
exactly.

See the Intel Architecture Instruction Set Extensions Programming Reference, chapter 3, and for the split G. Henry et
al., "Leveraging the bfloat16 Artificial Intelligence Datatype For Higher-Precision Computations" (2019).
"""

from dataclasses import dataclass

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import BF16, VOID, FunctionBuilder

ROWS = 16  # rows of a tile
PAIRS = 16  # pairs of bf16 in a tile's row
DEPTH = 2 * PAIRS  # input channels that one multiplication adds up
TILE_SIDE = 2 * ROWS  # rows and output channels of the block of sums in registers
TILE = ROWS * DEPTH  # bf16 in a tile
LEFT, RIGHT = (4, 5), (6, 7)  # numbers of the tiles for the signal and the weights; 0 to 3 are the sums
BYTE = ir.IntType(8)
MARGIN = 1e-5  # relative error that float32's rounding of a quantized weight may leave


class TileEmitter:
    """Emit AMX tile instructions into one function."""

    def __init__(self, code: FunctionBuilder) -> None:
        self._code = code

    def configure(self) -> None:
        """Configure all eight tiles at their full size of 16 rows of 64 bytes."""
        module = self._code.function.module
        name = "tile_sizes"
        if name not in module.globals:
            # The 64-byte operand of LDTILECFG: palette 1, 15 reserved bytes, bytes in a row (16 bits for each of 8
            # tiles, 16 reserved), rows (8 bits for each of 8 tiles, 8 reserved).
            sizes = [1, *[0] * 15, *[4 * PAIRS, 0] * 8, *[0] * 16, *[ROWS] * 8, *[0] * 8]
            kind = ir.ArrayType(BYTE, len(sizes))
            constant = ir.GlobalVariable(module, kind, name)
            constant.initializer = ir.Constant(kind, sizes)
            constant.global_constant = True
            constant.linkage = "internal"
        self._call("ldtilecfg", module.globals[name])

    def release(self) -> None:
        """Return the tiles to their initial state, so that task switches need not save them."""
        self._call("tilerelease")

    def zero(self, tile: int) -> None:
        """Set a tile to zero."""
        self._call("tilezero", tile)

    def load(self, tile: int, address: ir.Value, pitch: ir.Value) -> None:
        """Load 16 rows that start `pitch` bytes apart."""
        self._call("tileloadd64", tile, address, pitch)

    def store(self, tile: int, address: ir.Value, pitch: ir.Value) -> None:
        """Store 16 rows that start `pitch` bytes apart."""
        self._call("tilestored64", tile, address, pitch)

    def multiply(self, row: int, column: int) -> None:
        """Add signal tile `row` times weight tile `column` to sum tile 2 * row + column; both are 0 or 1."""
        self._call("tdpbf16ps", 2 * row + column, LEFT[row], RIGHT[column])

    def _call(self, name: str, *arguments: int | ir.Value) -> None:
        """Call an AMX intrinsic, declared on first use; integers are tile numbers."""
        values = [ir.Constant(BYTE, a) if isinstance(a, int) else a for a in arguments]
        module = self._code.function.module
        full = f"llvm.x86.{name}"
        kind = ir.FunctionType(VOID, [value.type for value in values])
        self._code.builder.call(module.globals.get(full) or ir.Function(module, kind, full), values)


@dataclass(frozen=True)
class Precision:
    """Hold the number of bf16 parts, 1 or 2, of each number of the signal and of each weight."""

    signal_parts: int
    weight_parts: int

    def __str__(self) -> str:
        return f"{self.signal_parts}{self.weight_parts}"


def emit_tile_microkernel(module: ir.Module, precision: Precision, width: int) -> FunctionBuilder:
    """Write c [32, 32] = the sum over `taps` of a [32 rows, channels] @ b[tap], in float32.

    The rows of `a` start `pitch` bf16 apart, those of the next tap `step` further on; the second parts lie `plane`
    after the first. `b` is one panel of `pack_tiles`: [taps, blocks of 32 channels, parts, 2, 16, 32].
    """
    names = "*a *b *c taps blocks pitch step plane"
    code = FunctionBuilder(module, f"tile_product_{precision}", names, width)
    tiles = TileEmitter(code)
    for tile in range(4):
        tiles.zero(tile)
    pitch_bytes = code.mul(code.pitch, 2)
    row_bytes = code.index(4 * PAIRS)  # of packed weights
    lower = code.mul(code.pitch, ROWS)  # from the first 16 rows of `a` to the last 16
    with code.loop(code.taps) as tap, code.loop(code.blocks) as block:
        left = code.offset_address(code.a, code.add(code.mul(code.step, tap), code.mul(block, DEPTH)), BF16)
        # b[tap, block] holds `weight_parts` pairs of tiles.
        offset = code.mul(code.add(code.mul(code.blocks, tap), block), 2 * precision.weight_parts * TILE)
        right = code.offset_address(code.b, offset, BF16)

        def load_left(part: int, half: int, left: ir.Value = left) -> None:
            offset = code.add(code.mul(code.plane, part), code.mul(lower, half))
            tiles.load(LEFT[half], code.offset_address(left, offset, BF16), pitch_bytes)

        def load_right(part: int, half: int, right: ir.Value = right) -> None:
            tiles.load(RIGHT[half], code.offset_address(right, (2 * part + half) * TILE, BF16), row_bytes)

        # First parts. Loads stand between products that do not need them, so that both units work at once.
        load_right(0, 0)
        load_left(0, 0)
        tiles.multiply(0, 0)
        load_right(0, 1)
        tiles.multiply(0, 1)
        load_left(0, 1)
        tiles.multiply(1, 0)
        tiles.multiply(1, 1)
        # Second parts of the weights times first parts of the signal, which are still in their tiles.
        if precision.weight_parts == 2:
            for half in (0, 1):
                load_right(1, half)
                tiles.multiply(0, half)
                tiles.multiply(1, half)
        # Second parts of the signal times first parts of the weights. Both second parts together are left out.
        if precision.signal_parts == 2:
            if precision.weight_parts == 2:
                load_right(0, 0)
                load_right(0, 1)
            for half in (0, 1):
                load_left(1, half)
                tiles.multiply(half, 0)
                tiles.multiply(half, 1)
    out = code.index(4 * TILE_SIDE)  # bytes in a row of c
    # Sum tile 2 * row + column goes to rows 16 * row and columns 16 * column of c.
    for tile in range(4):
        tiles.store(tile, code.offset_address(code.c, tile // 2 * ROWS * TILE_SIDE + tile % 2 * ROWS), out)
    code.finish()
    return code


def split_bf16(values: NDArray[np.float32], parts: int) -> list[NDArray[np.uint16]]:
    """Split float32 values into bf16 parts: the nearest bf16, then the bf16 nearest to what is left, as bits."""
    found = []
    remainder = values.astype(np.float32)
    for _ in range(parts):
        bits = remainder.view(np.uint32)
        # Round to nearest, ties to even: add half of the last kept bit, and that bit itself decides ties.
        nearest = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        found.append(nearest)
        remainder = remainder - (nearest.astype(np.uint32) << 16).view(np.float32)
    return found


def detect_scale(weight: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Recover the integers and scales of a filter [taps, in, out] whose output channels were quantized to 8 bits.

    Returns:
        Integers [taps, in, out] up to 256 in float32, which bf16 holds exactly, and scales [out]. A filter that was not
        quantized comes back unchanged, with scales of 1.
    """
    scales = _find_scales(np.sort(weight.reshape(-1, weight.shape[2]), axis=0))
    if not scales.all():
        return weight, np.ones_like(scales)
    return np.rint(weight / scales), scales


def _find_scales(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find the scales [out] by which sorted values [count, out] are integers up to 256; 0 where there is none."""
    # The smallest difference of two distinct values of a channel is its scale, if two neighbouring integers occur:
    # nearly certain with hundreds of weights. Differences below the rounding error are of equal values.
    differences, largest = np.diff(levels, axis=0), np.abs(levels).max(axis=0)
    scales = np.min(differences, axis=0, where=differences > largest * MARGIN, initial=np.inf)
    known = np.where(np.isfinite(scales), scales, 1).astype(np.float32)
    integers = np.rint(levels / known)
    near = np.abs(integers * known - levels) <= MARGIN * np.abs(levels) + 1e-3 * known
    # A channel of equal values has no difference and so no scale, unless all are zero.
    fits = (np.abs(integers).max(axis=0) <= 256) & near.all(axis=0) & (np.isfinite(scales) | (largest == 0))
    return np.where(fits, known, 0).astype(np.float32)


def pack_tiles(weight: NDArray[np.float32], parts: int) -> NDArray[np.uint16]:
    """Pack a filter [taps, in, out] for the tile microkernel: bf16 bits [panels, taps, blocks, parts, 2, 16, 32].

    Input and output channels are padded with zeros to multiples of 32. Row p of a weight tile holds the input channels
    2p and 2p + 1, interleaved, for 16 output channels: [out 0 in 2p, out 0 in 2p + 1, out 1 in 2p, ...].
    """
    taps, inputs, outputs = weight.shape
    full = np.pad(weight, ((0, 0), (0, -inputs % DEPTH), (0, -outputs % TILE_SIDE)))
    shape = taps, full.shape[1] // DEPTH, PAIRS, 2, full.shape[2] // TILE_SIDE, 2, ROWS
    split = [part.reshape(shape).transpose(4, 0, 1, 5, 2, 6, 3) for part in split_bf16(full, parts)]
    stacked = np.stack(split, axis=3)  # [panel, tap, block, part, tile, pair, out, which of the pair]
    return np.ascontiguousarray(stacked.reshape(*stacked.shape[:6], DEPTH))
