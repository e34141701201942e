"""Define the settings: each field of `Config` is read from the environment as KOKORO_<NAME>, or from `--name value`.

This module is the only one that reads settings. pydantic-settings finds and converts the values; a wrong one becomes a
`ConfigError` of one line that names the setting, its value and what was expected.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
import sys
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast, get_args

from platformdirs import user_cache_path, user_data_path
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.voices import VOICES, find_voice

PREFIX = "KOKORO_"
WYOMING_ADDRESS = "0.0.0.0:10200"
"""Address at which Home Assistant's users expect a Wyoming server."""
REDIS = ("redis", "rediss", "redis+socket")
RABBIT = ("amqp", "amqps", "pyamqp")
"""URL schemes that a cluster's broker may have."""
SECRETS = ("API_KEY", "BROKER", "RESULTS")
"""Settings that hold keys or passwords."""
_RATE = r"[1-9]\d{0,8}/(second|minute|hour|day)(;[1-9]\d{0,8}/(second|minute|hour|day))*"


class ConfigError(Exception):
    """A setting is wrong; the message says which, what it is and what was expected."""


def setting(
    default: Any,
    why: str,
    unit: str = "",
    low: float | None = None,
    high: float | None = None,
    expected: str = "",
) -> Any:  # one line per setting reads best with all of its facts in it
    """Declare a field of Config.

    `why` and `unit` go into the documentation, `low` and `high` are its bounds (both allowed), and `expected` tells in
    an error message what a value that cannot be converted should have been; by default the field's type tells it.
    """
    more: dict[str, Any] = {"unit": unit, "low": low, "high": high, "expected": expected}
    if callable(default):
        return Field(default_factory=default, description=why, json_schema_extra=more)
    return Field(default, description=why, json_schema_extra=more)


def parse_address(value: str | None) -> str | None:
    """Return HOST:PORT; WYOMING_ADDRESS for "on", None for "off". Raises ValueError."""
    if value is None or value.lower() in ("", "off", "false", "no"):
        return None
    if value.lower() in ("on", "true", "yes"):
        return WYOMING_ADDRESS
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(value)
    return value


def split_command(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Split a command line as a shell would, keeping backslashes, which Windows paths hold. Raises ValueError."""
    if not isinstance(value, str):
        return value
    splitter = shlex.shlex(value, posix=True, punctuation_chars=False)
    splitter.whitespace_split = True
    splitter.commenters = ""
    splitter.escape = ""
    words = tuple(splitter)
    if not words:
        raise ValueError(value)
    return words


def split_words(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Split a list at its commas; blanks around the words and empty words are dropped."""
    return tuple(word.strip() for word in value.split(",") if word.strip()) if isinstance(value, str) else value


def parse_path(value: str | Path) -> Path:
    """Return a path with `~` expanded. Raises ValueError for an empty one, which would mean the current folder."""
    if isinstance(value, str) and not value.strip():
        raise ValueError(value)
    return Path(value.strip() if isinstance(value, str) else value).expanduser()


def empty_to_none(value: Any) -> Any:
    """Return None for a text of blanks alone."""
    return None if isinstance(value, str) and not value.strip() else value


def check_rate(value: str) -> str:
    """Return the limit. Raises ValueError when requests cannot be counted against it."""
    if value and not re.fullmatch(_RATE, value):
        raise ValueError(value)
    return value


NonEmpty = Annotated[str, Field(min_length=1)]
ExpandedPath = Annotated[Path, BeforeValidator(parse_path)]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)]
Command = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_command)]


