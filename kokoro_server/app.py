"""Wire the server together and start it: `python kokoro_tts_api.py` serves over HTTP; config.py lists the settings.

`python kokoro_tts_api.py worker --broker redis://…` runs a worker machine of a cluster instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import closing, suppress

from flask import Flask

from kokoro_server import __version__
from kokoro_server.api import audiobook_jobs as jobs
from kokoro_server.api import auth as access
from kokoro_server.api import health as operator
from kokoro_server.api import kokoro_fastapi as kokoro
from kokoro_server.api import native, openai, request_hooks, tracing
from kokoro_server.api import openapi as description
from kokoro_server.api.metrics import make_metrics
from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.server.serving import HttpServer
from kokoro_server.api.state import AppState, get_state, set_state
from kokoro_server.api.web import page
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.config import SETTINGS, Config, ConfigError, flag, forget_secrets, variable
from kokoro_server.core import logs
from kokoro_server.core import malloc as memory
from kokoro_server.core.errors import WorkerUnavailable
from kokoro_server.core.signals import exit_on_signal
from kokoro_server.engine.base import Engine
from kokoro_server.model.assets import MODEL_NAME, Assets
from kokoro_server.setup import StartupError
from kokoro_server.setup.engines import build_cache_salt, make_engine, run_cluster_worker
from kokoro_server.setup.folders import ensure_temp_directory, remove_leftovers
from kokoro_server.setup.limits import (
    get_max_body_bytes,
    get_trusted_hosts,
    make_audiobook_settings,
    make_request_limits,
    make_server_address,
)
from kokoro_server.setup.wyoming import start_wyoming_server

log = logging.getLogger("kokoro_server")


def create_app(config: Config, engine: Engine | None = None) -> Flask:
    """Create the Flask application, with every blueprint registered.

    Args:
        config: Validated settings.
        engine: Engine that synthesizes; by default the one that the settings name. The caller starts and closes it.

    Raises:
        StartupError: The pronunciation dictionary or the engine's assets cannot be used.
    """
    app = Flask("kokoro_tts_api", static_folder=None)
    app.config.from_mapping(config.model_dump(), VERSION=__version__, MAX_CONTENT_LENGTH=get_max_body_bytes(config))
    app.config["TRUSTED_HOSTS"] = get_trusted_hosts(config)
    engine = engine or make_engine(config)
    state = AppState(
        engine=engine,
        metrics=make_metrics(engine),
        audiobooks=AudiobookService(make_audiobook_settings(config), engine, config.WORKERS),
        response_cache=ResponseCache(config.MODEL_DIR / "answers", config.CACHE_MB, build_cache_salt(config)),
        limits=make_request_limits(config),
        traces=tracing.make_tracer_provider(config.TRACES, __version__),
        load_style=Assets(config.MODEL_DIR / MODEL_NAME, config.MODEL_DIR / "voices").load_style,
    )
    set_state(app, state)
    request_hooks.install_request_hooks(app)
    tracing.install_tracing(app)
    access.install_auth(app)
    for routes in (native, openai, kokoro, jobs, operator, description, page):
        app.register_blueprint(routes.blueprint)
    return app


def serve(config: Config, engine: Engine | None = None) -> None:
    """Start the engine and serve over HTTP (and Wyoming) until a stop signal arrives. Call from the main thread.

    Args:
        config: Validated settings.
        engine: Engine that synthesizes; by default the one that the settings name. It is closed on return.

    Raises:
        StartupError: The engine cannot start, the temp folder cannot be written, or the port cannot be bound.
    """
    memory.tune_malloc()
    ensure_temp_directory(config.TEMP_DIR, config.CLEANUP_FILES)
    engine = engine or make_engine(config)
    try:
        engine.start()
        app = create_app(config, engine)
        server = HttpServer(app, make_server_address(config))
        log.info(
            "Engine %s, %d voices, temp folder %s", engine.get_status(), len(config.ALLOWED_VOICES), config.TEMP_DIR
        )
        if config.HOST not in ("127.0.0.1", "localhost", "::1") and not config.API_KEY:
            log.warning(
                "Anybody who reaches %s may use this server: set KOKORO_API_KEY or HOST 127.0.0.1",
                config.HOST,
            )
        library: AudiobookService = get_state(app).audiobooks
        with closing(library), start_wyoming_server(config, engine):  # closed before the engine that both use
            library.start()
            server.run(library.stop)
    except WorkerUnavailable as exc:
        raise StartupError(exc.message) from exc
    except tracing.TracingUnavailable as exc:
        raise StartupError(str(exc)) from exc
    except OSError as exc:
        raise StartupError(f"Cannot listen on {config.HOST}:{config.PORT}: {exc.strerror}. Set KOKORO_PORT.") from exc
    finally:
        engine.close()
        with suppress(OSError):  # Windows locks files that are still being sent; the next start removes them
            remove_leftovers(config.TEMP_DIR, config.CLEANUP_FILES)


def parse_settings(arguments: list[str]) -> dict[str, str]:
    """Parse `--name value` arguments into environment variables: {"KOKORO_PORT": "9881"}. Exits on unknown ones."""
    parser = argparse.ArgumentParser(prog="kokoro_tts_api.py", description=__doc__, allow_abbrev=False)
    for each in SETTINGS:
        parser.add_argument(flag(each.name), dest=variable(each.name), metavar="VALUE", help=each.why)
    return {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}


def main(arguments: list[str] | None = None) -> None:
    """Run the server, or a cluster worker if the first argument is `worker`; default: sys.argv."""
    exit_on_signal()  # during the start: cleanup runs, so no download stays half done; later the server handles signals
    try:
        words = sys.argv[1:] if arguments is None else arguments
        working = words[:1] == ["worker"]
        os.environ.update(parse_settings(words[working:]))  # the KOKORO_COMMAND child reads its settings there too
        config = Config.from_environment(os.environ)
        forget_secrets(os.environ)  # child processes must not inherit keys
        logs.configure_logging(config.LOG_LEVEL, config.LOG_FORMAT, "machine" if working else "")
        if working:
            sys.exit(run_cluster_worker(config))
        serve(config)
    except (ConfigError, StartupError) as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")
