"""`serve`: the server, with every setting as an option."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from config import Config, flag


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for each setting."""
    for each in reversed(fields(Config)):
        alone: dict[str, Any] = {"is_flag": False, "flag_value": "on"} if each.name == "WYOMING" else {}
        option = click.option(flag(each.name), each.name, metavar="VALUE", help=each.metadata["why"], **alone)
        command = option(command)
    return command


def words(given: dict[str, str | None]) -> list[str]:
    """The options that were given, as they stood on the command line."""
    return [word for name, value in given.items() if value is not None for word in (flag(name), value)]


@click.command("serve")
@with_settings
def command(**given: str | None) -> None:
    """Serve over HTTP. Each option is a setting, and overrules the environment's KOKORO_ variable of that name."""
    # Imported here: the command's own help and completion need nothing of the server.
    from kokoro_tts_api import main

    main(words(given))
