"""Write the GEMM kernels: the microkernel of every convolution, and whole dense layers; quantize and pack weights.

The microkernel computes a block of `target.rows` x `target.panel` outputs and keeps all sums in registers while it
passes through the input channels once. For each channel it loads one row of a panel of weights (`target.columns`
vectors), broadcasts one float of each of its rows, and does rows * columns fused multiply-adds. Weights are packed as
panels [inputs, panel], so that it reads them in sequence.

Weights are int16 with one float32 scale for each output channel: half the memory traffic of float32, and exact where
the published model was quantized to 8 bits.
"""

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kokoro_server.model.kernels.amx import detect_scale
from kokoro_server.model.kernels.builder import FLOAT, I16, FunctionBuilder, Target

EXACT_TOLERANCE = 1e-3
"""Largest distance to a whole number that the rounding of a float32 weight explains."""
MAX_I16 = 32767
"""Largest int16."""


def gemm_microkernel(
    module: ir.Module, target: Target, weights: ir.Type = FLOAT, bias: bool = False
) -> FunctionBuilder:
    """Write out [rows, panel] = left [rows, channels] @ right [channels, panel] (* scales + bias).

    Rows of `left` and `out` start `left_pitch` and `out_pitch` floats apart. Sums of int16 weights are multiplied by
    scales [panel]; only then may a bias [panel] be added.
    """
    names = "*left *right *scales *bias *out channels left_pitch out_pitch"
    kind = "i16" if weights is I16 else "f32"
    code = FunctionBuilder(module, f"gemm_microkernel_{kind}{'_bias' if bias else ''}", names, target.width)
    builder, before = code.builder, code.builder.block
    # The sums are phi nodes, one for each cell, and so live in registers for the whole loop.
    cells = [(row, column) for row in range(target.rows) for column in range(target.columns)]
    lefts = [code.offset_address(code.left, code.mul(code.left_pitch, row)) for row in range(target.rows)]
    with code.loop(code.channels) as channel:
        sums = [builder.phi(code.vector) for _ in cells]
        for total in sums:
            total.add_incoming(code.broadcast(0.0), before)
        right = code.offset_address(code.right, code.mul(channel, target.panel), weights)
        columns = [code.load(right, column * target.width, weights) for column in range(target.columns)]
        rows = [code.broadcast(code.load_scalar(left, channel)) for left in lefts]
        # For each cell: sum += left[row, channel] * right[channel, column].
        updated = [code.fma(rows[r], columns[c], total) for (r, c), total in zip(cells, sums, strict=True)]
        for total, value in zip(sums, updated, strict=True):
            total.add_incoming(value, builder.block)
    scales = [code.load(code.scales, c * target.width) for c in range(target.columns)] if weights is I16 else []
    biases = [code.load(code.bias, c * target.width) for c in range(target.columns)] if bias else []
    for (row, column), value in zip(cells, updated, strict=True):
        if scales:
            value = code.fma(value, scales[column], biases[column] if biases else code.broadcast(0.0))
        code.store(value, code.out, code.add(code.mul(code.out_pitch, row), column * target.width))
    code.finish()
    return code


def emit_gemm(module: ir.Module, target: Target) -> FunctionBuilder:
    """Write y [rows, outputs] = x [rows, inputs] @ u * scales + bias; `u` is int16 [panels, inputs, panel].

    Rows are processed up to the next multiple of `target.rows`: both x and y need room for them. The rows of x may
    overlap (`x_pitch` below `inputs`): then they are windows over a signal, and the product is a convolution.
    """
    code = FunctionBuilder(module, "gemm", "*x *y *u *scales *bias rows inputs outputs x_pitch y_pitch", target.width)
    microkernel = gemm_microkernel(module, target, I16, bias=True)
    # Panels outside, rows inside: a panel [inputs, panel] stays in the cache for all rows of the block.
    with code.loop(code.outputs, target.panel) as channel:
        weights = code.offset_address(code.u, code.mul(channel, code.inputs), I16)
        scales, bias = code.offset_address(code.scales, channel), code.offset_address(code.bias, channel)
        with code.loop(code.rows, target.rows) as row:
            left = code.offset_address(code.x, code.mul(row, code.x_pitch))
            out = code.offset_address(code.y, code.add(code.mul(row, code.y_pitch), channel))
            code.call(microkernel, left, weights, scales, bias, out, code.inputs, code.x_pitch, code.y_pitch)
    code.finish()
    return code


