"""Run the jobs of a data folder one after the other in a background thread.

The thread loops: acquire the folder's ProcessLock, sweep expired jobs and files, take the interrupted or else the
oldest queued job, and run it to its end. With nothing to do it waits for `wake` or POLL_INTERVAL. When the disk or the
database fails, the job stays running, its error says so, and the loop tries again after POLL_INTERVAL. Several servers
may share a folder: only the one that holds the ProcessLock runs jobs, and another takes over when it ends.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from kokoro_server.audiobooks.data_folder import DataFolder
from kokoro_server.audiobooks.job_run import JobRun
from kokoro_server.audiobooks.jobs import Job, JobStatus
from kokoro_server.audiobooks.renditions import list_permanent_renditions
from kokoro_server.core.errors import ClientGone, SpeechError, StorageFull, StorageUnavailable
from kokoro_server.engine.base import Engine

log = logging.getLogger(__name__)

POLL_INTERVAL = 30.0
"""Seconds between checks for jobs without a `wake`: those of another server on the same folder that has ended."""
SWEEP_INTERVAL = 3_600.0
"""Seconds between two sweeps of expired jobs and files."""


class JobWorker(threading.Thread):
    """Run every job in turn, with `max_in_flight` segments of it in synthesis at a time.

    A job is deleted `retention_seconds` after its end, or never when that is None. `wake`, `cancel_job` and `stop` may
    be called from any thread.
    """

    def __init__(self, data: DataFolder, engine: Engine, max_in_flight: int, retention_seconds: float | None) -> None:
        super().__init__(name="books", daemon=True)
        self._data = data
        self._engine = engine
        self._max_in_flight = max_in_flight
        self._retention_seconds = retention_seconds
        self._last_sweep = -SWEEP_INTERVAL
        self._last_warning = ""
        self._wake_event = threading.Event()
        self._stop_event = threading.Event()
        self._lock = threading.Lock()
        self._current_run: JobRun | None = None

    @property
    def is_stopped(self) -> bool:
        """Return whether `stop` was called."""
        return self._stop_event.is_set()

    def wake(self) -> None:
        """Check for a new job now instead of at the next poll."""
        self._wake_event.set()

    def cancel_job(self, job_id: str) -> None:
        """Cancel the current run if it is of the job with this id."""
        with self._lock:
            if self._current_run is not None and self._current_run.job.id == job_id:
                self._current_run.cancel()

    def stop(self) -> None:
        """Stop the thread soon. The current job stays running and resumes at its first missing segment next time."""
        self._stop_event.set()
        self._wake_event.set()
        with self._lock:
            if self._current_run is not None:
                self._current_run.cancel()

    def run(self) -> None:
        """Run jobs until `stop` is called; the body of the thread."""
        with (
            ThreadPoolExecutor(self._max_in_flight, "books") as speakers,
            closing(ProcessLock(self._data.lock_path)) as claim,
        ):
            while not self._stop_event.is_set():
                self._wake_event.clear()  # before the check for work, so that a wake() during it is not lost
                if not self._run_next_job(claim, speakers):
                    self._wake_event.wait(POLL_INTERVAL)

    def _run_next_job(self, lock: ProcessLock, executor: ThreadPoolExecutor) -> bool:
        """Run the next job if this process holds the lock and there is one; return whether one was run."""
        try:
            if not lock.acquire():
                return False
            self._sweep_expired()
            job = self._data.database.start_next_job()
            if job is not None:
                self._run_job(job, executor)
            return job is not None
        except (StorageUnavailable, StorageFull, sqlite3.Error, OSError) as exc:
            self._warn_once(f"Books wait until this is mended: {exc}")
            return False

    def _warn_once(self, warning: str) -> None:
        """Log a warning unless it repeats the last one."""
        if warning != self._last_warning:
            log.warning(warning)
        self._last_warning = warning

    def _run_job(self, job: Job, executor: ThreadPoolExecutor) -> None:
        run = JobRun(job, self._data, self._engine)
        with self._lock:
            self._current_run = run
            if self._stop_event.is_set():  # stop() may have come before there was a run to cancel
                run.cancel()
        log.info("Job %s begins: %d of %d characters are spoken", job.id, job.characters_done, job.characters)
        try:
            run.run(executor, self._max_in_flight)
            log.info("Job %s is done", job.id)
        except ClientGone:
            log.info("Job %s was cancelled or interrupted", job.id)
        except (StorageUnavailable, StorageFull, sqlite3.Error, OSError) as exc:
            self._data.database.set_error(job.id, f"Waiting: {exc}")
            raise
        except SpeechError as exc:
            log.warning("Job %s failed: %s", job.id, exc)
            self._data.database.end_job(job.id, JobStatus.FAILED, exc.message)
        except Exception:  # boundary of one job: a bug in it must not stop the thread
            log.exception("Job %s failed unexpectedly", job.id)
            self._data.database.end_job(job.id, JobStatus.FAILED, "The server failed; its log says how.")
        finally:
            with self._lock:
                self._current_run = None
        self._discard_if_cancelled(job.id)

    def _discard_if_cancelled(self, job_id: str) -> None:
        """Delete the files of a job that was cancelled during its run: the run may have written some since."""
        if job_id not in list_permanent_renditions(self._data.database.list_jobs()):
            self._data.storage.delete_files(job_id)

    def _sweep_expired(self) -> None:
        """Delete expired jobs and the files that belong to no job, every SWEEP_INTERVAL seconds."""
        if time.monotonic() - self._last_sweep < SWEEP_INTERVAL:
            return
        self._last_sweep = time.monotonic()
        if self._retention_seconds is not None:
            for job in self._data.database.list_ended_before(time.time() - self._retention_seconds):
                self._data.database.remove_job(job)
        self._data.storage.delete_orphans(list_permanent_renditions(self._data.database.list_jobs()))


class ProcessLock:
    """Let one process at a time run the jobs of a data folder, by a lock held until `close` or the process's end.

    The lock is an exclusive transaction on an otherwise unused SQLite database: it works the same on every system, and
    the system releases it when the process is killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> bool:
        """Try to acquire the lock and return whether it is held. Raises OSError or sqlite3.Error if unusable."""
        if self._connection is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = sqlite3.connect(self._path, timeout=0.0, isolation_level=None, check_same_thread=False)
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as exc:
            lock.close()
            if exc.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            log.info("Another server is running the jobs in %s", self._path.parent)
            return False
        self._connection = lock
        return True

    def close(self) -> None:
        """Release the lock if it is held."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
