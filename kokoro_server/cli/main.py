"""Define the command `kokoro-tts-api` (`python -m kokoro_server`): its subcommands and the printing of errors."""

from __future__ import annotations

from importlib import import_module

import click

from kokoro_server import __version__
from kokoro_server.config import ConfigError
from kokoro_server.core.errors import SpeechError
from kokoro_server.core.extras import require_extra

COMMANDS = {
    "serve": "Serve over HTTP, and over Wyoming if wanted.",
    "worker": "Speak for the front servers of a cluster.",
    "say": "Speak a text, into a file or aloud.",
    "book": "Have a book spoken, chapter by chapter.",
    "voices": "List the voices.",
    "doctor": "Check everything that speaking needs, and say what to fix.",
    "health": "Ask the server on this machine whether it is well.",
    "mcp": "Give assistants tools to speak with (MCP over stdio).",
    "completion": "Print a script that completes commands in a shell.",
}
"""Summaries of the subcommands; NAME is the function `run_NAME` in the module NAME."""


COMMAND_EXTRAS = {"mcp": ("mcp", "MCP tools")}
"""Extra that a subcommand needs, and what to call its feature."""


class LazyGroup(click.Group):
    """Import a subcommand's module only when it is used, which keeps --version and completion fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the subcommands, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the subcommand, None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name in COMMAND_EXTRAS:
            require_extra(*COMMAND_EXTRAS[cmd_name])
        command: click.Command = getattr(import_module(f"kokoro_server.cli.{cmd_name}"), f"run_{cmd_name}")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the summaries from COMMANDS, without importing the modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; print ConfigError and SpeechError as one line and exit with 1."""
        try:
            return super().invoke(ctx)
        except (ConfigError, SpeechError) as exc:
            raise click.ClickException(str(exc)) from exc


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kokoro-tts-api")
def cli() -> None:
    """Speak with Kokoro-82M on this machine. `COMMAND --help` tells more."""
