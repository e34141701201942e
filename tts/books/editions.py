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

from tts.books.binding import Cover, Mark, bind
from tts.books.jobs import BOOK_FORMATS, Job, Segment, State
from tts.books.shelf import Shelf
from tts.books.sound import read_sound
from tts.books.store import Store
from tts.engines.base import Listener
from tts.speech.audio import SAMPLE_RATE, Chunk
from tts.speech.errors import Busy, Conflict, StorageFull

BIND_TIMEOUT = 600.0
"""Seconds to wait while other renditions are built: ten hours of audio take about two minutes as m4b, five as mp3."""
BYTES_A_SECOND = {"wav": 48_000, "flac": 30_000, "mp3": 12_500, "m4b": 12_500, "opus": 8_500}
"""Upper bounds on the file size, in bytes per second of 24 kHz speech, by format."""
SOUND_BYTES = BYTES_A_SECOND["flac"]
"""Bytes per second of the stored segments, which are FLAC."""


class Editions:
    """Build and cache the renditions of all jobs, in storage that may hold `max_bytes`. Thread-safe."""

    def __init__(self, store: Store, shelf: Shelf, space: int) -> None:
        self._store = store
        self._shelf = shelf
        self._space = space
        self._turn = threading.Lock()

    def edition(self, job: Job, format: str, listener: Listener, partial: bool = False) -> Path:
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
        if job.state is State.CANCELLED or (job.state is not State.DONE and not partial):
            raise Conflict(f"The job is {job.state}{_progress(job)}; its audio is there when it is done.")
        return self._bound(job, format, listener, complete=job.state is State.DONE)

    def finish(self, job: Job, listener: Listener) -> None:
        """Build the permanent rendition of a job whose segments are complete. Raises like `get_or_build`."""
        self._bound(job, job.format, listener, complete=True)

    def _bound(self, job: Job, format: str, listener: Listener, complete: bool) -> Path:
        segments = self._store.spoken(job.id)
        if not segments:
            raise Conflict(f"The job is {job.state}; nothing is spoken yet.")
        path = self._shelf.edition(job.id, edition_name(format, None if complete else len(segments)))
        if path.exists():
            return path
        if not self._turn.acquire(timeout=BIND_TIMEOUT):
            raise Busy("Other books are being bound: try again later.", 60.0)
        try:
            if not path.exists():  # another thread may have built it while this one waited
                self._make_room(round(job.seconds * BYTES_A_SECOND[format]))
                chunks = _heard(read_sound(self._shelf.sound(job.id), segments), listener)
                cover = Cover(job.title, job.author, self._store.cover(job.id))
                bind(path, format, chunks, self._marks(job, segments), cover)
        finally:
            self._turn.release()
        return path

    def _marks(self, job: Job, segments: list[Segment]) -> list[Mark]:
        """Return the marks of the chapters that the segments cover, in samples of the joined segments."""
        lengths: dict[int, int] = {}
        for segment in segments:
            lengths[segment.portion.chapter] = lengths.get(segment.portion.chapter, 0) + segment.samples
        titles = [title for title, _, _ in self._store.headings(job.id)]
        marks, start = [], 0
        for chapter, length in lengths.items():
            marks.append(Mark(titles[chapter], start, start + length))
            start += length
        return marks

    def _make_room(self, wanted: int) -> None:
        """Evict renditions if `needed_bytes` more don't fit; raise StorageFull if they still don't."""
        if self._shelf.used() + wanted > self._space:
            self._shelf.loosen(kept(self._store.jobs()), age=0.0)
            check_room(self._shelf.used() + wanted, self._space)


def check_room(wanted: int, space: int) -> None:
    """Raise StorageFull when `needed_bytes` exceeds `max_bytes`."""
    if wanted > space:
        raise StorageFull(
            f"Books would take {wanted / 1e6:.0f} MB of the {space / 1e6:.0f} MB that they may; delete jobs that are "
            "no longer needed, or see KOKORO_JOBS_MB."
        )


def kept(jobs: list[Job]) -> dict[str, str]:
    """Return the file name of the permanent rendition by job id, for all jobs that are not cancelled."""
    return {job.id: edition_name(job.format) for job in jobs if job.state is not State.CANCELLED}


def edition_name(format: str, portions: int | None = None) -> str:
    """Return the file name of a rendition: of the whole book ("book.m4b"), or of its first segments ("part-7.m4b")."""
    what = "book" if portions is None else f"part-{portions}"
    return f"{what}.{BOOK_FORMATS[format].extension}"


def _progress(job: Job) -> str:
    if job.state.ended or not job.characters_done:
        return ""
    return f", {100 * job.characters_done // job.characters} % spoken ({job.samples // SAMPLE_RATE} seconds)"


def _heard(chunks: Iterator[Chunk], listener: Listener) -> Iterator[Chunk]:
    for chunk in chunks:
        listener.check()
        yield chunk
