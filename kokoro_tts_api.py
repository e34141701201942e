"""The server: the whole wiring on one screen. `python kokoro_tts_api.py` serves; see config.py for the settings.

`python kokoro_tts_api.py worker --broker redis://…` speaks for the front server of a cluster instead.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, fields
from pathlib import Path

from flask import Flask

from config import Config, ConfigError, flag, forget_secrets, variable
from tts import __version__
from tts.api import access, description, jobs, kokoro, native, openai, operator, page, responses, tracing
from tts.api.bodies import Limits
from tts.api.cache import Answers
from tts.api.metrics import Figures
from tts.api.serving import Address, Server
from tts.api.wyoming import Wyoming
from tts.books.book import BookLimits
from tts.books.library import Library, Terms
from tts.engines import logs
from tts.engines.base import Engine, Worker
from tts.engines.child import Child
from tts.engines.command import RUN_PREFIX, Command
from tts.engines.parcels import Edition, Link
from tts.engines.pool import Pool
from tts.engines.relief import Relieved, Shift
from tts.speech.errors import WorkerUnavailable
from tts.speech.pronunciations import BadDictionary, Dictionary
from tts.speech.text import Sizes
from tts.synth.assets import MODEL_NAME, MODEL_SHA256, Assets, AssetsMissing, ensure, model_sha256

log = logging.getLogger("tts")

BODY_SLACK = 65_536
"""Bytes of a JSON body beyond its text."""
BYTES_A_CHARACTER = 12
"""Longest that JSON writes one character: two \\u escapes."""
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
"""What this machine calls itself: its own health check asks by these names, whatever strangers must use."""
WHOLE_RUN = Sizes(first=2000, longest=2000)
"""Utterances of a command that loads its model on every run: as few as its time limit allows."""


class StartFailed(Exception):
    """The server can't start; the message is one clear line."""


def create_app(config: Config, engine: Engine | None = None) -> Flask:
    """The application on `engine`, or on the one that the settings name; the engine must be started by the caller."""
    app = Flask("kokoro_tts_api", static_folder=None)
    app.config.from_mapping(asdict(config), VERSION=__version__, MAX_CONTENT_LENGTH=body_limit(config))
    app.config["TRUSTED_HOSTS"] = [*config.ALLOWED_HOSTS, *LOOPBACK] if config.ALLOWED_HOSTS else None
    app.extensions["engine"] = engine or make_engine(config)
    app.extensions["figures"] = Figures(app.extensions["engine"])
    app.extensions["library"] = make_library(config, app.extensions["engine"])
    app.extensions["answers"] = Answers(config.MODEL_DIR / "answers", config.CACHE_MB, made_by(config))
    app.extensions["limits"] = limits(config)
    app.extensions["styles"] = Assets(config.MODEL_DIR / MODEL_NAME, config.MODEL_DIR / "voices").style
    responses.install(app)
    tracing.install(app)
    access.install(app)
    for routes in (native, openai, kokoro, jobs, operator, description, page):
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
    if config.ENGINE == "cluster":
        from tts.engines.cluster import Cluster  # with Celery, which a single machine need not load

        return Cluster(link(config), config.QUEUE, config.IN_FLIGHT, config.LEAD)
    return warm_pool(config, worker_command(config), config.QUEUE)


def warm_pool(config: Config, command: Sequence[str], queue: int) -> Pool:
    """Warm workers, each a process with that command line, not started yet, for whom `queue` requests may wait."""
    shift = Shift(config.RECYCLE_AFTER, config.RECYCLE_MB, config.IDLE_UNLOAD)
    turn = threading.Lock()
    workers = [Relieved(lambda: Child(command, config.TIMEOUT), shift, turn) for _ in range(config.WORKERS)]
    return Pool("pool", workers, config.THREADS, queue, Sizes())


def link(config: Config) -> Link:
    """Where the machines of a cluster meet. Raises StartFailed."""
    try:
        edition = Edition(__version__, model_sha256(config.MODEL))
    except AssetsMissing as exc:
        raise StartFailed(str(exc)) from exc
    return Link(config.BROKER, config.RESULTS or config.BROKER, config.RESULT_EXPIRES, config.TIMEOUT, edition)


