"""Run an embedded server for one command, so that a client of the HTTP API works where no server runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from config import Config
from kokoro_tts_api import create_app
from tts.api.serving import Server
from tts.books.library import Library
from tts.command.remote import Remote
from tts.engines.base import Engine
from tts.setup import StartFailed
from tts.setup.bounds import address
from tts.setup.engines import make_engine
from tts.setup.folders import ensure_temp_directory
from tts.speech.errors import WorkerUnavailable

ALONE: dict[str, Any] = {
    "HOST": "127.0.0.1",
    "PORT": 0,
    "CONNECTIONS": 4,
    "ALLOWED_HOSTS": (),
    "RATE_LIMIT": "",
    "CACHE_MB": 0,
}
"""Settings that an embedded server overrides: it listens on a free local port for one client."""


@contextmanager
def own_server(config: Config, data: Path, engine: Engine | None = None) -> Iterator[Remote]:
    """Run a server on a free local port, with a random API key, and yield a client of it.

    Args:
        config: Validated settings; EMBEDDED_SETTINGS override some of them.
        data: Folder of its jobs and temp files.
        engine: Engine that synthesizes, started and closed here; by default the one that the settings name.

    Raises:
        WorkerUnavailable: The engine or the server cannot start.
    """
    key = secrets.token_hex(16)
    config = replace(config, **ALONE, API_KEY=(key,), DATA_DIR=data, TEMP_DIR=data / "temp")
    try:
        with ExitStack() as stack:
            ensure_temp_directory(config.TEMP_DIR)
            engine = stack.enter_context(closing(engine or make_engine(config)))
            engine.start()
            app = create_app(config, engine)
            library: Library = stack.enter_context(closing(app.extensions["library"]))
            server = Server(app, address(config))
            library.start()
            server.start()
            stack.callback(server.close)
            yield Remote(f"http://127.0.0.1:{server.port}", (key,), is_own=True)
    except (StartFailed, OSError) as exc:
        raise WorkerUnavailable(str(exc)) from exc
