"""The server: the whole wiring on one screen. `python kokoro_tts_api.py` serves; see config.py for the settings."""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path

from flask import Flask

from config import Config, ConfigError, variable
from tts import __version__
from tts.api import access, description, kokoro, native, openai, page, responses
from tts.api.bodies import Limits
from tts.api.cache import Answers
from tts.api.serving import Address, Server
from tts.engines.base import Engine, Worker
from tts.engines.child import Child
from tts.engines.command import RUN_PREFIX, Command
from tts.engines.pool import Pool
from tts.speech.errors import WorkerUnavailable
from tts.speech.pronunciations import BadDictionary, Dictionary
from tts.speech.text import Sizes
from tts.synth.assets import MODEL_NAME, MODEL_SHA256, Assets, AssetsMissing, ensure

log = logging.getLogger("tts")

BODY_SLACK = 65_536
"""Bytes of a JSON body beyond its text."""
BYTES_A_CHARACTER = 12
"""Longest that JSON writes one character: two \\u escapes."""
WHOLE_RUN = Sizes(first=2000, longest=2000)
"""Utterances of a command that loads its model on every run: as few as its time limit allows."""


class StartFailed(Exception):
    """The server can't start; the message is one clear line."""


def create_app(config: Config, engine: Engine | None = None) -> Flask:
    """The application on `engine`, or on the one that the settings name; the engine must be started by the caller."""
    app = Flask("kokoro_tts_api", static_folder=None)
    app.config.from_mapping(asdict(config), VERSION=__version__, MAX_CONTENT_LENGTH=body_limit(config))
    app.extensions["engine"] = engine or make_engine(config)
    app.extensions["answers"] = Answers(config.MODEL_DIR / "answers", config.CACHE_MB, made_by(config))
    app.extensions["limits"] = limits(config)
    app.extensions["styles"] = Assets(config.MODEL_DIR / MODEL_NAME, config.MODEL_DIR / "voices").style
    responses.install(app)
    access.install(app)
    for routes in (native, openai, kokoro, description, page):
        app.register_blueprint(routes.blueprint)
    return app


def limits(config: Config) -> Limits:
    """What the settings allow in a request. Raises StartFailed when the dictionary can't be used."""
    try:
        dictionary = Dictionary(config.PRONUNCIATIONS)
    except BadDictionary as exc:
        raise StartFailed(str(exc)) from exc
    return Limits(
        config.MAX_TEXT_LENGTH,
        config.ALLOWED_VOICES,
        config.DEFAULT_VOICE,
        dictionary.entries,
        config.UNKNOWN_TAGS == "ignore",
    )


def made_by(config: Config) -> str:
    """All that shapes the sound of every answer, beside what the request says."""
    if config.MODEL is None or not config.MODEL.is_file():
        model = MODEL_SHA256
    else:
        found = config.MODEL.stat()
        model = f"{config.MODEL} {found.st_size} {found.st_mtime_ns}"
    return f"{__version__} {config.ENGINE} {model} {config.DEVICE} {' '.join(config.KOKORO_COMMAND)}"


def make_engine(config: Config) -> Engine:
    """The engine that the settings name. Raises StartFailed."""
    if config.ENGINE == "command":
        workers: list[Worker] = [
            Command(config.KOKORO_COMMAND, config.TEMP_DIR, config.TIMEOUT) for _ in range(config.WORKERS)
        ]
        return Pool("command", workers, config.THREADS, config.QUEUE, WHOLE_RUN)
    workers = [Child(worker_command(config), config.TIMEOUT) for _ in range(config.WORKERS)]
    return Pool("pool", workers, config.THREADS, config.QUEUE, Sizes())


def worker_command(config: Config) -> list[str]:
    """The command line of a warm worker, its assets fetched if need be. Raises StartFailed."""
    try:
        assets = ensure(config.MODEL_DIR, config.MODEL, config.HUB)
    except (AssetsMissing, OSError) as exc:
        raise StartFailed(str(exc)) from exc
    return [
        *(
            sys.executable,
            "-m",
            "tts.engines.worker",
            "--model",
            str(assets.model),
            "--voices",
            str(assets.voices),
        ),
        *("--cache", str(config.graphs), "--device", config.DEVICE),
        *("--threads", str(config.THREADS), "--log-level", config.LOG_LEVEL),
    ]


def body_limit(config: Config) -> int:
    """Bytes that a JSON body with the longest text can have."""
    return config.MAX_TEXT_LENGTH * BYTES_A_CHARACTER + BODY_SLACK


def ensure_temp_directory(folder: Path) -> None:
    """Make the folder, prove that it can be written, and remove what an earlier run left. Raises StartFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as proof:
            proof.write(b"ok")
        for left in (*folder.glob(f"{native.FILE_PREFIX}*"), *folder.glob(f"{RUN_PREFIX}*")):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    except OSError as exc:
        raise StartFailed(f"The temp folder {folder} cannot be used: {exc.strerror}. Set KOKORO_TEMP_DIR.") from exc


def serve(config: Config) -> None:
    """Check everything, then serve until told to stop. Raises StartFailed."""
    ensure_temp_directory(config.TEMP_DIR)
    engine = make_engine(config)
    try:
        engine.start()
        address = Address(config.HOST, config.PORT, config.CONNECTIONS, body_limit(config))
        server = Server(create_app(config, engine), address)
        log.info(
            "Engine %s, %d voices, temp folder %s",
            engine.status(),
            len(config.ALLOWED_VOICES),
            config.TEMP_DIR,
        )
        if config.HOST not in ("127.0.0.1", "localhost", "::1") and not config.API_KEY:
            log.warning(
                "Anybody who reaches %s may use this server: set KOKORO_API_KEY or HOST 127.0.0.1",
                config.HOST,
            )
        server.run()
    except WorkerUnavailable as exc:
        raise StartFailed(exc.message) from exc
    except OSError as exc:
        raise StartFailed(f"Cannot listen on {config.HOST}:{config.PORT}: {exc.strerror}. Set KOKORO_PORT.") from exc
    finally:
        engine.close()


def settings(arguments: list[str], environment: Mapping[str, str]) -> Config:
    """The settings from the environment, overruled by `--name value` arguments. Raises ConfigError."""
    parser = argparse.ArgumentParser(prog="kokoro_tts_api.py", description=__doc__, allow_abbrev=False)
    for each in fields(Config):
        flag = "--" + each.name.lower().replace("_", "-")
        parser.add_argument(flag, dest=variable(each.name), metavar="VALUE", help=each.metadata["why"])
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    return Config.from_environment({**environment, **given})


def main() -> None:
    try:
        config = settings(sys.argv[1:], os.environ)
        logging.basicConfig(level=config.LOG_LEVEL, format="%(asctime)s %(levelname)s %(message)s")
        serve(config)
    except (ConfigError, StartFailed) as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")


if __name__ == "__main__":
    main()
