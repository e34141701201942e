"""Build the engine that the settings name, and run a worker of a cluster."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from config import Config
from tts import __version__
from tts.engines.base import Engine, Worker
from tts.engines.child import Child
from tts.engines.command import Command
from tts.engines.parcels import Edition, Link
from tts.engines.pool import Pool
from tts.engines.relief import Relieved, Shift
from tts.setup import StartFailed
from tts.speech.errors import WorkerUnavailable
from tts.speech.text import Sizes
from tts.synth.assets import MODEL_SHA256, AssetsMissing, ensure, model_sha256

WHOLE_RUN = Sizes(first=2000, longest=2000)
"""Utterance sizes (characters) for a command that loads its model on every run: as large as its time limit allows."""


def make_engine(config: Config) -> Engine:
    """Build the engine that the settings name (`pool`, `command` or `cluster`), not started yet.

    Raises:
        StartupError: The model or a voice is missing and cannot be fetched.
    """
    if config.ENGINE == "command":
        workers: list[Worker] = [
            Command(config.KOKORO_COMMAND, config.TEMP_DIR, config.TIMEOUT) for _ in range(config.WORKERS)
        ]
        return Pool("command", workers, config.THREADS, config.QUEUE, WHOLE_RUN)
    if config.ENGINE == "cluster":
        from tts.engines.cluster import Cluster  # imported here: only a cluster needs Celery

        return Cluster(link(config), config.QUEUE, config.IN_FLIGHT, config.LEAD)
    return warm_pool(config, worker_command(config), config.QUEUE)


def warm_pool(config: Config, command: Sequence[str], queue: int) -> Pool:
    """Build a pool of WORKERS recycling worker processes, not started yet.

    Args:
        config: Validated settings.
        command: Command line of one worker process.
        queue: Requests that may wait; further ones are refused with 429.
    """
    shift = Shift(config.RECYCLE_AFTER, config.RECYCLE_MB, config.IDLE_UNLOAD)
    turn = threading.Lock()
    workers = [Relieved(lambda: Child(command, config.TIMEOUT), shift, turn) for _ in range(config.WORKERS)]
    return Pool("pool", workers, config.THREADS, queue, Sizes())


def link(config: Config) -> Link:
    """Build the connection settings of the cluster: broker, results and build id. Raises StartupError."""
    try:
        edition = Edition(__version__, model_sha256(config.MODEL))
    except AssetsMissing as exc:
        raise StartFailed(str(exc)) from exc
    return Link(config.BROKER, config.RESULTS or config.BROKER, config.RESULT_EXPIRES, config.TIMEOUT, edition)


def work(config: Config) -> int:
    """Run a cluster worker until a stop signal arrives; return the exit code. Raises StartupError."""
    from tts.engines import cluster  # imported here: only a cluster needs Celery

    # Requests queue at the broker. This short queue only lets a new task wait while a cancelled one frees its worker.
    pool = warm_pool(config, worker_command(config), config.WORKERS)
    try:
        return cluster.work(link(config), pool, config.WORKERS, config.LOG_LEVEL)
    except WorkerUnavailable as exc:
        raise StartFailed(exc.message) from exc


def worker_command(config: Config) -> list[str]:
    """Build the command line of a worker process, and fetch missing assets. Raises StartupError."""
    try:
        assets = ensure(config.MODEL_DIR, config.MODEL, config.HUB)
    except (AssetsMissing, OSError) as exc:
        raise StartFailed(str(exc)) from exc
    return [
        *(sys.executable, "-m", "tts.engines.worker"),
        *("--model", str(assets.model), "--voices", str(assets.voices)),
        *("--cache", str(config.graphs), "--device", config.DEVICE),
        *("--threads", str(config.THREADS)),
        *("--log-level", config.LOG_LEVEL, "--log-format", config.LOG_FORMAT),
    ]


def made_by(config: Config) -> str:
    """Return what determines the audio besides the request: version, engine, model, device and command.

    The response cache mixes it into its keys. A model file set by MODEL is identified by its path, size
    and modification time (ns).
    """
    if config.MODEL is None or not config.MODEL.is_file():
        model = MODEL_SHA256
    else:
        found = config.MODEL.stat()
        model = f"{config.MODEL} {found.st_size} {found.st_mtime_ns}"
    return f"{__version__} {config.ENGINE} {model} {config.DEVICE} {' '.join(config.KOKORO_COMMAND)}"
