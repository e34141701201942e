"""Products of rows with a matrix of weights: the core of every convolution, and 1x1 ones by itself."""

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numpy.typing import NDArray

from kokoro_server.model.kernels.amx import in_steps
from kokoro_server.model.kernels.builder import FLOAT, WHOLE, Code, Shape

EXACT = 1e-3
"""How far from a whole number a weight is that only float's rounding made uneven."""
LARGEST = 32767
"""The largest whole number of 16 bits."""


def micro(module: ir.Module, shape: Shape, weights: ir.Type = FLOAT, bias: bool = False) -> Code:
    """out [rows, panel] = left [rows, channels] @ right [channels, panel], all sums in registers.

    Weights that are whole numbers count steps [panel], which the sums are multiplied by; then the bias is added.
    """
    names = "*left *right *steps *bias *out channels left_pitch out_pitch"
    kind = "whole" if weights is WHOLE else "float"
    code = Code(module, f"micro_{kind}{'_bias' if bias else ''}", names, shape.width)
    builder, before = code.builder, code.builder.block
    cells = [(row, column) for row in range(shape.rows) for column in range(shape.columns)]
    lefts = [code.at(code.left, code.mul(code.left_pitch, row)) for row in range(shape.rows)]
    with code.loop(code.channels) as channel:
        sums = [builder.phi(code.vector) for _ in cells]
        for total in sums:
            total.add_incoming(code.splat(0.0), before)
        right = code.at(code.right, code.mul(channel, shape.panel), weights)
        columns = [code.load(right, column * shape.width, weights) for column in range(shape.columns)]
        rows = [code.splat(code.scalar(left, channel)) for left in lefts]
        updated = [code.fma(rows[r], columns[c], total) for (r, c), total in zip(cells, sums, strict=True)]
        for total, value in zip(sums, updated, strict=True):
            total.add_incoming(value, builder.block)
    steps = [code.load(code.steps, c * shape.width) for c in range(shape.columns)] if weights is WHOLE else []
    added = [code.load(code.bias, c * shape.width) for c in range(shape.columns)] if bias else []
    for (row, column), value in zip(cells, updated, strict=True):
        if steps:
            value = code.fma(value, steps[column], added[column] if added else code.splat(0.0))
        code.store(value, code.out, code.add(code.mul(code.out_pitch, row), column * shape.width))
    code.done()
    return code


def dense(module: ir.Module, shape: Shape) -> Code:
    """y [rows, outputs] = x [rows, inputs] @ u * steps + bias; `u` is [panels, inputs, panel] in whole numbers.

    Rows are counted up to a multiple of `shape.rows`: both x and y need room for them. The rows of x may
    overlap (`x_pitch` below `inputs`): then they are windows over a signal.
    """
    code = Code(module, "dense", "*x *y *u *steps *bias rows inputs outputs x_pitch y_pitch", shape.width)
    core = micro(module, shape, WHOLE, bias=True)
    with code.loop(code.outputs, shape.panel) as channel:
        weights = code.at(code.u, code.mul(channel, code.inputs), WHOLE)
        steps, bias = code.at(code.steps, channel), code.at(code.bias, channel)
        with code.loop(code.rows, shape.rows) as row:
            left = code.at(code.x, code.mul(row, code.x_pitch))
            out = code.at(code.y, code.add(code.mul(row, code.y_pitch), channel))
            code.call(core, left, weights, steps, bias, out, code.inputs, code.x_pitch, code.y_pitch)
    code.done()
    return code


def widen(module: ir.Module, width: int, source: ir.Type) -> Code:
    """out = leaky(x) in float32, `count` numbers and up to a vector more; `slope` holds the bits of a float."""
    code = Code(module, f"widen_{source}", "*x *out count slope", width)
    slope = code.splat(code.float_of(code.slope))
    with code.loop(code.count, width) as place:
        value = code.load(code.x, place, source)
        code.store(code.most(value, code.builder.fmul(value, slope)), code.out, place)
    code.done()
    return code


def narrow(module: ir.Module, width: int, target: ir.Type) -> Code:
    """Rows of x [rows, outputs] as numbers of another kind, into rows of y that start `pitch` apart."""
    code = Code(module, f"narrow_{target}", "*x *y rows outputs pitch", width)
    with code.loop(code.rows) as row, code.loop(code.outputs, width) as column:
        value = code.load(code.x, code.add(code.mul(row, code.outputs), column))
        code.store(value, code.y, code.add(code.mul(row, code.pitch), column), target)
    code.done()
    return code


def panelled(weight: NDArray[np.int16], shape: Shape) -> NDArray[np.int16]:
    """Weights [inputs, outputs] as `dense` reads them; outputs are filled up with zeros to whole panels."""
    inputs, outputs = weight.shape
    missing = -outputs % shape.panel
    padded = np.pad(weight, ((0, 0), (0, missing)))
    panels = padded.reshape(inputs, (outputs + missing) // shape.panel, shape.panel)
    return np.ascontiguousarray(panels.transpose(1, 0, 2))


def counted(
    weight: NDArray[np.float32], taps: NDArray[np.float64] | None = None
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """A filter [taps, in, out] as whole numbers [points, in, out] of steps [points, out]; `taps` evaluates it.

    Where each channel out was quantised to 8 bits, and a point is a sum of taps times one number, nothing is lost.
    Other weights are rounded to 2⁻¹⁶ of the largest of their channel and point.
    """
    whole, steps = in_steps(weight)
    taps = np.eye(len(weight)) if taps is None else taps
    values = np.einsum("pk,kio->pio", taps, whole.astype(np.float64))
    common = np.min(np.abs(taps), axis=1, where=taps != 0, initial=np.inf)[:, None]  # what all taps of a point share
    counts = values / common[:, None]
    exact = (np.abs(counts - np.rint(counts)).max(axis=(1, 2)) < EXACT) & (np.abs(counts).max(axis=(1, 2)) <= LARGEST)
    rounded = np.maximum(np.abs(values).max(axis=1) / LARGEST, np.finfo(np.float32).tiny)
    units = np.where(exact[:, None], common, rounded)
    return np.rint(values / units[:, None]).astype(np.int16), (units * steps).astype(np.float32)
