"""Kokoro's network: tokens, a style and a speed go in, sound and the frames of every token come out."""

import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import onnx
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from tts.synth.graph.dequantize import dequantize
from tts.synth.graph.durations import FRAMES, expose_durations
from tts.synth.graph.prepared import cache_key, fingerprint, prepared

MAX_TOKENS = 510
STYLE_WIDTH = 256
PASSES = (dequantize, expose_durations)
PASSES_VERSION = "1"
DEVICES = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "directml": "DmlExecutionProvider"}
SMALL = 1024  # bytes: shapes and scalars stay in the graph, where onnxruntime wants to see them

log = logging.getLogger(__name__)

Samples = NDArray[np.float32]
Frames = NDArray[np.int64]


class Cancelled(Exception):
    """`Network.cancel` ended this run."""


class Network:
    """The prepared graph in memory. One run at a time; `cancel` may come from any thread."""

    def __init__(self, model: Path, cache: Path | None, threads: int = 1, device: str = "cpu") -> None:
        """Load, and prepare first if need be; ValueError on a device that onnxruntime does not offer."""
        provider = _provider(device)
        key = cache_key(fingerprint(model), PASSES_VERSION, onnxruntime.__version__)
        self._folder = prepared(
            cache or Path(gettempdir()) / "kokoro-graphs", key, lambda folder: _build(model, folder)
        )
        self._provider = provider
        self._threads = threads
        self._sessions = {threads: _session(self._folder, provider, threads)}
        self._run: onnxruntime.RunOptions | None = None
        self._guard = threading.Lock()

    def speak(
        self, tokens: Sequence[int], style: NDArray[np.float32], speed: float, threads: int | None = None
    ) -> tuple[Samples, Frames | None]:
        """Sound [samples] at 24 kHz, and frames [tokens + 2] of 600 samples each, with both zeros' own.

        `tokens` are 1 to 510 ids without the zeros at either end, `style` is [256]. Frames are None when the
        model hides its durations. Raises ValueError on other shapes, Cancelled when `cancel` came meanwhile.
        """
        _check(tokens, style)
        session = self._session(threads or self._threads)
        outputs = self._interruptible(session, _inputs(session, tokens, style, speed))
        frames = outputs[1].reshape(-1) if len(outputs) > 1 else None
        return outputs[0].reshape(-1).astype(np.float32, copy=False), frames

    def cancel(self) -> None:
        """Make the running `speak` raise Cancelled; without one, nothing happens."""
        with self._guard:
            if self._run is not None:
                self._run.terminate = True

    def close(self) -> None:
        """Stop what runs and let the weights go."""
        self.cancel()
        self._sessions.clear()

    def _session(self, threads: int) -> onnxruntime.InferenceSession:
        if threads not in self._sessions:
            self._sessions[threads] = _session(self._folder, self._provider, threads)
        return self._sessions[threads]

    def _interruptible(
        self, session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[np.generic]]
    ) -> list[Any]:
        run = onnxruntime.RunOptions()
        with self._guard:
            self._run = run
        try:
            return list(session.run(_outputs(session), inputs, run))
        except onnxruntime.capi.onnxruntime_pybind11_state.Fail as exc:
            if run.terminate:
                raise Cancelled from exc
            raise
        finally:
            with self._guard:
                self._run = None


def _check(tokens: Sequence[int], style: NDArray[np.float32]) -> None:
    if not 1 <= len(tokens) <= MAX_TOKENS:
        raise ValueError(f"{len(tokens)} tokens, 1 to {MAX_TOKENS} were expected")
    if style.size != STYLE_WIDTH:
        raise ValueError(f"style of shape {style.shape}, [{STYLE_WIDTH}] was expected")


def _provider(device: str) -> str:
    provider = DEVICES.get(device, "")
    available = onnxruntime.get_available_providers()
    if provider not in available:
        offered = [name for name, wanted in DEVICES.items() if wanted in available]
        raise ValueError(
            f"device {device!r} is not offered by this onnxruntime; it offers {', '.join(offered)}"
        )
    return provider


def _build(model: Path, folder: Path) -> None:
    """Run every pass over the model and save it with its weights in a file of their own, to be mapped."""
    log.info("preparing %s for this machine", model.name)
    graph = onnx.load(model)
    for change in PASSES:
        graph = change(graph)
    onnx.save(
        graph, folder / "graph.onnx", save_as_external_data=True, location="weights.bin", size_threshold=SMALL
    )


def _session(folder: Path, provider: str, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    # Idle threads that spin would take the core from another worker.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(folder / "graph.onnx", options, [provider])


def _outputs(session: onnxruntime.InferenceSession) -> list[str]:
    """The sound, which every export gives first, and the frames where they could be exposed."""
    names = [output.name for output in session.get_outputs()]
    return [names[0], *(name for name in names[1:] if name == FRAMES)]


NUMPY_TYPE = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(int32)": np.int32}


def _inputs(
    session: onnxruntime.InferenceSession, tokens: Sequence[int], style: NDArray[np.float32], speed: float
) -> dict[str, NDArray[np.generic]]:
    """What the export asks for, by its own names and in its declared types."""
    kinds = {put.name: put.type for put in session.get_inputs()}
    ids = "input_ids" if "input_ids" in kinds else "tokens"
    return {
        ids: np.array([[0, *tokens, 0]], np.int64),
        "style": style.reshape(1, STYLE_WIDTH).astype(NUMPY_TYPE[kinds["style"]]),
        "speed": np.array([speed], NUMPY_TYPE[kinds["speed"]]),
    }
