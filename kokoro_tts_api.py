"""Wire the server together and start it: `python kokoro_tts_api.py` serves over HTTP; config.py lists the settings.

`python kokoro_tts_api.py worker --broker redis://…` runs a worker machine of a cluster instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import closing, suppress
from dataclasses import asdict, fields

from flask import Flask

from config import Config, ConfigError, flag, forget_secrets, variable
from tts import __version__
from tts.api import access, description, jobs, kokoro, native, openai, operator, page, responses, tracing
from tts.api.cache import Answers
from tts.api.metrics import Figures
from tts.api.serving import Server
from tts.api.signals import exit_on_signal
from tts.books.library import Library
from tts.engines import logs, memory
from tts.engines.base import Engine
from tts.setup import StartFailed
from tts.setup.bounds import address, body_limit, limits, terms, trusted_hosts
from tts.setup.engines import made_by, make_engine, work
from tts.setup.folders import ensure_temp_directory, remove_leftovers
from tts.setup.wyoming import wyoming
from tts.speech.errors import WorkerUnavailable
from tts.synth.assets import MODEL_NAME, Assets

log = logging.getLogger("tts")


def create_app(config: Config, engine: Engine | None = None) -> Flask:
    """Create the Flask application, with every blueprint registered.

    Args:
        config: Validated settings.
        engine: Engine that synthesizes; by default the one that the settings name. The caller starts and closes it.

    Raises:
        StartupError: The pronunciation dictionary or the engine's assets cannot be used.
    """
    app = Flask("kokoro_tts_api", static_folder=None)
    app.config.from_mapping(asdict(config), VERSION=__version__, MAX_CONTENT_LENGTH=body_limit(config))
    app.config["TRUSTED_HOSTS"] = trusted_hosts(config)
    app.extensions["engine"] = engine = engine or make_engine(config)
    app.extensions["figures"] = Figures(engine)
    app.extensions["library"] = Library(terms(config), engine, config.WORKERS)
    app.extensions["answers"] = Answers(config.MODEL_DIR / "answers", config.CACHE_MB, made_by(config))
    app.extensions["limits"] = limits(config)
    app.extensions["styles"] = Assets(config.MODEL_DIR / MODEL_NAME, config.MODEL_DIR / "voices").style
    responses.install(app)
    tracing.install(app)
    access.install(app)
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
    memory.keep_little()
    ensure_temp_directory(config.TEMP_DIR, config.CLEANUP_FILES)
    engine = engine or make_engine(config)
    try:
        engine.start()
        app = create_app(config, engine)
        server = Server(app, address(config))
        log.info("Engine %s, %d voices, temp folder %s", engine.status(), len(config.ALLOWED_VOICES), config.TEMP_DIR)
        if config.HOST not in ("127.0.0.1", "localhost", "::1") and not config.API_KEY:
            log.warning(
                "Anybody who reaches %s may use this server: set KOKORO_API_KEY or HOST 127.0.0.1",
                config.HOST,
            )
        library: Library = app.extensions["library"]
        with closing(library), wyoming(config, engine):  # closed before the engine that both use
            library.start()
            server.run(library.stop)
    except WorkerUnavailable as exc:
        raise StartFailed(exc.message) from exc
    except tracing.TracesUnavailable as exc:
        raise StartFailed(str(exc)) from exc
    except OSError as exc:
        raise StartFailed(f"Cannot listen on {config.HOST}:{config.PORT}: {exc.strerror}. Set KOKORO_PORT.") from exc
    finally:
        engine.close()
        with suppress(OSError):  # Windows locks files that are still being sent; the next start removes them
            remove_leftovers(config.TEMP_DIR, config.CLEANUP_FILES)


def given(arguments: list[str]) -> dict[str, str]:
    """Parse `--name value` arguments into environment variables: {"KOKORO_PORT": "9881"}. Exits on unknown ones."""
    parser = argparse.ArgumentParser(prog="kokoro_tts_api.py", description=__doc__, allow_abbrev=False)
    for each in fields(Config):
        parser.add_argument(flag(each.name), dest=variable(each.name), metavar="VALUE", help=each.metadata["why"])
    return {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}


def main(arguments: list[str] | None = None) -> None:
    """Run the server, or a cluster worker if the first argument is `worker`; default: sys.argv."""
    exit_on_signal()  # during the start: cleanup runs, so no download stays half done; later the server handles signals
    try:
        words = sys.argv[1:] if arguments is None else arguments
        working = words[:1] == ["worker"]
        os.environ.update(given(words[working:]))  # the KOKORO_COMMAND child reads its settings there too
        config = Config.from_environment(os.environ)
        forget_secrets(os.environ)  # child processes must not inherit keys
        logs.begin(config.LOG_LEVEL, config.LOG_FORMAT, "machine" if working else "")
        if working:
            sys.exit(work(config))
        serve(config)
    except (ConfigError, StartFailed) as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")


if __name__ == "__main__":
    main()
