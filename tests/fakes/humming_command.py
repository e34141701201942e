"""A `kokoro` command that hums: `python humming_command.py --voice V -i text.txt -o out.wav`."""

import argparse
from pathlib import Path

from benchmarks.sound import Sound, wav_bytes
from tests.fakes.humming_server import RATE, hum

parser = argparse.ArgumentParser()
parser.add_argument("--voice")
parser.add_argument("-i", type=Path)
parser.add_argument("-o", type=Path)
options = parser.parse_args()
options.o.write_bytes(wav_bytes(Sound(hum(options.i.read_text("utf-8")), RATE)))
