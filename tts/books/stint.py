"""One stretch of work on one job: from the portion where it was left to the end, unless it is called off."""

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
"""How often a portion is tried that the engine breaks on: a worker may have been killed by something else."""
RETRY = 5.0
"""Seconds until a portion is tried again for which there was no worker."""
CHAPTER_REST = 1.2
"""Seconds of rest at speed 1 after a chapter."""


class Stint:
    """Speaks, keeps and binds one job. `speakers` run as many portions at a time as it has threads."""

    def __init__(self, job: Job, store: Store, shelf: Shelf, editions: Editions, engine: Engine) -> None:
        self.job = job
        self._store = store
        self._shelf = shelf
        self._editions = editions
        self._engine = engine
        self._off = threading.Event()
        self._listener = Listener(has_gone=self._off.is_set)

    def call_off(self) -> None:
        """Make `run` end soon, whatever it is at; called from another thread."""
        self._off.set()

    def run(self, speakers: Executor, ahead: int) -> None:
        """Work until the job is done. Raises ClientGone when it is called off, SynthesisFailed or TimedOut when a
        portion can't be spoken, OSError and StorageUnavailable when the disk refuses."""
        try:
            self._run(speakers, ahead)
        finally:
            self._off.set()  # what is still being spoken is for nobody

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
        """The whole book in the utterances that the engine would make of each chapter."""
        numbers = itertools.count()
        portions = []
        for number, chapter in enumerate(chapters):
            self._listener.check()
            rest = CHAPTER_REST / self.job.narration.speed
            for each in self._engine.plan(self.job.narration.request(chapter.text, rest)):
                portions.append(Portion(next(numbers), number, each.start, each.start + len(each.text), each.rest))
        return portions

    def _sound_file(self) -> SoundFile:
        """The sound file, at the end of the last portion that was kept."""
        path = self._shelf.sound(self.job.id)
        there = path.stat().st_size if path.exists() else 0
        if there < self._store.sound_size(self.job.id):
            log.warning("Job %s lost a part of its sound file; it is spoken again", self.job.id)
            self._store.forget_sound(self.job.id, there)
        return SoundFile(path, self._store.sound_size(self.job.id))

    def _keep(self, sound: SoundFile, portion: Portion, chunk: Chunk, spent: float) -> None:
        words = tuple(Timing(word.start, word.end, word.start_time, word.end_time) for word in chunk.words)
        offset, size = sound.append(chunk)
        segment = Segment(portion, offset, size, len(chunk.samples), words)
        if not self._store.keep(self.job.id, segment, spent):
            raise ClientGone("The job was ended.")

    def _spoken(self, chapters: Sequence[Chapter], speakers: Executor, ahead: int) -> Iterator[tuple[Portion, Chunk]]:
        """What isn't spoken yet, in order, while the next portions are being spoken already."""
        under_way: deque[tuple[Portion, Future[Chunk]]] = deque()
        for portion in self._store.unspoken(self.job.id):
            under_way.append((portion, speakers.submit(self._speak, portion, chapters[portion.chapter])))
            if len(under_way) > ahead:
                first, future = under_way.popleft()
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()

    def _speak(self, portion: Portion, chapter: Chapter) -> Chunk:
        """The portion's sound, however often that takes: a listener's request may interrupt it."""
        request = self.job.narration.request(chapter.text[portion.start : portion.end], portion.rest)
        tries = 0
        while True:
            self._listener.check()
            try:
                return join(self._engine.synthesize(request, self._listener))
            except ClientGone:
                continue  # unless it was called off, a listener came first
            except WorkerUnavailable as exc:
                self._store.note(self.job.id, exc.message)
                self._off.wait(RETRY)
            except (SynthesisFailed, TimedOut) as exc:
                tries += 1
                if tries == TRIES:
                    place = f"{chapter.title!r}, characters {portion.start} to {portion.end}"
                    raise SynthesisFailed(f"{place}: {exc.message}") from exc
