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

from benchmarks.waiting import until
from kokoro_server.audio.samples import Chunk, build_wav_header, join_chunks, to_pcm
from kokoro_server.audiobooks import job_run as stint
from kokoro_server.audiobooks import job_worker as runner
from kokoro_server.audiobooks.formats.book import Book, Chapter
from kokoro_server.audiobooks.job_store import MIGRATIONS, JobDatabase
from kokoro_server.audiobooks.jobs import Job, JobStatus, Narration, Segment, SegmentPlan
from kokoro_server.audiobooks.service import AudiobookService, AudiobookSettings
from kokoro_server.audiobooks.sound_file import SegmentFile, read_segments
from kokoro_server.core.errors import (
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
from kokoro_server.core.languages import Language
from kokoro_server.core.request import TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.engine.base import IMPORT_ROOT, RequestContext
from tests.fakes.book_engine import BookEngine, make_hum

DEADLINE = 20.0  # seconds
NARRATION = Narration(find_voice("af_bella(2)+af_sky(1)"), Language.AMERICAN_ENGLISH, 1.25)
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
def library(folder: Path, engine: BookEngine) -> Iterator[AudiobookService]:
    with closing(AudiobookService(AudiobookSettings(folder), engine, max_in_flight=2)) as library:
        library.start()
        yield library


def finished(library: AudiobookService, job: Job) -> Job:
    until(lambda: library.find_job(job.id).state.is_terminal)
    return library.find_job(job.id)


def sound(library: AudiobookService, job: Job, format: str = "wav") -> bytes:
    return library.get_audio_file(library.find_job(job.id), format, RequestContext(), partial=False).read_bytes()


def expected_sound(engine: BookEngine, book: Book) -> Chunk:
    """What the engine says for each utterance of the book, one after the other."""
    pieces = []
    for chapter in book.chapters:
        for each in engine.plan(NARRATION.make_request(chapter.text, stint.CHAPTER_PAUSE / NARRATION.speed)):
            pieces.append(make_hum(replace(each, spans=(TextSpan(each.text, 0, len(each.text)),))))
    return join_chunks(pieces)


def test_a_book_is_spoken_whole_and_in_order(library: AudiobookService, engine: BookEngine) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    wanted = expected_sound(engine, BOOK)
    assert (job.state, job.characters_done, job.error) == (JobStatus.DONE, BOOK.characters, None)
    assert job.samples == len(wanted.samples)
    assert sound(library, job)[44:] == to_pcm(wanted.samples).tobytes()
    assert sorted(engine.texts) == sorted(job_passages(library, job))
    assert job.times_real_time is not None and job.times_real_time > 0
    assert library.find_job(job.id).narration == NARRATION


def job_passages(library: AudiobookService, job: Job) -> list[str]:
    chapters = library._data.database.load_chapters(job.id)
    segments = library._data.database.list_segments(job.id)
    return [chapters[s.plan.chapter].text[s.plan.start : s.plan.end] for s in segments]


def test_chapters_have_their_places(library: AudiobookService) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    (one, two) = library.list_chapter_starts(job.id)
    segments = library._data.database.list_segments(job.id)
    first = sum(segment.samples for segment in segments if segment.plan.chapter == 0)
    assert one == ("One", len(BOOK.chapters[0].text), 0)
    assert two == ("Two", len(BOOK.chapters[1].text), first)


def speaker(folder: Path, log: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "tests.fakes.book_speaker", str(folder), str(log)], cwd=IMPORT_ROOT)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM] if sys.platform != "win32" else [signal.SIGTERM])
def test_a_killed_job_goes_on_where_it_was(tmp_path: Path, how: signal.Signals) -> None:
    with closing(AudiobookService(AudiobookSettings(tmp_path / "whole"), BookEngine(), max_in_flight=2)) as library:
        library.start()
        whole = finished(library, library.submit(BOOK, NARRATION, "wav"))
        uninterrupted = sound(library, whole)
        pieces = library._data.storage.get_segments_path(whole.id).read_bytes()
        portions = len(library._data.database.list_segments(whole.id))

    with closing(AudiobookService(AudiobookSettings(tmp_path / "killed"), BookEngine(), max_in_flight=2)) as library:
        job = library.submit(BOOK, NARRATION, "wav")
        kept: set[int] = set()
        for share in (0.2, 0.6):
            log = tmp_path / f"log-{share}"
            with speaker(tmp_path / "killed", log) as process:
                until(lambda share=share: library.find_job(job.id).characters_done > share * BOOK.characters)  # type: ignore[misc]
                process.send_signal(how)
                process.wait(DEADLINE)
            before, kept = kept, {s.plan.number for s in library._data.database.list_segments(job.id)}
            assert before < kept and len(kept) < portions
            assert library.find_job(job.id).state is JobStatus.RUNNING
        with library._data.storage.get_segments_path(job.id).open("ab") as file:
            file.write(b"what was being written when the power failed")
        again = tmp_path / "again"
        with speaker(tmp_path / "killed", again) as process:
            assert process.wait(DEADLINE) == 0
        assert library.find_job(job.id).state is JobStatus.DONE
        assert len(again.read_text().splitlines()) == portions - len(kept)
        assert sound(library, job) == uninterrupted
        assert library._data.storage.get_segments_path(job.id).read_bytes() == pieces
        assert library.find_job(job.id).samples == whole.samples


