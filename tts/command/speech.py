"""Who speaks for the command line: a running server where there is one, or an engine that it starts itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import click

from config import Config
from tts.command.remote import Remote, is_ours


@dataclass(frozen=True)
class Wish:
    """What to say and how; what is None is as the speaking side has it by default."""

    text: str
    voice: str | None = None
    speed: float | None = None
    language: str | None = None


class Speech(Protocol):
    """Something that speaks. All raise SpeechError."""

    def sound(self, wish: Wish, format: str) -> Iterator[bytes]:
        """One container of the format, its bytes as they are made."""

    def voices(self) -> list[str]:
        """The voices that may be asked for, the default one first."""

    def close(self) -> None:
        """Let go of it."""


def find_speech(config: Config, local: bool) -> Speech:
    """The named server, or the one on this machine, or with neither an engine of our own. Raises SpeechError."""
    if not local:
        address = config.SERVER or f"http://127.0.0.1:{config.PORT}"
        if config.SERVER or is_ours(address):
            return Remote(address, config.API_KEY)
        click.echo(f"No server at {address}: starting an engine, which takes some seconds.", err=True)
    # Imported here: it brings the whole server, a second that those who have one running need not wait.
    from tts.command.local import Local

    return Local(config)
