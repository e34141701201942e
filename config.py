"""Every setting with its default, unit and reason; each is read from the environment as KOKORO_<NAME>."""

from __future__ import annotations

import difflib
import os
import shlex
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints

from platformdirs import user_cache_path

from tts.speech.errors import BadRequest
from tts.speech.voices import VOICES, find_voice

PREFIX = "KOKORO_"
REDIS = ("redis", "rediss", "redis+socket")
RABBIT = ("amqp", "amqps", "pyamqp")
"""Schemes of the addresses that a cluster may meet at."""


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
    DEVICE: str = setting("cpu", "What the network runs on: cpu, or what the runtime offers (gpu, cuda, directml).")
    PRONUNCIATIONS: Path | None = setting(
        None, "File of `word<TAB>respelling or /phonemes/` lines, or YAML's `word: …`; read again when it changes."
    )
    UNKNOWN_TAGS: str = setting("refuse", "What to do with SSML tags that are not known: refuse (400) or ignore.")
    API_KEY: tuple[str, ...] = setting(
        (), "Keys that may use the server (Bearer), separated by commas; none lets all in."
    )
    CORS_ORIGINS: tuple[str, ...] = setting(("*",), "Web origins whose pages may call the server, separated by commas.")
    CACHE_MB: int = setting(0, "Disk space for finished answers; 0 keeps none.", "megabytes", low=0, high=1_000_000)
    LOG_LEVEL: str = setting("INFO", "Least severe message that is logged: DEBUG, INFO, WARNING or ERROR.")

    def __post_init__(self) -> None:
        for each in fields(self):
            _check_bounds(each.name, getattr(self, each.name), each.metadata["low"], each.metadata["high"])
        _check_choice("ENGINE", self.ENGINE, ("pool", "command", "cluster"))
        _check_scheme("BROKER", self.BROKER, (*REDIS, *RABBIT))
        _check_scheme("RESULTS", self.RESULTS or self.BROKER, REDIS)
        _check_choice("UNKNOWN_TAGS", self.UNKNOWN_TAGS, ("refuse", "ignore"))
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
    tuple[str, ...]: _to_words,
}
_EXPECTED = {
    str: "a word",
    Path: "a path",
    _to_command: "a command",
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
