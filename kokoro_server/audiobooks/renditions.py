"""Build the audiobook file of a job on demand and cache it.

A rendition is a job's audio muxed in one format, of the whole book or of its first segments. Its file name says which
(`name_rendition`), so an existing file is a cache hit. Renditions are built one at a time, under a lock, since each
takes a core for minutes. The rendition of the whole book in the format that the job asked for is permanent; all others
may be evicted, as they can be built again from the stored segments.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from kokoro_server.audio.samples import SAMPLE_RATE, Chunk
from kokoro_server.audiobooks.job_storage import JobStorage
from kokoro_server.audiobooks.job_store import JobDatabase
from kokoro_server.audiobooks.jobs import BOOK_FORMATS, Job, JobStatus, Segment
from kokoro_server.audiobooks.muxing import AudiobookTags, ChapterMark, mux_audiobook
from kokoro_server.audiobooks.sound_file import read_segments
from kokoro_server.core.errors import Busy, Conflict, StorageFull
from kokoro_server.engine.base import RequestContext

MUX_TIMEOUT = 600.0
"""Seconds to wait while other renditions are built: ten hours of audio take about two minutes as m4b, five as mp3."""
BYTES_PER_SECOND = {"wav": 48_000, "flac": 30_000, "mp3": 12_500, "m4b": 12_500, "opus": 8_500}
"""Upper bounds on the file size, in bytes per second of 24 kHz speech, by format."""
STORED_BYTES_PER_SECOND = BYTES_PER_SECOND["flac"]
"""Bytes per second of the stored segments, which are FLAC."""


class RenditionCache:
    """Build and cache the renditions of all jobs, in storage that may hold `max_bytes`. Thread-safe."""

    def __init__(self, database: JobDatabase, storage: JobStorage, max_bytes: int) -> None:
        self._database = database
        self._storage = storage
        self._max_bytes = max_bytes
        self._mux_lock = threading.Lock()

    def get_or_build(self, job: Job, format: str, context: RequestContext, partial: bool = False) -> Path:
        """Return the path of the rendition in `format`, building it when it does not exist yet.

        Args:
            job: The job as it stands.
            format: A key of BOOK_FORMATS.
            context: Checked between chunks, so that a client that leaves stops the build.
            partial: Accept the segments synthesized so far when the job is not done.

        Raises:
            Conflict: The job is cancelled, is not done and `partial` is false, or has no segment yet.
            Busy: Other builds took longer than MUX_TIMEOUT.
            StorageFull: The file would exceed the disk space, even without the renditions that can be evicted.
            OSError: A file cannot be read or written.
            ClientGone, TimedOut: `context` was cancelled or its deadline has passed.
        """
        if job.state is JobStatus.CANCELLED or (job.state is not JobStatus.DONE and not partial):
            raise Conflict(f"The job is {job.state}{_describe_progress(job)}; its audio is there when it is done.")
        return self._find_or_build(job, format, context, is_complete=job.state is JobStatus.DONE)

    def build_permanent(self, job: Job, context: RequestContext) -> None:
        """Build the permanent rendition of a job whose segments are complete. Raises like `get_or_build`."""
        self._find_or_build(job, job.format, context, is_complete=True)

    def _find_or_build(self, job: Job, format: str, context: RequestContext, is_complete: bool) -> Path:
        segments = self._database.list_segments(job.id)
        if not segments:
            raise Conflict(f"The job is {job.state}; nothing is spoken yet.")
        path = self._storage.get_rendition_path(job.id, name_rendition(format, None if is_complete else len(segments)))
        if path.exists():
            return path
        if not self._mux_lock.acquire(timeout=MUX_TIMEOUT):
            raise Busy("Other books are being bound: try again later.", 60.0)
        try:
            if not path.exists():  # another thread may have built it while this one waited
                self._make_room(round(job.seconds * BYTES_PER_SECOND[format]))
                chunks = _check_between_chunks(
                    read_segments(self._storage.get_segments_path(job.id), segments), context
                )
                cover = AudiobookTags(job.title, job.author, self._database.load_cover(job.id))
                mux_audiobook(path, format, chunks, self._compute_marks(job, segments), cover)
        finally:
            self._mux_lock.release()
        return path

    def _compute_marks(self, job: Job, segments: list[Segment]) -> list[ChapterMark]:
        """Return the marks of the chapters that the segments cover, in samples of the joined segments."""
        lengths: dict[int, int] = {}
        for segment in segments:
            lengths[segment.plan.chapter] = lengths.get(segment.plan.chapter, 0) + segment.samples
        titles = [title for title, _, _ in self._database.list_chapter_starts(job.id)]
        marks, start = [], 0
        for chapter, length in lengths.items():
            marks.append(ChapterMark(titles[chapter], start, start + length))
            start += length
        return marks

    def _make_room(self, needed_bytes: int) -> None:
        """Evict renditions if `needed_bytes` more don't fit; raise StorageFull if they still don't."""
        if self._storage.measure_bytes() + needed_bytes > self._max_bytes:
            self._storage.evict_renditions(list_permanent_renditions(self._database.list_jobs()), age=0.0)
            check_disk_space(self._storage.measure_bytes() + needed_bytes, self._max_bytes)


def check_disk_space(needed_bytes: int, max_bytes: int) -> None:
    """Raise StorageFull when `needed_bytes` exceeds `max_bytes`."""
    if needed_bytes > max_bytes:
        raise StorageFull(
            f"Books would take {needed_bytes / 1e6:.0f} MB of the {max_bytes / 1e6:.0f} MB that they may; "
            "delete jobs that are no longer needed, or see KOKORO_JOBS_MB."
        )


def list_permanent_renditions(jobs: list[Job]) -> dict[str, str]:
    """Return the file name of the permanent rendition by job id, for all jobs that are not cancelled."""
    return {job.id: name_rendition(job.format) for job in jobs if job.state is not JobStatus.CANCELLED}


def name_rendition(format: str, segments: int | None = None) -> str:
    """Return the file name of a rendition: of the whole book ("book.m4b"), or of its first segments ("part-7.m4b")."""
    what = "book" if segments is None else f"part-{segments}"
    return f"{what}.{BOOK_FORMATS[format].extension}"


def _describe_progress(job: Job) -> str:
    if job.state.is_terminal or not job.characters_done:
        return ""
    return f", {100 * job.characters_done // job.characters} % spoken ({job.samples // SAMPLE_RATE} seconds)"


def _check_between_chunks(chunks: Iterator[Chunk], context: RequestContext) -> Iterator[Chunk]:
    for chunk in chunks:
        context.ensure_active()
        yield chunk
