"""The tile kernels beside plain sums in double precision, where the CPU has tiles; any machine compiles them."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvmlite import binding, ir
from numpy.typing import NDArray

from kokoro_server.model.kernels.amx import detect_scale, pack_tiles, split_bf16
from kokoro_server.model.kernels.amx_kernels import (
    BF16X1,
    PRECISIONS,
    STORAGE_TYPES,
    emit_amx_kernels,
    name_convolution,
    name_gemm,
)
from kokoro_server.model.kernels.amx_permission import may_use_tiles
from kokoro_server.model.kernels.builder import BF16
from kokoro_server.model.kernels.library import TARGETS, KernelLibrary, get_native_target
from kokoro_server.model.native.activations import SPARE_ROWS
from kokoro_server.model.native.amx_layers import AmxConvolution, AmxDense, AmxWeights
from kokoro_server.model.native.kernel_context import KernelContext
from kokoro_server.model.native.layers import Norm
from tests.unit.model.test_kernels import LENGTHS, activated, filtered, normal, normalised, spared

TILED = TARGETS["amx-bf16"]
TOLERANCES = {1: 2e-2, 2: 1e-4}  # of the largest value, by the parts of each number
with_tiles = pytest.mark.skipif(get_native_target() != TILED, reason="this CPU has no tile registers")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> KernelLibrary:
    return KernelLibrary(tmp_path_factory.mktemp("kernels"))


def quantised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """As 8 bits in steps of each channel out, the last axis."""
    steps = np.abs(values).max(axis=(0, 1)) / 127
    rounded: NDArray[np.float32] = (np.rint(values / steps) * steps).astype(np.float32)
    return rounded


def as_it_is(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values


Kind = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def short(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """As the generator's rows are kept."""
    return split_bf16(values, 1)[0]


def floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return (values.astype(np.uint32) << 16).view(np.float32) if values.dtype == np.uint16 else values


def test_two_halves_are_nearly_a_float() -> None:
    values = normal(1000)
    first, second = map(floats, split_bf16(values, 2))
    assert np.abs(first - values).max() > 1e-3
    np.testing.assert_allclose(first + second, values, rtol=2**-15)


def test_what_was_quantised_is_whole_numbers_of_steps() -> None:
    weight = quantised(normal(3, 100, 8))
    whole, steps = detect_scale(weight)
    np.testing.assert_array_equal(whole, np.rint(whole))
    assert np.abs(whole).max() <= 256
    np.testing.assert_allclose(whole * steps, weight, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("weight", [normal(3, 100, 8), np.zeros((1, 4, 3), np.float32)], ids=["floats", "nothing"])
def test_another_filter_stays_as_it_is(weight: NDArray[np.float32]) -> None:
    whole, steps = detect_scale(weight)
    np.testing.assert_array_equal(whole, weight)
    assert (steps == 1).all()


def test_weights_lie_as_the_tiles_read_them() -> None:
    weight = np.arange(2 * 40 * 33, dtype=np.float32).reshape(2, 40, 33) % 100
    tiles = floats(pack_tiles(weight, 1))
    assert tiles.shape == (2, 2, 2, 1, 2, 16, 32)
    for tap, i, o in ((0, 0, 0), (1, 39, 32), (1, 33, 17), (0, 7, 31)):
        panel, column, place = o // 32, o % 32 // 16, o % 16
        assert tiles[panel, tap, i // 32, 0, column, i % 32 // 2, 2 * place + i % 2] == weight[tap, i, o]


def test_any_machine_compiles_them() -> None:
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    module = ir.Module("tiles")
    emit_amx_kernels(module, TILED.width)
    compiled = binding.parse_assembly(str(module))
    compiled.verify()
    target = binding.Target.from_triple("x86_64-unknown-linux-gnu")
    machine = target.create_target_machine("sapphirerapids", "", opt=1)
    assembly = machine.emit_assembly(compiled)
    assert "tdpbf16ps" in assembly and name_convolution("snake", True, BF16X1) in assembly


@with_tiles
@pytest.mark.parametrize("length", [*LENGTHS, 1300])
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize(("taps", "dilation"), [(3, 1), (7, 3), (11, 5)])
@pytest.mark.parametrize(
    ("activation", "parts", "kind"),
    [("snake", 1, as_it_is), *product(("leaky", "plain"), (1,), (as_it_is,))]
    + [*product(("leaky", "plain"), (2,), (as_it_is, quantised))],
)
def test_convolution_is_norm_activation_filter_and_sum(
    context: KernelContext,
    activation: str,
    taps: int,
    dilation: int,
    residual: bool,
    length: int,
    parts: int,
    kind: Kind,
) -> None:
    inputs, outputs = 64, 96
    weight, bias = kind(normal(taps, inputs, outputs) / np.float32(np.sqrt(inputs * taps))), normal(outputs)
    alpha = np.exp(normal(inputs) / 3)
    norm = Norm(normal(inputs), normal(inputs), (alpha / np.pi).astype(np.float32), (1 / alpha).astype(np.float32))
    x, before = normal(length, inputs) + 1, normal(length, outputs)
    layer = AmxConvolution(AmxWeights.pack(weight, bias, parts), activation, dilation)
    kept = short if STORAGE_TYPES[activation] is BF16 else as_it_is
    y = kept(spared(np.zeros((length, outputs), np.float32)))

    added = kept(spared(before)) if residual else None
    rows = layer(context, context.with_stats(kept(spared(x)), length), norm, y, added)

    expected = filtered(activated(activation, normalised(x, norm), alpha), weight.transpose(2, 1, 0), dilation) + bias
    expected += before if residual else 0
    got, rounding = floats(rows.values), 1e-2 if kept is short else 1e-4
    np.testing.assert_allclose(got, expected, atol=TOLERANCES[parts] * np.abs(expected).max())
    np.testing.assert_allclose(rows.sums, got.sum(0, dtype=np.float64), atol=rounding * np.abs(got).sum(0).max())
    np.testing.assert_allclose(rows.squares, np.square(got, dtype=np.float64).sum(0), rtol=rounding)


@with_tiles
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 5, 3), (50, 22, 22), (131, 64, 100), (700, 768, 64)])
@pytest.mark.parametrize(("parts", "kind"), [(1, as_it_is), (2, as_it_is), (2, quantised)])
def test_dense_is_a_product_with_a_bias(
    context: KernelContext, rows: int, inputs: int, outputs: int, parts: int, kind: Kind
) -> None:
    weight, bias, x = kind(normal(1, inputs, outputs))[0], normal(outputs), normal(rows, inputs)
    layer = AmxDense(AmxWeights.pack(weight[None], bias, parts), slope=0.1)
    y = np.zeros((rows + SPARE_ROWS, layer.outputs), np.float32)
    layer(context, spared(x), y, rows)
    expected = np.maximum(x, 0.1 * x).astype(np.float64) @ weight + bias
    np.testing.assert_allclose(y[:rows, :outputs], expected, atol=TOLERANCES[parts] * np.abs(expected).max())


