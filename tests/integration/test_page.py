"""The page, as people use it: in a real browser, against a server that really sends sound."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from benchmarks.waiting import until
from kokoro_server.api.web.page import GREETINGS, STATIC_FOLDER, group_voices
from kokoro_server.core.errors import Busy, SynthesisFailed
from kokoro_server.core.languages import Language
from kokoro_server.core.voices import VOICES, find_voice
from tests.browser import chromium, visit
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.fakes.sound import decoded

pytestmark = pytest.mark.serial

TEXT = "One two three four five. Six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen. The end."
PHONE = {"width": 360, "height": 740}
LOUD = 0.05
"""Root mean square: the tones have 0.2 and more in their middle."""

Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens the page on an engine; settings of the server as `settings`, the browser's as the rest."""
    with ExitStack() as stack:

        def opened(engine: FakeEngine, settings: dict[str, Any] | None = None, **options: Any) -> Page:
            url = stack.enter_context(live(make_app(tmp_path, engine, **settings or {})))
            return stack.enter_context(visit(browser, url, **options))

        yield opened


def speak(page: Page, text: str = TEXT) -> None:
    page.get_by_label("Text to speak").fill(text)
    page.get_by_role("button", name="Speak").click()


def state(page: Page, expected: str) -> None:
    expect(page.locator("#player")).to_have_attribute("data-state", expected)


def level(page: Page) -> float:
    return float(page.locator("#player").get_attribute("data-level") or 0)


def position(page: Page) -> float:
    return float(page.locator("#seek").input_value())


def lit(page: Page) -> str:
    return page.locator("#mirror mark").text_content() or ""