def work(config: Config) -> int:
    """Speak for the front servers of a cluster until told to stop; the exit code. Raises StartFailed."""
    from tts.engines import cluster  # with Celery, which a single machine need not load

    # Its queue is the broker's: those that wait here take over from letters that were withdrawn a moment ago.
    pool = warm_pool(config, worker_command(config), config.WORKERS)
    try:
        return cluster.work(link(config), pool, config.WORKERS, config.LOG_LEVEL)
    except WorkerUnavailable as exc:
        raise StartFailed(exc.message) from exc


def make_library(config: Config, engine: Engine) -> Library:
    """The books in DATA_DIR, not started."""
    megabyte = 1_000_000
    limits = BookLimits(config.UNPACKED_MB * megabyte, config.BOOK_PAGES, config.BOOK_LENGTH)
    keep = config.JOB_DAYS * 86_400 if config.JOB_DAYS else None
    terms = Terms(config.DATA_DIR, limits, config.JOBS, config.JOBS_MB * megabyte, keep)
    return Library(terms, engine, config.WORKERS)


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
        *("--threads", str(config.THREADS)),
        *("--log-level", config.LOG_LEVEL, "--log-format", config.LOG_FORMAT),
    ]


def body_limit(config: Config) -> int:
    """Bytes that a JSON body with the longest text can have."""
    return config.MAX_TEXT_LENGTH * BYTES_A_CHARACTER + BODY_SLACK


def ensure_temp_directory(folder: Path, cleanup: bool = True) -> None:
    """Make the folder, prove that it can be written, and remove what an earlier run left. Raises StartFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as proof:
            proof.write(b"ok")
        remove_leftovers(folder, cleanup)
    except OSError as exc:
        raise StartFailed(f"The temp folder {folder} cannot be used: {exc.strerror}. Set KOKORO_TEMP_DIR.") from exc


def remove_leftovers(folder: Path, cleanup: bool) -> None:
    """Remove our files from the folder, but for the answers that a server without `cleanup` keeps. Raises OSError."""
    for prefix in (RUN_PREFIX, native.FILE_PREFIX) if cleanup else (RUN_PREFIX,):
        for left in folder.glob(f"{prefix}*"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


def serve(config: Config, engine: Engine | None = None) -> None:
    """Check everything, then serve until told to stop, on `engine` or the one of the settings. Raises StartFailed."""
    ensure_temp_directory(config.TEMP_DIR, config.CLEANUP_FILES)
    engine = engine or make_engine(config)
    try:
        engine.start()
        app = create_app(config, engine)
        longest_body = max(body_limit(config), jobs.upload_limit(app.config))
        address = Address(config.HOST, config.PORT, config.CONNECTIONS, longest_body, config.GRACE)
        server = Server(app, address)
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


def wyoming(config: Config, engine: Engine) -> ExitStack:
    """The Wyoming server that the settings ask for, if any, until the block ends. Raises StartFailed."""
    stack = ExitStack()
    if config.WYOMING:
        try:
            server = Wyoming(engine, limits(config), config.WYOMING, config.CONNECTIONS)
        except OSError as exc:
            raise StartFailed(f"Cannot listen on {config.WYOMING}: {exc.strerror}. Set KOKORO_WYOMING.") from exc
        if config.API_KEY:
            log.warning("Wyoming knows no keys: whoever reaches %s may have this server speak", config.WYOMING)
        stack.callback(server.close)
        server.start()
    return stack


def given(arguments: list[str]) -> dict[str, str]:
    """The settings that `--name value` arguments give, as the environment would have them."""
    parser = argparse.ArgumentParser(prog="kokoro_tts_api.py", description=__doc__, allow_abbrev=False)
    for each in fields(Config):
        parser.add_argument(flag(each.name), dest=variable(each.name), metavar="VALUE", help=each.metadata["why"])
    return {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}


def main(arguments: list[str] | None = None) -> None:
    """Serve with these arguments, or the command line's."""
    # Until the server listens, and takes signals itself: an end that leaves nothing half fetched or half begun.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        words = sys.argv[1:] if arguments is None else arguments
        working = words[:1] == ["worker"]
        os.environ.update(given(words[working:]))  # where a command of ours finds its settings, too
        config = Config.from_environment(os.environ)
        forget_secrets(os.environ)  # workers, readers of books and commands have no use for them
        logs.begin(config.LOG_LEVEL, config.LOG_FORMAT)
        if working:
            sys.exit(work(config))
        serve(config)
    except (ConfigError, StartFailed) as exc:
        sys.exit(f"kokoro-tts-api cannot start: {exc}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
