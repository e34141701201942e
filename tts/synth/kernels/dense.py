"""Products of rows with a matrix of weights: the core of every convolution, and 1x1 ones by itself."""

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numpy.typing import NDArray

from tts.synth.kernels.emit import Code, Shape


def micro(module: ir.Module, shape: Shape, bias: bool = False) -> Code:
    """out [rows, panel] = left [rows, channels] @ right [channels, panel] (+ bias), all sums in registers."""
    names = "*left *right *out channels left_pitch out_pitch" if not bias else (
        "*left *right *bias *out channels left_pitch out_pitch"
    )  # fmt: skip
    code = Code(module, "micro_bias" if bias else "micro", names, shape.width)
    builder, before = code.builder, code.builder.block
    cells = [(row, column) for row in range(shape.rows) for column in range(shape.columns)]
    lefts = [code.at(code.left, code.mul(code.left_pitch, row)) for row in range(shape.rows)]
    starts = [code.load(code.bias, c * shape.width) if bias else code.splat(0.0) for c in range(shape.columns)]
    with code.loop(code.channels) as channel:
        sums = [builder.phi(code.vector) for _ in cells]
        for (_, column), total in zip(cells, sums, strict=True):
            total.add_incoming(starts[column], before)
        right = code.at(code.right, code.mul(channel, shape.panel))
        columns = [code.load(right, column * shape.width) for column in range(shape.columns)]
        rows = [code.splat(code.scalar(left, channel)) for left in lefts]
        updated = [code.fma(rows[r], columns[c], total) for (r, c), total in zip(cells, sums, strict=True)]
        for total, value in zip(sums, updated, strict=True):
            total.add_incoming(value, builder.block)
    for (row, column), value in zip(cells, updated, strict=True):
        code.store(value, code.out, code.add(code.mul(code.out_pitch, row), column * shape.width))
    code.done()
    return code


def dense(module: ir.Module, shape: Shape) -> Code:
    """y [rows, outputs] = x [rows, inputs] @ u + bias; `u` is [panels, inputs, panel].

    Rows are counted up to a multiple of `shape.rows`: both x and y need room for them. The rows of x may
    overlap (`x_pitch` below `inputs`): then they are windows over a signal.
    """
    code = Code(module, "dense", "*x *y *u *bias rows inputs outputs x_pitch y_pitch", shape.width)
    core = micro(module, shape, bias=True)
    with code.loop(code.outputs, shape.panel) as channel:
        weights = code.at(code.u, code.mul(channel, code.inputs))
        bias = code.at(code.bias, channel)
        with code.loop(code.rows, shape.rows) as row:
            left = code.at(code.x, code.mul(row, code.x_pitch))
            out = code.at(code.y, code.add(code.mul(row, code.y_pitch), channel))
            code.call(core, left, weights, bias, out, code.inputs, code.x_pitch, code.y_pitch)
    code.done()
    return code


def panelled(weight: NDArray[np.float32], shape: Shape) -> NDArray[np.float32]:
    """Weights [inputs, outputs] as `dense` reads them; outputs are filled up with zeros to whole panels."""
    inputs, outputs = weight.shape
    missing = -outputs % shape.panel
    padded = np.pad(weight, ((0, 0), (0, missing)))
    panels = padded.reshape(inputs, (outputs + missing) // shape.panel, shape.panel)
    return np.ascontiguousarray(panels.transpose(1, 0, 2), np.float32)
