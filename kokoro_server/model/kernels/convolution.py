"""Write the kernels of one convolution: normalize, activate, convolve, add the residual, collect statistics.

Activations are [time, channels]. Vectors run along the channels, and a filter with a dilation reads rows further apart.
A block of rows passes through four steps while it is in the second-level cache:

    activate     rows of x, scaled and shifted (AdaIN), through Snake or leaky ReLU
    transform    each tile of n rows to n points                  V [points, tiles, channels in]
    gemm         at each point, over the channels                 M [points, tiles, panel of channels out]
    untransform  n points to m rows, plus bias and residual       y, and sums for the next normalization

Tiles: with dilation d, output row (group * m + j) * d + phase, 0 <= j < m, 0 <= phase < d, belongs to the tile
(group, phase), whose index in V and M is group * d + phase. Its n input rows start at (group * m) * d + phase, counted
from the first activated row, and lie d apart. So one group covers m * d output rows and a block is a number of groups.

U, V and M are the names of the literature (see toom_cook) for the transformed filter, input and output. U is
[panels, points, channels in, panel], so that one panel's weights at one point lie together.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from llvmlite import ir

from kokoro_server.model.kernels.builder import FLOAT, I16, FunctionBuilder, Target
from kokoro_server.model.kernels.gemm import quantize
from kokoro_server.model.kernels.toom_cook import Matrix, Scheme

SNAKE_COEFFICIENTS = (9.86952173, -32.4650351, 42.64226575, -29.42105229, 10.5730692)
"""sin²(πr) for |r| <= 1/2 is r² * polynomial(r²): least squares at Chebyshev nodes, error below 5e-7."""
LEAKY_SLOPE = 0.2
"""Slope of the decoder's leaky ReLU below zero."""
CACHE_LINE_FLOATS = 16
"""Floats of padding after each plane of V: a cache line of 64 bytes."""


@dataclass(frozen=True)
class ConvolutionKernel:
    """Identify one convolution kernel: its scheme, filter length, activation, and whether it adds a residual."""

    scheme: Scheme
    taps: int
    activation: str
    residual: bool

    @property
    def weight_type(self) -> ir.Type:
        """Storage type of the transformed filter: the generator's long filters, with 8 to 16 points, need float32."""
        return FLOAT if self.activation == "snake" else I16

    @property
    def name(self) -> str:
        """Symbol of the kernel."""
        return f"conv_{self.taps}_{self.activation}_{'add' if self.residual else 'set'}"

    def count_scratch_floats(self, groups: int, dilation: int, tiles: int, inputs: int, panel: int) -> dict[str, int]:
        """Count the floats of a block's scratch: activated rows, V and M, in the order of the kernel's arguments."""
        points = self.scheme.point_count
        return {
            "rows": dilation * (groups * self.scheme.outputs + self.taps - 1) * inputs,
            "v": points * (tiles * inputs + CACHE_LINE_FLOATS),  # planes of _get_plane_size
            "m": points * tiles * panel,
        }


ACTIVATIONS = ("snake", "leaky", "plain")


def get_storage_type(activation: str, target: Target) -> ir.Type:
    """Return the storage type of the activations that such a layer reads and writes.

    The generator's ("snake") are stored in 16 bits: they are the largest and pass through memory at every layer.
    """
    return target.storage_type if activation == "snake" else FLOAT


def emit_activation(
    module: ir.Module, kind: str, width: int, parts: int = 0, signal: ir.Type = FLOAT
) -> FunctionBuilder:
    """Write out[row] = activation(x[first + row] * scale + shift) for `rows` rows, zero outside 0..length.

    Args:
        module: The module that the kernel is added to.
        kind: One of ACTIVATIONS.
        width: Floats in a vector; `channels` has to be a multiple.
        parts: 0 to write float32; else the number of bf16 values that each number is split into, part p being stored
            in the plane at p * `plane`.
        signal: Storage type of x.
    """
    names = "*x *out *scale *shift *alpha_over_pi *inverse_alpha first rows length channels plane"
    code = FunctionBuilder(module, f"activate_{kind}_{parts}", names, width)

    def store(value: ir.Value, offset: ir.Value) -> None:
        if parts:
            code.store_bf16_parts(value, code.out, offset, parts, code.plane)
        else:
            code.store(value, code.out, offset)

    with code.loop(code.rows) as row:
        x_row = code.add(code.first, row)
        # Unsigned, so that one comparison finds rows before the start (negative ones are huge) and past the end.
        inside = code.builder.icmp_unsigned("<", x_row, code.length)
        out = code.mul(row, code.channels)
        with code.builder.if_else(inside) as (then, otherwise):
            with then:
                source = code.offset_address(code.x, code.mul(x_row, code.channels), signal)
                with code.loop(code.channels, width) as channel:
                    value = _apply_activation(code, kind, code.load(source, channel, signal), channel)
                    store(value, code.add(out, channel))
            # The filter's zero padding comes after the activation, so it is zero and not activation(shift).
            with otherwise, code.loop(code.channels, width) as channel:
                store(code.broadcast(0.0), code.add(out, channel))
    code.finish()
    return code


