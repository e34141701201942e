"""The server: the whole wiring on one screen. `python kokoro_tts_api.py` serves; see config.py for the settings.

`python kokoro_tts_api.py worker --broker redis://…` speaks for the front server of a cluster instead.
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
    """The application on `engine`, or on the one that the settings name; the engine must be started by the caller."""
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
    """Check everything, then serve until told to stop, on `engine` or the one of the settings. Raises StartFailed."""
    memory.keep_little()
    ensure_temp_directory(config.TEMP_DIR, config.CLEANUP_FILES)
    engine = engine or make_engine(config)
    try:
        engine.start()
        app = create_app(config, engine)
        server = Server(app, address(config))
        log.info("Engine %s, %d voices, temp folder %s", engine.status(), len(config.ALLOWED_VOICES), config.TEMP_DIR)
        if config.HOST not in ("127.0.0.1", "localhost", "::1") and not config.API_KEY:
            log.warning("Anybody who reaches %s may use this server: set KOKORO_API_KEY or HOST 127.0.0.1", config.HOST)
        library: Library = app.extensions["library"]
        with closing(library), wyoming(config, engine):  # ahead of the engine that it speaks with
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
        with suppress(OSError):  # Windows holds on to what is still being sent; the next start removes it
            remove_leftovers(config.TEMP_DIR, config.CLEANUP_FILES)


def given(arguments: list[str]) -> dict[str, str]:
    """The settings that `--name value` arguments give, as the environment would have them."""
    parser = argparse.ArgumentParser(prog="kokoro_tts_api.py", description=__doc__, allow_abbrev=False)
    for each in fields(Config):
        parser.add_argument(flag(each.name), dest=variable(each.name), metavar="VALUE", help=each.metadata["why"])
    return {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}


def main(arguments: list[str] | None = None) -> None:
    """Serve with these arguments, or the command line's."""
    exit_on_signal()  # until the server listens, and waits for signals itself: nothing stays half fetched or half begun
    try:
        words = sys.argv[1:] if arguments is None else arguments
        working = words[:1] == ["worker"]
        os.environ.update(given(words[working:]))  # where a command of ours finds its settings, too
        config = Config.from_environment(os.environ)
        forget_secrets(os.environ)  # workers, readers of books and commands have no use for them
        logs.begin(config.LOG_LEVEL, config.LOG_FORMAT, "machine" if working else "")
        if working:
            sys.exit(work(config))
        serve(config)
    except (ConfigError, StartFailed) as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")


if __name__ == "__main__":
    main()
