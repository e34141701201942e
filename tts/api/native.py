"""The native routes: health, voices, and speech as a file or as a stream."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, send_file

from tts.api.bodies import NativeBody, Order, read_body
from tts.api.captions import CaptionedSpeech, caption_file, events_with_times, wanted_captions, whole_with_times
from tts.api.description import AUDIO, JSON, described
from tts.api.responses import EVENTS, engine, limits, sound, whole
from tts.speech.audio import FORMATS
from tts.speech.captions import CAPTION_TYPES
from tts.speech.errors import StorageFull
from tts.speech.voices import language_of

log = logging.getLogger(__name__)
blueprint = Blueprint("native", __name__)

SERVICE = "Kokoro TTS API"
CAPTIONS = tuple(CAPTION_TYPES.values())
FILE_PREFIX = "tts_output_"
"""What the names of our files in TEMP_DIR begin with; start-up removes what an earlier run left."""


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
@described(body=NativeBody, answer=(*AUDIO, JSON, *CAPTIONS), returns=CaptionedSpeech, speaks=True, statuses=(507,))
def synthesize() -> Response:
    """Speak into a file and send it as an attachment; with timestamps=true as JSON, or captions to who accepts them."""
    body = read_body(request, NativeBody)
    order = body.order(limits())
    kind = wanted_captions()
    if kind:
        return caption_file(order, kind)
    if body.timestamps:
        return whole_with_times(order)
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
@described(body=NativeBody, answer=(*AUDIO, EVENTS, *CAPTIONS), speaks=True, statuses=(304,))
def synthesize_stream() -> Response:
    """Send speech while it is being made; with timestamps=true as events, or captions to who accepts them."""
    body = read_body(request, NativeBody)
    order = body.order(limits())
    kind = wanted_captions()
    if kind:
        return caption_file(order, kind)
    return events_with_times(order) if body.timestamps else sound(order, "inline")


def _spoken_file(order: Order) -> Path:
    """A file in TEMP_DIR that holds the whole answer, or no file at all. Raises StorageFull."""
    sound = whole(order)
    try:
        return _written(current_app.config["TEMP_DIR"], FORMATS[order.format].extension, sound)
    except OSError as exc:
        log.error("No file in TEMP_DIR: %s", exc)
        raise StorageFull("The server has no room for the file; POST /synthesize/stream needs none.") from exc


def _written(folder: Path, extension: str, sound: bytes) -> Path:
    """A new file in the folder, made again when somebody removed it. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=FILE_PREFIX, suffix=f".{extension}", dir=folder)
    path = Path(name).resolve()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(sound)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
