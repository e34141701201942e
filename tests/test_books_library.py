"""Books spoken in the background: to the end, through kills and troubles, within limits."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests.fakes.book_engine import BookEngine, hum
from tests.waiting import until
from tts.books import runner, stint
from tts.books.book import Book, Chapter
from tts.books.jobs import Job, Narration, Portion, Segment, State
from tts.books.library import Library, Terms
from tts.books.sound import SoundFile, read_sound
from tts.books.store import SCHEMAS, Store
from tts.engines.base import ROOT, Listener
from tts.speech.audio import Chunk, join, to_pcm, wav_header
from tts.speech.errors import (
    Busy,
    ClientGone,
    Conflict,
    NotFound,
    SpeechError,
    StorageFull,
    StorageUnavailable,
    SynthesisFailed,
    WorkerUnavailable,
)
from tts.speech.request import Run
from tts.speech.voices import find_voice

DEADLINE = 20.0  # seconds
NARRATION = Narration(find_voice("af_bella(2)+af_sky(1)"), "a", 1.25)
TEXT = "It was a cold day. The clocks struck thirteen, as they had never done. Nobody wondered at all.\n\nHe left. "
BOOK = Book("Hums", "Ann", "en", (Chapter("One", TEXT.strip()), Chapter("Two", (TEXT * 3).strip())))
SHORT = Book("Short", "", "", (Chapter("Only", "One. Two."),))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def engine() -> BookEngine:
    return BookEngine()


@pytest.fixture
def library(folder: Path, engine: BookEngine) -> Iterator[Library]:
    with closing(Library(Terms(folder), engine, ahead=2)) as library:
        library.start()
        yield library


def finished(library: Library, job: Job) -> Job:
    until(lambda: library.find(job.id).state.ended)
    return library.find(job.id)


def sound(library: Library, job: Job, format: str = "wav") -> bytes:
    return library.audio(library.find(job.id), format, Listener(), partial=False).read_bytes()


def expected_sound(engine: BookEngine, book: Book) -> Chunk:
    """What the engine says for each utterance of the book, one after the other."""
    pieces = []
    for chapter in book.chapters:
        for each in engine.plan(NARRATION.request(chapter.text, stint.CHAPTER_REST / NARRATION.speed)):
            pieces.append(hum(replace(each, runs=(Run(each.text, 0, len(each.text)),))))
    return join(pieces)


def test_a_book_is_spoken_whole_and_in_order(library: Library, engine: BookEngine) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    wanted = expected_sound(engine, BOOK)
    assert (job.state, job.characters_done, job.error) == (State.DONE, BOOK.characters, None)
    assert job.samples == len(wanted.samples)
    assert sound(library, job)[44:] == to_pcm(wanted.samples).tobytes()
    assert sorted(engine.spoken) == sorted(job_passages(library, job))
    assert job.times_real_time is not None and job.times_real_time > 0
    assert library.find(job.id).narration == NARRATION


def job_passages(library: Library, job: Job) -> list[str]:
    chapters = library._store.chapters(job.id)
    segments = library._store.spoken(job.id)
    return [chapters[s.portion.chapter].text[s.portion.start : s.portion.end] for s in segments]


def test_chapters_have_their_places(library: Library) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    (one, two) = library.headings(job.id)
    segments = library._store.spoken(job.id)
    first = sum(segment.samples for segment in segments if segment.portion.chapter == 0)
    assert one == ("One", len(BOOK.chapters[0].text), 0)
    assert two == ("Two", len(BOOK.chapters[1].text), first)


def speaker(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.fakes.book_speaker", str(folder), str(log)], cwd=ROOT)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM] if os.name == "posix" else [signal.SIGTERM])
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path, how: signal.Signals) -> None:
    with closing(Library(Terms(tmp_path / "whole"), BookEngine(), ahead=2)) as library:
        library.start()
        whole = finished(library, library.submit(BOOK, NARRATION, "wav"))
        uninterrupted = sound(library, whole)
        pieces = library._shelf.sound(whole.id).read_bytes()
        portions = len(library._store.spoken(whole.id))

    with closing(Library(Terms(tmp_path / "killed"), BookEngine(), ahead=2)) as library:
        job = library.submit(BOOK, NARRATION, "wav")
        kept: set[int] = set()
        for share in (0.2, 0.6):
            log = tmp_path / f"log-{share}"
            with speaker(tmp_path / "killed", log) as process:
                until(lambda share=share: library.find(job.id).characters_done > share * BOOK.characters)
                process.send_signal(how)
                process.wait(DEADLINE)
            before, kept = kept, {s.portion.number for s in library._store.spoken(job.id)}
            assert before < kept and len(kept) < portions
            assert library.find(job.id).state is State.RUNNING
        with library._shelf.sound(job.id).open("ab") as file:
            file.write(b"what was being written when the power failed")
        again = tmp_path / "again"
        with speaker(tmp_path / "killed", again) as process:
            assert process.wait(DEADLINE) == 0
        assert library.find(job.id).state is State.DONE
        assert len(again.read_text().splitlines()) == portions - len(kept)
        assert sound(library, job) == uninterrupted
        assert library._shelf.sound(job.id).read_bytes() == pieces
        assert library.find(job.id).samples == whole.samples


def test_lost_sound_is_spoken_again(folder: Path) -> None:
    slow = BookEngine(pause=0.05)
    with closing(Library(Terms(folder), slow, ahead=1)) as library:
        library.start()
        job = library.submit(BOOK, NARRATION, "wav")
        until(lambda: library.find(job.id).characters_done > 100)
    with closing(Library(Terms(folder), slow, ahead=1)) as library:
        path = library._shelf.sound(job.id)
        os.truncate(path, path.stat().st_size - 1)
        spoken = len(library._store.spoken(job.id))
        slow.spoken.clear()
        library.start()
        assert finished(library, job).characters_done == BOOK.characters
        assert len(slow.spoken) == len(library._store.spoken(job.id)) - (spoken - 1)
        wanted = wav_header(data_size=2 * library.find(job.id).samples)
        assert sound(library, job) == wanted + to_pcm(expected_sound(slow, BOOK).samples).tobytes()


def test_jobs_run_in_order_the_interrupted_first(folder: Path) -> None:
    with closing(Store(folder / "jobs.sqlite3")) as store:
        first, second, third = (store.add(SHORT, NARRATION, "wav", 10) for _ in range(3))
        assert (store.begin() or first).id == first.id
        assert (store.begin() or second).id == first.id
        store.end(first.id, State.DONE)
        assert (store.begin() or first).id == second.id
        assert [job.state for job in store.jobs()] == [State.QUEUED, State.RUNNING, State.DONE]


def test_listeners_interrupt_and_workers_fail_but_the_book_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "tts.books")
    monkeypatch.setattr(stint, "RETRY", 0.01)
    troubles: dict[str, list[SpeechError]] = {
        "He left.": [ClientGone("A listener came."), WorkerUnavailable("No worker."), SynthesisFailed("Crashed.")]
    }
    with closing(Library(Terms(folder), BookEngine(troubles=troubles), ahead=2)) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "wav"))
        assert (job.state, job.error, troubles["He left."]) == (State.DONE, None, [])
        until(lambda: len(caplog.records) >= 2)
        assert [record.message.split()[-1] for record in caplog.records] == ["spoken", "done"]
        assert "".join(job_passages(library, job)) == "".join(chapter.text for chapter in BOOK.chapters)


def test_what_cannot_be_spoken_fails_and_says_where(folder: Path) -> None:
    troubles: dict[str, list[SpeechError]] = {"He left.": [SynthesisFailed("The network broke.")] * stint.TRIES}
    with closing(Library(Terms(folder), BookEngine(troubles=troubles), ahead=2)) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "wav"))
        assert job.state is State.FAILED
        assert job.error == "'One', characters 96 to 104: The network broke."
        assert finished(library, library.submit(SHORT, NARRATION, "wav")).state is State.DONE
        with pytest.raises(Conflict, match="The job is failed"):
            library.audio(job, "wav", Listener(), partial=False)
        part = library.audio(job, "wav", Listener(), partial=True)
        assert len(part.read_bytes()) == 44 + 2 * job.samples


def test_a_broken_engine_fails_the_job_alone(library: Library, engine: BookEngine) -> None:
    engine._troubles["One. Two."] = [ZeroDivisionError()]  # type: ignore[list-item]  # no SpeechError: a bug
    assert finished(library, library.submit(SHORT, NARRATION, "wav")).error == "The server failed; its log says how."
    assert finished(library, library.submit(SHORT, NARRATION, "wav")).state is State.DONE


@pytest.mark.parametrize("first", [True, False])
def test_cancelling_stops_and_cleans(library: Library, engine: BookEngine, folder: Path, first: bool) -> None:
    engine.hold.clear()
    jobs = [library.submit(BOOK, NARRATION, "wav") for _ in range(2)]
    until(lambda: library.find(jobs[0].id).state is State.RUNNING)
    until(lambda: (folder / "books" / jobs[0].id).exists())
    cancelled, other = jobs if first else reversed(jobs)
    library.remove(cancelled.id)
    until(lambda: library.find(other.id).state is State.RUNNING)
    engine.hold.set()
    assert finished(library, other).state is State.DONE
    until(lambda: not (folder / "books" / cancelled.id).exists())
    assert library.find(cancelled.id).state is State.CANCELLED
    assert library._store.chapters(cancelled.id) == []
    library.remove(cancelled.id)
    with pytest.raises(NotFound):
        library.find(cancelled.id)


def test_what_was_spoken_for_a_cancelled_job_is_not_kept(folder: Path) -> None:
    with closing(Store(folder / "jobs.sqlite3")) as store:
        job = store.add(SHORT, NARRATION, "wav", 10)
        store.begin()
        portion = Portion(0, 0, 0, 4, 0.0)
        store.plan(job.id, [portion])
        assert store.keep(job.id, Segment(portion, 0, 10, 100), 1.0)
        assert store.end(job.id, State.CANCELLED) and not store.end(job.id, State.DONE)
        assert not store.keep(job.id, Segment(portion, 0, 10, 100), 1.0)
        assert store.find(job.id).samples == 100


def test_a_done_job_is_removed_with_its_files(library: Library, folder: Path) -> None:
    job = finished(library, library.submit(SHORT, NARRATION, "mp3"))
    assert sorted(path.name for path in (folder / "books" / job.id).iterdir()) == ["book.mp3", "sound.pieces"]
    library.remove(job.id)
    assert not (folder / "books" / job.id).exists() and library.jobs() == []


def test_ended_jobs_expire(folder: Path, engine: BookEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SWEEP", 0.0)
    with closing(Library(Terms(folder, keep=0.3), engine, ahead=1)) as library:
        library.start()
        old = finished(library, library.submit(SHORT, NARRATION, "wav"))
        stray = folder / "books" / ("0" * 32)
        stray.mkdir()
        time.sleep(max(0.0, (old.ended or 0) + 0.4 - time.time()))
        new = finished(library, library.submit(SHORT, NARRATION, "wav"))
        assert [job.id for job in library.jobs()] == [new.id]
        assert [path.name for path in (folder / "books").iterdir()] == [new.id]


def test_the_queue_is_bounded(folder: Path, engine: BookEngine) -> None:
    with closing(Library(Terms(folder, unfinished=1), engine, ahead=1)) as library:
        library.submit(SHORT, NARRATION, "wav")
        with pytest.raises(Busy, match="1 books are waiting"):
            library.submit(SHORT, NARRATION, "wav")


def test_the_disk_space_is_bounded(folder: Path, engine: BookEngine) -> None:
    with closing(Library(Terms(folder, space=250_000), engine, ahead=1)) as library:
        library.submit(SHORT, NARRATION, "m4b")
        with pytest.raises(StorageFull, match="of the 0 MB that they may") as caught:
            library.submit(BOOK, NARRATION, "wav")
        assert caught.value.status == 507
        library.submit(SHORT, NARRATION, "m4b")


def test_editions_that_can_be_bound_again_make_room(folder: Path, engine: BookEngine) -> None:
    with closing(Library(Terms(folder), engine, ahead=1)) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "mp3"))
        wav = library.audio(job, "wav", Listener(), partial=False)
        used = library._shelf.used()
        library._editions._space = used
        flac = library.audio(job, "flac", Listener(), partial=False)
        assert flac.exists() and not wav.exists()
        library._editions._space = 1000
        with pytest.raises(StorageFull):
            library.audio(job, "opus", Listener(), partial=False)


def test_a_download_that_is_given_up_is_not_bound(library: Library, folder: Path) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    with pytest.raises(ClientGone):
        library.audio(job, "mp3", Listener(has_gone=lambda: True), partial=False)
    assert sorted(path.name for path in (folder / "books" / job.id).iterdir()) == ["book.wav", "sound.pieces"]


def test_one_process_speaks_a_folder(folder: Path, engine: BookEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "IDLE", 0.02)
    other = BookEngine()
    with closing(Library(Terms(folder), other, ahead=1)) as second:
        with closing(Library(Terms(folder), engine, ahead=1)) as first:
            first.start()
            until(lambda: first._runner._stint is None and (folder / "speaking.lock").exists())
            job = first.submit(SHORT, NARRATION, "wav")
            finished(first, job)
            second.start()
            queued = second.submit(SHORT, NARRATION, "wav")
            until(lambda: second.find(queued.id).state.ended)
        assert other.spoken == [] and len(engine.spoken) == 2
        finished(second, second.submit(SHORT, NARRATION, "wav"))
        assert len(other.spoken) == 1


def test_an_unusable_folder_is_told(tmp_path: Path, engine: BookEngine) -> None:
    (tmp_path / "file").write_text("no folder")
    with closing(Library(Terms(tmp_path / "file"), engine, ahead=1)) as library:
        library.start()
        with pytest.raises(StorageUnavailable, match="KOKORO_DATA_DIR"):
            library.submit(SHORT, NARRATION, "wav")


def test_a_newer_database_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        db.execute("PRAGMA user_version = 99")
    with closing(Store(folder / "jobs.sqlite3")) as store, pytest.raises(StorageUnavailable, match="newer server"):
        store.jobs()


def test_an_older_database_is_brought_up_to_date(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        db.executescript(SCHEMAS[0])
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO jobs (id, state, voice, language, speed, normalize, pronunciations, format, title, author,"
            " characters, created) VALUES"
            " ('a', 'queued', '[[\"af_sky\", 1.0]]', 'a', 1.0, 1, '[]', 'wav', '', '', 5, 0)"
        )
        db.commit()
    with closing(Store(folder / "jobs.sqlite3")) as store:
        assert store.find("a").narration == Narration(find_voice("af_sky"), "a")


def test_a_narration_is_kept_as_it_was_asked_for(folder: Path) -> None:
    folder.mkdir()
    asked = replace(NARRATION, normalize=False, emoji=False, pronunciations=(("SQL", "sequel"),))
    with closing(Store(folder / "jobs.sqlite3")) as store:
        assert store.add(SHORT, asked, "wav", 9).narration == asked
    assert asked.request("Hi.").emoji is False


def test_sound_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    chunks = [Chunk(rng.uniform(-1, 1, n).astype(np.float32)) for n in (5000, 0, 1, 24_000)]
    segments = []
    with closing(SoundFile(tmp_path / "sound", 0)) as file:
        for number, chunk in enumerate(chunks):
            offset, size = file.append(chunk)
            segments.append(Segment(Portion(number, 0, 0, 1, 0.0), offset, size, len(chunk.samples)))
    for before, after in zip(chunks, read_sound(tmp_path / "sound", segments), strict=True):
        np.testing.assert_array_equal(to_pcm(after.samples), to_pcm(before.samples))


def test_ids_are_no_paths(library: Library) -> None:
    job = library.submit(SHORT, NARRATION, "wav")
    for trick in ("..", "../jobs", "", "a" * 31, job.id.upper(), job.id + "\n", f"{job.id}/"):
        with pytest.raises(NotFound):
            library.find(trick)
        with pytest.raises(NotFound):
            library.remove(trick)
        with pytest.raises(ValueError):
            library._shelf.edition(trick, "x")
        library._shelf.discard(trick)
    assert library.find(job.id).id == job.id and (library.terms.folder / "jobs.sqlite3").exists()


def test_a_thread_that_ends_takes_its_connection_along(folder: Path) -> None:
    """A server has threads that come and go: each looks at the jobs once."""
    with closing(Store(folder / "jobs.sqlite3")) as store:
        store.jobs()
        before = psutil.Process().num_fds() if os.name == "posix" else psutil.Process().num_handles()
        for _ in range(20):
            visitor = threading.Thread(target=store.jobs)
            visitor.start()
            visitor.join()
        after = psutil.Process().num_fds() if os.name == "posix" else psutil.Process().num_handles()
        assert after <= before + 1  # SQLite may keep one for the next that opens
