"""Applications for tests: one with settings of its own, and one that really listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask

from kokoro_server.api.server.serving import HttpServer, ServerOptions
from kokoro_server.app import create_app
from kokoro_server.config import Config
from tests.fakes.engine import FakeEngine


def make_app(folder: Path, engine: FakeEngine, **settings: Any) -> Flask:
    """The application on `engine`, everything it writes inside `folder`."""
    return create_app(
        Config(TEMP_DIR=folder, MODEL_DIR=folder / "models", DATA_DIR=folder / "data", **settings), engine
    )


@contextmanager
def live(app: Flask, threads: int = 48) -> Iterator[str]:
    """The address of a server of `app` on a free port, which ends with the block."""
    limit: int = app.config["MAX_CONTENT_LENGTH"]
    server = HttpServer(app, ServerOptions("127.0.0.1", 0, threads, limit))
    server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.close()
