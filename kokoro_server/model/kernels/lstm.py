"""Write the LSTM kernel, one direction over all steps, and the smooth functions: exp, sigmoid, tanh, GELU.

The product of the inputs with their weights, plus the bias, comes from a GEMM over all steps beforehand. The kernel
does what depends on the step before:

    i, o, f, g = gates[step] + state_weights @ hidden
    cell       = sigmoid(f) * cell + sigmoid(i) * tanh(g)
    hidden     = sigmoid(o) * tanh(cell)

One vector holds `width` units, and its four gates are computed together while `hidden` is read once.
"""

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import FunctionBuilder, Target

POWERS_OF_TWO = tuple(float(np.log(2.0) ** k / np.prod(np.arange(1, k + 1))) for k in range(8))
"""Coefficients of 2**f for |f| <= 1/2: the series of exp(f ln 2), whose seventh term is below float32's rounding."""
GATES = 4
"""Gates of a unit: input, output, forget, cell, in ONNX's order."""


def emit_exp(code: FunctionBuilder, value: ir.Value) -> ir.Value:
    """Emit e**value: relative error below 2e-7; beyond ±87 the result is that of ±87."""
    builder = code.builder
    # e**x = 2**k * 2**f with k = round(x / ln 2), |f| <= 1/2. Within ±87 the exponent k stays in a float32's range.
    limited = code.min(code.max(value, code.broadcast(-87.0)), code.broadcast(87.0))
    power = builder.fmul(limited, code.broadcast(float(1 / np.log(2.0))))
    whole = code.round(power)
    fraction = builder.fsub(power, whole)
    series = code.broadcast(POWERS_OF_TWO[-1])  # Horner's scheme
    for coefficient in reversed(POWERS_OF_TWO[:-1]):
        series = code.fma(series, fraction, code.broadcast(coefficient))
    return code.scale_by_power(series, whole)


def emit_sigmoid(code: FunctionBuilder, value: ir.Value) -> ir.Value:
    """Emit 1 / (1 + e**-value)."""
    one = code.broadcast(1.0)
    return code.builder.fdiv(one, code.builder.fadd(one, emit_exp(code, code.builder.fneg(value))))


def emit_tanh(code: FunctionBuilder, value: ir.Value) -> ir.Value:
    """Emit tanh(value) as 2 * sigmoid(2 * value) - 1."""
    two = code.broadcast(2.0)
    return code.fma(two, emit_sigmoid(code, code.builder.fmul(value, two)), code.broadcast(-1.0))


def emit_lstm(module: ir.Module, target: Target) -> FunctionBuilder:
    """Write the LSTM over `gates` [steps, 4 * units] (inputs times weights, plus bias), into out [steps, units].

    `state` are the weights [units / width, units, 4, width]; `hidden` and `cell` [units] hold the initial state and
    then the last one; `next` [units] is scratch. Pitches are floats from one step to the next, negative to go
    backwards. `units` is a multiple of the vector width.
    """
    code = FunctionBuilder(
        module, "lstm", "*gates *state *out *hidden *cell *next steps units gate_pitch out_pitch", target.width
    )
    with code.loop(code.steps) as step:
        gates = code.offset_address(code.gates, code.mul(step, code.gate_pitch))
        out = code.offset_address(code.out, code.mul(step, code.out_pitch))
        with code.loop(code.units, target.width) as unit:
            value = _emit_unit(code, gates, unit)
            code.store(value, code.next, unit)
            code.store(value, out, unit)
        # Every unit reads all of `hidden`, so the new values replace it only after the last unit.
        with code.loop(code.units, target.width) as unit:
            code.store(code.load(code.next, unit), code.hidden, unit)
    code.finish()
    return code


def _emit_unit(code: FunctionBuilder, gates: ir.Value, unit: ir.Value) -> ir.Value:
    """Emit the new hidden values of one vector of units, and store its cells."""
    builder = code.builder
    before = builder.block
    starts = [code.load(gates, code.add(code.mul(code.units, gate), unit)) for gate in range(GATES)]
    # The weights of unit // width: [units, 4, width]. For each other unit, four vectors, one for each gate.
    block = code.offset_address(code.state, code.mul(unit, code.units, GATES))
    with code.loop(code.units) as other:
        sums = [builder.phi(code.vector) for _ in range(GATES)]
        hidden = code.broadcast(code.load_scalar(code.hidden, other))
        row = code.offset_address(block, code.mul(other, GATES * code.width))
        updated = [code.fma(hidden, code.load(row, gate * code.width), total) for gate, total in enumerate(sums)]
        for total, start, value in zip(sums, starts, updated, strict=True):
            total.add_incoming(start, before)
            total.add_incoming(value, builder.block)
    input_gate, output_gate, forget_gate, candidate = updated
    added = builder.fmul(emit_sigmoid(code, input_gate), emit_tanh(code, candidate))
    cell = code.fma(emit_sigmoid(code, forget_gate), code.load(code.cell, unit), added)
    code.store(cell, code.cell, unit)
    return builder.fmul(emit_sigmoid(code, output_gate), emit_tanh(code, cell))


def emit_gelu(module: ir.Module, width: int) -> FunctionBuilder:
    """Write GELU in place over `size` floats, a multiple of `width`, in its tanh form (Hendrycks and Gimpel, 2016).

    x / 2 * (1 + tanh(sqrt(2 / π) * (x + 0.044715 x³)))
    """
    # (1 + tanh(z)) / 2 = sigmoid(2z), so it is x * sigmoid(x * (slope + slope * 0.044715 x²)).
    slope = 2 * float(np.sqrt(2 / np.pi))
    code = FunctionBuilder(module, "gelu", "*x size", width)
    with code.loop(code.size, width) as offset:
        value = code.load(code.x, offset)
        square = code.builder.fmul(value, value)
        factor = code.fma(square, code.broadcast(slope * 0.044715), code.broadcast(slope))
        code.store(code.builder.fmul(value, emit_sigmoid(code, code.builder.fmul(value, factor))), code.x, offset)
    code.finish()
    return code


def interleave_gates(state: NDArray[np.float32], width: int) -> NDArray[np.float32]:
    """Pack one direction's state weights [4 * units, units] for the kernel: [units / width, units, 4, width]."""
    units = state.shape[1]
    # [gate, vector, lane, other unit] to [vector, other unit, gate, lane].
    parts = state.reshape(GATES, units // width, width, units)
    return np.ascontiguousarray(parts.transpose(1, 3, 0, 2), np.float32)
