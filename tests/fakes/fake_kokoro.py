"""A command with the flags of hexgrad's `kokoro`, without a network: it writes a tone, or goes wrong in one way.

`--mode` befalls its runs (not `--help`); `--log FILE` gets one JSON line a run: its arguments, the text it read, and
what its environment says about emoji.
"""

from __future__ import annotations

import argparse
import array
import json
import math
import os
import subprocess
import sys
import time
import wave
from pathlib import Path

MODES = ("ok", "fails", "hangs", "writes-nothing", "writes-rubbish", "wrong-rate", "stereo", "no-help")
FOREVER = 60.0
TONE = array.array("h", (int(8000 * math.sin(i * math.pi / 12)) for i in range(24)))


def main() -> None:
    options = parse()
    text = Path(options.input_file).read_text("utf-8") if options.input_file else options.text or sys.stdin.read()
    if options.log:
        with Path(options.log).open("a", encoding="utf-8") as log:
            log.write(
                json.dumps({"arguments": sys.argv[1:], "text": text, "emoji": os.environ.get("KOKORO_EMOJI")}) + "\n"
            )
    if options.mode == "fails":
        print("\n".join(f"line {i}" for i in range(20)), file=sys.stderr)
        sys.exit(7)
    if options.mode == "hangs":
        subprocess.run([sys.executable, "-c", f"import time; time.sleep({FOREVER})"])
    time.sleep(options.pace * len(text))
    write(options.mode, options.output_file, text)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="kokoro")
    parser.add_argument("-m", "--voice", default="af_heart")
    parser.add_argument("-l", "--language")
    parser.add_argument("-o", "--output-file", "--output_file")
    parser.add_argument("-i", "--input-file", "--input_file")
    parser.add_argument("-t", "--text")
    parser.add_argument("-s", "--speed", type=float, default=1.0)
    parser.add_argument("--debug", action="store_true")
    parser.add_argument("--mode", choices=MODES, default="ok")
    parser.add_argument("--log")
    parser.add_argument("--pace", type=float, default=0.0)
    if "no-help" in sys.argv and "--help" in sys.argv:
        sys.exit("ModuleNotFoundError: No module named 'torch'")
    return parser.parse_args()


def write(mode: str, path: str, text: str) -> None:
    """1 ms of tone a character."""
    if mode == "writes-nothing":
        return
    if mode == "writes-rubbish":
        Path(path).write_bytes(b"this is not a WAV file")
        return
    with wave.open(path, "wb") as file:
        file.setnchannels(2 if mode == "stereo" else 1)
        file.setsampwidth(2)
        file.setframerate(22_050 if mode == "wrong-rate" else 24_000)
        file.writeframes(TONE.tobytes() * len(text))


if __name__ == "__main__":
    main()
