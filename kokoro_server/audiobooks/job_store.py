"""Store jobs in SQLite: options, chapters, planned segments, and where the audio of synthesized segments lies.

Tables: `jobs` (one row each), `covers` and `chapters` (deleted with their job), and `portions`, the segments: planned
when `size` is NULL, synthesized when `offset`, `size`, `samples` and `words` are set. Writes are transactions that are
on the disk when they return (WAL with synchronous = FULL). A newer server migrates the database when it opens it, and
an older one refuses it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path
from typing import Any

from kokoro_server.audiobooks.formats.book import Book, Chapter
from kokoro_server.audiobooks.jobs import Job, JobStatus, Narration, Segment, SegmentPlan, WordTiming, create_job_id
from kokoro_server.core.errors import Busy, NotFound, StorageUnavailable
from kokoro_server.core.languages import Language
from kokoro_server.core.voices import Voice

BUSY_TIMEOUT = 30.0
"""Seconds to wait for another connection's write; writes take milliseconds, but disks may be slow."""

MIGRATIONS = (
    """
    CREATE TABLE jobs (
        id TEXT PRIMARY KEY, state TEXT NOT NULL, voice TEXT NOT NULL, language TEXT NOT NULL, speed REAL NOT NULL,
        normalize INTEGER NOT NULL, pronunciations TEXT NOT NULL, format TEXT NOT NULL, title TEXT NOT NULL,
        author TEXT NOT NULL, characters INTEGER NOT NULL, created REAL NOT NULL, started REAL, ended REAL,
        spent REAL NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, samples INTEGER NOT NULL DEFAULT 0, error TEXT
    );
    CREATE TABLE covers (job TEXT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE, jpeg BLOB NOT NULL);
    CREATE TABLE chapters (
        job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, number INTEGER NOT NULL, title TEXT NOT NULL,
        text TEXT NOT NULL, PRIMARY KEY (job, number)
    );
    CREATE TABLE portions (
        job TEXT NOT NULL REFERENCES jobs ON DELETE CASCADE, number INTEGER NOT NULL, chapter INTEGER NOT NULL,
        start INTEGER NOT NULL, "end" INTEGER NOT NULL, rest REAL NOT NULL, offset INTEGER, size INTEGER,
        samples INTEGER, words TEXT, PRIMARY KEY (job, number)
    );
    """,
    "ALTER TABLE jobs ADD COLUMN emoji INTEGER NOT NULL DEFAULT 1;",
)
"""Script that migrates the database from version i to i + 1, by i. Never change one; append another."""

_JOB_COLUMNS = """id, state, voice, language, speed, normalize, pronunciations, emoji, format, title, author,
    characters, created, started, ended, spent, done, samples, error"""
_SEGMENT_COLUMNS = 'number, chapter, start, "end", rest'
_UNFINISHED = "('queued', 'running')"