@with_tiles
@pytest.mark.parametrize(("source", "target"), [(as_it_is, short), (short, short), (short, as_it_is)])
def test_dense_reads_and_writes_short_rows(context: KernelContext, source: Any, target: Any) -> None:
    """Windows of two rows, as the generator's upsampling takes them, and a first row that is not the array's."""
    weight, bias, x = normal(1, 128, 100), normal(100), normal(700, 64)
    layer = AmxDense(AmxWeights.pack(weight, bias, 1), slope=0.1)
    y = target(np.zeros((650 + SPARE_ROWS, layer.outputs), np.float32))
    layer(context, source(spared(x))[2:], y, 650, pitch=64)
    windows = np.stack([x[row : row + 2].reshape(-1) for row in range(2, 652)])
    expected = np.maximum(windows, 0.1 * windows).astype(np.float64) @ weight[0] + bias
    np.testing.assert_allclose(floats(y)[:650, :100], expected, atol=TOLERANCES[1] * np.abs(expected).max())


@with_tiles
@pytest.mark.parametrize("adding", [False, True])
def test_short_rows_are_measured(serial_context: KernelContext, adding: bool) -> None:
    x, more = short(spared(normal(1100, 48))), short(spared(normal(1100, 48)))
    expected = (floats(x)[:1100] + (floats(more)[:1100] if adding else 0)).astype(np.float64)
    rows = serial_context.with_stats(x, 1100, more if adding else None)
    np.testing.assert_allclose(floats(rows.values), expected, rtol=2**-8)
    np.testing.assert_allclose(rows.sums, expected.sum(0), atol=1e-2)
    np.testing.assert_allclose(rows.squares, (expected**2).sum(0), rtol=1e-4)


@with_tiles
def test_dense_reads_overlapping_windows(serial_context: KernelContext) -> None:
    signal, weight = normal(40 + SPARE_ROWS, 4), normal(12, 16)
    layer = AmxDense(AmxWeights.pack(weight[None], np.zeros(16, np.float32), 2))
    y = np.zeros((19 + SPARE_ROWS, layer.outputs), np.float32)
    layer(serial_context, signal, y, 19, pitch=8)
    windows = np.stack([signal[2 * i : 2 * i + 3].reshape(-1) for i in range(19)])
    np.testing.assert_allclose(y[:19, :16], windows @ weight, atol=1e-3)


@with_tiles
def test_what_was_no_number_before_leaves_no_trace(serial_context: KernelContext) -> None:
    """Scratch is used again: what a failed run left in it must not reach the next one through a zero weight."""
    layer = AmxDense(AmxWeights.pack(normal(1, 22, 32), np.zeros(32, np.float32), 1))
    y = np.zeros((40 + SPARE_ROWS, layer.outputs), np.float32)
    layer(serial_context, np.full((40 + SPARE_ROWS, 22), np.nan, np.float32), y, 40)
    assert np.isnan(y[:40]).all()
    layer(serial_context, normal(40 + SPARE_ROWS, 22), y, 3)
    assert np.isfinite(y[:3]).all()


def test_the_precisions_are_the_ones_that_weights_take() -> None:
    for parts, kind in ((1, as_it_is), (2, as_it_is), (2, quantised), (1, quantised)):
        tiled = AmxWeights.pack(kind(normal(1, 400, 32)), np.zeros(32, np.float32), parts)
        assert tiled.precision in PRECISIONS
    assert tiled.precision == BF16X1


def test_asking_for_tiles_twice_says_the_same() -> None:
    assert may_use_tiles() == may_use_tiles()


def test_a_library_elsewhere_has_no_tiles(tmp_path: Path) -> None:
    plain = KernelLibrary(tmp_path, get_native_target().__class__(4, 2, 6))
    with pytest.raises(KeyError):
        plain[name_gemm(BF16X1)]