def _apply_activation(code: FunctionBuilder, kind: str, value: ir.Value, channel: ir.Value) -> ir.Value:
    """Apply scale, shift and the activation to one vector of channels."""
    value = code.fma(value, code.load(code.scale, channel), code.load(code.shift, channel))
    if kind == "plain":
        return value
    if kind == "leaky":
        return code.max(value, code.builder.fmul(value, code.broadcast(LEAKY_SLOPE)))
    # Snake: x + sin²(alpha * x) / alpha. sin² has the period π, so with r = x * alpha/π, sin²(alpha * x) = sin²(π * r),
    # and r may lose its nearest whole number: |r| <= 1/2, where the polynomial holds.
    half_turns = code.builder.fmul(value, code.load(code.alpha_over_pi, channel))
    fraction = code.builder.fsub(half_turns, code.round(half_turns))
    square = code.builder.fmul(fraction, fraction)
    series = code.broadcast(SNAKE_COEFFICIENTS[-1])  # Horner's scheme
    for coefficient in reversed(SNAKE_COEFFICIENTS[:-1]):
        series = code.fma(series, square, code.broadcast(coefficient))
    return code.fma(code.builder.fmul(series, square), code.load(code.inverse_alpha, channel), value)


def emit_input_transform(module: ir.Module, scheme: Scheme, width: int) -> FunctionBuilder:
    """Write V[point, tile] = input_matrix @ the tile's rows, for `groups` * `dilation` tiles.

    `rows` are the activated rows of the block, `tiles` the tiles that V has room for (a multiple of the microkernel's
    rows). V[point, tile, channel] is at point * plane + tile * channels + channel.
    """
    n, m = scheme.point_count, scheme.outputs
    code = FunctionBuilder(module, f"transform_{m}_{n}", "*rows *v groups dilation channels tiles", width)
    plane = _get_plane_size(code)
    with code.loop(code.groups) as group, code.loop(code.dilation) as phase:
        first = code.add(code.mul(group, m, code.dilation), phase)
        source = code.offset_address(code.rows, code.mul(first, code.channels))
        target = code.offset_address(code.v, code.mul(code.add(code.mul(group, code.dilation), phase), code.channels))
        stride = code.mul(code.dilation, code.channels)
        with code.loop(code.channels, width) as channel:
            load = partial(_load_row, code, source, stride, channel)
            for point, value in enumerate(_evaluate_points(code, scheme, load)):
                code.store(value, target, code.add(code.mul(plane, point), channel))
    code.finish()
    return code


def _load_row(code: FunctionBuilder, source: ir.Value, stride: ir.Value, channel: ir.Value, row: int) -> ir.Value:
    """Load a vector at source[row * stride + channel]."""
    return code.load(source, code.add(code.mul(stride, row), channel))


def _evaluate_points(code: FunctionBuilder, scheme: Scheme, row: Callable[[int], ir.Value]) -> list[ir.Value]:
    """Return input_matrix @ rows, one vector for each point; `row` loads a row of the tile.

    The rows of the matrix for p and -p agree in the even columns and differ in sign in the odd ones, so both points
    come from one even and one odd sum: even + odd and even - odd.
    """
    # Point 0 needs the even sum only, infinity the odd one only.
    pairs = range(1, scheme.point_count - 1, 2)
    even = _multiply_matrix(code, scheme.input_matrix[[0, *pairs]], range(0, scheme.point_count, 2), row)
    odd = _multiply_matrix(code, scheme.input_matrix[[*pairs, -1]], range(1, scheme.point_count, 2), row)
    values = [even[0]]
    for a, b in zip(even[1:], odd[:-1], strict=True):
        values += [code.builder.fadd(a, b), code.builder.fsub(a, b)]
    return [*values, odd[-1]]


def _multiply_matrix(
    code: FunctionBuilder, weights: Matrix, places: Iterable[int], load: Callable[[int], ir.Value]
) -> list[ir.Value]:
    """Return weights[:, places] @ the rows that `load` returns for these places."""
    # Row by row, so that every row is loaded once while all sums stay in registers.
    totals: list[ir.Value | None] = [None] * len(weights)
    for place in places:
        value = load(place)
        totals = [code.add_product(total, w, value) for total, w in zip(totals, weights[:, place], strict=True)]
    return totals


