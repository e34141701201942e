"""A server that answers every text with a hum as long as the words would take, in two pieces, a moment apart.

A text with "fault" in it gets an error, one with "hush" gets silence. `python -m tests.fakes.humming_server`
"""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np

from benchmarks.sound import Samples, Sound, wav_bytes

RATE = 24000
SECONDS_A_WORD = 0.35
MOMENT = 0.02  # seconds between the two pieces


class Humming(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"]
        if "fault" in text:
            return self.send_error(500)
        wav = wav_bytes(Sound(hum(text), RATE))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(wav[: len(wav) // 2])
        self.wfile.flush()
        time.sleep(MOMENT)
        self.wfile.write(wav[len(wav) // 2 :])

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def hum(text: str) -> Samples:
    loud = 0.0 if "hush" in text else 0.3
    length = round(len(text.split()) * SECONDS_A_WORD * RATE)
    samples: Samples = (loud * np.sin(np.arange(length) * 0.05)).astype(np.float32)
    return samples


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", 0), Humming)
    print(f"Listening on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
