"""Implement `voices`: list the voices by language."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from kokoro_server.cli.http_client import HttpClient
from kokoro_server.cli.options import load_settings
from kokoro_server.config import Config
from kokoro_server.core.languages import Gender, Language
from kokoro_server.core.voices import get_voice_gender, get_voice_language


@click.command("voices")
@click.option("--server", metavar="URL", help="List the voices of this server (KOKORO_SERVER).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run_voices(server: str | None, as_json: bool) -> None:
    """List the voices, by language."""
    names = _get_names(load_settings(server))
    if as_json:
        click.echo(json.dumps([_voice_to_dict(name) for name in names], indent=2))
    else:
        Console().print(_make_table(names))


def _get_names(config: Config) -> list[str]:
    return HttpClient(config.SERVER, config.API_KEY).get_voice_names() if config.SERVER else list(config.ALLOWED_VOICES)


def _voice_to_dict(name: str) -> dict[str, str]:
    language = get_voice_language(name)
    return {
        "id": name,
        "language": language.code,
        "language_name": language.title_name,
        "gender": get_voice_gender(name).title_name,
    }


def _make_table(names: list[str]) -> Table:
    table = Table("Language", "Code", "Female", "Male")
    for language in Language:
        women, men = ([name for name in names if name.startswith(language + gender)] for gender in Gender)
        if women or men:
            table.add_row(language.title_name, language.code, " ".join(women), " ".join(men))
    return table
