"""`book`: on a running server, and on one of its own that goes on where it was."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import av
import click
import pytest
from click.testing import CliRunner, Result

from kokoro_server.api.state import get_state
from kokoro_server.cli.book import _find_or_create_job, _hash_request, _poll_job, _wait_for_job
from kokoro_server.cli.embedded_server import run_embedded_server
from kokoro_server.cli.http_client import HttpClient
from kokoro_server.cli.main import cli
from kokoro_server.config import Config
from kokoro_server.core.errors import SpeechError, Unsupported, WorkerUnavailable
from tests.fakes.book_engine import BookEngine
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.paths import FAKES

pytestmark = pytest.mark.serial

FAKE = [sys.executable, str(FAKES / "fake_kokoro.py")]
TEXT = "# The First Day\n\nIt was a cold day. Nobody came.\n\n# The Second Day\n\nEverybody came, and they all sang.\n"


def run(*arguments: str, **environment: str | None) -> Result:
    clean = dict.fromkeys(name for name in os.environ if name.startswith("KOKORO_"))
    return CliRunner().invoke(cli, ["book", *arguments], env={**clean, **environment})


@pytest.fixture
def book(tmp_path: Path) -> Path:
    path = tmp_path / "days \u00fc.md"
    path.write_text(TEXT, "utf-8")
    return path


@pytest.fixture
def engine() -> BookEngine:
    return BookEngine()


@pytest.fixture
def server(tmp_path: Path, engine: BookEngine) -> Iterator[str]:
    app = make_app(tmp_path / "server", engine, API_KEY=("secret",))  # type: ignore[arg-type]
    with closing(get_state(app).audiobooks) as library, live(app) as address:
        library.start()
        yield address


def bound(path: Path) -> tuple[dict[str, str], list[str], float]:
    """The words on the cover, the chapters' titles, and the seconds of an audiobook."""
    with av.open(str(path)) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
        return container.metadata, titles, float(container.duration or 0) / 1e6


def test_a_server_speaks_it(server: str, engine: BookEngine, book: Path) -> None:
    out = book.with_suffix(".m4b")
    told = run(
        str(book), "-o", str(out), "--author", "A. Nobody", "-s", "2", KOKORO_SERVER=server, KOKORO_API_KEY="secret"
    )
    assert told.exit_code == 0, told.output
    words, titles, seconds = bound(out)
    assert titles == ["The First Day", "The Second Day"] and seconds > 0.5
    assert (words["title"], words["artist"]) == ("days \u00fc", "A. Nobody")
    assert "The First Day" in {text.strip() for text in engine.texts}  # portions are spoken side by side
    assert f"Spoken into {out}" in told.output


@pytest.mark.parametrize(
    ("arguments", "name", "magic"),
    [
        (("-o", "x.flac"), "x.flac", b"fLaC"),
        (("-f", "wav"), "days \u00fc.wav", b"RIFF"),
        ((), "days \u00fc.m4b", b"\0\0\0"),
    ],
)
def test_it_is_named_and_bound_as_is_meant(
    server: str, book: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], name: str, magic: bytes
) -> None:
    monkeypatch.chdir(book.parent)
    told = run(book.name, *arguments, KOKORO_SERVER=server, KOKORO_API_KEY="secret")
    assert told.exit_code == 0, told.output
    data = (book.parent / name).read_bytes()
    assert data.startswith(magic)
    if magic == b"RIFF":
        assert int.from_bytes(data[40:44], "little") == len(data) - 44


REFUSED = [
    ("x.zip", "PK", (), "file is a .zip: expected .txt"),
    ("x.txt", " ", (), "holds no text"),
    ("x.txt", "Hi.", ("-v", "nobody"), "Unknown voice 'nobody'"),
]