def test_lost_sound_is_spoken_again(folder: Path) -> None:
    slow = BookEngine(pause=0.05)
    with closing(AudiobookService(AudiobookSettings(folder), slow, max_in_flight=1)) as library:
        library.start()
        job = library.submit(BOOK, NARRATION, "wav")
        until(lambda: library.find_job(job.id).characters_done > 100)
    with closing(AudiobookService(AudiobookSettings(folder), slow, max_in_flight=1)) as library:
        path = library._data.storage.get_segments_path(job.id)
        os.truncate(path, path.stat().st_size - 1)
        spoken = len(library._data.database.list_segments(job.id))
        slow.texts.clear()
        library.start()
        assert finished(library, job).characters_done == BOOK.characters
        assert len(slow.texts) == len(library._data.database.list_segments(job.id)) - (spoken - 1)
        wanted = build_wav_header(data_size=2 * library.find_job(job.id).samples)
        assert sound(library, job) == wanted + to_pcm(expected_sound(slow, BOOK).samples).tobytes()


def test_jobs_run_in_order_the_interrupted_first(folder: Path) -> None:
    with closing(JobDatabase(folder / "jobs.sqlite3")) as store:
        first, second, _third = (store.add_job(SHORT, NARRATION, "wav", 10) for _ in range(3))
        assert (store.start_next_job() or first).id == first.id
        assert (store.start_next_job() or second).id == first.id
        store.end_job(first.id, JobStatus.DONE)
        assert (store.start_next_job() or first).id == second.id
        assert [job.state for job in store.list_jobs()] == [JobStatus.QUEUED, JobStatus.RUNNING, JobStatus.DONE]


def test_listeners_interrupt_and_workers_fail_but_the_book_goes_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "kokoro_server.audiobooks")
    monkeypatch.setattr(stint, "RETRY_DELAY", 0.01)
    troubles: dict[str, list[SpeechError]] = {
        "He left.": [ClientGone("A listener came."), WorkerUnavailable("No worker."), SynthesisFailed("Crashed.")]
    }
    with closing(
        AudiobookService(AudiobookSettings(folder), BookEngine(troubles=troubles), max_in_flight=2)
    ) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "wav"))
        assert (job.state, job.error, troubles["He left."]) == (JobStatus.DONE, None, [])
        until(lambda: len(caplog.records) >= 2)
        assert [record.message.split()[-1] for record in caplog.records] == ["spoken", "done"]
        assert "".join(job_passages(library, job)) == "".join(chapter.text for chapter in BOOK.chapters)


def test_what_cannot_be_spoken_fails_and_says_where(folder: Path) -> None:
    troubles: dict[str, list[SpeechError]] = {"He left.": [SynthesisFailed("The network broke.")] * stint.MAX_TRIES}
    with closing(
        AudiobookService(AudiobookSettings(folder), BookEngine(troubles=troubles), max_in_flight=2)
    ) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "wav"))
        assert job.state is JobStatus.FAILED
        assert job.error == "'One', characters 96 to 104: The network broke."
        assert finished(library, library.submit(SHORT, NARRATION, "wav")).state is JobStatus.DONE
        with pytest.raises(Conflict, match="The job is failed"):
            library.get_audio_file(job, "wav", RequestContext(), partial=False)
        part = library.get_audio_file(job, "wav", RequestContext(), partial=True)
        assert len(part.read_bytes()) == 44 + 2 * job.samples


def test_a_broken_engine_fails_the_job_alone(library: AudiobookService, engine: BookEngine) -> None:
    engine._troubles["One. Two."] = [ZeroDivisionError()]  # type: ignore[list-item]  # no SpeechError: a bug
    assert finished(library, library.submit(SHORT, NARRATION, "wav")).error == "The server failed; its log says how."
    assert finished(library, library.submit(SHORT, NARRATION, "wav")).state is JobStatus.DONE


