"""Build the engine that the settings name, and run a worker of a cluster."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from kokoro_server import __version__
from kokoro_server.config import Config
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.base import Engine, Worker
from kokoro_server.engine.cluster.messages import BuildId, ClusterSettings
from kokoro_server.engine.command import CommandWorker
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.recycling import RecyclePolicy, RecyclingWorker
from kokoro_server.engine.worker_process import WorkerProcess
from kokoro_server.model.assets import MODEL_SHA256, AssetsMissing, ensure_assets, get_model_sha256
from kokoro_server.setup import StartupError, require_extra_at_start
from kokoro_server.text.chunking import UtteranceSizes

COMMAND_UTTERANCE_SIZES = UtteranceSizes(first=2000, longest=2000)
"""Utterance sizes (characters) for a command that loads its model on every run: as large as its time limit allows."""


def make_engine(config: Config) -> Engine:
    """Build the engine that the settings name (`pool`, `command` or `cluster`), not started yet.

    Raises:
        StartupError: The model or a voice is missing and cannot be fetched.
    """
    if config.ENGINE == "command":
        workers: list[Worker] = [
            CommandWorker(config.KOKORO_COMMAND, config.TEMP_DIR, config.TIMEOUT) for _ in range(config.WORKERS)
        ]
        return Pool("command", workers, config.THREADS, config.QUEUE, COMMAND_UTTERANCE_SIZES)
    if config.ENGINE == "cluster":
        require_extra_at_start("cluster", "Clusters")
        from kokoro_server.engine.cluster.engine import ClusterEngine  # imported here: only a cluster needs Celery

        return ClusterEngine(make_cluster_link(config), config.QUEUE, config.IN_FLIGHT, config.LEAD)
    return make_worker_pool(config, build_worker_command(config), config.QUEUE)


def make_worker_pool(config: Config, command: Sequence[str], queue: int) -> Pool:
    """Build a pool of WORKERS recycling worker processes, not started yet.

    Args:
        config: Validated settings.
        command: Command line of one worker process.
        queue: Requests that may wait; further ones are refused with 429.
    """
    shift = RecyclePolicy(config.RECYCLE_AFTER, config.RECYCLE_MB, config.IDLE_UNLOAD)
    turn = threading.Lock()
    workers = [
        RecyclingWorker(lambda: WorkerProcess(command, config.TIMEOUT), shift, turn) for _ in range(config.WORKERS)
    ]
    return Pool("pool", workers, config.THREADS, queue, UtteranceSizes())


def make_cluster_link(config: Config) -> ClusterSettings:
    """Build the connection settings of the cluster: broker, results and build id. Raises StartupError."""
    try:
        edition = BuildId(__version__, get_model_sha256(config.MODEL))
    except AssetsMissing as exc:
        raise StartupError(str(exc)) from exc
    return ClusterSettings(
        config.BROKER, config.RESULTS or config.BROKER, config.RESULT_EXPIRES, config.TIMEOUT, edition
    )


def run_cluster_worker(config: Config) -> int:
    """Run a cluster worker until a stop signal arrives; return the exit code. Raises StartupError."""
    require_extra_at_start("cluster", "Clusters")
    from kokoro_server.engine.cluster import task_server as cluster

    # Requests queue at the broker. This short queue only lets a new task wait while a cancelled one frees its worker.
    pool = make_worker_pool(config, build_worker_command(config), config.WORKERS)
    try:
        return cluster.serve_cluster_tasks(make_cluster_link(config), pool, config.WORKERS, config.LOG_LEVEL)
    except WorkerUnavailable as exc:
        raise StartupError(exc.message) from exc


def build_worker_command(config: Config) -> list[str]:
    """Build the command line of a worker process, and fetch missing assets. Raises StartupError."""
    try:
        assets = ensure_assets(config.MODEL_DIR, config.MODEL, config.HUB)
    except (AssetsMissing, OSError) as exc:
        raise StartupError(str(exc)) from exc
    return [
        *(sys.executable, "-m", "kokoro_server.synthesis.worker"),
        *("--model", str(assets.model), "--voices", str(assets.voices)),
        *("--cache", str(config.graphs), "--device", config.DEVICE),
        *("--threads", str(config.THREADS)),
        *("--log-level", config.LOG_LEVEL, "--log-format", config.LOG_FORMAT),
    ]


def build_cache_salt(config: Config) -> str:
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
