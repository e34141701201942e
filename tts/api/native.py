"""The native routes: health, voices, and speech as a file or as a stream."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, send_file

from tts.api.bodies import Limits, NativeBody, Order, read_body
from tts.api.description import AUDIO, described
from tts.api.responses import engine, sound, whole
from tts.speech.audio import FORMATS
from tts.speech.voices import language_of

blueprint = Blueprint("native", __name__)

SERVICE = "Kokoro TTS API"
FILE_PREFIX = "tts_"
"""What the names of our files in TEMP_DIR begin with; start-up removes what an earlier run left."""


def limits() -> Limits:
    """What this server's settings allow."""
    config = current_app.config
    return Limits(config["MAX_TEXT_LENGTH"], config["ALLOWED_VOICES"], config["DEFAULT_VOICE"])


@blueprint.get("/health")
def health() -> dict[str, Any]:
    """Tell that the server is there, and what its engine does."""
    return {
        "status": "healthy",
        "service": SERVICE,
        "version": current_app.config["VERSION"],
        "supported_format": "wav",
        "supported_formats": list(FORMATS),
        **engine().status(),
    }


@blueprint.get("/voices")
def voices() -> dict[str, Any]:
    """List the voices that may be asked for."""
    names = limits().voices
    return {
        "voices": list(names),
        "default": limits().default_voice,
        "supported_format": "wav",
        "supported_formats": list(FORMATS),
        "languages": {name: language_of(name[0]).code for name in names},
    }


@blueprint.post("/synthesize")
@described(body=NativeBody, answer=AUDIO, speaks=True)
def synthesize() -> Response:
    """Speak into a file and send it as an attachment."""
    order = read_body(request, NativeBody).order(limits())
    path = _spoken_file(order)
    response = send_file(
        path,
        mimetype=FORMATS[order.format].content_type,
        as_attachment=True,
        download_name=f"tts_output.{FORMATS[order.format].extension}",
        conditional=False,
        etag=False,
    )
    response.direct_passthrough = False  # handed to the server as a bare file, its close hooks would never run
    if current_app.config["CLEANUP_FILES"]:
        response.call_on_close(lambda: path.unlink(missing_ok=True))
    return response


@blueprint.post("/synthesize/stream")
@described(body=NativeBody, answer=AUDIO, speaks=True, statuses=(304,))
def synthesize_stream() -> Response:
    """Send speech while it is being made."""
    return sound(read_body(request, NativeBody).order(limits()), "inline")


def _spoken_file(order: Order) -> Path:
    """A file in TEMP_DIR that holds the whole answer, or no file at all."""
    handle, name = tempfile.mkstemp(
        prefix=FILE_PREFIX, suffix=f".{FORMATS[order.format].extension}", dir=current_app.config["TEMP_DIR"]
    )
    path = Path(name).resolve()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(whole(order))
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
