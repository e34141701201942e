"""Define the options that several commands share, and load the settings that they override."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from kokoro_server.config import Config
from kokoro_server.core.request import MAX_SPEED, MIN_SPEED
from kokoro_server.core.voices import VOICES, get_voice_language

CommandFunction = TypeVar("CommandFunction", bound=Callable[..., Any])


def load_settings(server: str | None = None) -> Config:
    """Load the settings from the environment, override SERVER, and set up logging to stderr. Raises ConfigError."""
    config = Config.from_environment(os.environ)
    if config.LOG_LEVEL == "INFO":  # the default suits a server; a command prints its own messages
        config = config.replace(LOG_LEVEL="WARNING")
    logging.basicConfig(level=config.LOG_LEVEL, format="%(levelname)s %(message)s")
    return config.replace(SERVER=server) if server else config


class VoiceParamType(click.ParamType[str]):
    """Accept a voice or a blend, which the server or engine validates; complete names of voices in a shell."""

    name = "voice"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Return the voices that start with `incomplete`, each with its language as help."""
        return [
            CompletionItem(name, help=get_voice_language(name).title_name)
            for name in VOICES
            if name.startswith(incomplete)
        ]


def add_voice_options(command: CommandFunction) -> CommandFunction:
    """Add the options --voice, --speed and --language to a command."""
    speed = click.FloatRange(MIN_SPEED, MAX_SPEED)
    for option in (
        click.option("-l", "--language", metavar="CODE", help="Language of the text; by default that of the voice."),
        click.option("-s", "--speed", type=speed, metavar="FACTOR", help="Speed as a factor; 1 by default."),
        click.option("-v", "--voice", type=VoiceParamType(), help="A voice, or a blend such as af_bella(2)+af_sky(1)."),
    ):
        command = option(command)
    return command


def add_server_options(command: CommandFunction) -> CommandFunction:
    """Add the options --server and --local to a command."""
    for option in (
        click.option("--local", is_flag=True, help="Synthesize in this process, without a server."),
        click.option("--server", metavar="URL", help="Use this server (KOKORO_SERVER; its key is KOKORO_API_KEY)."),
    ):
        command = option(command)
    return command
