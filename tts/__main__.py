"""`python -m tts`: the command line without installing it."""

from tts.command.main import cli

cli(prog_name="python -m tts")
