"""A real browser for the tests: Chromium without a window, and a page in it that is watched."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
QUIET = (
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
"""Keeps Chromium from looking for its maker's servers, which a closed network refuses one by one."""
REFUSAL = "Failed to load resource: the server responded with a status of 4"
"""What Chromium says of an answer with a 4xx status, whatever the page makes of it."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or another that is on the PATH; that none is there is a failure, not a skipped test."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise AssertionError(f"no browser: install Debian's package chromium, or another of {', '.join(NAMES)}")
    as_root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=[*QUIET, *as_root])
        yield browser
        browser.close()


@dataclass
class Watch:
    """What a page complained of, and what it asked of others than its server."""

    origin: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(REFUSAL):
            self.complaints.append(message.text)

    def request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("blob", "data") and f"{parts.scheme}://{parts.netloc}" != self.origin:
            self.strangers.append(url)


@contextmanager
def visit(browser: Browser, url: str, **options: Any) -> Iterator[Page]:
    """The page at `url` in a browser of its own; ends with a check that it was content and stayed at home."""
    watch = Watch(url)
    context = browser.new_context(**options)
    context.set_default_timeout(10_000)
    page = context.new_page()
    page.on("console", watch.console)
    page.on("pageerror", lambda error: watch.complaints.append(str(error)))
    page.on("request", lambda request: watch.request(request.url))
    page.goto(url)
    try:
        yield page
    finally:
        context.close()
    assert watch.complaints == []
    assert watch.strangers == []
