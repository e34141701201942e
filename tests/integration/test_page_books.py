"""The page's books: handed in, followed, fetched and cancelled, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser, Page, expect

from benchmarks.waiting import until
from kokoro_server.api.state import get_state
from kokoro_server.app import create_app
from kokoro_server.audiobooks.jobs import Job
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.config import Config
from kokoro_server.core.errors import SynthesisFailed
from tests.browser import chromium, visit
from tests.fakes.book_engine import BookEngine
from tests.fakes.live import live
from tests.fakes.sound import decoded

pytestmark = pytest.mark.serial

CHAPTERS = 40
BOOK: Any = {
    "name": "The Harbour.txt",
    "mimeType": "text/plain",
    "buffer": "\n\n".join(
        f"Chapter {n}\n\nBoats came home, and number {n} was late." for n in range(CHAPTERS)
    ).encode(),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def engine() -> BookEngine:
    broken = [SynthesisFailed("The engine broke.") for _ in range(50)]
    return BookEngine(pause=0.1, troubles={"This fails.": broken})  # type: ignore[dict-item]


@pytest.fixture(params=[{}])
def app(tmp_path: Path, engine: BookEngine, request: pytest.FixtureRequest) -> Iterator[Flask]:
    config = Config(DATA_DIR=tmp_path / "data", TEMP_DIR=tmp_path, WORKERS=1, **request.param)
    made = create_app(config, engine)
    library: AudiobookService = get_state(made).audiobooks
    with closing(library):
        library.start()
        yield made


@pytest.fixture
def page(browser: Browser, app: Flask) -> Iterator[Page]:
    with ExitStack() as stack:
        yield stack.enter_context(visit(browser, stack.enter_context(live(app))))


def jobs(app: Flask) -> list[Job]:
    library: AudiobookService = get_state(app).audiobooks
    return library.list_jobs()


def hand_in(page: Page, book: Any = BOOK) -> None:
    page.locator("#file").set_input_files(book)
    with page.expect_response("**/jobs"):
        page.get_by_role("button", name="Make an audiobook").click()


def test_a_book_is_handed_in_followed_and_fetched(page: Page, app: Flask) -> None:
    page.get_by_label("Speed").fill("1.25")
    page.get_by_label("Audio format").select_option("mp3")
    hand_in(page)
    row = page.locator("#jobs li")
    expect(row.locator(".title")).to_have_text("The Harbour")
    (job,) = jobs(app)
    assert (job.format, job.narration.voice.name, job.narration.speed) == ("mp3", "af_heart", 1.25)
    progress = page.get_by_role("progressbar", name="Progress of The Harbour")
    expect(row.locator(".hint")).to_contain_text("synthesized")
    until(lambda: 0 < progress.evaluate("bar => bar.value") < 1)
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    expect(progress).to_be_hidden(timeout=20_000)
    expect(row.locator(".hint")).to_contain_text("Heart")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download The Harbour").click()
    samples, rate = decoded(Path(download.value.path()).read_bytes(), "mp3")
    assert len(samples) / rate > CHAPTERS * 0.3
    assert download.value.suggested_filename == "The Harbour.mp3"


def test_a_book_is_cancelled(page: Page, app: Flask) -> None:
    hand_in(page)
    page.get_by_role("button", name="Cancel The Harbour").click()
    expect(page.locator("#jobs .hint")).to_have_text("Cancelled")
    page.get_by_role("button", name="Remove The Harbour").click()
    expect(page.locator("#jobs li")).to_have_count(0)
    expect(page.locator("#file")).to_be_focused()
    assert jobs(app) == []


def test_a_button_keeps_the_focus_while_the_book_goes_on(page: Page) -> None:
    hand_in(page)
    button = page.get_by_role("button", name="Cancel The Harbour")
    button.focus()
    before = page.locator("#jobs .hint").text_content() or ""
    expect(page.locator("#jobs .hint")).not_to_have_text(before)
    expect(button).to_be_focused()


def test_a_book_that_failed_says_why(page: Page) -> None:
    hand_in(page, {"name": "Short.txt", "mimeType": "text/plain", "buffer": b"This fails."})
    expect(page.locator("#jobs .hint")).to_contain_text("Failed: ", timeout=20_000)
    expect(page.get_by_role("button", name="Download Short")).to_be_hidden()


def test_a_file_that_is_no_book_is_refused(page: Page, app: Flask) -> None:
    hand_in(page, {"name": "song.xyz", "mimeType": "audio/mpeg", "buffer": b"la"})
    expect(page.get_by_role("alert")).to_contain_text("expected")
    assert jobs(app) == []


@pytest.mark.parametrize("app", [{"API_KEY": ("sesame",)}], indirect=True)
def test_books_are_shown_once_there_is_a_key(page: Page) -> None:
    expect(page.locator("#books")).to_be_hidden()
    page.get_by_role("button", name="Speak").click()
    page.get_by_label("API key of this server").fill("sesame")
    page.keyboard.press("Enter")
    hand_in(page, {"name": "Short.txt", "mimeType": "text/plain", "buffer": b"It ends soon."})
    with page.expect_download(timeout=20_000) as download:
        page.get_by_role("button", name="Download Short").click()
    assert download.value.suggested_filename == "Short.m4b"


def test_a_file_of_another_kind_is_refused_and_not_tried_again(page: Page, app: Flask) -> None:
    hand_in(page, {"name": "book.exe", "mimeType": "application/octet-stream", "buffer": b"x"})
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The server can't process this request")
    expect(alert).to_contain_text("file is a .exe: expected .txt")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    assert not jobs(app)
