"""Implement `voices`: list the voices by language."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from config import Config
from tts.command.options import settings
from tts.command.remote import Remote
from tts.speech.voices import LANGUAGES, language_of


@click.command("voices")
@click.option("--server", metavar="URL", help="Ask this server (KOKORO_SERVER) which it has.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def run_voices(server: str | None, as_json: bool) -> None:
    """List the voices, by language."""
    names = _names(settings(server))
    if as_json:
        click.echo(json.dumps([_described(name) for name in names], indent=2))
    else:
        Console().print(_table(names))


def _names(config: Config) -> list[str]:
    return Remote(config.SERVER, config.API_KEY).voices() if config.SERVER else list(config.ALLOWED_VOICES)


def _described(name: str) -> dict[str, str]:
    language = language_of(name[0])
    return {
        "id": name,
        "language": language.code,
        "language_name": language.name,
        "gender": "female" if name[1] == "f" else "male",
    }


def _table(names: list[str]) -> Table:
    table = Table("Language", "Code", "Female", "Male")
    for language in LANGUAGES:
        women, men = ([name for name in names if name.startswith(language.letter + sex)] for sex in "fm")
        if women or men:
            table.add_row(language.name, language.code, " ".join(women), " ".join(men))
    return table