def emit_widening(module: ir.Module, width: int, source: ir.Type) -> FunctionBuilder:
    """Write out = leaky_relu(x) in float32 for `count` numbers, up to one vector more.

    `slope` holds the bits of a float32: 1.0 leaves the values as they are.
    """
    code = FunctionBuilder(module, f"widen_{source}", "*x *out count slope", width)
    slope = code.broadcast(code.float_from_bits(code.slope))
    with code.loop(code.count, width) as offset:
        value = code.load(code.x, offset, source)
        # For slopes of 0 to 1, leaky_relu(x) = max(x, x * slope).
        code.store(code.max(value, code.builder.fmul(value, slope)), code.out, offset)
    code.finish()
    return code


def emit_narrowing(module: ir.Module, width: int, destination: ir.Type) -> FunctionBuilder:
    """Write the rows of x [rows, outputs] in another storage type, into rows of y that start `pitch` elements apart."""
    code = FunctionBuilder(module, f"narrow_{destination}", "*x *y rows outputs pitch", width)
    with code.loop(code.rows) as row, code.loop(code.outputs, width) as column:
        value = code.load(code.x, code.add(code.mul(row, code.outputs), column))
        code.store(value, code.y, code.add(code.mul(row, code.pitch), column), destination)
    code.finish()
    return code


def pack_panels(weight: NDArray[np.int16], target: Target) -> NDArray[np.int16]:
    """Pack weights [inputs, outputs] into panels [panels, inputs, panel], zeros after the last output."""
    inputs, outputs = weight.shape
    missing = -outputs % target.panel
    padded = np.pad(weight, ((0, 0), (0, missing)))
    panels = padded.reshape(inputs, (outputs + missing) // target.panel, target.panel)
    return np.ascontiguousarray(panels.transpose(1, 0, 2))


def quantize(
    weight: NDArray[np.float32], filter_matrix: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Quantize a filter, or its values at a scheme's points, to int16.

    Lossless where each output channel was quantized to 8 bits and the coefficients of a point are whole multiples of
    the smallest of them. Other weights are rounded to 2⁻¹⁶ of the largest of their channel and point.

    Args:
        weight: Filter [taps, in, out], float32.
        filter_matrix: That of a scheme, [points, taps]; the identity by default, so points are taps.

    Returns:
        Integers [points, in, out] and scales [points, out]; their product is the value at each point.
    """
    integers, scales = detect_scale(weight)
    matrix = np.eye(len(weight)) if filter_matrix is None else filter_matrix
    values = np.einsum("pk,kio->pio", matrix, integers.astype(np.float64))
    # Divide each point's values by its smallest coefficient: in short filters the others are whole multiples of it,
    # so sums of integers stay integers.
    common = np.min(np.abs(matrix), axis=1, where=matrix != 0, initial=np.inf)[:, None]
    counts = values / common[:, None]
    exact = (np.abs(counts - np.rint(counts)).max(axis=(1, 2)) < EXACT_TOLERANCE) & (
        np.abs(counts).max(axis=(1, 2)) <= MAX_I16
    )
    # Else spread the largest value of each point and channel over int16; `tiny` avoids dividing zeros by zero.
    rounded = np.maximum(np.abs(values).max(axis=1) / MAX_I16, np.finfo(np.float32).tiny)
    units = np.where(exact[:, None], common, rounded)
    return np.rint(values / units[:, None]).astype(np.int16), (units * scales).astype(np.float32)
