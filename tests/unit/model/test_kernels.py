"""The kernels beside plain sums in double precision, on shapes that are no multiple of anything."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kokoro_server.core.errors import Cancelled
from kokoro_server.model.kernels.builder import FLOAT, Target
from kokoro_server.model.kernels.convolution import get_storage_type
from kokoro_server.model.kernels.gemm import quantize
from kokoro_server.model.kernels.library import SCHEMES, KernelLibrary
from kokoro_server.model.kernels.lstm import interleave_gates
from kokoro_server.model.kernels.norm import EPSILON
from kokoro_server.model.kernels.thread_pool import ThreadPool
from kokoro_server.model.kernels.toom_cook import make_scheme
from kokoro_server.model.native.activations import SPARE_ROWS, address_of, get_storage_dtype
from kokoro_server.model.native.kernel_context import KernelContext
from kokoro_server.model.native.layers import Convolution, Dense, Lstm, Norm

RANDOM = np.random.default_rng(11)
LENGTHS = [7, 131]


def normal(*shape: int) -> NDArray[np.float32]:
    return RANDOM.normal(size=shape).astype(np.float32)


def spared(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """With spare rows that would show if anything read them."""
    return np.concatenate([values, np.full((SPARE_ROWS, values.shape[1]), np.nan, np.float32)])


Kind = Callable[[NDArray[np.float32], Target], NDArray[Any]]


def as_it_is(values: NDArray[np.float32], target: Target) -> NDArray[np.float32]:
    return values


def kept(values: NDArray[np.float32], target: Target) -> NDArray[Any]:
    """As the generator's rows are kept."""
    return values.astype(get_storage_dtype(target))


# AVX-512's, AVX's, Arm's and the plain target: the compiler spells each in what this CPU has.
COMPILED_TARGETS = [Target(16, 2, 12), Target(8, 2, 6), Target(4, 4, 6), Target(4, 2, 6, storage_type=FLOAT)]


@pytest.fixture(scope="module", params=COMPILED_TARGETS, ids=lambda target: f"{target.width}x{target.columns}")
def library(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> KernelLibrary:
    return KernelLibrary(tmp_path_factory.mktemp("kernels"), request.param)


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (4, 3), (6, 3), (6, 7), (8, 7), (4, 11), (6, 11)])
def test_a_scheme_gives_the_filter_s_outputs(outputs: int, taps: int) -> None:
    made = make_scheme(outputs, taps)
    signal, filter_ = RANDOM.normal(size=made.point_count), RANDOM.normal(size=taps)
    got = made.output_matrix @ ((made.filter_matrix @ filter_) * (made.input_matrix @ signal))
    np.testing.assert_allclose(got, np.correlate(signal, filter_, "valid"), atol=1e-11)


def test_a_scheme_needs_an_odd_number_of_finite_points() -> None:
    with pytest.raises(ValueError, match="odd number"):
        make_scheme(3, 3)


def activated(kind: str, x: NDArray[np.float64], alpha: NDArray[np.float32]) -> NDArray[np.float64]:
    if kind == "snake":
        return x + np.sin(alpha * x) ** 2 / alpha
    return np.maximum(x, 0.2 * x) if kind == "leaky" else x


