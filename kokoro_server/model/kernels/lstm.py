"""A long short-term memory: one direction over all steps, and the smooth functions that its gates need."""

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Code, Shape

# 2**f for |f| <= 1/2: the series of exp(f ln 2), whose seventh term is below float32's rounding.
POWERS_OF_TWO = tuple(float(np.log(2.0) ** k / np.prod(np.arange(1, k + 1))) for k in range(8))
GATES = 4  # input, output, forget, cell: ONNX's order


def exponential(code: Code, value: ir.Value) -> ir.Value:
    """e**value by a power of two and a polynomial, within 2e-7 of it; beyond ±87 it stays at the edge."""
    builder = code.builder
    limited = code.least(code.most(value, code.splat(-87.0)), code.splat(87.0))
    power = builder.fmul(limited, code.splat(float(1 / np.log(2.0))))
    whole = code.round(power)
    part = builder.fsub(power, whole)
    series = code.splat(POWERS_OF_TWO[-1])
    for coefficient in reversed(POWERS_OF_TWO[:-1]):
        series = code.fma(series, part, code.splat(coefficient))
    return code.scaled_by_power(series, whole)


def sigmoid(code: Code, value: ir.Value) -> ir.Value:
    one = code.splat(1.0)
    return code.builder.fdiv(one, code.builder.fadd(one, exponential(code, code.builder.fneg(value))))


def hyperbolic_tangent(code: Code, value: ir.Value) -> ir.Value:
    """2 * sigmoid(2 * value) - 1."""
    two = code.splat(2.0)
    return code.fma(two, sigmoid(code, code.builder.fmul(value, two)), code.splat(-1.0))


def lstm(module: ir.Module, shape: Shape) -> Code:
    """Steps over `gates` [steps, 4 * units] (inputs times weights, plus bias), giving out [steps, units].

    `state` is [units / width, units, 4, width]; `hidden` and `cell` [units] start as they are found. Pitches
    are floats from one step to the next, negative to go backwards.
    """
    code = Code(module, "lstm", "*gates *state *out *hidden *cell *next steps units gate_pitch out_pitch", shape.width)
    with code.loop(code.steps) as step:
        gates = code.at(code.gates, code.mul(step, code.gate_pitch))
        out = code.at(code.out, code.mul(step, code.out_pitch))
        with code.loop(code.units, shape.width) as unit:
            value = _unit(code, gates, unit)
            code.store(value, code.next, unit)
            code.store(value, out, unit)
        with code.loop(code.units, shape.width) as unit:
            code.store(code.load(code.next, unit), code.hidden, unit)
    code.done()
    return code


def _unit(code: Code, gates: ir.Value, unit: ir.Value) -> ir.Value:
    """The new hidden values of one vector of units; their cells are stored."""
    builder = code.builder
    before = builder.block
    starts = [code.load(gates, code.add(code.mul(code.units, gate), unit)) for gate in range(GATES)]
    block = code.at(code.state, code.mul(unit, code.units, GATES))
    with code.loop(code.units) as other:
        sums = [builder.phi(code.vector) for _ in range(GATES)]
        hidden = code.splat(code.scalar(code.hidden, other))
        row = code.at(block, code.mul(other, GATES * code.width))
        updated = [code.fma(hidden, code.load(row, gate * code.width), total) for gate, total in enumerate(sums)]
        for total, start, value in zip(sums, starts, updated, strict=True):
            total.add_incoming(start, before)
            total.add_incoming(value, builder.block)
    entering, leaving, kept, proposed = updated
    added = builder.fmul(sigmoid(code, entering), hyperbolic_tangent(code, proposed))
    cell = code.fma(sigmoid(code, kept), code.load(code.cell, unit), added)
    code.store(cell, code.cell, unit)
    return builder.fmul(sigmoid(code, leaving), hyperbolic_tangent(code, cell))


def gelu(module: ir.Module, width: int) -> Code:
    """x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 x³))) over `size` floats (Hendrycks and Gimpel, 2016)."""
    slope = 2 * float(np.sqrt(2 / np.pi))  # tanh(x / 2) is 2 * sigmoid(x) - 1
    code = Code(module, "gelu", "*x size", width)
    with code.loop(code.size, width) as place:
        value = code.load(code.x, place)
        square = code.builder.fmul(value, value)
        bend = code.fma(square, code.splat(slope * 0.044715), code.splat(slope))
        code.store(code.builder.fmul(value, sigmoid(code, code.builder.fmul(value, bend))), code.x, place)
    code.done()
    return code


def interleaved(state: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """One direction's [4 * units, units] as `lstm` reads it: [units / width, units, 4, width]."""
    units = state.shape[1]
    parts = state.reshape(GATES, units // width, width, units)
    return np.ascontiguousarray(parts.transpose(1, 3, 0, 2), np.float32)
