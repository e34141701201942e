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

from tts.books.editions import Editions, kept
from tts.books.jobs import Job, State
from tts.books.shelf import Shelf
from tts.books.stint import Stint
from tts.books.store import Store
from tts.engines.base import Engine
from tts.speech.errors import ClientGone, SpeechError, StorageFull, StorageUnavailable

log = logging.getLogger(__name__)

IDLE = 30.0
"""Seconds between checks for jobs without a `wake`: those of another server on the same folder that has ended."""
SWEEP = 3_600.0
"""Seconds between two sweeps of expired jobs and files."""


class Runner(threading.Thread):
    """Run every job in turn, with `max_in_flight` segments of it in synthesis at a time.

    A job is deleted `retention_seconds` after its end, or never when that is None. `wake`, `cancel_job` and `stop` may
    be called from any thread.
    """

    def __init__(
        self,
        store: Store,
        shelf: Shelf,
        editions: Editions,
        engine: Engine,
        ahead: int,
        claim: Path,
        keep: float | None,
    ) -> None:
        super().__init__(name="books", daemon=True)
        self._store, self._shelf, self._editions, self._engine = store, shelf, editions, engine
        self._ahead = ahead
        self._claim = claim
        self._keep = keep
        self._swept = -SWEEP
        self._trouble = ""
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._stint: Stint | None = None

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def wake(self) -> None:
        """Check for a new job now instead of at the next poll."""
        self._woken.set()

    def cancel(self, job: str) -> None:
        """Cancel the current run if it is of the job with this id."""
        with self._lock:
            if self._stint is not None and self._stint.job.id == job:
                self._stint.call_off()

    def stop(self) -> None:
        """Stop the thread soon. The current job stays running and resumes at its first missing segment next time."""
        self._stopped.set()
        self._woken.set()
        with self._lock:
            if self._stint is not None:
                self._stint.call_off()

    def run(self) -> None:
        """Run jobs until `stop` is called; the body of the thread."""
        with ThreadPoolExecutor(self._ahead, "books") as speakers, closing(Claim(self._claim)) as claim:
            while not self._stopped.is_set():
                self._woken.clear()  # before the check for work, so that a wake() during it is not lost
                if not self._work_if(claim, speakers):
                    self._woken.wait(IDLE)

    def _work_if(self, claim: Claim, speakers: ThreadPoolExecutor) -> bool:
        """Run the next job if this process holds the lock and there is one; return whether one was run."""
        try:
            if not claim.take():
                return False
            self._sweep()
            job = self._store.begin()
            if job is not None:
                self._work(job, speakers)
            return job is not None
        except (StorageUnavailable, StorageFull, sqlite3.Error, OSError) as exc:
            self._warn(f"Books wait until this is mended: {exc}")
            return False

    def _warn(self, trouble: str) -> None:
        """Log a warning unless it repeats the last one."""
        if trouble != self._trouble:
            log.warning(trouble)
        self._trouble = trouble

    def _work(self, job: Job, speakers: ThreadPoolExecutor) -> None:
        run = Stint(job, self._store, self._shelf, self._editions, self._engine)
        with self._lock:
            self._stint = run
            if self._stopped.is_set():  # stop() may have come before there was a run to cancel
                run.call_off()
        log.info("Job %s begins: %d of %d characters are spoken", job.id, job.characters_done, job.characters)
        try:
            run.run(speakers, self._ahead)
            log.info("Job %s is done", job.id)
        except ClientGone:
            log.info("Job %s was cancelled or interrupted", job.id)
        except (StorageUnavailable, StorageFull, sqlite3.Error, OSError) as exc:
            self._store.note(job.id, f"Waiting: {exc}")
            raise
        except SpeechError as exc:
            log.warning("Job %s failed: %s", job.id, exc)
            self._store.end(job.id, State.FAILED, exc.message)
        except Exception:  # boundary of one job: a bug in it must not stop the thread
            log.exception("Job %s failed unexpectedly", job.id)
            self._store.end(job.id, State.FAILED, "The server failed; its log says how.")
        finally:
            with self._lock:
                self._stint = None
        self._clear(job.id)

    def _clear(self, job: str) -> None:
        """Delete the files of a job that was cancelled during its run: the run may have written some since."""
        if job not in kept(self._store.jobs()):
            self._shelf.discard(job)

    def _sweep(self) -> None:
        """Delete expired jobs and the files that belong to no job, every SWEEP_INTERVAL seconds."""
        if time.monotonic() - self._swept < SWEEP:
            return
        self._swept = time.monotonic()
        if self._keep is not None:
            for job in self._store.ended_before(time.time() - self._keep):
                self._store.remove(job)
        self._shelf.sweep(kept(self._store.jobs()))


class Claim:
    """Let one process at a time run the jobs of a data folder, by a lock held until `close` or the process's end.

    The lock is an exclusive transaction on an otherwise unused SQLite database: it works the same on every system, and
    the system releases it when the process is killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: sqlite3.Connection | None = None

    def take(self) -> bool:
        """Try to acquire the lock and return whether it is held. Raises OSError or sqlite3.Error if unusable."""
        if self._lock is not None:
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
        self._lock = lock
        return True

    def close(self) -> None:
        """Release the lock if it is held."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
