"""Implement `say`: synthesize a text into a file, to stdout, or aloud."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import av
import click

from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE
from kokoro_server.cli.client import SayOptions, SpeechClient, open_client
from kokoro_server.cli.files import detect_format, save_audio
from kokoro_server.cli.options import add_server_options, add_voice_options, load_settings
from kokoro_server.cli.player import find_player

STDOUT_PATH = Path("-")


@click.command("say")
@click.argument("text", nargs=-1)
@add_voice_options
@click.option(
    "-f", "--format", type=click.Choice(list(FORMATS)), help="Audio format; by default that of OUTPUT's suffix, or wav."
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write; - for stdout.")
@click.option("--play", "aloud", is_flag=True, help="Play the audio; the default without OUTPUT.")
@add_server_options
def run_say(  # click passes one argument for each option
    text: tuple[str, ...],
    voice: str | None,
    speed: float | None,
    language: str | None,
    format: str | None,
    output: Path | None,
    aloud: bool,
    server: str | None,
    local: bool,
) -> None:
    """Synthesize TEXT, or the text on stdin if none is given.

    \b
      kokoro-tts-api say "Hello there."
      kokoro-tts-api say -v bf_emma -s 1.1 -o hello.mp3 "Hello there."
      kokoro-tts-api say -o letter.wav --play < letter.txt
    """
    container = format or _choose_format(output)
    options = SayOptions(_read_text(text), voice, speed, language)
    play = find_player() if aloud or output is None else None  # fail before an engine is started for nothing
    with closing(open_client(load_settings(server), local)) as client:
        if output is not None:
            _write_audio(client, options, container, output)
        elif play:
            play(client.stream_audio(options, "pcm"))
    if play and output is not None and output != STDOUT_PATH:
        play(_decode_pcm(output, format))


def _choose_format(output: Path | None) -> str:
    """Return the format of the file's extension, wav without one. Raises ClickException for an unknown extension."""
    if output is None or not output.suffix:
        return "wav"
    named = detect_format(output)
    if named is None:
        endings = ", ".join(f".{each.extension}" for each in FORMATS.values())
        raise click.ClickException(f"{output.name} is no name for sound: end it with {endings}, or give --format.")
    return named


def _read_text(words: tuple[str, ...]) -> str:
    """Join the arguments, or read UTF-8 text from stdin (a byte order mark is dropped) when there are none."""
    if words and words != ("-",):
        return " ".join(words)
    if sys.stdin.isatty():
        click.echo("Type what to say, then Ctrl-D (on Windows Ctrl-Z and Return):", err=True)
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise click.ClickException(f"The text on stdin is not UTF-8: {exc}.") from exc


def _write_audio(client: SpeechClient, options: SayOptions, format: str, output: Path) -> None:
    blocks = client.stream_audio(options, format)
    if output == STDOUT_PATH:
        out = sys.stdout.buffer
        for block in blocks:
            out.write(block)
            out.flush()
        return
    try:
        size = save_audio(output, format, blocks)
    except OSError as exc:
        raise click.ClickException(f"{output} can't be written: {exc.strerror}.") from exc
    click.echo(f"Spoken into {output} ({size / 1000:.0f} kB).", err=True)


def _decode_pcm(path: Path, format: str | None) -> Iterator[bytes]:
    """Decode a file and yield s16le mono samples at SAMPLE_RATE."""
    if (format or detect_format(path)) == "pcm":
        yield path.read_bytes()
        return
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                yield part.to_ndarray().tobytes()
