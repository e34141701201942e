"""Serve kokoro-onnx on one Flask route, with model and voices loaded once; runs in a Python that has it.

python kokoro_onnx_server.py MODEL.onnx VOICES.npz
"""

import io
import sys
import wave

import numpy as np
from flask import Flask, Response, request
from kokoro_onnx import Kokoro
from werkzeug.serving import make_server

app = Flask(__name__)
kokoro = Kokoro(sys.argv[1], sys.argv[2])


@app.post("/speak")
def synthesize_wav() -> Response:
    """Synthesize {"text", "voice"} and return a WAV file."""
    asked = request.get_json()
    samples, rate = kokoro.create(asked["text"], voice=asked["voice"], speed=1.0, lang="en-us")
    return Response(wav_bytes(samples, rate), mimetype="audio/wav")


def wav_bytes(samples: "np.ndarray[tuple[int], np.dtype[np.float32]]", rate: int) -> bytes:
    """Encode float32 mono samples as a 16-bit WAV file."""
    held = io.BytesIO()
    with wave.open(held, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(rate)
        wav.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return held.getvalue()


if __name__ == "__main__":
    server = make_server("127.0.0.1", 0, app, threaded=True)
    print(f"Listening on http://127.0.0.1:{server.port}", flush=True)
    server.serve_forever()
