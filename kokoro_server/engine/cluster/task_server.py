"""Serve the tasks of a cluster on a worker machine.

The machine runs a Pool of its own and, in the main thread, a Celery worker with a thread for each task. Such a thread
unpacks the utterance, lets the pool synthesize it and returns the packed result, which Celery stores. The machine also
replies to heartbeats with its build and its number of workers. It stops when its pool cannot start a worker any more.
"""

from __future__ import annotations

import logging
import socket
import time
import uuid
from dataclasses import asdict
from typing import Any

from celery import Celery  # type: ignore[import-untyped]
from celery.exceptions import Ignore  # type: ignore[import-untyped]
from celery.worker import state  # type: ignore[import-untyped]
from celery.worker.control import inspect_command  # type: ignore[import-untyped]

from kokoro_server.audio.samples import join_chunks
from kokoro_server.core.errors import ClientGone, SpeechError, WorkerUnavailable
from kokoro_server.core.logs import log_fields
from kokoro_server.engine.base import RequestContext
from kokoro_server.engine.cluster.celery_app import HEARTBEAT_COMMAND, TASK_NAME, make_app
from kokoro_server.engine.cluster.messages import (
    BuildId,
    ClusterSettings,
    TaskResult,
    pack_failure,
    pack_phonemes,
    pack_sound,
)
from kokoro_server.engine.pool import Pool
from kokoro_server.engine.task import phonemize_utterance, synthesize_utterance
from kokoro_server.text.chunking import Utterance

log = logging.getLogger(__name__)


class TaskHandler:
    """Run tasks on a worker machine: its own pool synthesizes, and the result is packed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def run_task(self, task_id: str, operation: str, utterance: Utterance) -> TaskResult:
        """Return the result of the task with that id.

        Raises what Pool.run_operation() raises; ClientGone when the task was revoked.
        """
        # Celery keeps the ids of revoked tasks; no deadline, because the front server revokes a task at its own.
        context = RequestContext(is_cancelled=lambda: task_id in state.revoked)
        began = time.monotonic()
        if operation == "phonemize":
            (found,) = self._pool.run_operation(utterance, phonemize_utterance, context)
            return pack_phonemes(found)
        sound = join_chunks(self._pool.run_operation(utterance, synthesize_utterance, context))
        seconds = time.monotonic() - began
        details = (task_id, len(utterance.text), sound.seconds, seconds)
        request = log_fields(request_id=utterance.request_id)
        log.info("%s: %d characters, %.1f s of speech in %.1f s", *details, extra=request)
        return pack_sound(sound)


def serve_cluster_tasks(settings: ClusterSettings, pool: Pool, workers: int, log_level: str) -> int:
    """Run tasks with `pool` until a stop signal arrives; return the exit code.

    Args:
        settings: The connection.
        pool: Workers of this machine, not started yet.
        workers: Number of tasks at a time.
        log_level: Level of Celery's log.

    Raises:
        WorkerUnavailable: The pool cannot start.
    """
    pool.start()
    try:
        app = make_app(settings, settings.results)
        _register_task(app, TaskHandler(pool))
        _register_heartbeat(settings.build_id, pool)
        log.info("At work for %s with %d workers: %s", settings, workers, settings.build_id)
        for chatty in ("celery.app.trace", "celery.worker.strategy"):  # celery.app.trace would log the results
            logging.getLogger(chatty).setLevel("WARNING")
        name = f"{uuid.uuid4().hex[:8]}@{socket.gethostname()}"
        options = [
            "--pool=threads",
            f"--concurrency={workers}",
            f"--hostname={name}",
            f"--queues={settings.queue_name}",
        ]
        # Machines need not know of each other: only the front servers' heartbeat asks for them.
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", f"--loglevel={log_level}"]
        app.worker_main(["--quiet", "worker", *options, *quiet])
        return 0
    except SystemExit as exc:  # the way that Celery's worker ends
        return int(exc.code or 0)
    finally:
        pool.close()


def _register_task(app: Celery, handler: TaskHandler) -> None:
    """Register the Celery task. Its result is what the handler returns, or a packed error."""

    def run_task(task: Any, order: str, utterance: dict[str, Any]) -> TaskResult:
        try:
            return handler.run_task(task.request.id, order, Utterance.from_json(utterance))
        except ClientGone as exc:
            raise Ignore from exc
        except WorkerUnavailable as exc:
            log.error("This machine can't speak and stops: %s", exc)
            state.should_stop = 1  # else it would take tasks away from machines that can run them
            return pack_failure(exc)
        except SpeechError as exc:
            log.warning("Task %s failed: %s", task.request.id, exc)
            return pack_failure(exc)

    app.task(name=TASK_NAME, bind=True)(run_task)


def _register_heartbeat(build_id: BuildId, pool: Pool) -> None:
    """Register the heartbeat command. It replies with our build and our number of workers."""
    refused: set[BuildId] = set()

    def reply_to_heartbeat(state: Any, edition: dict[str, str]) -> dict[str, Any]:
        theirs = BuildId(**edition)
        if theirs != build_id and theirs not in refused:
            refused.add(theirs)
            log.error("This machine is refused: it has %s, and a front server %s", build_id, theirs)
        found = pool.get_status()
        # An unloaded worker loads when a task arrives.
        able = found["ready"] + found["asleep"]
        return {"edition": asdict(build_id), "workers": found["workers"], "ready": able}

    inspect_command(name=HEARTBEAT_COMMAND)(reply_to_heartbeat)