def _get_plane_size(code: FunctionBuilder) -> ir.Value:
    """Return the floats from one point of V to the next: tiles * channels + a cache line."""
    # Without the line, planes would often be a power of two apart: all points of a tile would share one cache set.
    return code.add(code.mul(code.tiles, code.channels), CACHE_LINE_FLOATS)


def batched_gemm(module: ir.Module, target: Target, micro: FunctionBuilder, kind: ir.Type) -> FunctionBuilder:
    """Write M[point, tile, panel] = V[point, tile] @ U[point] for one panel of output channels.

    `target.rows` tiles at a time keep their sums in registers through all input channels. `tiles` is a multiple of it.
    M[point, tile, channel] is at (point * tiles + tile) * panel + channel; U[point] is [channels in, panel].
    """
    name = "batched_gemm_i16" if kind is I16 else "batched_gemm_f32"
    code = FunctionBuilder(module, name, "*v *u *scales *m points tiles channels", target.width)
    with code.loop(code.points) as point:
        weights = code.offset_address(code.u, code.mul(point, code.channels, target.panel), kind)
        inputs = code.offset_address(code.v, code.mul(point, _get_plane_size(code)))
        sums = code.offset_address(code.m, code.mul(point, code.tiles, target.panel))
        scales = code.offset_address(code.scales, code.mul(point, target.panel))
        with code.loop(code.tiles, target.rows) as tile:
            left = code.offset_address(inputs, code.mul(tile, code.channels))
            out = code.offset_address(sums, code.mul(tile, target.panel))
            # No bias here: any address serves, and the untransform adds it once.
            code.call(micro, left, weights, scales, scales, out, code.channels, code.channels, target.panel)
    code.finish()
    return code


def _emit_output_transform(module: ir.Module, kernel: ConvolutionKernel, target: Target) -> FunctionBuilder:
    """Write y = output_matrix @ M + bias (+ residual) for one panel, and add up sums and squares below `length`.

    `first` is the output row of the block's first tile; rows of y and the residual start `pitch` elements apart.
    """
    scheme = kernel.scheme
    names = "*m *y *residual *bias *sums *squares first groups dilation tiles length pitch"
    code = FunctionBuilder(module, f"untransform_{kernel.name}", names, target.width)
    plane = code.mul(code.tiles, target.panel)
    with code.loop(code.groups) as group, code.loop(code.dilation) as phase:
        tile = code.offset_address(code.m, code.mul(code.add(code.mul(group, code.dilation), phase), target.panel))
        first = code.add(code.first, code.mul(group, scheme.outputs, code.dilation), phase)
        for column in range(0, target.panel, target.width):  # unrolled: a panel is 2 to 4 vectors
            load = partial(_load_row, code, tile, plane, code.index(column))
            _store_tile(code, kernel, load, first, column, get_storage_type(kernel.activation, target))
    code.finish()
    return code


def _store_tile(  # where the tile goes, and what is written of it
    code: FunctionBuilder,
    kernel: ConvolutionKernel,
    load: Callable[[int], ir.Value],
    first: ir.Value,
    column: int,
    kept: ir.Type,
) -> None:
    """Store one tile's rows for one vector of channels.

    Rows past the end are written, since the array has spare rows, but do not enter the statistics.
    """
    builder = code.builder
    total, squares = code.load(code.sums, column), code.load(code.squares, column)
    bias = code.load(code.bias, column)
    for j, value in enumerate(_interpolate_rows(code, kernel.scheme, load)):
        row = code.add(first, code.mul(code.dilation, j))
        offset = code.add(code.mul(row, code.pitch), column)
        value = builder.fadd(value, bias)
        if kernel.residual:
            value = builder.fadd(value, code.load(code.residual, offset, kept))
        code.store(value, code.y, offset, kept)
        inside = builder.icmp_signed("<", row, code.length)
        value = builder.select(inside, value, code.broadcast(0.0))
        total, squares = builder.fadd(total, value), code.fma(value, value, squares)
    code.store(total, code.sums, column)
    code.store(squares, code.squares, column)