def filtered(x: NDArray[np.float64], weight: NDArray[np.float32], dilation: int) -> NDArray[np.float64]:
    taps = weight.shape[2]
    reach = dilation * (taps // 2)
    padded = np.pad(x, ((reach, reach), (0, 0)))
    parts = [padded[k * dilation : k * dilation + len(x)] @ weight[:, :, k].T.astype(np.float64) for k in range(taps)]
    return np.sum(parts, axis=0)  # type: ignore[no-any-return]


def normalised(x: NDArray[np.float32], norm: Norm) -> NDArray[np.float64]:
    wide = x.astype(np.float64)
    return (wide - wide.mean(0)) / np.sqrt(wide.var(0) + EPSILON) * (1 + norm.gamma) + norm.beta  # type: ignore[no-any-return]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize(("activation", "taps"), list(SCHEMES))
def test_convolution_is_norm_activation_filter_and_sum(
    context: KernelContext, activation: str, taps: int, dilation: int, residual: bool, length: int
) -> None:
    inputs, outputs = 48, 64
    weight, bias = normal(outputs, inputs, taps) / np.float32(np.sqrt(inputs * taps)), normal(outputs)
    alpha = np.exp(normal(inputs) / 3)
    norm = Norm(normal(inputs), normal(inputs), (alpha / np.pi).astype(np.float32), (1 / alpha).astype(np.float32))
    x, before = normal(length, inputs) + 1, normal(length, outputs)
    layer = Convolution(*Convolution.pack(weight, activation, context.target), bias, taps, activation, dilation)
    form, rounding = (as_it_is, 3e-4) if get_storage_type(activation, context.target) is FLOAT else (kept, 2**-10)
    y = form(spared(np.zeros((length, outputs), np.float32)), context.target)

    added = form(spared(before), context.target) if residual else None
    given = context.with_stats(form(spared(x), context.target), length)
    rows = layer(context, given, norm, y, added)

    x, before = (form(each, context.target).astype(np.float32) for each in (x, before))
    expected = filtered(activated(activation, normalised(x, norm), alpha), weight, dilation) + bias
    expected += before if residual else 0
    np.testing.assert_allclose(rows.values, expected, atol=rounding * np.abs(expected).max())
    np.testing.assert_allclose(rows.sums, expected.sum(0), atol=3e-4 * np.abs(expected).sum(0).max())
    np.testing.assert_allclose(rows.squares, (expected**2).sum(0), rtol=1e-3, atol=1e-3)


ROUNDED = 4e-4
"""What weights and rows like these lose where weights are kept in 16 bits, for one product."""


def eight_bits(weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights [..., out] as the published ones are: whole numbers of a step for each channel out."""
    step = np.abs(weight).max(axis=tuple(range(weight.ndim - 1))) / np.float32(127)
    return (np.rint(weight / step) * step).astype(np.float32)  # type: ignore[no-any-return]


@pytest.mark.parametrize("points", [None, SCHEMES["leaky", 3].filter_matrix])
def test_weights_of_eight_bits_are_kept_as_they_are(points: NDArray[np.float64] | None) -> None:
    weight = eight_bits(normal(1 if points is None else 3, 400, 32))
    whole, steps = quantize(weight, points)
    expected = weight if points is None else np.einsum("pk,kio->pio", points, weight.astype(np.float64))
    assert whole.dtype == np.int16
    np.testing.assert_allclose(whole * steps[:, None], expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_other_weights_lose_next_to_nothing() -> None:
    weight = normal(3, 40, 32)
    whole, steps = quantize(weight)
    np.testing.assert_allclose(whole * steps[:, None], weight, atol=2**-15 * np.abs(weight).max())


@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(1, 5, 3), (50, 22, 22), (131, 64, 100)])
def test_dense_is_a_product_with_a_bias(serial_context: KernelContext, rows: int, inputs: int, outputs: int) -> None:
    weight, bias, x = normal(inputs, outputs), normal(outputs), normal(rows, inputs)
    layer = Dense(*Dense.pack(weight, bias, serial_context.target))
    y = np.zeros((rows + SPARE_ROWS, len(layer.bias)), np.float32)
    layer(serial_context, spared(x), y, rows)
    np.testing.assert_allclose(y[:rows, :outputs], x @ weight + bias, atol=ROUNDED * np.sqrt(inputs))


def test_dense_takes_leaky_rows(serial_context: KernelContext) -> None:
    weight, x = normal(20, 16), normal(30, 20)
    layer = Dense(*Dense.pack(weight, np.zeros(16, np.float32), serial_context.target), slope=0.1)
    y = np.zeros((30 + SPARE_ROWS, len(layer.bias)), np.float32)
    layer(serial_context, spared(x), y, 30)
    np.testing.assert_allclose(y[:30, :16], np.maximum(x, 0.1 * x) @ weight, atol=ROUNDED * np.sqrt(20))


@pytest.mark.parametrize(("source", "target"), [(as_it_is, kept), (kept, kept), (kept, as_it_is)])
def test_dense_reads_and_writes_kept_rows(context: KernelContext, source: Kind, target: Kind) -> None:
    """Windows of two rows, as the generator's upsampling takes them, and a first row that is not the array's."""
    weight, bias, x = normal(128, 100), normal(100), normal(700, 64)
    layer = Dense(*Dense.pack(weight, bias, context.target), slope=0.1)
    y = target(np.zeros((650 + SPARE_ROWS, len(layer.bias)), np.float32), context.target)
    layer(context, source(spared(x), context.target)[2:], y, 650, pitch=64)
    read = source(x, context.target).astype(np.float32)
    windows = np.stack([read[row : row + 2].reshape(-1) for row in range(2, 652)])
    expected = np.maximum(windows, 0.1 * windows).astype(np.float64) @ weight + bias
    rounding = ROUNDED * np.sqrt(128) if target is as_it_is else 2**-10 * np.abs(expected).max()
    np.testing.assert_allclose(y[:650, :100], expected, atol=rounding)


def test_kept_rows_are_rounded_to_the_nearest(library: KernelLibrary) -> None:
    x = normal(5, 64) * np.float32(10) ** RANDOM.integers(-6, 4, (5, 64)).astype(np.float32)
    x[0, :3] = 1 + 2**-11, 1 + 3 * 2**-11, -1 - 2**-11  # ties, which go to even
    y, wide = np.zeros((5, 64), get_storage_dtype(library.target)), np.zeros((5, 64), np.float32)
    library[f"narrow_{library.target.storage_type}"](address_of(x), address_of(y), 5, 64, 64)
    np.testing.assert_array_equal(y, x.astype(y.dtype))
    library[f"widen_{library.target.storage_type}"](
        address_of(y), address_of(wide), y.size, int(np.float32(1).view(np.uint32))
    )
    np.testing.assert_array_equal(wide, y.astype(np.float32))


@pytest.mark.parametrize("adding", [False, True])
def test_kept_rows_are_measured(serial_context: KernelContext, adding: bool) -> None:
    x, more = (kept(spared(normal(1100, 48)), serial_context.target) for _ in range(2))
    expected = x[:1100].astype(np.float64) + (more[:1100] if adding else 0)
    rows = serial_context.with_stats(x, 1100, more if adding else None)
    np.testing.assert_allclose(rows.values, expected, rtol=2**-10)
    np.testing.assert_allclose(rows.sums, expected.sum(0), atol=1e-2)
    np.testing.assert_allclose(rows.squares, (expected**2).sum(0), rtol=1e-4)


@pytest.mark.parametrize("length", [3, 1100])
@pytest.mark.parametrize("adding", [False, True])
def test_rows_are_measured(context: KernelContext, adding: bool, length: int) -> None:
    x, more = normal(length, 48), normal(length, 48)
    rows = context.with_stats(spared(x), length, spared(more) if adding else None)
    expected = (x + more if adding else x).astype(np.float64)
    np.testing.assert_allclose(rows.values, expected, atol=1e-6)
    np.testing.assert_allclose(rows.sums, expected.sum(0), atol=1e-3)
    np.testing.assert_allclose(rows.squares, (expected**2).sum(0), rtol=1e-5)


def test_some_columns_are_measured_where_they_are(serial_context: KernelContext) -> None:
    x = normal(20, 96)
    rows = serial_context.with_stats(x[:, 64:], 20)
    np.testing.assert_allclose(rows.sums, x[:, 64:].sum(0), atol=1e-4)


def test_layer_norm_is_of_the_sum_of_two(library: KernelLibrary) -> None:
    x, y, gain, offset = normal(5, 96) + 3, normal(5, 96), normal(96), normal(96)
    joined = (x + y).astype(np.float64)
    centred = joined - joined.mean(axis=1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True)) * gain + offset
    library["layer_norm"](*map(address_of, (x, y, gain, offset)), *x.shape)
    np.testing.assert_allclose(x, expected, atol=1e-5)


def test_dense_reads_overlapping_windows(serial_context: KernelContext) -> None:
    signal, weight = normal(40 + SPARE_ROWS, 4), normal(12, 16)
    layer = Dense(*Dense.pack(weight, np.zeros(16, np.float32), serial_context.target))
    y = np.zeros((19 + SPARE_ROWS, len(layer.bias)), np.float32)
    layer(serial_context, signal, y, 19, pitch=8)
    windows = np.stack([signal[2 * i : 2 * i + 3].reshape(-1) for i in range(19)])
    np.testing.assert_allclose(y[:19, :16], windows @ weight, atol=ROUNDED * np.sqrt(12))


@pytest.mark.parametrize("repeats", [None, [3, 1, 2, 1, 1]])
def test_lstm_runs_both_ways(serial_context: KernelContext, repeats: list[int] | None) -> None:
    inputs, units = 24, 32
    weight, bias, state = normal(2, 4 * units, inputs), normal(2, 4 * units), normal(2, 4 * units, units) / 4
    panels = Dense.pack(weight.reshape(-1, inputs).T, bias.reshape(-1), serial_context.target)
    layer = Lstm(Dense(*panels), np.stack([interleave_gates(way, serial_context.target.width) for way in state]))
    x = normal(5, inputs)
    often = None if repeats is None else np.array(repeats)
    got = layer(serial_context, spared(x), len(x), often)
    steps = x if repeats is None else np.repeat(x, repeats, axis=0)
    for way, order in ((0, steps), (1, steps[::-1])):
        expected = np.array(stepped(order, weight[way], bias[way], state[way]))
        one_way = got[:, units * way : units * (way + 1)]
        np.testing.assert_allclose(one_way if way == 0 else one_way[::-1], expected, atol=ROUNDED)


def stepped(
    x: NDArray[np.float32], weight: NDArray[np.float32], bias: NDArray[np.float32], state: NDArray[np.float32]
) -> list[NDArray[np.float64]]:
    """ONNX's LSTM in double precision, gates in the order input, output, forget, cell."""
    hidden = cell = np.zeros(state.shape[1])
    outputs = []
    for row in x.astype(np.float64):
        entering, leaving, kept, proposed = np.split(weight @ row + bias + state @ hidden, 4)
        cell = cell / (1 + np.exp(-kept)) + np.tanh(proposed) / (1 + np.exp(-entering))
        hidden = np.tanh(cell) / (1 + np.exp(-leaving))
        outputs.append(hidden)
    return outputs


def test_gelu_is_the_tanh_form(library: KernelLibrary) -> None:
    x = np.linspace(-12, 12, 1024, dtype=np.float32)
    y = x.copy()
    library["gelu"](y.ctypes.data, y.size)
    wide = x.astype(np.float64)
    expected = wide / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (wide + 0.044715 * wide**3)))
    np.testing.assert_allclose(y, expected, atol=2e-6)


def test_a_library_is_compiled_once(tmp_path: Path) -> None:
    def written() -> dict[Path, int]:
        """When each file was written; the seal is touched by every use."""
        return {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/kernels.*")}

    KernelLibrary(tmp_path)
    before = written()
    KernelLibrary(tmp_path)
    assert written() == before and before


@pytest.mark.parametrize("threads", [1, 3])
def test_a_pool_does_each_block_once(threads: int) -> None:
    pool = ThreadPool(threads)
    done: list[int] = []
    pool.parallel_for(range(100), lambda block, scratch: done.append(block))
    pool.close()
    assert sorted(done) == list(range(100))


@pytest.mark.parametrize("threads", [1, 2])
def test_a_cancelled_pool_gives_up(threads: int) -> None:
    pool = ThreadPool(threads)
    done: list[int] = []

    def work(block: int, scratch: object) -> None:
        done.append(block)
        pool.cancel_event.set()

    with pytest.raises(Cancelled):
        pool.parallel_for(range(100), work)
    pool.close()
    assert len(done) <= threads
