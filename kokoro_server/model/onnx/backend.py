"""The whole graph in onnxruntime: for other devices, and for exports that are not laid out as known."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state  # type: ignore[import-untyped]

from kokoro_server.core.errors import Cancelled
from kokoro_server.model.onnx.dequantize import dequantize
from kokoro_server.model.onnx.durations import FRAMES, expose_durations
from kokoro_server.model.onnx.spectrum import convolve_spectra

WHOLE = "whole.onnx"
PASSES = (dequantize, convolve_spectra, expose_durations)
SMALL = 1024  # bytes: shapes and scalars stay in the graph, where onnxruntime wants to see them
NUMPY_TYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


def build_whole(model: Path, folder: Path) -> None:
    """Write the graph for onnxruntime, with its weights in a file of their own, to be mapped."""
    log.info("preparing %s for onnxruntime", model.name)
    graph = onnx.load(model)
    for change in PASSES:
        graph = change(graph)
    onnx.save(graph, folder / WHOLE, save_as_external_data=True, location="weights.bin", size_threshold=SMALL)


@dataclass(frozen=True)
class Device:
    """What onnxruntime calls a device, and the package of onnxruntime that offers it."""

    provider: str
    package: str
    options: Mapping[str, str] = field(default_factory=dict)


DEVICES = {
    "cpu": Device("CPUExecutionProvider", "onnxruntime"),
    "cuda": Device("CUDAExecutionProvider", "onnxruntime-gpu"),
    "directml": Device("DmlExecutionProvider", "onnxruntime-directml"),
    "gpu": Device("OpenVINOExecutionProvider", "onnxruntime-openvino", {"device_type": "GPU"}),
}


class Session:
    """One graph on one device."""

    def __init__(self, graph: Path, threads: int, device: str = "cpu") -> None:
        """Load it; raises ValueError when onnxruntime does not offer the device, or falls back to another."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Idle threads that spin would take the core from another worker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        chosen = _offered(device)
        self._session = onnxruntime.InferenceSession(graph, options, [(chosen.provider, dict(chosen.options))])
        if self._session.get_providers()[0] != chosen.provider:
            raise ValueError(f"device {device!r} could not be used: onnxruntime fell back to another")
        self.inputs = {put.name: NUMPY_TYPES[put.type] for put in self._session.get_inputs()}
        self.outputs = [put.name for put in self._session.get_outputs()]
        self._run: Any = None

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """All outputs, of inputs cast to their declared types; raises Cancelled after `cancel`."""
        run = self._run = onnxruntime.RunOptions()
        cast = {name: value.astype(self.inputs[name], copy=False) for name, value in feeds.items()}
        try:
            return list(self._session.run(self.outputs, cast, run))
        except onnxruntime_pybind11_state.Fail as exc:
            if run.terminate:
                raise Cancelled from exc
            raise
        finally:
            self._run = None

    def cancel(self) -> None:
        """End the present run, if there is one; may come from any thread."""
        if (run := self._run) is not None:
            run.terminate = True


def devices() -> list[str]:
    """The devices that this onnxruntime offers."""
    available = onnxruntime.get_available_providers()
    return [name for name, device in DEVICES.items() if device.provider in available]


def _offered(name: str) -> Device:
    device = DEVICES.get(name)
    if device is None:
        raise ValueError(f"device {name!r} is none of {', '.join(DEVICES)}")
    if name not in devices():
        raise ValueError(
            f"device {name!r} is not offered by this onnxruntime, which offers {', '.join(devices())}: it takes the "
            f"package {device.package} in onnxruntime's place"
        )
    return device


class Whole:
    """A session for each number of threads that was asked for."""

    def __init__(self, folder: Path, device: str) -> None:
        self._folder = folder
        self._device = device
        self._sessions: dict[int, Session] = {}
        self._session(1)

    def speak(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]:
        session = self._session(threads)
        ids = "input_ids" if "input_ids" in session.inputs else "tokens"
        feeds: dict[str, NDArray[Any]] = {
            ids: tokens[None],
            "style": style[None],
            "speed": np.array([speed], np.float32),
        }
        outputs = dict(zip(session.outputs, session.run(feeds), strict=True))
        ending()
        frames = outputs.get(FRAMES)
        samples = outputs[session.outputs[0]].reshape(-1).astype(np.float32, copy=False)
        return samples, None if frames is None else frames.reshape(-1)

    def cancel(self) -> None:
        for session in list(self._sessions.values()):
            session.cancel()

    def close(self) -> None:
        self._sessions.clear()

    def _session(self, threads: int) -> Session:
        if threads not in self._sessions:
            self._sessions[threads] = Session(self._folder / WHOLE, threads, self._device)
        return self._sessions[threads]
