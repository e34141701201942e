"""Implement `health`: check the server on this machine, for containers and monitors that run a command."""

from __future__ import annotations

import click

from kokoro_server.cli.http_client import SERVICE_NAME, fetch_health
from kokoro_server.cli.options import load_settings
from kokoro_server.core.errors import WorkerUnavailable


@click.command("health")
@click.option("--server", metavar="URL", help="Check this server instead of the one on this machine (KOKORO_SERVER).")
def run_health(server: str | None) -> None:
    """Check that the server is ready; the exit code is 1 if it is not."""
    config = load_settings(server)
    address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
    report = fetch_health(address)
    if report.get("service") != SERVICE_NAME or report.get("status") != "healthy":
        raise WorkerUnavailable(f"The server {address} is not well: it says {report or 'nothing'}.")
    click.echo(f"The server {address}, version {report.get('version')}, is well.")