def _interpolate_rows(code: FunctionBuilder, scheme: Scheme, point: Callable[[int], ir.Value]) -> list[ir.Value]:
    """Return output_matrix @ points, one vector for each output row.

    Row j of the matrix holds p**j: for a pair ±p, even rows take the sum of both points and odd rows the difference.
    """
    # Point 0 reaches row 0 only (0**0 = 1), infinity the last row only; `plus` leaves out the zeros.
    first, last = point(0), point(scheme.point_count - 1)
    totals: list[ir.Value | None] = [code.add_product(None, weights[0], first) for weights in scheme.output_matrix]
    for p in range(1, scheme.point_count - 1, 2):
        a, b = point(p), point(p + 1)
        halves = code.builder.fadd(a, b), code.builder.fsub(a, b)
        totals = [code.add_product(t, scheme.output_matrix[j, p], halves[j % 2]) for j, t in enumerate(totals)]
    return [code.add_product(t, scheme.output_matrix[j, -1], last) for j, t in enumerate(totals)]


def emit_convolution(  # the kernels that it calls are arguments, written once for all of its variants
    module: ir.Module,
    kernel: ConvolutionKernel,
    target: Target,
    product: FunctionBuilder,
    activate: FunctionBuilder,
    transform: FunctionBuilder,
) -> FunctionBuilder:
    """Write the kernel that takes one block of `groups` * `dilation` tiles through all four steps.

    Its arguments: x [length, inputs], y and residual [length, outputs] with rows `pitch` apart; scale, shift,
    alpha_over_pi and inverse_alpha [inputs]; u [panels, points, inputs, panel], scales [panels, points, panel] (for
    int16 weights), bias [outputs]; sums and squares [outputs], which the block's statistics are added to; scratch rows,
    v and m, for `tiles` tiles; `first`, the block's first output row. `outputs` is a multiple of the panel.
    """
    names = (
        "*x *y *residual *scale *shift *alpha_over_pi *inverse_alpha *u *scales *bias *sums *squares *rows *v *m "
        "first groups dilation tiles length inputs outputs pitch"
    )
    scheme, kept = kernel.scheme, get_storage_type(kernel.activation, target)
    untransformed = _emit_output_transform(module, kernel, target)
    code = FunctionBuilder(module, kernel.name, names, target.width)
    # The block reads taps // 2 rows of x before its first output row and as many after its last, times the dilation.
    halo = code.mul(code.dilation, kernel.taps // 2)
    start = code.builder.sub(code.first, halo)
    count = code.mul(code.dilation, code.add(code.mul(code.groups, scheme.outputs), kernel.taps - 1))
    code.call(
        activate, code.x, code.rows, code.scale, code.shift, code.alpha_over_pi, code.inverse_alpha,
        start, count, code.length, code.inputs, 0,
    )  # fmt: skip
    code.call(transform, code.rows, code.v, code.groups, code.dilation, code.inputs, code.tiles)
    # Panel by panel: V stays in the cache for all of them, and M holds one panel only. With channel = number * panel,
    # U[number] starts at channel * points * inputs, and its scales at channel * points.
    with code.loop(code.outputs, target.panel) as channel:
        weights = code.offset_address(code.u, code.mul(channel, scheme.point_count, code.inputs), kernel.weight_type)
        scales = code.offset_address(code.scales, code.mul(channel, scheme.point_count))
        code.call(product, code.v, weights, scales, code.m, scheme.point_count, code.tiles, code.inputs)
        columns = [code.offset_address(pointer, channel, kept) for pointer in (code.y, code.residual)]
        columns += [code.offset_address(pointer, channel) for pointer in (code.bias, code.sums, code.squares)]
        code.call(
            untransformed, code.m, *columns, code.first, code.groups, code.dilation, code.tiles,
            code.length, code.pitch,
        )  # fmt: skip
    code.finish()
    return code


def winograd_weights(weight: np.ndarray, scheme: Scheme, whole: bool, target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Transform a filter and pack it as the convolution kernel reads it.

    Args:
        weight: Filter [out, in, taps], float32; `out` is a multiple of the target's panel.
        scheme: The scheme whose filter_matrix is applied, in float64.
        whole: Quantize to int16 with a scale for each point and channel, else keep float32.
        target: The target, for its panel width.

    Returns:
        Weights [panels, points, in, panel] and scales [panels, points, panel], 1 for float32 weights.
    """
    outputs, inputs, _ = weight.shape
    if whole:
        points, scales = quantize(weight.transpose(2, 1, 0), scheme.filter_matrix)
    else:
        points = np.einsum("pk,oik->pio", scheme.filter_matrix, weight.astype(np.float64)).astype(np.float32)
        scales = np.ones((scheme.point_count, outputs), np.float32)
    panels = points.reshape(scheme.point_count, inputs, outputs // target.panel, target.panel)
    scales = scales.reshape(scheme.point_count, -1, target.panel).transpose(1, 0, 2)
    return np.ascontiguousarray(panels.transpose(2, 0, 1, 3)), np.ascontiguousarray(scales)
