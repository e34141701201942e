"""The thread that works on the jobs of a data folder, one after the other, for as long as the server runs."""

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
"""Seconds between looks for work that nobody told of: another server's, on the same folder, that has ended."""
SWEEP = 3_600.0
"""Seconds between two sweeps for what has expired."""


class Runner(threading.Thread):
    """Speaks every job in its turn. `ahead` portions are spoken at a time; `keep` is how many seconds a job is kept
    after its end, without limit if None."""

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
        return self._stopped.is_set()

    def wake(self) -> None:
        """Tell it that there is a new job."""
        self._woken.set()

    def cancel(self, job: str) -> None:
        """Call off the work on `job`, if that is what it is at."""
        with self._lock:
            if self._stint is not None and self._stint.job.id == job:
                self._stint.call_off()

    def stop(self) -> None:
        """End, leaving the job under way as it is: it goes on at that portion next time."""
        self._stopped.set()
        self._woken.set()
        with self._lock:
            if self._stint is not None:
                self._stint.call_off()

    def run(self) -> None:
        with ThreadPoolExecutor(self._ahead, "books") as speakers, closing(Claim(self._claim)) as claim:
            while not self._stopped.is_set():
                self._woken.clear()
                if not self._work_if(claim, speakers):
                    self._woken.wait(IDLE)

    def _work_if(self, claim: Claim, speakers: ThreadPoolExecutor) -> bool:
        """Work on one job, if the folder is ours and there is one; whether there may be more to do at once."""
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
        """Log a trouble, once for as long as it stays the same."""
        if trouble != self._trouble:
            log.warning(trouble)
        self._trouble = trouble

    def _work(self, job: Job, speakers: ThreadPoolExecutor) -> None:
        stint = Stint(job, self._store, self._shelf, self._editions, self._engine)
        with self._lock:
            self._stint = stint
            if self._stopped.is_set():
                stint.call_off()
        log.info("Job %s begins: %d of %d characters are spoken", job.id, job.characters_done, job.characters)
        try:
            stint.run(speakers, self._ahead)
            log.info("Job %s is done", job.id)
        except ClientGone:
            log.info("Job %s is left", job.id)
        except (StorageUnavailable, StorageFull, sqlite3.Error, OSError) as exc:
            self._store.note(job.id, f"Waiting: {exc}")
            raise
        except SpeechError as exc:
            log.warning("Job %s failed: %s", job.id, exc)
            self._store.end(job.id, State.FAILED, exc.message)
        except Exception:  # one job's edge: whatever broke must not end the next ones
            log.exception("Job %s broke", job.id)
            self._store.end(job.id, State.FAILED, "The server failed; its log says how.")
        finally:
            with self._lock:
                self._stint = None
        self._clear(job.id)

    def _clear(self, job: str) -> None:
        """Discard what a job leaves that was cancelled under our hands."""
        if job not in kept(self._store.jobs()):
            self._shelf.discard(job)

    def _sweep(self) -> None:
        """Remove what has expired, or belongs to no job, once in a while."""
        if time.monotonic() - self._swept < SWEEP:
            return
        self._swept = time.monotonic()
        if self._keep is not None:
            for job in self._store.ended_before(time.time() - self._keep):
                self._store.remove(job)
        self._shelf.sweep(kept(self._store.jobs()))


class Claim:
    """A data folder's jobs are spoken by one process at a time: whose lock on this file lasts as long as it lives.

    SQLite's locks are the same on every system, and the system takes them back from a process that is killed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: sqlite3.Connection | None = None

    def take(self) -> bool:
        """Whether the folder is ours now. Raises OSError or sqlite3.Error when it can't be used."""
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
            log.info("Another server speaks the jobs in %s", self._path.parent)
            return False
        self._lock = lock
        return True

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