@pytest.mark.parametrize("first", [True, False])
def test_cancelling_stops_and_cleans(library: AudiobookService, engine: BookEngine, folder: Path, first: bool) -> None:
    engine.hold.clear()
    jobs = [library.submit(BOOK, NARRATION, "wav") for _ in range(2)]
    until(lambda: library.find_job(jobs[0].id).state is JobStatus.RUNNING)
    until(lambda: (folder / "books" / jobs[0].id).exists())
    cancelled, other = jobs if first else reversed(jobs)
    library.remove_job(cancelled.id)
    until(lambda: library.find_job(other.id).state is JobStatus.RUNNING)
    engine.hold.set()
    assert finished(library, other).state is JobStatus.DONE
    until(lambda: not (folder / "books" / cancelled.id).exists())
    assert library.find_job(cancelled.id).state is JobStatus.CANCELLED
    assert library._data.database.load_chapters(cancelled.id) == []
    library.remove_job(cancelled.id)
    with pytest.raises(NotFound):
        library.find_job(cancelled.id)


def test_what_was_spoken_for_a_cancelled_job_is_not_kept(folder: Path) -> None:
    with closing(JobDatabase(folder / "jobs.sqlite3")) as store:
        job = store.add_job(SHORT, NARRATION, "wav", 10)
        store.start_next_job()
        portion = SegmentPlan(0, 0, 0, 4, 0.0)
        store.save_plan(job.id, [portion])
        assert store.save_segment(job.id, Segment(portion, 0, 10, 100), 1.0)
        assert store.end_job(job.id, JobStatus.CANCELLED) and not store.end_job(job.id, JobStatus.DONE)
        assert not store.save_segment(job.id, Segment(portion, 0, 10, 100), 1.0)
        assert store.find_job(job.id).samples == 100


def test_a_done_job_is_removed_with_its_files(library: AudiobookService, folder: Path) -> None:
    job = finished(library, library.submit(SHORT, NARRATION, "mp3"))
    assert sorted(path.name for path in (folder / "books" / job.id).iterdir()) == ["book.mp3", "sound.pieces"]
    library.remove_job(job.id)
    assert not (folder / "books" / job.id).exists() and library.list_jobs() == []


def test_ended_jobs_expire(folder: Path, engine: BookEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "SWEEP_INTERVAL", 0.0)
    with closing(
        AudiobookService(AudiobookSettings(folder, retention_seconds=0.3), engine, max_in_flight=1)
    ) as library:
        library.start()
        old = finished(library, library.submit(SHORT, NARRATION, "wav"))
        stray = folder / "books" / ("0" * 32)
        stray.mkdir()
        time.sleep(max(0.0, (old.ended_at or 0) + 0.4 - time.time()))
        new = finished(library, library.submit(SHORT, NARRATION, "wav"))
        assert [job.id for job in library.list_jobs()] == [new.id]
        assert [path.name for path in (folder / "books").iterdir()] == [new.id]


def test_the_queue_is_bounded(folder: Path, engine: BookEngine) -> None:
    with closing(AudiobookService(AudiobookSettings(folder, max_unfinished=1), engine, max_in_flight=1)) as library:
        library.submit(SHORT, NARRATION, "wav")
        with pytest.raises(Busy, match="1 books are waiting"):
            library.submit(SHORT, NARRATION, "wav")


def test_the_disk_space_is_bounded(folder: Path, engine: BookEngine) -> None:
    with closing(AudiobookService(AudiobookSettings(folder, max_bytes=250_000), engine, max_in_flight=1)) as library:
        library.submit(SHORT, NARRATION, "m4b")
        with pytest.raises(StorageFull, match="of the 0 MB that they may") as caught:
            library.submit(BOOK, NARRATION, "wav")
        assert caught.value.status == 507
        library.submit(SHORT, NARRATION, "m4b")


def test_editions_that_can_be_bound_again_make_room(folder: Path, engine: BookEngine) -> None:
    with closing(AudiobookService(AudiobookSettings(folder), engine, max_in_flight=1)) as library:
        library.start()
        job = finished(library, library.submit(BOOK, NARRATION, "mp3"))
        wav = library.get_audio_file(job, "wav", RequestContext(), partial=False)
        used = library._data.storage.measure_bytes()
        library._data.renditions._max_bytes = used
        flac = library.get_audio_file(job, "flac", RequestContext(), partial=False)
        assert flac.exists() and not wav.exists()
        library._data.renditions._max_bytes = 1000
        with pytest.raises(StorageFull):
            library.get_audio_file(job, "opus", RequestContext(), partial=False)


def test_a_download_that_is_given_up_is_not_bound(library: AudiobookService, folder: Path) -> None:
    job = finished(library, library.submit(BOOK, NARRATION, "wav"))
    with pytest.raises(ClientGone):
        library.get_audio_file(job, "mp3", RequestContext(is_cancelled=lambda: True), partial=False)
    assert sorted(path.name for path in (folder / "books" / job.id).iterdir()) == ["book.wav", "sound.pieces"]