def spoken_at(engine: FakeEngine, seconds: float, each: float) -> str:
    """The word that the engine speaks at that second, with utterances of `each` seconds."""
    words = engine.plan(engine.requests[0])[int(seconds // each)].text.split()
    return words[int(seconds % each / each * len(words))]


def test_a_click_is_heard_and_its_words_are_lit_in_their_order(open_page: Open) -> None:
    engine = FakeEngine(0.7)
    page = open_page(engine)
    speak(page)
    until(lambda: level(page) > LOUD)
    seen: list[str] = []
    while page.locator("#player").get_attribute("data-state") != "ended":
        word = lit(page)
        if word and word not in seen[-1:]:
            seen.append(word)
    places = [TEXT.split().index(word) for word in seen]
    assert len(seen) > 5 and places == sorted(places)
    assert (lit(page), level(page)) == ("", 0)
    assert [request.text for request in engine.requests] == [TEXT]


def test_it_speaks_while_the_rest_is_still_being_made(open_page: Open) -> None:
    each = 1.5  # seconds, which a browser on a crowded machine does not miss
    engine = FakeEngine(each, gated=True)
    page = open_page(engine)
    speak(page)
    until(lambda: level(page) > LOUD)
    assert engine.chunk_count == 1
    expect(page.locator("#player")).to_have_attribute("data-making", "true")
    state(page, "waiting")
    until(lambda: position(page) == each)
    for _ in engine.plan(engine.requests[0])[1:]:
        engine.gate.release()
    until(lambda: position(page) > each + 0.05 and level(page) > LOUD)
    until(lambda: page.locator("#player").get_attribute("data-state") == "ended")
    assert position(page) == pytest.approx(each * engine.chunk_count, abs=0.01)


def test_pausing_holds_the_sound_and_the_word(open_page: Open) -> None:
    page = open_page(FakeEngine(2.0))
    speak(page)
    until(lambda: level(page) > LOUD)
    page.get_by_role("button", name="Pause").click()
    state(page, "paused")
    held, word = position(page), lit(page)
    page.wait_for_timeout(300)
    assert (position(page), lit(page), level(page)) == (held, word, 0)
    assert word
    page.locator("#pause").click()
    until(lambda: level(page) > LOUD and position(page) > held)


def test_seeking_goes_to_the_place_at_once(open_page: Open) -> None:
    engine = FakeEngine(3.0)
    page = open_page(engine)
    speak(page)
    until(lambda: position(page) > 0)
    expect(page.locator("#player")).to_have_attribute("data-making", "false")
    last = 3.0 * (engine.chunk_count - 1)
    page.get_by_label("Playback position").fill(str(last + 0.5))
    until(lambda: lit(page) in engine.plan(engine.requests[0])[-1].text.split())
    assert last + 0.5 <= position(page) < last + 1.5
    until(lambda: level(page) > LOUD)
    page.get_by_label("Playback position").fill("0")
    until(lambda: lit(page) == "One")


def test_a_place_can_be_sought_in_a_pause(open_page: Open) -> None:
    engine = FakeEngine(3.0)
    page = open_page(engine)
    speak(page)
    until(lambda: level(page) > LOUD)
    page.locator("#pause").click()
    for seconds in (0.4, 1.4, 2.9, 3.1, 4.4, 5.9):
        page.get_by_label("Playback position").fill(str(seconds))
        state(page, "paused")
        assert (position(page), lit(page)) == (seconds, spoken_at(engine, seconds, 3.0))
    page.get_by_label("Playback position").fill("4")
    page.locator("#pause").click()
    until(lambda: position(page) > 4.2 and level(page) > LOUD)


@pytest.mark.parametrize("how", ["button", "key"])
def test_stopping_stops_the_server(open_page: Open, how: str) -> None:
    engine = FakeEngine(2.0, gated=True)
    page = open_page(engine)
    speak(page)
    until(lambda: level(page) > LOUD)
    assert engine.open_count == 1
    if how == "button":
        page.get_by_role("button", name="Stop").click()
    else:
        page.keyboard.press("Escape")
    until(lambda: engine.open_count == 0)
    state(page, "stopped")
    assert (engine.chunk_count, lit(page), level(page)) == (1, "", 0)
    expect(page.locator("#notice")).to_be_hidden()
    page.get_by_role("button", name="Play", exact=True).click()  # what was made can still be heard
    until(lambda: level(page) > LOUD)


@pytest.mark.parametrize(("format", "requests"), [("wav", 1), ("pcm", 1), ("mp3", 2), ("opus", 2), ("flac", 2)])
def test_downloads_are_what_was_heard(open_page: Open, format: str, requests: int) -> None:
    engine = FakeEngine(0.3)
    page = open_page(engine)
    page.get_by_label("Download format").select_option(format)
    speak(page)
    state(page, "ended")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == f"one-two-three-four-five-six.{format}"
    samples, rate = decoded(Path(download.value.path()).read_bytes(), format)
    seconds = 0.3 * len(engine.plan(engine.requests[0]))
    assert len(samples) / rate == pytest.approx(seconds, abs=0.1)
    assert np.sqrt(np.mean(np.square(samples))) > LOUD
    assert len(engine.requests) == requests
    assert len(set(engine.requests)) == 1


def test_a_text_that_is_too_long_is_named(open_page: Open) -> None:
    engine = FakeEngine(2.0)
    page = open_page(engine, {"MAX_TEXT_LENGTH": 40})
    speak(page)
    expect(page.get_by_role("alert")).to_contain_text(f"text has {len(TEXT)} characters: expected at most 40.")
    text = page.get_by_label("Text to speak")
    expect(text).to_be_focused()
    expect(text).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#count")).to_have_class("count over")
    text.fill("Short.")
    expect(text).not_to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("button", name="Try again")).to_be_hidden()
    page.get_by_role("button", name="Speak").click()
    expect(page.get_by_role("alert")).to_be_hidden()
    until(lambda: level(page) > LOUD)


def test_a_full_server_says_when_to_try_again(open_page: Open) -> None:
    engine = FakeEngine(fail_at=0, error=Busy("All are speaking.", 3))
    page = open_page(engine)
    speak(page)
    expect(page.get_by_role("alert")).to_contain_text("All are speaking. Try again in 3 seconds.")
    page.get_by_role("button", name="Try again").click()
    until(lambda: len(engine.requests) == 2)


def test_what_was_made_before_a_fault_is_heard(open_page: Open) -> None:
    page = open_page(FakeEngine(2.0, fail_at=1, error=SynthesisFailed("The engine broke.")))
    speak(page)
    expect(page.get_by_role("alert")).to_contain_text("The engine broke. Try again.")
    until(lambda: level(page) > LOUD)
    state(page, "ended")


def test_a_server_that_is_gone_is_told(browser: Browser, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(live(make_app(tmp_path, FakeEngine(2.0))))
        context = stack.enter_context(browser.new_context())
        page = context.new_page()
        page.goto(url)
        context.set_offline(True)
        speak(page)
        expect(page.get_by_role("alert")).to_contain_text("The server can't be reached")
        context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        until(lambda: level(page) > LOUD)


def test_what_was_spoken_is_kept_and_heard_without_the_server(open_page: Open) -> None:
    engine = FakeEngine(2.0)
    page = open_page(engine)
    speak(page, "First of two.")
    state(page, "ended")
    speak(page, "Second of two.")
    state(page, "ended")
    page.reload()
    expect(page.locator("#spoken .title")).to_have_text(["Second of two.", "First of two."])
    page.get_by_role("button", name="Play: First of two.").click()
    until(lambda: level(page) > LOUD)
    assert lit(page) == ""  # the text area holds the other text
    page.get_by_role("button", name="Edit: First of two.").click()
    expect(page.get_by_label("Text to speak")).to_have_value("First of two.")
    until(lambda: lit(page) != "")
    assert len(engine.requests) == 2
    page.get_by_role("button", name="Delete: Second of two.").click()
    expect(page.locator("#spoken .title")).to_have_text(["First of two."])
    page.get_by_role("button", name="Delete all").click()
    expect(page.locator("#history")).to_be_hidden()


def test_a_draft_outlives_the_visit(open_page: Open) -> None:
    page = open_page(FakeEngine())
    page.get_by_label("Text to speak").fill("Not finished")
    page.get_by_label("Speed").fill("1.25")
    page.get_by_label("Download format").select_option("flac")
    page.reload()
    expect(page.get_by_label("Text to speak")).to_have_value("Not finished")
    expect(page.get_by_label("Speed")).to_have_value("1.25")
    expect(page.get_by_label("Download format")).to_have_value("flac")


def test_it_works_by_keyboard_alone(open_page: Open) -> None:
    engine = FakeEngine(3.0)
    page = open_page(engine)
    press = page.keyboard.press
    press("Tab")
    press("Enter")  # the link that skips to the text
    expect(page.get_by_label("Text to speak")).to_be_focused()
    press("Control+A")
    page.keyboard.type("Hello out there.")
    press("Tab")
    press("Enter")  # the voice
    expect(page.get_by_role("radio", name="Heart")).to_be_focused()
    press("ArrowDown")
    press("Enter")
    expect(page.locator("#voice")).to_be_focused()
    press("Control+Enter")
    until(lambda: level(page) > LOUD)
    assert (engine.requests[0].text, engine.requests[0].voice.name) == ("Hello out there.", "af_jessica")
    page.locator("#pause").focus()
    press("Enter")
    state(page, "paused")
    page.evaluate("document.activeElement.blur()")
    press("Space")
    state(page, "playing")
    press("Space")
    held = position(page)
    press("ArrowLeft")
    until(lambda: position(page) < max(held, 0.01))
    state(page, "paused")


def test_shortcuts_leave_typing_alone(open_page: Open) -> None:
    page = open_page(FakeEngine())
    page.get_by_label("Text to speak").fill("")
    page.keyboard.type("a b")
    page.keyboard.press("ArrowLeft")
    page.keyboard.type("c ")
    expect(page.get_by_label("Text to speak")).to_have_value("a c b")


def test_a_voice_is_found_heard_and_chosen(open_page: Open) -> None:
    engine = FakeEngine(2.0)
    page = open_page(engine)
    page.get_by_role("button", name="Voice").click()
    page.get_by_label("Search voices and languages").fill("french")
    expect(page.locator(".speaker:visible")).to_have_count(1)
    hear = page.get_by_role("button", name="Play Siwis")
    hear.click()
    expect(page.locator("#voices")).to_have_attribute("data-preview", "playing")
    expect(hear).to_have_attribute("aria-pressed", "true")
    expect(hear).to_have_attribute("aria-pressed", "false")  # once it has been heard
    hear.click()
    expect(hear).to_have_attribute("aria-pressed", "true")
    hear.click()
    expect(hear).to_have_attribute("aria-pressed", "false")
    assert [(each.voice.name, each.text) for each in engine.requests] == [
        ("ff_siwis", "Bonjour, je suis Siwis. Voici ma voix.")
    ]
    page.get_by_role("radio", name="Siwis").check()
    page.get_by_role("button", name="Done").click()
    expect(page.locator("#voice")).to_contain_text("Siwis")
    expect(page.get_by_label("Text to speak")).to_have_attribute("lang", "fr-fr")
    speak(page, "Bonjour.")
    until(lambda: len(engine.requests) == 2)
    assert engine.requests[1].voice.name == "ff_siwis"


def test_two_voices_blend(open_page: Open) -> None:
    engine = FakeEngine()
    page = open_page(engine)
    page.locator("#second").click()
    expect(page.get_by_role("radio", name="Dora")).to_have_count(0)  # another language
    page.get_by_role("radio", name="Emma").check()
    page.get_by_role("button", name="Done").click()
    page.get_by_label("Balance").fill("30")
    expect(page.locator("#share-value")).to_have_text("Heart 70 %, Emma 30 %")
    page.get_by_label("Speed").fill("1.5")
    speak(page)
    until(lambda: engine.requests)
    assert engine.requests[0].voice == find_voice("af_heart(0.7)+bf_emma(0.3)")
    assert engine.requests[0].speed == 1.5
    page.reload()
    expect(page.locator("#share-value")).to_have_text("Heart 70 %, Emma 30 %")
    page.locator("#voice").click()
    page.get_by_role("radio", name="Siwis").check()
    expect(page.locator("#second")).to_contain_text("None")  # no voice of English goes with it


def test_the_servers_own_blend_is_chosen_at_first(open_page: Open) -> None:
    engine = FakeEngine()
    page = open_page(engine, {"DEFAULT_VOICE": "bf_emma(1)+bm_george(3)"})
    expect(page.locator("#share-value")).to_have_text("Emma 25 %, George 75 %")
    speak(page)
    until(lambda: engine.requests)
    assert engine.requests[0].voice == find_voice("bf_emma(1)+bm_george(3)")


def test_words_after_an_emoji_are_lit_where_they_stand(open_page: Open) -> None:
    page = open_page(FakeEngine(2.0))
    speak(page, "😀👍🏽 Hello")
    until(lambda: lit(page) == "Hello")


def test_a_key_is_asked_for_and_kept(open_page: Open) -> None:
    engine = FakeEngine(2.0)
    page = open_page(engine, {"API_KEY": ("sesame",)})
    speak(page)
    key = page.get_by_label("API key of this server")
    expect(key).to_be_focused()
    key.fill("open")
    page.keyboard.press("Enter")
    expect(page.locator("#key-why")).to_contain_text("The server rejected that API key.")
    key.fill("sesame")
    page.get_by_role("button", name="Use key").click()
    until(lambda: level(page) > LOUD)
    page.reload()
    speak(page)
    until(lambda: len(engine.requests) == 2)


def test_without_a_key_it_says_so(open_page: Open) -> None:
    engine = FakeEngine()
    page = open_page(engine, {"API_KEY": ("sesame",)})
    speak(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("No API key")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_label("API key of this server")).to_be_visible()
    assert engine.requests == []


def test_the_corner_tells_how_the_server_is(open_page: Open) -> None:
    page = open_page(FakeEngine(0.2))
    corner = page.locator("#status")
    expect(corner.locator(".state")).to_have_text("Ready")
    speak(page)
    expect(corner.locator(".pace")).to_have_text(re.compile(r"^\d+\.\d × real time$"))
    corner.locator("summary").click()
    expect(corner.locator("[data-is=engine]")).to_have_text("fake")
    expect(corner.locator("[data-is=workers]")).to_have_text("1 of 1")
    expect(corner.locator("[data-is=first]")).to_have_text(re.compile(r"^\d+\.\d\d s$"))


def ground(page: Page) -> str:
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_light_and_dark_follow_the_system_until_chosen(open_page: Open) -> None:
    page = open_page(FakeEngine(), color_scheme="dark")
    dark = ground(page)
    button = page.get_by_role("button", name="Dark theme")
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    light = ground(page)
    assert light != dark
    page.reload()
    assert ground(page) == light
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    page.emulate_media(color_scheme="light")
    assert ground(page) == dark


def show_all(page: Page) -> Iterator[str]:
    """Every face of the page, one after another."""
    yield "new"
    page.locator("#second").click()
    yield "choosing a voice"
    page.get_by_role("radio", name="Bella female", exact=True).check()
    page.get_by_role("button", name="Done").click()
    speak(page)
    until(lambda: lit(page))
    yield "speaking"
    state(page, "ended")
    page.locator("#status summary").click()
    yield "spoken, with the status open"
    page.locator("#status summary").click()
    speak(page, "x" * 500)
    page.get_by_role("alert").wait_for()
    yield "refused"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(open_page: Open, scheme: str) -> None:
    page = open_page(FakeEngine(1.0), {"MAX_TEXT_LENGTH": 400}, color_scheme=scheme, reduced_motion="reduce")
    for face in show_all(page):
        found = Axe().run(page).response["violations"]
        assert [(face, each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []


def test_a_phone_needs_no_scrolling_sideways(open_page: Open) -> None:
    page = open_page(FakeEngine(0.5), {"MAX_TEXT_LENGTH": 400}, viewport=PHONE, has_touch=True, is_mobile=True)
    for face in show_all(page):
        assert (face, page.evaluate("document.documentElement.scrollWidth")) == (face, PHONE["width"])
    small = page.evaluate(
        "[...document.querySelectorAll('button, select')].filter(each => each.checkVisibility())"
        ".filter(each => each.getBoundingClientRect().height < 40).map(each => each.outerHTML)"
    )
    assert small == []


@pytest.mark.parametrize("answer", [None, {"error": "The server has more to say than a phone is wide"}])
def test_a_phone_needs_none_whatever_the_status_says(open_page: Open, answer: dict[str, str] | None) -> None:
    page = open_page(FakeEngine(0.5), viewport=PHONE, has_touch=True, is_mobile=True)
    page.route("**/health", lambda route: answer and route.fulfill(json=answer, status=403))
    page.reload()
    expect(page.locator("#status .state")).to_have_text(answer["error"] if answer else "Connecting…")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_long_texts_keep_the_lit_word_in_view_and_in_place(open_page: Open) -> None:
    page = open_page(FakeEngine(0.4))
    speak(page, f"{'Word after word goes by. ' * 80}\n\nAnd here it ends.")
    expect(page.locator("#player")).to_have_attribute("data-making", "false")
    last = page.locator("#seek").evaluate("slider => Number(slider.max)") - 0.3
    page.get_by_label("Playback position").fill(f"{last:.1f}")
    until(lambda: lit(page))
    sizes = page.evaluate("['text', 'mirror'].map(id => document.getElementById(id).scrollHeight)")
    assert sizes[0] == sizes[1]  # so the lit word lies behind the one that is read
    assert page.locator("#scroll").evaluate("box => box.scrollTop") > 100
    expect(page.locator("#mirror mark")).to_be_in_viewport()


def test_the_policy_lets_nothing_else_in(tmp_path: Path) -> None:
    client = make_app(tmp_path, FakeEngine()).test_client()
    answer = client.get("/")
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert not re.search(r"unsafe|\*|https?:|data:", policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert re.findall(r"<script(?![^>]*src=)|\son\w+=|\sstyle=|<style", answer.text) == []


def test_nothing_is_fetched_from_elsewhere(tmp_path: Path) -> None:
    html = make_app(tmp_path, FakeEngine()).test_client().get("/").text
    sources = [html, *(path.read_text("utf-8") for path in STATIC_FOLDER.iterdir())]
    namespace = "http://www.w3.org/2000/svg"
    assert [found for text in sources for found in re.findall(r"https?://[^\s\"']+", text) if found != namespace] == []


@pytest.mark.parametrize("path", sorted(STATIC_FOLDER.iterdir()), ids=lambda path: path.name)
def test_every_file_is_sent_with_its_type_once(tmp_path: Path, path: Path) -> None:
    client = make_app(tmp_path, FakeEngine(), API_KEY=("secret",)).test_client()
    with client.get(f"/static/{path.name}") as answer:
        types = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        assert answer.mimetype == types[path.suffix]
        assert answer.data == path.read_bytes()
        tag = answer.headers["ETag"]
    assert client.get(f"/static/{path.name}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["nothing.js", "page.html", "..", "%2e%2e%2fpage.py", "..%2Fpage.js", "static.css"])
def test_other_files_are_not_sent(tmp_path: Path, name: str) -> None:
    answer = make_app(tmp_path, FakeEngine()).test_client().get(f"/static/{name}")
    assert (answer.status_code, answer.get_json()["error"]) == (404, "Not found")


def test_every_voice_that_is_allowed_is_shown_by_its_language(tmp_path: Path) -> None:
    shown = group_voices(VOICES)
    assert [language for language, _ in shown] == list(Language)
    assert sorted(each.voice for _, group in shown for each in group) == sorted(VOICES)
    assert set(Language) == set(GREETINGS)
    few = make_app(tmp_path, FakeEngine(), ALLOWED_VOICES=("jm_kumo", "bf_emma"), DEFAULT_VOICE="bf_emma")
    html = few.test_client().get("/").text
    assert re.findall(r'name="speaker" value="(\w+)"', html) == ["bf_emma", "jm_kumo"]
    assert re.findall(r"<legend>(.*?)</legend>", html) == ["British English", "Japanese"]
