"""Define the command `kokoro-tts-api` (`python -m kokoro_server`): its subcommands and the printing of errors."""

from __future__ import annotations

from importlib import import_module

import click

from kokoro_server import __version__
from kokoro_server.config import ConfigError
from kokoro_server.core.errors import SpeechError
from kokoro_server.core.extras import require_extra

COMMANDS = {
    "serve": "Serve over HTTP, and optionally over Wyoming.",
    "worker": "Run a worker of a cluster.",
    "say": "Synthesize a text to a file, or play it.",
    "book": "Convert a book to an audiobook.",
    "voices": "List the voices.",
    "doctor": "Check everything that synthesis needs, and print what to fix.",
    "health": "Check the health of the server on this machine.",
    "mcp": "Serve speech tools for assistants (MCP over stdio).",
    "completion": "Print a completion script for a shell.",
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
    """Convert text to speech with Kokoro-82M. Run COMMAND --help for the options of a command."""
