"""`worker`: this machine speaks for the front servers of a cluster, with every setting as an option."""

from __future__ import annotations

import click

from tts.command.serve import with_settings, words


@click.command("worker")
@with_settings
def command(**given: str | None) -> None:
    """Speak for the front servers that meet at --broker, until told to stop. Each option is a setting."""
    # Imported here: the command's own help and completion need nothing of the server.
    from kokoro_tts_api import main

    main(["worker", *words(given)])
