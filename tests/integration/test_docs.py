"""The documentation: it builds, says what the code says, names every route, and its examples work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.generate import PAGES
from kokoro_server.api.state import get_state
from kokoro_server.config import SETTINGS, variable
from tests.documents import epub
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app
from tests.paths import ROOT

DOCS = ROOT / "docs"
SERVER = "http://localhost:9880"
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)\n(?P<code>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)


def examples(language: str) -> list[tuple[str, str]]:
    """(page and line, code) of every fence in `language`."""
    found = []
    for page in sorted((*DOCS.glob("*.md"), *ROOT.glob("*.md"))):
        text = page.read_text("utf-8")
        for fence in FENCE.finditer(text):
            if fence["language"] == language:
                code = re.sub(f"^{fence['indent']}", "", fence["code"], flags=re.MULTILINE)
                found.append((f"{page.name}:{text.count(chr(10), 0, fence.start()) + 1}", code))
    return found


def named(found: list[tuple[str, str]]) -> list[object]:
    return [pytest.param(code, id=place) for place, code in found]


def test_builds(tmp_path: Path) -> None:
    """Strictly: without a link that leads nowhere, or a page that is not in the navigation."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > len(PAGES)
    assert {address for page in pages for address in fetched(page.read_text("utf-8"))} == set()


def fetched(html: str) -> set[str]:
    """What a browser that shows the page fetches from elsewhere."""
    parser = Fetches()
    parser.feed(html)
    return parser.addresses


class Fetches(HTMLParser):
    """Notes addresses on other machines that a page loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in ("script", "img", "iframe", "audio", "video") or (
            tag == "link" and given.get("rel") not in ("canonical", "prev", "next")
        ):
            address = given.get("src") or given.get("href") or ""
            if re.match(r"(https?:)?//", address):
                self.addresses.add(address)


@pytest.mark.parametrize("name", PAGES)
def test_made_pages_are_current(name: str) -> None:
    assert (DOCS / name).read_text("utf-8") == PAGES[name](), "run `python -m docs.generate`"


def test_no_page_names_a_setting_that_is_not_there() -> None:
    known = {variable(each.name) for each in SETTINGS}
    for page in DOCS.glob("*.md"):
        assert set(re.findall(r"\bKOKORO_[A-Z_]*[A-Z]", page.read_text("utf-8"))) <= known, page.name


def test_every_route_is_told(tmp_path: Path) -> None:
    paths = make_app(tmp_path, FakeEngine()).test_client().get("/openapi.json").get_json()["paths"]
    routes = {f"{method.upper()} {_plain(path)}" for path, methods in paths.items() for method in methods}
    told = "".join((DOCS / name).read_text("utf-8") for name in ("api.md", "books.md"))
    missing = {route for route in routes if f"`{route}`" not in told}
    assert missing == set()


def _plain(path: str) -> str:
    """A path with `{name}` for whatever stands for a name."""
    return re.sub(r"<[^:>]*:(\w+)>", r"{\1}", path)


@pytest.mark.parametrize("code", named(examples("json")))
def test_json_is_json(code: str) -> None:
    json.loads(code)


SPOKEN = [(place, code) for place, code in examples("json") if '"text":' in code]
SPOKEN += [(place, json.dumps({"text": code})) for place, code in examples("xml")]


@pytest.mark.parametrize("body", named(SPOKEN))
def test_requests_are_taken(tmp_path: Path, body: str) -> None:
    client = make_app(tmp_path, FakeEngine(0.01)).test_client()
    answer = client.post("/synthesize/stream", data=body, content_type="application/json")
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("code", named(examples("python")))
def test_python_examples_run(tmp_path: Path, code: str) -> None:
    """As somebody would who copies them: from an empty folder, but for the book that some want."""
    folder = tmp_path / "here"
    folder.mkdir()
    epub(folder / "book.epub", {"one.xhtml": "<h1>One</h1><p>It was a dark night.</p>"}, {"One": "one.xhtml"}, {})
    app = make_app(tmp_path, FakeEngine())
    with live(app) as address:
        get_state(app).audiobooks.start()
        try:
            run(code.replace(SERVER, address), folder)
        finally:
            get_state(app).audiobooks.close()
    made = [path for path in folder.iterdir() if path.name != "book.epub"]
    assert made and all(path.stat().st_size > 100 for path in made)


def run(code: str, folder: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # as if the project were installed
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
