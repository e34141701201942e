"""Implement `serve`: run the server, with every setting as an option."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from kokoro_server.config import SETTINGS, flag


def add_setting_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for each setting to a command."""
    for each in reversed(SETTINGS):
        # `--wyoming` may stand without a value, which means "on".
        alone: dict[str, Any] = {"is_flag": False, "flag_value": "on"} if each.name == "WYOMING" else {}
        option = click.option(flag(each.name), each.name, metavar="VALUE", help=each.why, **alone)
        command = option(command)
    return command


def build_arguments(options: dict[str, str | None]) -> list[str]:
    """Turn the options that were given back into arguments: {"PORT": "9881"} -> ["--port", "9881"]."""
    return [word for name, value in options.items() if value is not None for word in (flag(name), value)]


@click.command("serve")
@add_setting_options
def run_serve(**options: str | None) -> None:
    """Serve over HTTP. Each option is a setting and overrides the environment variable KOKORO_NAME."""
    # Imported here: help and completion must not load the server.
    from kokoro_server.app import main

    main(build_arguments(options))
