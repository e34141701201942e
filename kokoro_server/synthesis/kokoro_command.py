"""Replace hexgrad's `kokoro` command, with the same flags and defaults, but without torch.

`python -m kokoro_server.synthesis.kokoro_command --voice af_heart --text "Hello there." -o hello.wav`
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from kokoro_server.audio.samples import write_wav
from kokoro_server.config import Config, ConfigError
from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import find_language
from kokoro_server.core.request import SpeechRequest, check_speed, check_text
from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.model.assets import AssetsMissing, ensure_assets
from kokoro_server.synthesis.synthesizer import UtteranceSynthesizer
from kokoro_server.text.chunking import UtteranceSizes, plan_utterances

MAX_CHARACTERS = 10_000_000
"""Maximum number of characters: practically none, as the command is run by the machine's own user."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command; exit with status 1 and a message if the request or the setup is invalid."""
    options = _build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if options.debug else logging.WARNING)
    try:
        config = Config.from_environment(os.environ)
        request = _build_request(options, config.EMOJI == "named")
        speaker = UtteranceSynthesizer(
            ensure_assets(config.MODEL_DIR, config.MODEL, config.HUB), config.graphs, config.DEVICE, config.THREADS
        )
        parts = plan_utterances(request, UtteranceSizes(first=280))
        write_wav(options.output_file, (chunk for part in parts for chunk in speaker.synthesize(part, config.THREADS)))
    except BadRequest as exc:
        sys.exit(f"kokoro: {exc.message}")
    except (ConfigError, AssetsMissing, OSError, ValueError) as exc:
        sys.exit(f"kokoro: {exc}")


def _build_request(options: argparse.Namespace, emoji: bool) -> SpeechRequest:
    """Build the request from the flags. Raises BadRequest, OSError or UnicodeDecodeError."""
    voice = find_voice(options.voice, VOICES, "--voice")
    language = find_language(options.language, "--language") if options.language else voice.language
    text = check_text(_read_text(options), MAX_CHARACTERS, "the text")
    return SpeechRequest(text, voice, language, check_speed(options.speed, "--speed"), emoji=emoji)


def _read_text(options: argparse.Namespace) -> str:
    """Return the text of --text, else of the input file, else of stdin."""
    if options.text is not None:
        return str(options.text)
    if options.input_file is not None:
        return Path(options.input_file).read_text("utf-8-sig")
    if sys.stdin.isatty():
        print("Type what to say, then Ctrl-D (on Windows Ctrl-Z and Return):")
    return sys.stdin.buffer.read().decode("utf-8-sig")


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="kokoro", description="Speak a text into a WAV file (24 kHz mono).")
    parser.add_argument("-m", "--voice", default="af_heart", help="one of Kokoro's voices, or a blend")
    parser.add_argument("-l", "--language", help="the text's language, by default the voice's")
    parser.add_argument("-o", "--output-file", "--output_file", type=Path, required=True, help="the WAV file to write")
    parser.add_argument("-i", "--input-file", "--input_file", type=Path, help="a UTF-8 text file to read")
    parser.add_argument("-t", "--text", help="the text; without it and without a file, stdin is read")
    parser.add_argument("-s", "--speed", type=float, default=1.0, help="pace as a factor")
    parser.add_argument("--debug", action="store_true", help="log what is done")
    return parser


if __name__ == "__main__":
    main()
