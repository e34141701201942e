"""Serve the native routes: health, voices, and speech as a file or as a stream."""

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
"""Media types of caption files."""
FILE_PREFIX = "tts_output_"
"""Prefix of the server's file names in TEMP_DIR; start-up removes what an earlier run left."""


@blueprint.get("/health")
def health() -> dict[str, Any]:
    """Report that the server is running, and the state of its engine."""
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
    """List the voices that a request may name."""
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
    """Synthesize speech as a file; as JSON with timestamps=true, or as captions if the Accept header names them."""
    body = read_body(request, NativeBody)
    job = body.order(limits())
    kind = wanted_captions()
    if kind:
        return caption_file(job, kind)
    if body.timestamps:
        return whole_with_times(job)
    path = _spoken_file(job)
    response = send_file(
        path,
        mimetype=FORMATS[job.format].content_type,
        as_attachment=True,
        download_name=f"tts_output.{FORMATS[job.format].extension}",
        conditional=False,
        etag=False,
    )
    response.direct_passthrough = False  # passed through as a bare file, its close hooks would never run
    if current_app.config["CLEANUP_FILES"]:
        response.call_on_close(lambda: path.unlink(missing_ok=True))
    return response


@blueprint.post("/synthesize/stream")
@described(body=NativeBody, answer=(*AUDIO, EVENTS, *CAPTIONS), speaks=True, statuses=(304,))
def synthesize_stream() -> Response:
    """Stream speech as it is synthesized; as events with timestamps=true, or as captions if Accept names them."""
    body = read_body(request, NativeBody)
    job = body.order(limits())
    kind = wanted_captions()
    if kind:
        return caption_file(job, kind)
    return events_with_times(job) if body.timestamps else sound(job, "inline")


def _spoken_file(order: Order) -> Path:
    """Write the complete audio to a file in TEMP_DIR. Raises SpeechError, StorageFull when the disk refuses."""
    audio = whole(order)
    try:
        return _written(current_app.config["TEMP_DIR"], FORMATS[order.format].extension, audio)
    except OSError as exc:
        log.error("Cannot write to TEMP_DIR: %s", exc)
        raise StorageFull("The server has no room for the file; POST /synthesize/stream needs none.") from exc


def _written(folder: Path, extension: str, sound: bytes) -> Path:
    """Create a file with a unique name in `folder`, itself created when missing. Raises OSError and leaves no file."""
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
