"""`python -m kokoro_server`: the command line without installing it."""

from kokoro_server.cli.main import cli

cli(prog_name="python -m kokoro_server")
