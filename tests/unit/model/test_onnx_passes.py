"""The passes over the graph, each on a small graph made here, beside the graph it came from."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from kokoro_server.model.cache.artifacts import BUILD_LIFETIME, UNUSED_LIFETIME, make_cache_key, prepare_artifact
from kokoro_server.model.onnx.dequantize import dequantize
from kokoro_server.model.onnx.durations import FRAMES, expose_durations
from kokoro_server.model.onnx.spectrum import convolve_spectra

RANDOM = np.random.default_rng(7)


def model_of(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], shape: list[int | str]) -> ModelProto:
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(values.astype(values.dtype), name) for name, values in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def normal(*shape: int) -> np.ndarray:
    return RANDOM.normal(size=shape).astype(np.float32)


def conv_model() -> ModelProto:
    nodes = [helper.make_node("Conv", ["x", "weight", "bias"], ["y"], pads=[1, 1], kernel_shape=[3])]
    return model_of(nodes, {"weight": normal(8, 8, 3), "bias": normal(8)}, [1, 8, "time"])


def matmul_model() -> ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["y"])]
    return model_of(nodes, {"weight": normal(8, 16)}, [1, "time", 8])


def lstm_model() -> ModelProto:
    nodes = [
        helper.make_node("LSTM", ["x", "w", "r", "b"], ["y"], direction="bidirectional", hidden_size=4),
    ]
    return model_of(nodes, {"w": normal(2, 16, 8), "r": normal(2, 16, 4), "b": normal(2, 32)}, ["time", 1, 8])


def duration_model() -> ModelProto:
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["s"]),
        helper.make_node("ReduceSum", ["s", "last"], ["d"], keepdims=0),
        helper.make_node("Round", ["d"], ["r"]),
        helper.make_node("Clip", ["r", "one"], ["y"]),
    ]
    return model_of(nodes, {"last": np.array([-1]), "one": np.array(1, np.float32)}, [1, "tokens", 50])


def run(model: ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": x}))


@pytest.mark.parametrize(
    ("make", "shape", "operator"),
    [
        (conv_model, (1, 8, 40), "Conv"),
        (matmul_model, (1, 40, 8), "MatMul"),
        (lstm_model, (12, 1, 8), "LSTM"),
    ],
)
def test_dequantize_gives_the_float_operator_back(
    make: Callable[[], ModelProto], shape: tuple[int, ...], operator: str, tmp_path: Path
) -> None:
    source = make()
    onnx.save(source, tmp_path / "float.onnx")
    weight_type = QuantType.QUInt8 if operator == "Conv" else QuantType.QInt8
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "int8.onnx", weight_type=weight_type, per_channel=False)
    quantised = onnx.load(tmp_path / "int8.onnx")
    assert operator not in {node.op_type for node in quantised.graph.node}

    restored = dequantize(quantised)

    operators = {node.op_type for node in restored.graph.node}
    assert operator in operators and not any("Quant" in op or "Integer" in op for op in operators)
    x = normal(*shape)
    expected, got = run(source, x)[0], run(restored, x)[0]
    assert np.abs(got - expected).max() < 0.03 * np.abs(expected).max()


def test_dequantize_gives_a_float_table_back(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("Add", ["rows", "x"], ["y"]),
    ]
    source = model_of(nodes, {"table": normal(9, 8), "ids": np.array([[3, 1, 8]])}, [1, 3, 8])
    onnx.save(source, tmp_path / "float.onnx")
    quantize_dynamic(tmp_path / "float.onnx", tmp_path / "int8.onnx", weight_type=QuantType.QInt8)
    quantised = onnx.load(tmp_path / "int8.onnx")
    assert "DequantizeLinear" in {node.op_type for node in quantised.graph.node}
    restored = dequantize(quantised)
    assert [node.op_type for node in restored.graph.node] == ["Gather", "Add"]
    x = normal(1, 3, 8)
    np.testing.assert_allclose(run(restored, x)[0], run(source, x)[0], atol=0.03)


def test_dequantize_leaves_a_float_graph_as_it_is() -> None:
    model = conv_model()
    before = model.SerializeToString()
    assert dequantize(model).SerializeToString() == before


def test_durations_are_whole_frames_of_at_least_one() -> None:
    model = expose_durations(duration_model())
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = normal(1, 9, 50) * 2 - 4
    frames = session.run([FRAMES], {"x": x})[0]
    expected = np.maximum(np.round((1 / (1 + np.exp(-x))).sum(-1)), 1)
    assert frames.dtype == np.int64
    np.testing.assert_array_equal(frames, expected)


def test_a_graph_without_durations_keeps_its_outputs() -> None:
    assert [output.name for output in expose_durations(conv_model()).graph.output] == ["y"]


def stft_model() -> ModelProto:
    window = np.hanning(21)[:20].astype(np.float32)
    nodes = [helper.make_node("STFT", ["x", "step", "window", "length"], ["y"], onesided=1)]
    return model_of(nodes, {"step": np.array(5), "window": window, "length": np.array(20)}, [1, "time", 1])


def test_spectra_are_convolutions() -> None:
    source = stft_model()
    x = normal(1, 125, 1)
    window = numpy_helper.to_array(next(t for t in source.graph.initializer if t.name == "window"))
    spectra = np.fft.rfft([x[0, i : i + 20, 0] * window for i in range(0, 106, 5)])
    expected = np.stack([spectra.real, spectra.imag], axis=-1)[None]
    assert run(source, x)[0].shape == expected.shape
    changed = convolve_spectra(source)
    assert {node.op_type for node in changed.graph.node} == {"Reshape", "Conv", "Transpose"}
    got = run(changed, x)[0]
    real_bins = got[0, :, [0, -1]]
    assert (np.sign(real_bins[..., 1]) == -np.sign(real_bins[..., 0])).all()
    assert got.shape == expected.shape == (1, 22, 11, 2)
    np.testing.assert_allclose(got, expected, atol=1e-5)


class Builder:
    """Writes one file and counts how often it was asked to."""

    def __init__(self) -> None:
        self.builds = 0

    def __call__(self, folder: Path) -> None:
        self.builds += 1
        (folder / "weights.bin").write_bytes(b"weights")


def test_a_prepared_folder_is_built_once(tmp_path: Path) -> None:
    build = Builder()
    assert prepare_artifact(tmp_path, "key", build) == prepare_artifact(tmp_path, "key", build) == tmp_path / "key"
    assert build.builds == 1
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


@pytest.mark.parametrize("damage", [b"wrong!!", b"short", None])
def test_a_damaged_folder_is_built_again(tmp_path: Path, damage: bytes | None) -> None:
    build = Builder()
    weights = prepare_artifact(tmp_path, "key", build) / "weights.bin"
    if damage is None:
        weights.unlink()
    else:
        weights.write_bytes(damage)
    assert (prepare_artifact(tmp_path, "key", build) / "weights.bin").read_bytes() == b"weights"
    assert build.builds == 2


def test_a_damaged_seal_is_built_again(tmp_path: Path) -> None:
    build = Builder()
    (prepare_artifact(tmp_path, "key", build) / "seal.json").write_text(json.dumps([1]))
    prepare_artifact(tmp_path, "key", build)
    assert build.builds == 2


def test_a_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_bytes(b"")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        prepare_artifact(tmp_path, "key", fail)
    assert list(tmp_path.iterdir()) == []


def test_the_key_depends_on_each_part() -> None:
    assert len({make_cache_key("a", "1"), make_cache_key("a", "2"), make_cache_key("b", "1")}) == 3


def test_graphs_that_nobody_uses_any_more_are_removed(tmp_path: Path) -> None:
    def build(folder: Path) -> None:
        (folder / "weights.bin").write_bytes(b"weights")

    old, used = (prepare_artifact(tmp_path, key, build) for key in ("old", "used"))
    long_ago = time.time() - 2 * UNUSED_LIFETIME
    for folder in (old, used):
        os.utime(folder / "seal.json", (long_ago, long_ago))
    prepare_artifact(tmp_path, "used", build)
    prepare_artifact(tmp_path, "new", build)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "used"]


def test_what_a_killed_start_left_is_swept(tmp_path: Path) -> None:
    """A folder without a seal that nobody can still be building; a fresh one may be another worker's."""
    for name, age in (("left", 2 * BUILD_LIFETIME), ("under-way", 0.0)):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))
    prepare_artifact(tmp_path, "key", lambda folder: (folder / "weights.bin").touch())
    assert {path.name for path in tmp_path.iterdir()} == {"under-way", "key"}