@pytest.mark.parametrize(("name", "content", "arguments", "words"), REFUSED)
def test_it_tells_what_the_server_refuses(
    server: str, tmp_path: Path, name: str, content: str, arguments: tuple[str, ...], words: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    out = tmp_path / "out.m4b"
    told = run(str(path), "-o", str(out), *arguments, KOKORO_SERVER=server, KOKORO_API_KEY="secret")
    assert told.exit_code == 1 and words in told.output and not out.exists()


def test_a_book_that_fails_says_why(tmp_path: Path, book: Path) -> None:
    with (
        run_embedded_server(
            Config(TEMP_DIR=tmp_path), tmp_path / "data", FakeEngine(fail_at=0, error=Unsupported("No."))
        ) as desk,
        pytest.raises(SpeechError, match=r"The book is failed: No\."),
    ):
        _wait_for_job(desk, _find_or_create_job(desk, book, {}))


def test_it_goes_on_where_it_was(tmp_path: Path, book: Path, engine: BookEngine) -> None:
    config = Config(TEMP_DIR=tmp_path)
    engine.hold.clear()
    with run_embedded_server(config, tmp_path / "data", engine) as desk:
        first = _find_or_create_job(desk, book, {})
    engine.hold.set()
    with run_embedded_server(config, tmp_path / "data", engine) as desk:
        assert _find_or_create_job(desk, book, {}) == first
        _wait_for_job(desk, first)
        assert len(desk.request_json("GET", "/jobs")["jobs"]) == 1
    with run_embedded_server(config, tmp_path / "other", engine) as desk:
        assert desk.request_json("GET", "/jobs")["jobs"] == []


def test_work_is_kept_for_the_same_book_in_the_same_manner(tmp_path: Path, book: Path) -> None:
    same = _hash_request(book, {"voice": "af_sky", "speed": "1"})
    assert same == _hash_request(book, {"speed": "1", "voice": "af_sky"}) != _hash_request(book, {"voice": "af_sky"})
    other = tmp_path / "other.md"
    other.write_text("Something else.")
    assert _hash_request(other, {"voice": "af_sky", "speed": "1"}) != same


def test_an_engine_of_its_own_speaks_it_and_leaves_nothing(tmp_path: Path, book: Path) -> None:
    out, data = tmp_path / "out.m4b", tmp_path / "data"
    command = shlex.join(FAKE) if os.name != "nt" else " ".join(f'"{word}"' for word in FAKE)
    told = run(
        *(str(book), "-o", str(out), "--local"),
        KOKORO_ENGINE="command",
        KOKORO_COMMAND=command,
        KOKORO_TEMP_DIR=str(tmp_path / "temp"),
        KOKORO_ALLOWED_HOSTS="tts.example",
        KOKORO_RATE_LIMIT="1/day",
        KOKORO_DATA_DIR=str(data),
    )
    assert told.exit_code == 0, told.output
    assert bound(out)[1] == ["The First Day", "The Second Day"]
    assert list((data / "command").iterdir()) == [] and not (tmp_path / "temp").exists()


def test_an_interruption_says_what_becomes_of_it(book: Path) -> None:
    class Interrupted(HttpClient):
        def request_json(self, *arguments: Any) -> dict[str, Any]:
            raise KeyboardInterrupt

    with pytest.raises(click.ClickException, match=r"The server goes on: http://nas:9880/jobs/1\."):
        _wait_for_job(Interrupted("http://nas:9880"), "/jobs/1")
    with pytest.raises(click.ClickException, match=r"The same command goes on where it was\."):
        _wait_for_job(Interrupted("http://127.0.0.1:1", is_embedded=True), "/jobs/1")


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    class Away(HttpClient):
        answers: ClassVar[list[Any]] = [
            *(WorkerUnavailable("away"), {"state": "running"}),
            *(WorkerUnavailable("away"), {"state": "done"}),
        ]

        def request_json(self, *arguments: Any) -> dict[str, Any]:
            answer = self.answers.pop(0)
            if isinstance(answer, WorkerUnavailable):
                raise answer
            return answer  # type: ignore[no-any-return]

    assert [told["state"] for told in _poll_job(Away("http://nas"), "/jobs/1")] == ["running", "done"]
