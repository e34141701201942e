"""What works without the optional extras, and what is said about a missing one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from kokoro_server.audiobooks.formats.book import BookLimits
from kokoro_server.audiobooks.reading import read_book_file
from kokoro_server.cli.main import cli
from kokoro_server.config import Config
from kokoro_server.core.extras import EXTRAS, MissingExtra, list_missing, require_extra
from kokoro_server.setup import StartupError
from kokoro_server.setup.engines import make_engine, run_cluster_worker
from kokoro_server.setup.wyoming import start_wyoming_server
from tests.fakes.engine import FakeEngine
from tests.fakes.live import make_app


@pytest.fixture
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every module of every extra look as if it were not installed."""
    for modules in EXTRAS.values():
        for module in modules:
            monkeypatch.setitem(sys.modules, module, None)


def test_everything_is_installed_here() -> None:
    for extra in EXTRAS:
        assert list_missing(extra) == []
        require_extra(extra, "Tests")


@pytest.mark.usefixtures("without_extras")
def test_a_missing_extra_is_one_sentence() -> None:
    with pytest.raises(MissingExtra) as caught:
        require_extra("wyoming", "Wyoming clients")
    assert caught.value.message == (
        "Wyoming clients need the extra 'wyoming' (wyoming, zeroconf missing): pip install 'kokoro-tts-api[wyoming]'."
    )


@pytest.mark.usefixtures("without_extras")
def test_the_server_speaks_without_any_extra(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    with client.post("/synthesize", json={"text": "Hello."}) as spoken:
        assert spoken.status_code == 200 and spoken.data
    assert client.get("/health").status_code == 200
    answer = client.get("/metrics")
    assert answer.status_code == 501 and "kokoro-tts-api[metrics]" in answer.get_data(as_text=True)


@pytest.mark.usefixtures("without_extras")
def test_a_book_is_refused_without_its_extra(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("Once.", "utf-8")
    with pytest.raises(MissingExtra, match="books"):
        read_book_file(book, BookLimits(1_000_000, 10, 1_000))


@pytest.mark.usefixtures("without_extras")
def test_a_start_that_needs_an_extra_says_so(tmp_path: Path) -> None:
    config = Config(ENGINE="cluster", WYOMING="127.0.0.1:0", TEMP_DIR=tmp_path)
    for start in (make_engine, run_cluster_worker, lambda config: start_wyoming_server(config, FakeEngine())):
        with pytest.raises(StartupError, match="pip install 'kokoro-tts-api"):
            start(config)


@pytest.mark.usefixtures("without_extras")
def test_the_command_line_says_so() -> None:
    result = CliRunner().invoke(cli, ["mcp"])
    assert result.exit_code == 1 and "kokoro-tts-api[mcp]" in result.output