class ThreadConnection:
    """Own one thread's connection and close it when the thread ends and drops its thread-local reference to this.

    Without it, the connection would keep its file descriptors open until the garbage collector runs, as it is in
    reference cycles with its statements.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __del__(self) -> None:
        self.connection.close()


class JobDatabase:
    """Access the database of one data folder, created when first needed. Thread-safe: each thread has its connection.

    Every method raises StorageUnavailable when the folder can't be used. `job_id` parameters are not checked for form.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._lock = threading.Lock()
        self._connections: weakref.WeakSet[ThreadConnection] = weakref.WeakSet()

    def close(self) -> None:
        """Close the connections of all threads; none may be in use."""
        with self._lock:
            for own in list(self._connections):
                own.connection.close()
            self._connections.clear()
            self._local = threading.local()

    def add_job(self, book: Book, narration: Narration, format: str, max_unfinished: int) -> Job:
        """Add a queued job for the book and return it. Raises Busy when `max_unfinished` jobs are unfinished."""
        job = create_job_id()
        voice, pronunciations = json.dumps(narration.voice.parts), json.dumps(narration.pronunciations)
        manner = (voice, narration.language.value, narration.speed)
        options = (*manner, narration.normalize, pronunciations, narration.emoji)
        chapters = [(job, n, chapter.title, chapter.text) for n, chapter in enumerate(book.chapters)]
        with self._transaction() as db:
            (unfinished,) = db.execute(f"SELECT count(*) FROM jobs WHERE state IN {_UNFINISHED}").fetchone()
            if unfinished >= max_unfinished:
                raise Busy(f"{unfinished} books are waiting to be spoken already: try again later.", 600.0)
            db.execute(
                "INSERT INTO jobs (id, state, voice, language, speed, normalize, pronunciations, emoji, format, title,"
                " author, characters, created) VALUES (?, 'queued', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (job, *options, format, book.title, book.author, book.characters, time.time()),
            )
            db.executemany("INSERT INTO chapters VALUES (?, ?, ?, ?)", chapters)
            if book.cover:
                db.execute("INSERT INTO covers VALUES (?, ?)", (job, book.cover))
        return self.find_job(job)

    def find_job(self, job_id: str) -> Job:
        """Return the job with this id. Raises NotFound."""
        row = self._get_connection().execute(f"SELECT {_JOB_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise NotFound(f"There is no job {job_id[:40]!r}; it may have expired.")
        return _job_from_row(row)

    def list_jobs(self) -> list[Job]:
        """Return all jobs, newest first."""
        return list(
            map(
                _job_from_row,
                self._get_connection().execute(f"SELECT {_JOB_COLUMNS} FROM jobs ORDER BY created DESC, rowid DESC"),
            )
        )

    def start_next_job(self) -> Job | None:
        """Mark the next job as running and return it: the interrupted one, or else the oldest queued one, or None."""
        query = f"SELECT id FROM jobs WHERE state IN {_UNFINISHED} ORDER BY state = 'queued', created, rowid LIMIT 1"
        with self._transaction() as db:
            row = db.execute(query).fetchone()
            if row is None:
                return None
            db.execute(
                "UPDATE jobs SET state = 'running', started = ifnull(started, ?) WHERE id = ?", (time.time(), *row)
            )
        return self.find_job(row[0])

    def load_chapters(self, job_id: str) -> list[Chapter]:
        """Return the chapters in order; none for a cancelled job."""
        rows = self._get_connection().execute(
            "SELECT title, text FROM chapters WHERE job = ? ORDER BY number", (job_id,)
        )
        return [Chapter(*row) for row in rows]

    def list_chapter_starts(self, job_id: str) -> list[tuple[str, int, int | None]]:
        """Return (title, characters, first sample) of every chapter.

        The sample is None until all chapters before are synthesized.
        """
        titles = self._get_connection().execute(
            "SELECT title, length(text) FROM chapters WHERE job = ? ORDER BY number", (job_id,)
        )
        lengths: dict[int, int | None] = dict(
            self._get_connection().execute(
                "SELECT chapter, CASE WHEN count(samples) = count(*) THEN sum(samples) END FROM portions WHERE job = ?"
                " GROUP BY chapter",
                (job_id,),
            )
        )
        headings, begins = [], 0 if lengths else None  # no lengths: nothing is planned yet
        for number, (title, characters) in enumerate(titles):
            headings.append((title, characters, begins))
            length = lengths.get(number)
            begins = None if begins is None or length is None else begins + length
        return headings

    def load_cover(self, job_id: str) -> bytes | None:
        """Return the cover as a JPEG, or None."""
        row = self._get_connection().execute("SELECT jpeg FROM covers WHERE job = ?", (job_id,)).fetchone()
        return None if row is None else bytes(row[0])

    def save_plan(self, job_id: str, segments: Sequence[SegmentPlan]) -> None:
        """Store the segments of a job, once, before any is synthesized; they never change afterwards."""
        with self._transaction() as db:
            db.executemany(
                f"INSERT INTO portions (job, {_SEGMENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
                [(job_id, *astuple(portion)) for portion in segments],
            )

    def is_planned(self, job_id: str) -> bool:
        """Return whether the job has stored segments."""
        return (
            self._get_connection().execute("SELECT 1 FROM portions WHERE job = ? LIMIT 1", (job_id,)).fetchone()
            is not None
        )

    def list_missing_segments(self, job_id: str) -> list[SegmentPlan]:
        """Return the segments that are not synthesized yet, in order."""
        query = f"SELECT {_SEGMENT_COLUMNS} FROM portions WHERE job = ? AND size IS NULL ORDER BY number"
        return [SegmentPlan(*row) for row in self._get_connection().execute(query, (job_id,))]

    def list_segments(self, job_id: str) -> list[Segment]:
        """Return the synthesized segments, in order."""
        rows = self._get_connection().execute(
            f"SELECT {_SEGMENT_COLUMNS}, offset, size, samples, words FROM portions WHERE job = ? AND size IS NOT NULL"
            " ORDER BY number",
            (job_id,),
        )
        return [Segment(SegmentPlan(*row[:5]), row[5], row[6], row[7], _parse_timings(row[8])) for row in rows]

    def get_segments_size(self, job_id: str) -> int:
        """Return the bytes of the segment file that saved segments occupy; any more are an interrupted write."""
        (size,) = (
            self._get_connection()
            .execute("SELECT ifnull(sum(size), 0) FROM portions WHERE job = ?", (job_id,))
            .fetchone()
        )
        return int(size)

    def save_segment(self, job_id: str, segment: Segment, work_seconds: float) -> bool:
        """Record a segment whose audio is on the disk.

        Adds its characters, samples and `work_seconds` to the job and clears the job's error. Returns False, and
        changes nothing, when the job is not running any more.
        """
        portion, words = segment.plan, json.dumps([astuple(word) for word in segment.words])
        with self._transaction() as db:
            changed = db.execute(
                "UPDATE jobs SET done = done + ?, samples = samples + ?, spent = spent + ?, error = NULL"
                " WHERE id = ? AND state = 'running'",
                (portion.end - portion.start, segment.samples, work_seconds, job_id),
            )
            if not changed.rowcount:
                return False
            db.execute(
                "UPDATE portions SET offset = ?, size = ?, samples = ?, words = ? WHERE job = ? AND number = ?",
                (segment.offset, segment.size, segment.samples, words, job_id, portion.number),
            )
        return True

    def forget_segments(self, job_id: str, length: int) -> None:
        """Mark the segments that end beyond `length` bytes as not synthesized, and correct the job's totals."""
        with self._transaction() as db:
            db.execute(
                "UPDATE portions SET offset = NULL, size = NULL, samples = NULL, words = NULL"
                " WHERE job = ? AND offset + size > ?",
                (job_id, length),
            )
            db.execute(
                'UPDATE jobs SET (done, samples) = (SELECT ifnull(sum("end" - start), 0), ifnull(sum(samples), 0)'
                " FROM portions WHERE job = jobs.id AND size IS NOT NULL) WHERE id = ?",
                (job_id,),
            )

    def set_error(self, job_id: str, error: str) -> None:
        """Set the error of a running job: what it is waiting for. The next saved segment clears it."""
        with self._transaction() as db:
            db.execute("UPDATE jobs SET error = ? WHERE id = ? AND state = 'running'", (error, job_id))

    def end_job(self, job_id: str, state: JobStatus, error: str | None = None) -> bool:
        """End an unfinished job in the given state; return False when it has ended already or doesn't exist.

        A cancelled job loses its chapters and segments.
        """
        with self._transaction() as db:
            changed = db.execute(
                f"UPDATE jobs SET state = ?, error = ?, ended = ? WHERE id = ? AND state IN {_UNFINISHED}",
                (state, error, time.time(), job_id),
            )
            if changed.rowcount and state is JobStatus.CANCELLED:
                db.execute("DELETE FROM chapters WHERE job = ?", (job_id,))
                db.execute("DELETE FROM portions WHERE job = ?", (job_id,))
        return bool(changed.rowcount)

    def remove_job(self, job_id: str) -> None:
        """Delete a job that has ended, with its cover, chapters and segments."""
        with self._transaction() as db:
            db.execute(f"DELETE FROM jobs WHERE id = ? AND state NOT IN {_UNFINISHED}", (job_id,))

    def list_ended_before(self, moment: float) -> list[str]:
        """Return the ids of the jobs that ended before `moment` (seconds since 1970)."""
        return [row[0] for row in self._get_connection().execute("SELECT id FROM jobs WHERE ended < ?", (moment,))]

    def _get_connection(self) -> sqlite3.Connection:
        """Return this thread's connection, opening it at first use."""
        owner: ThreadConnection | None = getattr(self._local, "owner", None)
        if owner is None:
            with self._lock:
                owner = self._local.owner = ThreadConnection(self._open())
                self._connections.add(owner)
        return owner.connection

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            return _connect(self._path)
        except (OSError, sqlite3.Error) as exc:
            raise make_storage_error(self._path.parent, exc) from exc

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a write transaction: commit on success, roll back on any exception."""
        db = self._get_connection()
        try:
            db.execute("BEGIN IMMEDIATE")  # take the write lock now: upgrading a read lock could fail as busy
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise
        except sqlite3.OperationalError as exc:
            raise make_storage_error(self._path.parent, exc) from exc


def make_storage_error(folder: Path, exc: Exception) -> StorageUnavailable:
    """Return the error for a data folder on which `exc` occurred, naming KOKORO_DATA_DIR."""
    reason = (exc.strerror if isinstance(exc, OSError) else None) or str(exc)
    return StorageUnavailable(f"The data folder {folder} can't be used ({reason}). See KOKORO_DATA_DIR.")


def _connect(path: Path) -> sqlite3.Connection:
    """Open the database, migrated to the newest version. Another thread may close the connection."""
    db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut; see sqlite.org/pragma.html
        db.execute("PRAGMA fullfsync = ON")  # macOS only: fsync alone leaves data in the drive's cache
        db.execute("PRAGMA foreign_keys = ON")
        _migrate(db)
    except BaseException:
        db.close()
        raise
    if os.name == "posix":
        path.chmod(0o600)  # the text of books is private
    return db


def _migrate(db: sqlite3.Connection) -> None:
    """Run the missing migrations in one transaction. `user_version` counts those that were run."""
    db.execute("BEGIN IMMEDIATE")
    (version,) = db.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise sqlite3.DatabaseError(f"its database has version {version}, made by a newer server")
    for script in MIGRATIONS[version:]:
        for statement in filter(str.strip, script.split(";")):
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("COMMIT")


def _parse_timings(words: str) -> tuple[WordTiming, ...]:
    return tuple(WordTiming(*word) for word in json.loads(words))


def _job_from_row(row: tuple) -> Job:  # type: ignore[type-arg]  # values of the types that SQLite stores
    job, state, voice, language, speed, normalize, pronunciations, emoji, *rest = row
    words = _parse_pairs(pronunciations)
    narration = Narration(Voice(_parse_pairs(voice)), Language(language), speed, bool(normalize), words, bool(emoji))
    return Job(job, JobStatus(state), narration, *rest)


def _parse_pairs(encoded: str) -> tuple[tuple[str, Any], ...]:
    return tuple((name, value) for name, value in json.loads(encoded))
