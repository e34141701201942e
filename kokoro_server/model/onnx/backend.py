"""Run the graph in onnxruntime: for other devices than the CPU, and for exports whose layout is not Kokoro's."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state

from kokoro_server.core.errors import Cancelled
from kokoro_server.model.onnx.dequantize import dequantize
from kokoro_server.model.onnx.durations import FRAMES, expose_durations
from kokoro_server.model.onnx.spectrum import convolve_spectra

GRAPH_FILE = "whole.onnx"
PASSES = (dequantize, convolve_spectra, expose_durations)
"""Graph passes, in the order in which they are applied."""
MIN_EXTERNAL_BYTES = 1024
"""Bytes from which on a tensor goes to the external file: onnxruntime wants shapes and scalars in the graph."""
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


def build_onnx_graph(model: Path, folder: Path) -> None:
    """Write the rewritten graph to `folder`, with its weights in a file of their own, which workers map."""
    log.info("Preparing %s for onnxruntime", model.name)
    graph = onnx.load(model)
    for change in PASSES:
        graph = change(graph)
    onnx.save(
        graph,
        folder / GRAPH_FILE,
        save_as_external_data=True,
        location="weights.bin",
        size_threshold=MIN_EXTERNAL_BYTES,
    )


@dataclass(frozen=True)
class Device:
    """Name a device's execution provider and its options, and the onnxruntime package that has it."""

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
    """Run one graph on one device with a fixed number of threads. One run at a time."""

    def __init__(self, graph: Path, threads: int, device: str = "cpu") -> None:
        """Load the graph. Raises ValueError if onnxruntime lacks the device or falls back to another."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Spinning idle threads would take the core from another worker.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        chosen = _get_device(device)
        self._session = onnxruntime.InferenceSession(graph, options, [(chosen.provider, dict(chosen.options))])
        if self._session.get_providers()[0] != chosen.provider:
            raise ValueError(f"device {device!r} could not be used: onnxruntime fell back to another")
        self.inputs = {put.name: NUMPY_TYPES[put.type] for put in self._session.get_inputs()}
        self.outputs = [put.name for put in self._session.get_outputs()]
        self._run: Any = None

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:
        """Return all outputs; inputs are cast to their declared types. Raises Cancelled after `cancel`."""
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
        """Terminate the present run, if there is one. Thread-safe."""
        # One read into a local: `run` may set the attribute to None at any time.
        if (run := self._run) is not None:
            run.terminate = True


def list_devices() -> list[str]:
    """List the names of the devices that the installed onnxruntime offers."""
    available = onnxruntime.get_available_providers()
    return [name for name, device in DEVICES.items() if device.provider in available]


def _get_device(name: str) -> Device:
    """Return the device of that name. Raises ValueError if it is unknown or not offered."""
    device = DEVICES.get(name)
    if device is None:
        raise ValueError(f"device {name!r} is none of {', '.join(DEVICES)}")
    if name not in list_devices():
        raise ValueError(
            f"device {name!r} is not offered by this onnxruntime, which offers {', '.join(list_devices())}: it takes "
            f"the package {device.package} in onnxruntime's place"
        )
    return device


class OnnxBackend:
    """Backend over onnxruntime. One run at a time; `cancel` may come from any thread.

    The number of threads is fixed in a session, so there is one session for each number asked for so far.
    """

    def __init__(self, folder: Path, device: str) -> None:
        """Load the graph that build_onnx_graph wrote to `folder`. Raises ValueError if the device is not offered."""
        self._folder = folder
        self._device = device
        self._sessions: dict[int, Session] = {}
        self._get_session(1)

    def infer(
        self, tokens: NDArray[np.int64], style: Samples, speed: float, threads: int, ending: Callable[[], None]
    ) -> tuple[Samples, Frames | None]:
        """Run the network; see Backend.infer. Frames are None if the graph hides its durations."""
        session = self._get_session(threads)
        # Exports disagree on the name of the tokens' input.
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
        """Make the running `infer` raise Cancelled."""
        # A copy: another thread may be adding a session.
        for session in list(self._sessions.values()):
            session.cancel()

    def close(self) -> None:
        """Drop all sessions and their threads."""
        self._sessions.clear()

    def _get_session(self, threads: int) -> Session:
        if threads not in self._sessions:
            self._sessions[threads] = Session(self._folder / GRAPH_FILE, threads, self._device)
        return self._sessions[threads]
