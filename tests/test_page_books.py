"""The page's books: handed in, followed, fetched and cancelled, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium, visit
from tests.fakes.books import Shelf
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app

BOOK: Any = {"name": "The Harbour.epub", "mimeType": "application/epub+zip", "buffer": b"pages"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(params=[{}])
def page(browser: Browser, tmp_path: Path, shelf: Shelf, request: pytest.FixtureRequest) -> Iterator[Page]:
    app = make_app(tmp_path, FakeEngine(), **request.param)
    app.register_blueprint(shelf.blueprint())
    with ExitStack() as stack:
        yield stack.enter_context(visit(browser, stack.enter_context(live(app))))


def hand_in(page: Page, book: Any = BOOK) -> None:
    page.locator("#file").set_input_files(book)
    with page.expect_response("**/jobs"):
        page.get_by_role("button", name="Make an audiobook").click()


def test_a_book_is_handed_in_followed_and_fetched(page: Page, shelf: Shelf) -> None:
    page.get_by_label("Speed").fill("1.25")
    page.get_by_label("Audiobook").select_option("mp3")
    hand_in(page)
    row = page.locator("#jobs li")
    expect(row.locator(".title")).to_have_text("The Harbour, A. Writer")
    job = shelf.find("0" * 32)
    assert (job.format, job.voice, job.speed) == ("mp3", "af_heart", 1.25)
    expect(row.locator(".hint")).to_have_text("25 % · 1:01 made · about 3:03 to go · 4.3 × real time")
    progress = page.get_by_role("progressbar", name="Progress of The Harbour")
    assert progress.evaluate("bar => bar.value") == 0.25
    assert [each["id"] for each in Axe().run(page).response["violations"]] == []
    shelf.finish(seconds=244.0)
    expect(row.locator(".hint")).to_have_text("4:04 · Heart")
    expect(progress).to_be_hidden()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download The Harbour").click()
    assert Path(download.value.path()).read_bytes() == b"the sound of The Harbour"
    assert download.value.suggested_filename == "The Harbour.mp3"


def test_a_book_is_cancelled(page: Page, shelf: Shelf) -> None:
    hand_in(page)
    page.get_by_role("button", name="Cancel The Harbour").click()
    expect(page.locator("#jobs .hint")).to_have_text("Cancelled")
    page.get_by_role("button", name="Remove The Harbour").click()
    expect(page.locator("#jobs li")).to_have_count(0)
    assert shelf.jobs == {}
    expect(page.locator("#file")).to_be_focused()


def test_a_button_keeps_the_focus_while_the_book_goes_on(page: Page, shelf: Shelf) -> None:
    hand_in(page)
    button = page.get_by_role("button", name="Cancel The Harbour")
    button.focus()
    shelf.find("0" * 32).characters_done = 500
    expect(page.locator("#jobs .hint")).to_contain_text("50 %")
    expect(button).to_be_focused()


def test_a_book_that_failed_says_why(page: Page, shelf: Shelf) -> None:
    hand_in(page)
    shelf.finish(state="failed", error="the disk is full")
    expect(page.locator("#jobs .hint")).to_have_text("Failed: the disk is full")
    expect(page.get_by_role("button", name="Download The Harbour")).to_be_hidden()


def test_a_file_that_is_no_book_is_refused(page: Page, shelf: Shelf) -> None:
    hand_in(page, {"name": "song.xyz", "mimeType": "audio/mpeg", "buffer": b"la"})
    expect(page.get_by_role("alert")).to_contain_text("xyz is no kind of book that can be read.")
    assert shelf.jobs == {}


@pytest.mark.parametrize("page", [{"API_KEY": ("sesame",)}], indirect=True)
def test_books_are_shown_once_there_is_a_key(page: Page, shelf: Shelf) -> None:
    expect(page.locator("#books")).to_be_hidden()
    page.get_by_role("button", name="Speak").click()
    page.get_by_label("Key of this server").fill("sesame")
    page.keyboard.press("Enter")
    hand_in(page)
    shelf.finish()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download The Harbour").click()
    assert download.value.suggested_filename == "The Harbour.m4b"


def test_a_server_without_books_shows_none(browser: Browser, tmp_path: Path) -> None:
    with live(make_app(tmp_path, FakeEngine())) as url, visit(browser, url) as page:
        expect(page.get_by_role("button", name="Speak")).to_be_visible()
        expect(page.locator("#books")).to_have_count(0)
