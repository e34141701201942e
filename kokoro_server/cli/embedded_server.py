"""Run an embedded server for one command, so that a client of the HTTP API works where no server runs."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from kokoro_server.api.server.serving import HttpServer
from kokoro_server.api.state import get_state
from kokoro_server.app import create_app
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.cli.http_client import HttpClient
from kokoro_server.config import Config
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.engine.base import Engine
from kokoro_server.setup import StartupError
from kokoro_server.setup.engines import make_engine
from kokoro_server.setup.folders import ensure_temp_directory
from kokoro_server.setup.limits import make_server_address

EMBEDDED_SETTINGS: dict[str, Any] = {
    "HOST": "127.0.0.1",
    "PORT": 0,
    "CONNECTIONS": 4,
    "ALLOWED_HOSTS": (),
    "RATE_LIMIT": "",
    "CACHE_MB": 0,
}
"""Settings that an embedded server overrides: it listens on a free local port for one client."""


@contextmanager
def run_embedded_server(config: Config, data_dir: Path, engine: Engine | None = None) -> Iterator[HttpClient]:
    """Run a server on a free local port, with a random API key, and yield a client of it.

    Args:
        config: Validated settings; EMBEDDED_SETTINGS override some of them.
        data: Folder of its jobs and temp files.
        engine: Engine that synthesizes, started and closed here; by default the one that the settings name.

    Raises:
        WorkerUnavailable: The engine or the server cannot start.
    """
    key = secrets.token_hex(16)
    config = config.replace(**EMBEDDED_SETTINGS, API_KEY=(key,), DATA_DIR=data_dir, TEMP_DIR=data_dir / "temp")
    try:
        with ExitStack() as stack:
            ensure_temp_directory(config.TEMP_DIR)
            engine = stack.enter_context(closing(engine or make_engine(config)))
            engine.start()
            app = create_app(config, engine)
            library: AudiobookService = stack.enter_context(closing(get_state(app).audiobooks))
            server = HttpServer(app, make_server_address(config))
            library.start()
            server.start()
            stack.callback(server.close)
            yield HttpClient(f"http://127.0.0.1:{server.port}", (key,), is_embedded=True)
    except (StartupError, OSError) as exc:
        raise WorkerUnavailable(str(exc)) from exc
