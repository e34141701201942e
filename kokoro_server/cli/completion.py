"""Implement `completion`: print a script with which a shell completes commands, options and voices."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM_NAME = "kokoro-tts-api"
COMPLETION_VARIABLE = "_KOKORO_TTS_API_COMPLETE"


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def run_completion(ctx: click.Context, shell: str) -> None:
    """Print the script for SHELL; it completes the installed command, not `python -m kokoro_server`.

    \b
      bash  eval "$(kokoro-tts-api completion bash)" in ~/.bashrc
      zsh   eval "$(kokoro-tts-api completion zsh)" in ~/.zshrc
      fish  kokoro-tts-api completion fish > ~/.config/fish/completions/kokoro-tts-api.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # the choices are click's own
    click.echo(kind(ctx.find_root().command, {}, PROGRAM_NAME, COMPLETION_VARIABLE).source())
