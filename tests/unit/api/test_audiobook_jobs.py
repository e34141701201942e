"""The routes of books: taken in, followed, fetched, deleted."""

import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import pytest
from flask import Flask
from flask.testing import FlaskClient

from kokoro_server.api import audiobook_jobs as jobs
from kokoro_server.api.state import get_state
from kokoro_server.app import create_app
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.config import Config
from tests import documents
from tests.fakes.book_engine import BookEngine

pytestmark = pytest.mark.serial

DEADLINE = 20.0  # seconds
TEXT = "Chapter 1\n\nIt was a cold day. Nobody came.\n\nChapter 2\n\nIt was a warm day, and everybody did come at last."


@pytest.fixture
def engine() -> BookEngine:
    return BookEngine()


@pytest.fixture
def app(tmp_path: Path, engine: BookEngine) -> Iterator[Flask]:
    config = Config(
        DATA_DIR=tmp_path / "data", TEMP_DIR=tmp_path, WORKERS=2, UPLOAD_MB=1, UNPACKED_MB=2, BOOK_LENGTH=5_000
    )
    app = create_app(config, engine)
    library: AudiobookService = get_state(app).audiobooks
    library.start()
    yield app
    library.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def upload(client: FlaskClient, path: Path, **fields: str) -> Any:
    parts = [(f'name="{name}"', value.encode()) for name, value in fields.items()]
    parts.append((f'name="file"; filename="{path.name}"', path.read_bytes()))
    blocks = [b"--cut\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (h.encode(), data) for h, data in parts]
    body = b"".join(blocks) + b"--cut--\r\n"
    return client.post("/jobs", data=body, content_type="multipart/form-data; boundary=cut")


def fetch(client: FlaskClient, link: str, **headers: str) -> Any:
    """The answer with all of its body, and its file closed."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(link, headers=sent, buffered=True)


def done(client: FlaskClient, location: str) -> dict[str, Any]:
    deadline = time.monotonic() + DEADLINE
    while (job := client.get(location).get_json())["state"] in ("queued", "running"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    found: dict[str, Any] = job
    return found


def spoken(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    return done(client, client.post("/jobs", json={"text": TEXT, **fields}).headers["Location"])


def test_a_text_becomes_an_audiobook(client: FlaskClient) -> None:
    answer = client.post("/jobs", json={"text": TEXT, "voice": "bf_emma", "speed": 2, "title": "Days", "author": "Me"})
    assert answer.status_code == 202
    job = answer.get_json()
    assert answer.headers["Location"] == f"/jobs/{job['id']}" == job["links"]["self"]
    assert (job["characters"], job["eta_seconds"]) == (len(TEXT) - len("\n\n"), None)  # between the chapters
    job = done(client, answer.headers["Location"])
    assert (job["state"], job["title"], job["author"], job["format"]) == ("done", "Days", "Me", "m4b")
    assert (job["voice"], job["language"], job["speed"]) == ("bf_emma", "en-gb", 2.0)
    assert job["characters_done"] == job["characters"] and job["seconds"] > 1 and job["times_real_time"] > 0
    assert [chapter["title"] for chapter in job["chapters"]] == ["Chapter 1", "Chapter 2"]
    assert job["chapters"][0]["start_seconds"] == 0 < job["chapters"][1]["start_seconds"] < job["seconds"]
    assert client.get("/jobs").get_json()["jobs"][0]["id"] == job["id"]


def test_an_epub_becomes_an_m4b_with_chapters_and_cover(client: FlaskClient, tmp_path: Path) -> None:
    pages = {"1.xhtml": "<h1>I</h1><p>First words.</p>", "2.xhtml": "<p>Second words.</p>"}
    contents = {"The First": "1.xhtml", "The Second": "2.xhtml"}
    path = documents.epub(tmp_path / "b.epub", pages, contents, {"OPS/front.png": documents.png()})
    answer = upload(client, path, author="", speed="1.5")
    assert answer.status_code == 202
    job = done(client, answer.headers["Location"])
    assert (job["title"], job["author"], job["speed"]) == ("The Small Book", "Ann Author, Bo Writer", 1.5)
    answer = fetch(client, job["links"]["audio"])
    assert answer.content_type == "audio/mp4"
    assert answer.headers["Content-Disposition"] == 'inline; filename="The Small Book.m4b"'
    with av.open(BytesIO(answer.data)) as file:
        assert [c["metadata"]["title"] for c in file.chapters()] == ["The First", "The Second"]
        assert float(file.chapters()[1]["start"]) / 1000 == pytest.approx(job["chapters"][1]["start_seconds"], abs=0.01)
        assert file.metadata["title"] == "The Small Book"
        assert len(file.streams.video) == 1


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        ("note.txt", b"Plain words.", "Plain words."),
        ("note.md", b"Marked *down*.", "Marked down."),
        ("note.html", b"<p>Marked <b>up</b>.", "Marked up."),
        ("note.srt", b"1\n00:00:01,000 --> 00:00:02,000\nSubtitled.\n", "Subtitled."),
    ],
)
def test_kinds_of_files(
    client: FlaskClient, engine: BookEngine, tmp_path: Path, name: str, data: bytes, text: str
) -> None:
    (tmp_path / name).write_bytes(data)
    job = done(client, upload(client, tmp_path / name).headers["Location"])
    assert (job["title"], engine.texts) == ("note", [text])


def test_formats_and_ranges(client: FlaskClient) -> None:
    job = spoken(client, format="mp3", title='A/B: "C"')
    audio = job["links"]["audio"]
    whole = fetch(client, audio)
    assert (whole.status_code, whole.content_type) == (200, "audio/mpeg")
    assert whole.headers["Accept-Ranges"] == "bytes" and int(whole.headers["Content-Length"]) == len(whole.data)
    part = fetch(client, audio, Range="bytes=100-199")
    assert (part.status_code, part.data) == (206, whole.data[100:200])
    assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole.data)}"
    tail = fetch(client, audio, Range="bytes=-10", If_Range=whole.headers["ETag"])
    assert (tail.status_code, tail.data) == (206, whole.data[-10:])
    assert fetch(client, audio, Range=f"bytes={len(whole.data)}-").status_code == 416
    assert fetch(client, audio, If_None_Match=whole.headers["ETag"]).status_code == 304
    wav = fetch(client, f"{audio}?format=WAV&download=1")
    assert len(wav.data) == 44 + 2 * round(job["seconds"] * 24_000)
    assert wav.headers["Content-Disposition"] == 'attachment; filename="A B C.wav"'
    refused = client.get(f"{audio}?format=ogg")
    assert (refused.status_code, refused.get_json()["field"]) == (400, "format")


def test_captions(client: FlaskClient) -> None:
    answer = client.get(spoken(client)["links"]["captions"])
    assert answer.content_type == "text/vtt; charset=utf-8"
    assert answer.text.startswith("WEBVTT\n\n1\n00:00:00.000 --> ") and "Nobody came." in answer.text


def test_what_is_not_done_is_a_conflict(client: FlaskClient, engine: BookEngine) -> None:
    engine.hold.clear()
    job = client.post("/jobs", json={"text": TEXT, "format": "wav"}).get_json()
    for link in (job["links"]["audio"], job["links"]["captions"], job["links"]["audio"] + "?partial=1"):
        answer = client.get(link)
        assert (answer.status_code, answer.get_json()["error"]) == (409, "Conflict")
    assert client.get(job["links"]["captions"] + "?partial=1").text == "WEBVTT\n"
    engine.hold.set()
    done(client, job["links"]["self"])
    assert fetch(client, job["links"]["audio"]).status_code == 200


def events(answer: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in answer.iter_encoded():
        name, data = block.decode().strip().split("\n")
        yield name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_events_end_with_the_job(client: FlaskClient, engine: BookEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "EVENT_POLL_INTERVAL", 0.01)
    engine.hold.clear()
    job = client.post("/jobs", json={"text": TEXT}).get_json()
    answer = client.get(job["links"]["events"])
    assert answer.content_type.startswith("text/event-stream")
    stream = events(answer)
    name, first = next(stream)
    assert (name, first["characters_done"]) == ("progress", 0)
    engine.hold.set()
    *progress, (name, last) = stream
    assert (name, last["state"], last["characters_done"]) == ("done", "done", job["characters"])
    counts = [each["characters_done"] for _, each in progress]
    assert {kind for kind, _ in progress} == {"progress"} and counts == sorted(counts)
    assert [name for name, _ in events(client.get(job["links"]["events"]))] == ["done"]


def test_delete_cancels_and_then_forgets(client: FlaskClient, engine: BookEngine) -> None:
    engine.hold.clear()
    job = client.post("/jobs", json={"text": TEXT}).get_json()
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.get(job["links"]["self"]).get_json()["state"] == "cancelled"
    assert client.get(job["links"]["audio"] + "?partial=1").status_code == 409
    assert [name for name, _ in events(client.get(job["links"]["events"]))] == ["cancelled"]
    assert client.delete(job["links"]["self"]).status_code == 204
    assert client.delete(job["links"]["self"]).status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({}, 400, "text"),
        ({"text": " "}, 400, "text"),
        ({"text": "..."}, 400, "text"),
        ({"text": "x" * 5_001}, 400, "text"),
        ({"text": ["x"]}, 400, "text"),
        ({"text": "x", "voice": "nobody"}, 400, "voice"),
        ({"text": "x", "speed": 9}, 400, "speed"),
        ({"text": "x", "speed": "1"}, 400, "speed"),
        ({"text": "x", "format": "aac"}, 400, "format"),
        ({"text": "x", "language": "de"}, 400, "language"),
        ({"text": "x", "title": "y" * 301}, 400, "title"),
    ],
)
def test_wrong_fields_are_named(client: FlaskClient, body: dict[str, Any], status: int, field: str) -> None:
    answer = client.post("/jobs", json=body)
    assert (answer.status_code, answer.get_json()["field"]) == (status, field)
    assert client.get("/jobs").get_json() == {"jobs": []}


def test_wrong_uploads_are_refused(client: FlaskClient, tmp_path: Path) -> None:
    bomb = documents.zipped(tmp_path / "bomb.epub", {"x": b"\0" * 3_000_000})
    (tmp_path / "x.exe").write_bytes(b"MZ")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-")
    (tmp_path / "good.txt").write_text("Hello.")
    assert [upload(client, bomb).status_code, upload(client, tmp_path / "x.exe").status_code] == [413, 415]
    answer = upload(client, tmp_path / "broken.pdf")
    assert (answer.status_code, answer.get_json()["field"]) == (400, "file")
    answer = upload(client, tmp_path / "good.txt", speed="fast")
    assert (answer.status_code, answer.get_json()["field"]) == (400, "speed")
    answer = client.post("/jobs", data={"text": "no file"}, content_type="multipart/form-data")
    assert (answer.status_code, answer.get_json()["field"]) == (400, "file")
    assert list((tmp_path / "data" / "books").glob("incoming*")) == []


def test_a_large_upload_is_refused_and_a_middling_one_is_not(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "large.html").write_bytes(b"<p>x<!--" + b"y" * 1_200_000 + b"-->")
    answer = upload(client, tmp_path / "large.html")
    assert answer.status_code == 413 and "1065536 bytes" in answer.get_json()["message"]
    (tmp_path / "middling.html").write_bytes(b"<p>Hello.<!--" + b"y" * 900_000 + b"-->")
    assert upload(client, tmp_path / "middling.html").status_code == 202
    assert client.post("/synthesize", data=b" " * 900_000, content_type="application/json").status_code == 413


@pytest.mark.parametrize("trick", ["..", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 32 + "%00", "A" * 32, "con"])
def test_ids_are_no_paths(client: FlaskClient, trick: str) -> None:
    for route in ("", "/audio", "/events", "/captions.vtt"):
        assert client.get(f"/jobs/{trick}{route}").status_code == 404
    assert client.delete(f"/jobs/{trick}").status_code == 404


@pytest.mark.parametrize(
    ("language", "voice", "spoken_as"),
    [
        ("en-AU", "af_heart", "en-us"),
        ("es-419", "ef_dora", "es"),
        ("pt-PT", "pf_dora", "pt-br"),
        ("ja", "jf_alpha", "ja"),
    ],
)
def test_a_book_gets_a_voice_of_its_language(
    client: FlaskClient, tmp_path: Path, language: str, voice: str, spoken_as: str
) -> None:
    (tmp_path / "b.html").write_text(f"<html lang='{language}'><p>Hola.</p></html>")
    job = upload(client, tmp_path / "b.html").get_json()
    assert (job["voice"], job["language"]) == (voice, spoken_as)


def test_a_book_that_no_voice_speaks_needs_one_named(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / "b.html").write_text("<html lang='de'><p>Guten Tag.</p></html>")
    answer = upload(client, tmp_path / "b.html")
    assert (answer.status_code, answer.get_json()["field"]) == (400, "language")
    assert upload(client, tmp_path / "b.html", voice="af_heart").status_code == 202
