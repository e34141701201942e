"""Implement `worker`: synthesize for the front servers of a cluster, with every setting as an option."""

from __future__ import annotations

import click

from tts.command.serve import with_settings, words


@click.command("worker")
@with_settings
def run_worker(**given: str | None) -> None:
    """Speak for the front servers that meet at --broker, until told to stop. Each option is a setting."""
    # Imported here: help and completion must not load the server.
    from kokoro_tts_api import main

    main(["worker", *words(given)])
