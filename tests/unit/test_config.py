"""Settings: defaults, the environment, arguments, and what is said about a wrong one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kokoro_server.app import parse_settings
from kokoro_server.config import SETTINGS, Config, ConfigError, usable_cores, variable
from kokoro_server.core.voices import VOICES

READ = [
    ("KOKORO_HOST", "127.0.0.1", "HOST", "127.0.0.1"),
    ("KOKORO_PORT", " 8080 ", "PORT", 8080),
    ("KOKORO_PORT", "0", "PORT", 0),
    ("KOKORO_ENGINE", "command", "ENGINE", "command"),
    ("KOKORO_MAX_TEXT_LENGTH", "5", "MAX_TEXT_LENGTH", 5),
    ("KOKORO_ALLOWED_VOICES", "af_heart, bf_emma,", "ALLOWED_VOICES", ("af_heart", "bf_emma")),
    ("KOKORO_DEFAULT_VOICE", "af_bella(2)+af_sky(1)", "DEFAULT_VOICE", "af_bella(2)+af_sky(1)"),
    ("KOKORO_TEMP_DIR", "/a folder/x", "TEMP_DIR", Path("/a folder/x")),
    ("KOKORO_CLEANUP_FILES", "off", "CLEANUP_FILES", False),
    ("KOKORO_CLEANUP_FILES", "YES", "CLEANUP_FILES", True),
    ("KOKORO_TIMEOUT", "0.5", "TIMEOUT", 0.5),
    ("KOKORO_REQUEST_TIMEOUT", "30", "REQUEST_TIMEOUT", 30.0),
    ("KOKORO_WORKERS", "3", "WORKERS", 3),
    ("KOKORO_THREADS", "3", "THREADS", 3),
    ("KOKORO_QUEUE", "0", "QUEUE", 0),
    ("KOKORO_CONNECTIONS", "9", "CONNECTIONS", 9),
    ("KOKORO_GRACE", "2.5", "GRACE", 2.5),
    ("KOKORO_COMMAND", "kokoro --debug", "KOKORO_COMMAND", ("kokoro", "--debug")),
    ("KOKORO_ENGINE", "cluster", "ENGINE", "cluster"),
    ("KOKORO_BROKER", "rediss://:secret@broker:6380/1", "BROKER", "rediss://:secret@broker:6380/1"),
    ("KOKORO_RESULTS", "redis://results", "RESULTS", "redis://results"),
    ("KOKORO_RESULTS", "", "RESULTS", ""),
    ("KOKORO_RESULT_EXPIRES", "30", "RESULT_EXPIRES", 30.0),
    ("KOKORO_IN_FLIGHT", "9", "IN_FLIGHT", 9),
    ("KOKORO_LEAD", "9", "LEAD", 9),
    ("KOKORO_MODEL", "~/k.onnx", "MODEL", Path.home() / "k.onnx"),
    ("KOKORO_MODEL", "", "MODEL", None),
    ("KOKORO_MODEL_DIR", "models", "MODEL_DIR", Path("models")),
    ("KOKORO_HUB", "http://localhost:1", "HUB", "http://localhost:1"),
    ("KOKORO_DEVICE", "cuda", "DEVICE", "cuda"),
    ("KOKORO_PRONUNCIATIONS", "words.tsv", "PRONUNCIATIONS", Path("words.tsv")),
    ("KOKORO_EMOJI", "silent", "EMOJI", "silent"),
    ("KOKORO_UNKNOWN_TAGS", "ignore", "UNKNOWN_TAGS", "ignore"),
    ("KOKORO_API_KEY", "one,two", "API_KEY", ("one", "two")),
    ("KOKORO_API_KEY", "", "API_KEY", ()),
    ("KOKORO_CORS_ORIGINS", "http://a, http://b", "CORS_ORIGINS", ("http://a", "http://b")),
    ("KOKORO_CACHE_MB", "10", "CACHE_MB", 10),
    ("KOKORO_ALLOWED_HOSTS", "a.example, .b.example", "ALLOWED_HOSTS", ("a.example", ".b.example")),
    ("KOKORO_RATE_LIMIT", "60/minute;1000/day", "RATE_LIMIT", "60/minute;1000/day"),
    ("KOKORO_RECYCLE_AFTER", "1000", "RECYCLE_AFTER", 1000),
    ("KOKORO_RECYCLE_MB", "2000", "RECYCLE_MB", 2000),
    ("KOKORO_IDLE_UNLOAD", "900", "IDLE_UNLOAD", 900.0),
    ("KOKORO_TRACES", "http://localhost:4318/v1/traces", "TRACES", "http://localhost:4318/v1/traces"),
    ("KOKORO_LOG_FORMAT", "json", "LOG_FORMAT", "json"),
    ("KOKORO_DATA_DIR", "data", "DATA_DIR", Path("data")),
    ("KOKORO_UPLOAD_MB", "5", "UPLOAD_MB", 5),
    ("KOKORO_UNPACKED_MB", "50", "UNPACKED_MB", 50),
    ("KOKORO_BOOK_PAGES", "100", "BOOK_PAGES", 100),
    ("KOKORO_BOOK_LENGTH", "1000", "BOOK_LENGTH", 1000),
    ("KOKORO_JOBS", "2", "JOBS", 2),
    ("KOKORO_JOBS_MB", "300", "JOBS_MB", 300),
    ("KOKORO_JOB_DAYS", "0.5", "JOB_DAYS", 0.5),
    ("KOKORO_WYOMING", "127.0.0.1:10300", "WYOMING", "127.0.0.1:10300"),
    ("KOKORO_WYOMING", "on", "WYOMING", "0.0.0.0:10200"),
    ("KOKORO_WYOMING", "off", "WYOMING", None),
    ("KOKORO_SERVER", "http://nas:9880", "SERVER", "http://nas:9880"),
    ("KOKORO_SERVER", "", "SERVER", None),
    ("KOKORO_LOG_LEVEL", "DEBUG", "LOG_LEVEL", "DEBUG"),
]


@pytest.mark.parametrize(("name", "value", "field", "expected"), READ)
def test_a_setting_is_read(name: str, value: str, field: str, expected: object) -> None:
    assert getattr(Config.from_environment({name: value}), field) == expected


def test_every_setting_is_in_the_table() -> None:
    assert {each.name for each in SETTINGS} == {field for _, _, field, _ in READ}


def test_every_setting_says_why() -> None:
    for each in SETTINGS:
        assert each.why.endswith("."), each.name


def test_the_defaults_that_the_documentation_promises() -> None:
    config = Config.from_environment({"PATH": "/bin", "KOKOROS": "x", "PORT": "1"})
    assert (config.HOST, config.PORT, config.ENGINE) == ("0.0.0.0", 9880, "pool")
    assert (config.MAX_TEXT_LENGTH, config.DEFAULT_VOICE, config.TIMEOUT) == (10_000, "af_heart", 60)
    assert (Path("output_temp"), True) == (config.TEMP_DIR, config.CLEANUP_FILES)
    assert set(config.ALLOWED_VOICES) <= set(VOICES)
    assert config.WORKERS == config.THREADS == usable_cores() >= 1
    assert (sys.executable, "-m", "kokoro_server.synthesis.kokoro_command") == config.KOKORO_COMMAND
    assert config.graphs.parent == config.MODEL_DIR


COMMANDS = [
    ("kokoro", ("kokoro",)),
    ("python -m kokoro", ("python", "-m", "kokoro")),
    ("'/opt/my kokoro/bin/kokoro' --debug", ("/opt/my kokoro/bin/kokoro", "--debug")),
    (r"C:\kokoro\python.exe -m kokoro", (r"C:\kokoro\python.exe", "-m", "kokoro")),
    (r'"C:\Program Files\Python\python.exe" -m kokoro', (r"C:\Program Files\Python\python.exe", "-m", "kokoro")),
    (r"'C:\Program Files\k.exe'", (r"C:\Program Files\k.exe",)),
    (r"\\server\share\kokoro.exe", (r"\\server\share\kokoro.exe",)),
    (r'"C:\a b\c.exe" --x="d e"', (r"C:\a b\c.exe", "--x=d e")),
    ("kokoro; rm -rf $HOME", ("kokoro;", "rm", "-rf", "$HOME")),
]


@pytest.mark.parametrize(("value", "words"), COMMANDS)
def test_a_command_is_split_into_words(value: str, words: tuple[str, ...]) -> None:
    assert words == Config.from_environment({"KOKORO_COMMAND": value}).KOKORO_COMMAND


WRONG = [
    ("KOKORO_PROT", "1", "KOKORO_PROT is not a setting. Did you mean KOKORO_PORT?"),
    ("KOKORO_KOKORO_COMMAND", "x", "Did you mean KOKORO_COMMAND?"),
    ("KOKORO_XYZZYXYZZY", "1", "Known are KOKORO_HOST, KOKORO_PORT"),
    ("KOKORO_PORT", "http", "KOKORO_PORT is 'http': expected a whole number."),
    ("KOKORO_PORT", "80.5", "expected a whole number"),
    ("KOKORO_PORT", "", "expected a whole number"),
    ("KOKORO_PORT", "65536", "KOKORO_PORT is 65536: expected a number from 0 to 65535."),
    ("KOKORO_PORT", "-1", "from 0 to 65535"),
    ("KOKORO_TIMEOUT", "soon", "KOKORO_TIMEOUT is 'soon': expected a number."),
    ("KOKORO_TIMEOUT", "0", "from 0.1 to 86400"),
    ("KOKORO_TIMEOUT", "nan", "from 0.1 to 86400"),
    ("KOKORO_TIMEOUT", "inf", "from 0.1 to 86400"),
    ("KOKORO_REQUEST_TIMEOUT", "-1", "expected a number"),
    ("KOKORO_REQUEST_TIMEOUT", "nan", "expected a number"),
    ("KOKORO_CLEANUP_FILES", "maybe", "KOKORO_CLEANUP_FILES is 'maybe': expected true or false."),
    ("KOKORO_CLEANUP_FILES", "", "expected true or false"),
    ("KOKORO_ENGINE", "pol", "KOKORO_ENGINE is 'pol': expected pool"),
    ("KOKORO_LOG_LEVEL", "debug", "expected DEBUG or INFO or WARNING or ERROR"),
    ("KOKORO_LOG_FORMAT", "xml", "expected text or json"),
    ("KOKORO_RATE_LIMIT", "often", "KOKORO_RATE_LIMIT is 'often': expected limits such as 60/minute"),
    ("KOKORO_IDLE_UNLOAD", "-1", "from 0 to"),
    ("KOKORO_LOG_LEVEL", "LOUD", "expected DEBUG or INFO"),
    ("KOKORO_EMOJI", "loud", "KOKORO_EMOJI is 'loud': expected named or silent."),
    ("KOKORO_UNKNOWN_TAGS", "skip", "KOKORO_UNKNOWN_TAGS is 'skip': expected refuse or ignore."),
    ("KOKORO_ALLOWED_VOICES", "af_heart,af_hart", "KOKORO_ALLOWED_VOICES is 'af_hart': expected af_heart"),
    ("KOKORO_ALLOWED_VOICES", ",", "KOKORO_ALLOWED_VOICES"),
    ("KOKORO_ALLOWED_VOICES", "bf_emma", "KOKORO_DEFAULT_VOICE"),
    ("KOKORO_DEFAULT_VOICE", "af_hart", "Unknown KOKORO_DEFAULT_VOICE 'af_hart'. Did you mean af_heart"),
    ("KOKORO_COMMAND", "", "KOKORO_COMMAND is '': expected a command"),
    ("KOKORO_COMMAND", "kokoro 'x", 'KOKORO_COMMAND is "kokoro \'x": expected a command'),
    ("KOKORO_TEMP_DIR", "", "KOKORO_TEMP_DIR is '': expected a path"),
    ("KOKORO_MODEL_DIR", " ", "KOKORO_MODEL_DIR is ' ': expected a path"),
    ("KOKORO_MAX_TEXT_LENGTH", "0", "from 1 to"),
    ("KOKORO_WORKERS", "0", "from 1 to"),
    ("KOKORO_THREADS", "0", "from 1 to"),
    ("KOKORO_QUEUE", "-1", "from 0 to"),
    ("KOKORO_CONNECTIONS", "0", "from 1 to"),
    ("KOKORO_CACHE_MB", "-1", "from 0 to"),
    ("KOKORO_HOST", "", "KOKORO_HOST is '': expected a word"),
    ("KOKORO_BROKER", "localhost:6379", "KOKORO_BROKER is no address: expected redis://… or rediss://…"),
    ("KOKORO_BROKER", "amqp://rabbit", "KOKORO_RESULTS is amqp://…: expected redis://… or rediss://…"),
    ("KOKORO_RESULTS", "amqp://rabbit", "KOKORO_RESULTS is amqp://…"),
    ("KOKORO_RESULT_EXPIRES", "0", "from 1 to"),
    ("KOKORO_IN_FLIGHT", "0", "from 1 to"),
    ("KOKORO_LEAD", "0", "from 1 to"),
]


def test_rabbitmq_needs_a_redis_beside_it() -> None:
    config = Config(BROKER="amqp://rabbit", RESULTS="redis://results")
    assert config.BROKER == "amqp://rabbit"


def test_a_broker_s_password_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        Config(BROKER="http://me:secret@broker")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("name", "value", "words"), WRONG)
def test_a_wrong_setting_is_named_with_what_was_expected(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config.from_environment({name: value})
    assert words in str(caught.value)


def test_every_bound_is_checked() -> None:
    for each in SETTINGS:
        for bound, beyond in ((each.low, -1), (each.high, 1)):
            if bound is not None:
                Config(**{each.name: type(bound)(bound)})
                with pytest.raises(ConfigError, match=variable(each.name)):
                    Config(**{each.name: bound + beyond})


def test_arguments_overrule_the_environment() -> None:
    environment = {"KOKORO_PORT": "1", "KOKORO_HOST": "127.0.0.1"}
    arguments = parse_settings(["--port", "2", "--kokoro-command", "say it", "--cleanup-files", "no"])
    config = Config.from_environment({**environment, **arguments})
    assert (config.PORT, config.HOST, config.KOKORO_COMMAND) == (2, "127.0.0.1", ("say", "it"))
    assert config.CLEANUP_FILES is False


@pytest.mark.parametrize("arguments", [["--prot", "1"], ["8080"], ["--port"], ["--por", "1"]])
def test_unknown_arguments_end_the_start(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(arguments)
    assert arguments[0] in capsys.readouterr().err


def test_help_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_settings(["--help"])
    shown = capsys.readouterr().out
    for each in SETTINGS:
        assert "--" + each.name.lower().replace("_", "-") in shown
