"""Create the targets of the benchmark, ready to start: this server, kokoro-onnx behind a route, hexgrad's command."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.caches import cache_folder, made_once
from benchmarks.hexgrad.rig import hexgrad_command
from benchmarks.servers import BenchmarkTarget, CommandTarget, HttpTarget
from benchmarks.venvs import made_venv, program
from kokoro_server.config import Config
from kokoro_server.model.assets import STYLE_SHAPE, VOICES_PACKAGE, Assets, ensure_assets

ROOT = Path(__file__).parents[1]
PEERS = Path(__file__).parent / "peers"


def make_kokoro_server(scratch: Path, workers: int) -> BenchmarkTarget:
    """Create this server with its default settings except address, folders and, if not 0, workers."""
    environment = {
        "KOKORO_HOST": "127.0.0.1",
        "KOKORO_PORT": "0",
        "KOKORO_TEMP_DIR": str(scratch / "ours"),
        "KOKORO_DATA_DIR": str(scratch / "data"),
        **({"KOKORO_WORKERS": str(workers)} if workers else {}),
    }
    command = [sys.executable, "kokoro_tts_api.py"]
    return HttpTarget("ours", command, "/synthesize/stream", build_native_body, environment, ROOT)


def make_kokoro_onnx_server(scratch: Path, workers: int) -> BenchmarkTarget:
    """Create a server around kokoro-onnx with the same int8 model and voices, in one process as its users run it."""
    venv = made_venv("kokoro-onnx", PEERS / "kokoro-onnx.txt")
    assets = ensure_assets(Config.from_environment(os.environ).MODEL_DIR)
    server = str(PEERS / "kokoro_onnx_server.py")
    command = [program(venv, "python"), server, str(assets.model), str(build_voices_npz(assets))]
    return HttpTarget("kokoro-onnx", command, "/speak", build_native_body, {}, scratch)


def make_hexgrad_command(scratch: Path, workers: int) -> BenchmarkTarget:
    """Create a target that runs hexgrad's command once per request."""
    built = hexgrad_command()
    return CommandTarget("hexgrad", built.command, built.environment)


def make_instant_server() -> BenchmarkTarget:
    """Create this server on an engine that takes no time."""
    return HttpTarget(
        "instant", [sys.executable, "-m", "benchmarks.instant"], "/synthesize/stream", build_native_body, {}, ROOT
    )


COMPETITORS: dict[str, Callable[[Path, int], BenchmarkTarget]] = {
    "ours": make_kokoro_server,
    "kokoro-onnx": make_kokoro_onnx_server,
    "hexgrad": make_hexgrad_command,
}


def build_native_body(text: str, voice: str) -> dict[str, Any]:
    """Build the JSON body of a request."""
    return {"text": text, "voice": voice}


def build_voices_npz(assets: Assets) -> Path:
    """Build the voices file that kokoro-onnx reads: a float32 array [510, 1, 256] per name; cached."""

    def make(folder: Path) -> None:
        styles = {
            path.stem: np.fromfile(path, dtype="<f4").reshape(STYLE_SHAPE[0], 1, STYLE_SHAPE[1])
            for path in sorted(assets.voices.glob("*.bin"))
        }
        np.savez(folder / "voices.npz", allow_pickle=False, **styles)

    version = VOICES_PACKAGE.rpartition("@")[2]
    return made_once(cache_folder() / f"kokoro-onnx-voices-{version}", make) / "voices.npz"
