"""Implement `worker`: synthesize for the front servers of a cluster, with every setting as an option."""

from __future__ import annotations

import click

from kokoro_server.cli.serve import add_setting_options, build_arguments


@click.command("worker")
@add_setting_options
def run_worker(**options: str | None) -> None:
    """Speak for the front servers that meet at --broker, until told to stop. Each option is a setting."""
    # Imported here: help and completion must not load the server.
    from kokoro_server.app import main

    main(["worker", *build_arguments(options)])
