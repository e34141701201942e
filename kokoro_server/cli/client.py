"""Choose what synthesizes for the command line: a running server, or an engine started for one command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import click

from kokoro_server.cli.http_client import HttpClient, is_kokoro_server
from kokoro_server.config import Config


@dataclass(frozen=True)
class SayOptions:
    """Hold the text and the options of one utterance; None leaves an option to the default of the server or engine."""

    text: str
    voice: str | None = None
    speed: float | None = None
    language: str | None = None


class SpeechClient(Protocol):
    """Interface of HttpClient and LocalClient. Every method raises SpeechError."""

    def stream_audio(self, options: SayOptions, format: str) -> Iterator[bytes]:
        """Return the bytes of one container of the format, as they are synthesized."""

    def get_voice_names(self) -> list[str]:
        """Return the names of the voices, the default one first."""

    def close(self) -> None:
        """Release the engine or connection."""


def open_client(config: Config, local: bool) -> SpeechClient:
    """Return a client of the configured server, else of the one on this machine, else of a new engine.

    `local` skips the servers. Raises SpeechError when the engine cannot start; a configured server is not asked.
    """
    if not local:
        address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
        if config.SERVER or is_kokoro_server(address):
            return HttpClient(address, config.API_KEY)
        click.echo(f"No server at {address}: starting an engine, which takes some seconds.", err=True)
    # Imported here: it loads the whole server, which takes a second and is not needed when one is running.
    from kokoro_server.cli.local_client import LocalClient

    return LocalClient(config)
