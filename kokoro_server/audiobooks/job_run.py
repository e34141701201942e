"""Run one job from its first missing segment to the finished audiobook, unless it is cancelled.

1. Plan: on the first run, split the chapters into segments and store the plan. Later runs use the stored plan, so that
   segments synthesized by different versions still fit together.
2. Open the segment file. Where it is shorter than the database says, forget the segments that it lost.
3. Synthesize the missing segments, several at a time, and save them in order: first the audio to the file, then its
   position to the database. An interruption thus loses only segments in flight.
4. Build the rendition in the requested format and mark the job as done.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import closing

from kokoro_server.audio.samples import Chunk, join_chunks
from kokoro_server.audiobooks.data_folder import DataFolder
from kokoro_server.audiobooks.formats.book import Chapter
from kokoro_server.audiobooks.jobs import Job, JobStatus, Segment, SegmentPlan, WordTiming
from kokoro_server.audiobooks.sound_file import SegmentFile
from kokoro_server.core.errors import ClientGone, SynthesisFailed, TimedOut, WorkerUnavailable
from kokoro_server.engine.base import Engine, RequestContext

log = logging.getLogger(__name__)

MAX_TRIES = 3
"""Attempts at a segment on which synthesis fails: a worker may have been killed for another reason."""
RETRY_DELAY = 5.0
"""Seconds until the next attempt when no worker was available."""
CHAPTER_PAUSE = 1.2
"""Seconds of silence after a chapter at speed 1."""


class JobRun:
    """Plan, synthesize, store and mux one job. Use an instance for one run only; `cancel` may come from any thread."""

    def __init__(self, job: Job, data: DataFolder, engine: Engine) -> None:
        self.job = job
        self._data = data
        self._engine = engine
        self._cancel_event = threading.Event()
        self._context = RequestContext(is_cancelled=self._cancel_event.is_set)

    def cancel(self) -> None:
        """Make `run` raise ClientGone soon, at whichever step it is. Thread-safe."""
        self._cancel_event.set()

    def run(self, executor: Executor, max_in_flight: int) -> None:
        """Work until the job is done.

        Args:
            executor: Runs the synthesis of segments; the engine's calls block its threads.
            max_in_flight: Segments submitted beyond the one that is saved next.

        Raises:
            ClientGone: The run was cancelled, or the job has ended in the database.
            SynthesisFailed: A segment failed MAX_TRIES times.
            OSError, StorageUnavailable, StorageFull: The disk or the database failed, or the disk space is used up.
        """
        try:
            self._run_steps(executor, max_in_flight)
        finally:
            self._cancel_event.set()  # segments still in synthesis are not needed any more

    def _run_steps(self, executor: Executor, max_in_flight: int) -> None:
        chapters = self._data.database.load_chapters(self.job.id)
        if not self._data.database.is_planned(self.job.id):
            self._data.database.save_plan(self.job.id, self._plan_segments(chapters))
        with closing(self._open_segment_file()) as sound:
            began = time.monotonic()
            for portion, chunk in self._synthesize_missing(chapters, executor, max_in_flight):
                ended = time.monotonic()
                self._save_segment(sound, portion, chunk, ended - began)
                began = ended
        self._data.renditions.build_permanent(self._data.database.find_job(self.job.id), self._context)
        self._data.database.end_job(self.job.id, JobStatus.DONE)

    def _plan_segments(self, chapters: Sequence[Chapter]) -> list[SegmentPlan]:
        """Return the segments of the whole book: the utterances that the engine plans for each chapter."""
        numbers = itertools.count()
        portions = []
        for number, chapter in enumerate(chapters):
            self._context.ensure_active()
            rest = CHAPTER_PAUSE / self.job.narration.speed
            for utterance in self._engine.plan(self.job.narration.make_request(chapter.text, rest)):
                end = utterance.start + len(utterance.text)
                portions.append(SegmentPlan(next(numbers), number, utterance.start, end, utterance.pause))
        return portions

    def _open_segment_file(self) -> SegmentFile:
        """Open the segment file at the end of the last saved segment."""
        path = self._data.storage.get_segments_path(self.job.id)
        size = path.stat().st_size if path.exists() else 0
        if size < self._data.database.get_segments_size(self.job.id):
            log.warning("The audio file of job %s is too short; synthesizing the lost segments again", self.job.id)
            self._data.database.forget_segments(self.job.id, size)
        return SegmentFile(path, self._data.database.get_segments_size(self.job.id))

    def _save_segment(self, file: SegmentFile, plan: SegmentPlan, chunk: Chunk, work_seconds: float) -> None:
        words = tuple(WordTiming(word.start, word.end, word.start_time, word.end_time) for word in chunk.words)
        offset, size = file.append(chunk)
        segment = Segment(plan, offset, size, len(chunk.samples), words)
        if not self._data.database.save_segment(self.job.id, segment, work_seconds):
            raise ClientGone("The job was ended.")

    def _synthesize_missing(
        self, chapters: Sequence[Chapter], executor: Executor, max_in_flight: int
    ) -> Iterator[tuple[SegmentPlan, Chunk]]:
        """Yield the missing segments in order, while up to `max_in_flight` later ones are in synthesis."""
        in_flight: deque[tuple[SegmentPlan, Future[Chunk]]] = deque()
        for portion in self._data.database.list_missing_segments(self.job.id):
            in_flight.append((portion, executor.submit(self._synthesize_segment, portion, chapters[portion.chapter])))
            if len(in_flight) > max_in_flight:
                first, future = in_flight.popleft()
                yield first, future.result()
        for first, future in in_flight:
            yield first, future.result()

    def _synthesize_segment(self, plan: SegmentPlan, chapter: Chapter) -> Chunk:
        """Return the audio of one segment, retrying as often as needed.

        An interactive request may preempt a background segment (ClientGone): that is retried at once and not counted. A
        missing worker is waited for without limit, and the job's error says so. Any other failure is final after
        MAX_TRIES.
        """
        request = self.job.narration.make_request(chapter.text[plan.start : plan.end], plan.pause)
        tries = 0
        while True:
            self._context.ensure_active()
            try:
                return join_chunks(self._engine.synthesize(request, self._context))
            except ClientGone:
                continue  # preempted by an interactive request, or cancelled: check() tells
            except WorkerUnavailable as exc:
                self._data.database.set_error(self.job.id, exc.message)
                self._cancel_event.wait(RETRY_DELAY)  # a cancel ends the wait
            except (SynthesisFailed, TimedOut) as exc:
                tries += 1
                if tries == MAX_TRIES:
                    place = f"{chapter.title!r}, characters {plan.start} to {plan.end}"
                    raise SynthesisFailed(f"{place}: {exc.message}") from exc