def usable_cores() -> int:
    """Return the number of cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # Linux only: containers and taskset give fewer than there are
    return len(affinity(0)) if affinity else os.cpu_count() or 1


class Config(BaseSettings):
    """Hold the checked settings; an instance is never wrong. Raises ConfigError when it is made of wrong values."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, case_sensitive=True, extra="forbid", frozen=True, str_strip_whitespace=True
    )

    HOST: NonEmpty = setting("0.0.0.0", "Address to listen on; 127.0.0.1 keeps the server to this machine.")
    PORT: int = setting(9880, "Port to listen on; 0 takes a free one.", low=0, high=65535)
    ENGINE: Literal["pool", "command", "cluster"] = setting(
        "pool",
        "Engine that synthesizes: pool (warm worker processes), command (runs KOKORO_COMMAND once per request) or "
        "cluster (other machines).",
    )
    MAX_TEXT_LENGTH: int = setting(10_000, "Maximum length of a request's text.", "characters", low=1, high=10_000_000)
    ALLOWED_VOICES: Words = setting(VOICES, "Voices that requests may use, separated by commas.")
    DEFAULT_VOICE: NonEmpty = setting("af_heart", "Voice for requests that do not name one; may be a blend.")
    TEMP_DIR: ExpandedPath = setting(Path("output_temp"), "Folder for the WAV files that POST /synthesize writes.")
    CLEANUP_FILES: bool = setting(True, "Delete a file in TEMP_DIR once it has been sent; false keeps the files.")
    TIMEOUT: float = setting(60.0, "Time limit for the synthesis of one utterance.", "seconds", low=0.1, high=86400)
    REQUEST_TIMEOUT: float = setting(
        0.0,
        "Time limit for a request; 0 means none. X-Request-Timeout overrides it.",
        "seconds",
        0,
    )
    WORKERS: int = setting(
        usable_cores, "Number of workers, each of which synthesizes one utterance at a time.", low=1, high=1024
    )
    THREADS: int = setting(usable_cores, "Number of CPU cores that the workers share.", low=1, high=1024)
    QUEUE: int = setting(16, "Requests that may wait for a worker; further ones get 429.", low=0, high=100_000)
    CONNECTIONS: int = setting(
        256,
        "Responses that may be in progress at once; each takes one thread.",
        low=1,
        high=10_000,
    )
    GRACE: float = setting(
        10.0,
        "Time that responses in progress get to finish when the server stops.",
        "seconds",
        low=0,
        high=3600,
    )
    KOKORO_COMMAND: Command = setting(
        (sys.executable, "-m", "kokoro_server.synthesis.kokoro_command"),
        "Command for ENGINE=command; it must take the flags of hexgrad's kokoro.",
        expected="a command",
    )
    BROKER: NonEmpty = setting(
        "redis://127.0.0.1:6379/0",
        "Broker of a cluster, with its password: redis://, rediss://, or amqp:// for RabbitMQ.",
    )
    RESULTS: str = setting("", "Redis server for the results of a cluster; empty means BROKER.")
    RESULT_EXPIRES: float = setting(
        120.0,
        "Time until a cluster's result expires when its server has not fetched it.",
        "seconds",
        low=1,
        high=86400,
    )
    IN_FLIGHT: int = setting(64, "Utterances that may be queued or in progress on a cluster at once.", low=1, high=1024)
    LEAD: int = setting(
        32,
        "Utterances of one request that a cluster may synthesize ahead of playback; each takes up to 2 MB of memory.",
        low=1,
        high=1024,
    )
    MODEL: Annotated[ExpandedPath | None, BeforeValidator(empty_to_none)] = setting(
        None, "Kokoro ONNX export to use instead of the installed weights."
    )
    MODEL_DIR: ExpandedPath = setting(
        lambda: user_cache_path("kokoro-tts-api", appauthor=False),
        "Folder for weights and voices; nothing is downloaded if it is complete.",
    )
    HUB: NonEmpty = setting("https://huggingface.co", "Hub to download voices from if npm is not installed.")
    DEVICE: NonEmpty = setting(
        "cpu",
        "Device for the network: cpu, optionally with the kernels to use (cpu:avx); or cuda, directml or gpu "
        "(OpenVINO), if onnxruntime supports it.",
    )
    PRONUNCIATIONS: Annotated[ExpandedPath | None, BeforeValidator(empty_to_none)] = setting(
        None,
        "Pronunciation dictionary: lines of `word<TAB>respelling or /phonemes/`, or YAML's `word: …`. It is reloaded "
        "when it changes.",
    )
    EMOJI: Literal["named", "silent"] = setting(
        "named", "How emoji are read if a request does not say: named or silent."
    )
    UNKNOWN_TAGS: Literal["refuse", "ignore"] = setting(
        "refuse", "How to handle unknown SSML tags: refuse (400) or ignore."
    )
    API_KEY: Words = setting(
        (), "API keys (Bearer tokens) that are accepted, separated by commas; empty means that none is needed."
    )
    CORS_ORIGINS: Words = setting(("*",), "Web origins that may call the server (CORS), separated by commas.")
    CACHE_MB: int = setting(0, "Disk space for the response cache; 0 turns it off.", "megabytes", low=0, high=1_000_000)
    ALLOWED_HOSTS: Words = setting(
        (), "Host names that are accepted, separated by commas; .example.com includes subdomains. Empty accepts any."
    )
    RATE_LIMIT: Annotated[str, AfterValidator(check_rate)] = setting(
        "",
        "Rate limit per API key or client address, such as 60/minute; empty means none.",
        expected="limits such as 60/minute or 5/second;1000/day",
    )
    RECYCLE_AFTER: int = setting(
        0,
        "Replace a worker after this many utterances, without interrupting requests; 0 means never.",
        low=0,
        high=1_000_000_000,
    )
    RECYCLE_MB: int = setting(
        0, "Replace a worker when its memory exceeds this; 0 means never.", "megabytes", low=0, high=1_000_000
    )
    IDLE_UNLOAD: float = setting(
        0.0, "Unload an idle worker after this time, until it is needed again; 0 means never.", "seconds", 0, 10**9
    )
    TRACES: str = setting("", "OTLP/HTTP endpoint for OpenTelemetry traces; empty turns tracing off.")
    LOG_FORMAT: Literal["text", "json"] = setting("text", "Log format: text, or json (one object per line).")
    DATA_DIR: ExpandedPath = setting(
        lambda: user_data_path("kokoro-tts-api", appauthor=False),
        "Folder for audiobooks and the database of their jobs.",
    )
    UPLOAD_MB: int = setting(50, "Maximum size of an uploaded book.", "megabytes", low=1, high=4_000)
    UNPACKED_MB: int = setting(500, "Maximum unpacked size of a book's file.", "megabytes", low=1, high=100_000)
    BOOK_PAGES: int = setting(5_000, "Maximum number of pages of a PDF.", "pages", low=1, high=1_000_000)
    BOOK_LENGTH: int = setting(5_000_000, "Maximum length of a book's text.", "characters", low=1, high=100_000_000)
    JOBS: int = setting(100, "Unfinished audiobook jobs; further ones get 429.", low=1, high=100_000)
    JOBS_MB: int = setting(
        20_000, "Disk space for audiobooks; when it is used up, further ones get 507.", "megabytes", 1, 100_000_000
    )
    JOB_DAYS: float = setting(30.0, "Time until a finished job is deleted; 0 keeps it.", "days", 0, 36_500)
    WYOMING: Annotated[str | None, BeforeValidator(parse_address)] = setting(
        None,
        f"Address of the Wyoming server for Home Assistant: HOST:PORT, on ({WYOMING_ADDRESS}) or off.",
        expected="HOST:PORT, on or off",
    )
    SERVER: Annotated[str | None, BeforeValidator(empty_to_none)] = setting(
        None, "Server for the command line to use, such as http://nas:9880; by default one on this machine."
    )
    LOG_LEVEL: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting(
        "INFO", "Minimum level of log messages: DEBUG, INFO, WARNING or ERROR."
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as exc:
            raise ConfigError(_describe(exc.errors()[0])) from exc

    @model_validator(mode="after")
    def _check(self) -> Self:
        for each in SETTINGS:
            _check_bounds(each, getattr(self, each.name))
        _check_scheme("BROKER", self.BROKER, (*REDIS, *RABBIT))
        _check_scheme("RESULTS", self.RESULTS or self.BROKER, REDIS)
        for name in self.ALLOWED_VOICES:
            if name not in VOICES:
                raise ConfigError(_describe_choice("ALLOWED_VOICES", name, VOICES))
        if not self.ALLOWED_VOICES:
            raise ConfigError("KOKORO_ALLOWED_VOICES is empty: expected at least one voice.")
        try:
            find_voice(self.DEFAULT_VOICE, self.ALLOWED_VOICES, variable("DEFAULT_VOICE"))
        except BadRequest as exc:
            raise ConfigError(exc.message) from exc
        return self

    @property
    def graphs(self) -> Path:
        """Return the folder of the artifacts that were prepared for this machine."""
        return self.MODEL_DIR / "graphs"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Config:
        """Return the settings of KOKORO_<NAME> variables, defaults for the rest. Raises ConfigError."""
        known = {each.variable: each.name for each in SETTINGS}
        given = {name: value for name, value in environment.items() if name.startswith(PREFIX)}
        for name in given:
            if name not in known:
                raise ConfigError(_describe_unknown(name, known))
        source = EnvSettingsSource(cls)
        source.env_vars = {PREFIX + known[name]: value.strip() or value for name, value in given.items()}
        return cls(**source())

    @classmethod
    def settings_customise_sources(  # pydantic-settings gives it its parameters
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take values from the constructor alone: `from_environment` is the one way to read variables."""
        return (init_settings,)

    def replace(self, **changes: Any) -> Config:
        """Return a copy with some settings changed, checked again. Raises ConfigError."""
        return Config(**{**self.model_dump(), **changes})


@dataclass(frozen=True)
class Setting:
    """Describe one setting, for the documentation, the command line and the checks."""

    name: str
    info: FieldInfo

    @property
    def why(self) -> str:
        """Return what the setting does, in a sentence."""
        return self.info.description or ""

    @property
    def variable(self) -> str:
        """Return the name of its environment variable."""
        return variable(self.name)

    @property
    def flag(self) -> str:
        """Return the name of its option on a command line."""
        return flag(self.name)

    @property
    def unit(self) -> str:
        """Return the unit of its value; empty where it has none."""
        return str(self._more["unit"])

    @property
    def low(self) -> float | None:
        """Return the least value that is allowed."""
        return cast("float | None", self._more["low"])

    @property
    def high(self) -> float | None:
        """Return the greatest value that is allowed."""
        return cast("float | None", self._more["high"])

    @property
    def expectation(self) -> str:
        """Return what a value that cannot be converted should have been."""
        return str(self._more["expected"]) or _EXPECTED.get(self.info.annotation, "a word")

    @property
    def _more(self) -> dict[str, Any]:
        assert isinstance(self.info.json_schema_extra, dict)
        return self.info.json_schema_extra


_EXPECTED: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    Path | None: "a path",
    tuple[str, ...]: "words separated by commas",
}

SETTINGS = tuple(Setting(name, info) for name, info in Config.model_fields.items())
"""Every setting, in the order of the documentation."""


def variable(name: str) -> str:
    """Return the environment's name of a setting; KOKORO_COMMAND begins with the prefix already."""
    return name if name.startswith(PREFIX) else PREFIX + name


def forget_secrets(environment: MutableMapping[str, str]) -> None:
    """Remove the settings that hold secrets, so that no child process inherits them."""
    for name in SECRETS:
        environment.pop(variable(name), None)


def flag(name: str) -> str:
    """Return what a setting is called on a command line."""
    return "--" + name.lower().replace("_", "-")


def _describe(error: ErrorDetails) -> str:
    """Return the line for the first thing that pydantic found wrong."""
    name = str(error["loc"][0]) if error["loc"] else ""
    each = next((each for each in SETTINGS if each.name == name), None)
    if each is None:
        return _describe_unknown(variable(name), [each.variable for each in SETTINGS])
    if error["type"] == "literal_error":
        return _describe_choice(name, str(error["input"]), get_args(each.info.annotation))
    value = (
        error["input"].strip()
        if each.info.annotation is not Path and isinstance(error["input"], str)
        else error["input"]
    )
    return f"{each.variable} is {value!r}: expected {each.expectation}."


def _describe_unknown(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    hint = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
    return f"{name} is not a setting. {hint}"


def _describe_choice(name: str, value: str, choices: Collection[str]) -> str:
    near = difflib.get_close_matches(value, choices, 3) or choices
    return f"{variable(name)} is {value!r}: expected {' or '.join(near)}."


def _check_bounds(each: Setting, value: Any) -> None:
    low, high = each.low, each.high
    if (low is not None and not value >= low) or (high is not None and not value <= high):
        span = f"from {low:g} to {high:g}" if high is not None else f"of at least {low:g}"
        raise ConfigError(f"{each.variable} is {value}: expected a number {span}.")


def _check_scheme(name: str, value: str, schemes: tuple[str, ...]) -> None:
    scheme, separator, place = value.partition("://")
    if scheme not in schemes or not place:
        given = f"{scheme}://…" if separator else "no address"  # the rest may hold a password
        raise ConfigError(f"{variable(name)} is {given}: expected {' or '.join(f'{each}://…' for each in schemes)}.")
