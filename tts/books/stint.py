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

from tts.books.book import Chapter
from tts.books.editions import Editions
from tts.books.jobs import Job, Portion, Segment, State, Timing
from tts.books.shelf import Shelf
from tts.books.sound import SoundFile
from tts.books.store import Store
from tts.engines.base import Engine, Listener
from tts.speech.audio import Chunk, join
from tts.speech.errors import ClientGone, SynthesisFailed, TimedOut, WorkerUnavailable

log = logging.getLogger(__name__)

TRIES = 3
"""Attempts at a segment on which synthesis fails: a worker may have been killed for another reason."""
RETRY = 5.0
"""Seconds until the next attempt when no worker was available."""
CHAPTER_REST = 1.2
"""Seconds of silence after a chapter at speed 1."""


class Stint:
    """Plan, synthesize, store and mux one job. Use an instance for one run only; `cancel` may come from any thread."""

    def __init__(self, job: Job, store: Store, shelf: Shelf, editions: Editions, engine: Engine) -> None:
        self.job = job
        self._store = store
        self._shelf = shelf
        self._editions = editions
        self._engine = engine
        self._off = threading.Event()
        self._listener = Listener(has_gone=self._off.is_set)

    def call_off(self) -> None:
        """Make `run` raise ClientGone soon, at whichever step it is. Thread-safe."""
        self._off.set()

    def run(self, speakers: Executor, ahead: int) -> None:
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
            self._run(speakers, ahead)
        finally:
            self._off.set()  # segments still in synthesis are not needed any more

    def _run(self, speakers: Executor, ahead: int) -> None:
        chapters = self._store.chapters(self.job.id)
        if not self._store.is_planned(self.job.id):
            self._store.plan(self.job.id, self._portions(chapters))
        with closing(self._sound_file()) as sound:
            began = time.monotonic()
            for portion, chunk in self._spoken(chapters, speakers, ahead):
                ended = time.monotonic()
                self._keep(sound, portion, chunk, ended - began)
                began = ended
        self._editions.finish(self._store.find(self.job.id), self._listener)
        self._store.end(self.job.id, State.DONE)

    def _portions(self, chapters: Sequence[Chapter]) -> list[Portion]:
        """Return the segments of the whole book: the utterances that the engine plans for each chapter."""
        numbers = itertools.count()
        portions = []
        for number, chapter in enumerate(chapters):
            self._listener.check()
            rest = CHAPTER_REST / self.job.narration.speed
            for utterance in self._engine.plan(self.job.narration.request(chapter.text, rest)):
                end = utterance.start + len(utterance.text)
                portions.append(Portion(next(numbers), number, utterance.start, end, utterance.rest))
        return portions

    def _sound_file(self) -> SoundFile:
        """Open the segment file at the end of the last saved segment."""
        path = self._shelf.sound(self.job.id)
        size = path.stat().st_size if path.exists() else 0
        if size < self._store.sound_size(self.job.id):
            log.warning("The audio file of job %s is too short; synthesizing the lost segments again", self.job.id)
            self._store.forget_sound(self.job.id, size)
        return SoundFile(path, self._store.sound_size(self.job.id))

    def _keep(self, sound: SoundFile, portion: Portion, chunk: Chunk, spent: float) -> None:
        words = tuple(Timing(word.start, word.end, word.start_time, word.end_time) for word in chunk.words)
        offset, size = sound.append(chunk)
        segment = Segment(portion, offset, size, len(chunk.samples), words)
        if not self._store.keep(self.job.id, segment, spent):
            raise ClientGone("The job was ended.")

    def _spoken(self, chapters: Sequence[Chapter], speakers: Executor, ahead: int) -> Iterator[tuple[Portion, Chunk]]:
        """Yield the missing segments in order, while up to `max_in_flight` later ones are in synthesis."""
        in_flight: deque[tuple[Portion, Future[Chunk]]] = deque()
        for portion in self._store.unspoken(self.job.id):
            in_flight.append((portion, speakers.submit(self._speak, portion, chapters[portion.chapter])))
            if len(in_flight) > ahead:
                first, future = in_flight.popleft()
                yield first, future.result()
        for first, future in in_flight:
            yield first, future.result()

    def _speak(self, portion: Portion, chapter: Chapter) -> Chunk:
        """Return the audio of one segment, retrying as often as needed.

        An interactive request may preempt a background segment (ClientGone): that is retried at once and not counted. A
        missing worker is waited for without limit, and the job's error says so. Any other failure is final after
        MAX_TRIES.
        """
        request = self.job.narration.request(chapter.text[portion.start : portion.end], portion.rest)
        tries = 0
        while True:
            self._listener.check()
            try:
                return join(self._engine.synthesize(request, self._listener))
            except ClientGone:
                continue  # preempted by an interactive request, or cancelled: check() tells
            except WorkerUnavailable as exc:
                self._store.note(self.job.id, exc.message)
                self._off.wait(RETRY)  # a cancel ends the wait
            except (SynthesisFailed, TimedOut) as exc:
                tries += 1
                if tries == TRIES:
                    place = f"{chapter.title!r}, characters {portion.start} to {portion.end}"
                    raise SynthesisFailed(f"{place}: {exc.message}") from exc
