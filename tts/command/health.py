"""`health`: whether the server on this machine is well, for containers and monitors that run a command."""

from __future__ import annotations

import click

from tts.command.options import settings
from tts.command.remote import SERVICE, health
from tts.speech.errors import WorkerUnavailable


@click.command("health")
@click.option("--server", metavar="URL", help="Ask this server (KOKORO_SERVER), rather than the one on this machine.")
def command(server: str | None) -> None:
    """Fail unless the server answers that it is well."""
    config = settings(server)
    address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
    told = health(address)
    if told.get("service") != SERVICE or told.get("status") != "healthy":
        raise WorkerUnavailable(f"The server {address} is not well: it says {told or 'nothing'}.")
    click.echo(f"The server {address}, version {told.get('version')}, is well.")