def test_one_process_speaks_a_folder(folder: Path, engine: BookEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "POLL_INTERVAL", 0.02)
    other = BookEngine()
    with closing(AudiobookService(AudiobookSettings(folder), other, max_in_flight=1)) as second:
        with closing(AudiobookService(AudiobookSettings(folder), engine, max_in_flight=1)) as first:
            first.start()
            until(lambda: first._worker._current_run is None and (folder / "speaking.lock").exists())
            job = first.submit(SHORT, NARRATION, "wav")
            finished(first, job)
            second.start()
            queued = second.submit(SHORT, NARRATION, "wav")
            until(lambda: second.find_job(queued.id).state.is_terminal)
        assert other.texts == [] and len(engine.texts) == 2
        finished(second, second.submit(SHORT, NARRATION, "wav"))
        assert len(other.texts) == 1


def test_an_unusable_folder_is_told(tmp_path: Path, engine: BookEngine) -> None:
    (tmp_path / "file").write_text("no folder")
    with closing(AudiobookService(AudiobookSettings(tmp_path / "file"), engine, max_in_flight=1)) as library:
        library.start()
        with pytest.raises(StorageUnavailable, match="KOKORO_DATA_DIR"):
            library.submit(SHORT, NARRATION, "wav")


def test_a_newer_database_is_left_alone(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        db.execute("PRAGMA user_version = 99")
    with (
        closing(JobDatabase(folder / "jobs.sqlite3")) as store,
        pytest.raises(StorageUnavailable, match="newer server"),
    ):
        store.list_jobs()


def test_an_older_database_is_brought_up_to_date(folder: Path) -> None:
    folder.mkdir()
    with closing(sqlite3.connect(folder / "jobs.sqlite3")) as db:
        db.executescript(MIGRATIONS[0])
        db.execute("PRAGMA user_version = 1")
        db.execute(
            "INSERT INTO jobs (id, state, voice, language, speed, normalize, pronunciations, format, title, author,"
            " characters, created) VALUES"
            " ('a', 'queued', '[[\"af_sky\", 1.0]]', 'a', 1.0, 1, '[]', 'wav', '', '', 5, 0)"
        )
        db.commit()
    with closing(JobDatabase(folder / "jobs.sqlite3")) as store:
        assert store.find_job("a").narration == Narration(find_voice("af_sky"), Language.AMERICAN_ENGLISH)


def test_a_narration_is_kept_as_it_was_asked_for(folder: Path) -> None:
    folder.mkdir()
    asked = replace(NARRATION, normalize=False, emoji=False, pronunciations=(("SQL", "sequel"),))
    with closing(JobDatabase(folder / "jobs.sqlite3")) as store:
        assert store.add_job(SHORT, asked, "wav", 9).narration == asked
    assert asked.make_request("Hi.").emoji is False


def test_sound_comes_back_as_it_was(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    chunks = [Chunk(rng.uniform(-1, 1, n).astype(np.float32)) for n in (5000, 0, 1, 24_000)]
    segments = []
    with closing(SegmentFile(tmp_path / "sound", 0)) as file:
        for number, chunk in enumerate(chunks):
            offset, size = file.append(chunk)
            segments.append(Segment(SegmentPlan(number, 0, 0, 1, 0.0), offset, size, len(chunk.samples)))
    for before, after in zip(chunks, read_segments(tmp_path / "sound", segments), strict=True):
        np.testing.assert_array_equal(to_pcm(after.samples), to_pcm(before.samples))


def test_ids_are_no_paths(library: AudiobookService) -> None:
    job = library.submit(SHORT, NARRATION, "wav")
    for trick in ("..", "../jobs", "", "a" * 31, job.id.upper(), job.id + "\n", f"{job.id}/"):
        with pytest.raises(NotFound):
            library.find_job(trick)
        with pytest.raises(NotFound):
            library.remove_job(trick)
        with pytest.raises(ValueError):
            library._data.storage.get_rendition_path(trick, "x")
        library._data.storage.delete_files(trick)
    assert library.find_job(job.id).id == job.id and (library.settings.folder / "jobs.sqlite3").exists()


def test_a_thread_that_ends_takes_its_connection_along(folder: Path) -> None:
    """A server has threads that come and go: each looks at the jobs once."""
    with closing(JobDatabase(folder / "jobs.sqlite3")) as store:
        store.list_jobs()
        before = psutil.Process().num_fds() if sys.platform != "win32" else psutil.Process().num_handles()  # type: ignore[attr-defined]
        for _ in range(20):
            visitor = threading.Thread(target=store.list_jobs)
            visitor.start()
            visitor.join()
        after = psutil.Process().num_fds() if sys.platform != "win32" else psutil.Process().num_handles()  # type: ignore[attr-defined]
        assert after <= before + 1  # SQLite may keep one for the next that opens
