"""Serve the native routes: health, voices, and speech as a file or as a stream."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, current_app, request, send_file

from kokoro_server.api.openapi import AUDIO_TYPES, JSON_TYPE, describe_route
from kokoro_server.api.responses import EVENT_STREAM, get_full_audio, make_audio_response
from kokoro_server.api.schemas import NativeBody, SpeechJob, read_body
from kokoro_server.api.state import get_engine, get_limits
from kokoro_server.api.timed_speech import (
    CaptionedSpeech,
    choose_caption_format,
    make_caption_response,
    make_timed_events_response,
    make_timed_json_response,
)
from kokoro_server.audio.samples import FORMATS
from kokoro_server.core.errors import StorageFull
from kokoro_server.core.voices import get_voice_language
from kokoro_server.synthesis.captions import CAPTION_MEDIA_TYPES

log = logging.getLogger(__name__)
blueprint = Blueprint("native", __name__)

SERVICE_NAME = "Kokoro TTS API"
CAPTION_FILE_TYPES = tuple(CAPTION_MEDIA_TYPES.values())
"""Media types of caption files."""
TEMP_FILE_PREFIX = "tts_output_"
"""Prefix of the server's file names in TEMP_DIR; start-up removes what an earlier run left."""


@blueprint.get("/health")
def show_health() -> dict[str, Any]:
    """Report that the server is running, and the state of its engine."""
    return {
        "status": "healthy",
        "service": SERVICE_NAME,
        "version": current_app.config["VERSION"],
        "supported_format": "wav",
        "supported_formats": list(FORMATS),
        **get_engine().get_status(),
    }


@blueprint.get("/voices")
def list_voices() -> dict[str, Any]:
    """List the voices that a request may name."""
    names = get_limits().voices
    return {
        "voices": list(names),
        "default": get_limits().default_voice,
        "supported_format": "wav",
        "supported_formats": list(FORMATS),
        "languages": {name: get_voice_language(name).code for name in names},
    }


@blueprint.post("/synthesize")
@describe_route(
    body=NativeBody,
    media_types=(*AUDIO_TYPES, JSON_TYPE, *CAPTION_FILE_TYPES),
    returns=CaptionedSpeech,
    speaks=True,
    statuses=(507,),
)
def synthesize() -> Response:
    """Synthesize speech as a file; as JSON with timestamps=true, or as captions if the Accept header names them."""
    body = read_body(request, NativeBody)
    job = body.to_speech_job(get_limits())
    kind = choose_caption_format()
    if kind:
        return make_caption_response(job, kind)
    if body.timestamps:
        return make_timed_json_response(job)
    path = _write_speech_file(job)
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
@describe_route(
    body=NativeBody, media_types=(*AUDIO_TYPES, EVENT_STREAM, *CAPTION_FILE_TYPES), speaks=True, statuses=(304,)
)
def synthesize_stream() -> Response:
    """Stream speech as it is synthesized; as events with timestamps=true, or as captions if Accept names them."""
    body = read_body(request, NativeBody)
    job = body.to_speech_job(get_limits())
    kind = choose_caption_format()
    if kind:
        return make_caption_response(job, kind)
    return make_timed_events_response(job) if body.timestamps else make_audio_response(job, "inline")


def _write_speech_file(job: SpeechJob) -> Path:
    """Write the complete audio to a file in TEMP_DIR. Raises SpeechError, StorageFull when the disk refuses."""
    audio = get_full_audio(job)
    try:
        return _write_temp_file(current_app.config["TEMP_DIR"], FORMATS[job.format].extension, audio)
    except OSError as exc:
        log.error("Cannot write to TEMP_DIR: %s", exc)
        raise StorageFull("The server has no room for the file; POST /synthesize/stream needs none.") from exc


def _write_temp_file(folder: Path, extension: str, audio: bytes) -> Path:
    """Create a file with a unique name in `folder`, itself created when missing. Raises OSError and leaves no file."""
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMP_FILE_PREFIX, suffix=f".{extension}", dir=folder)
    path = Path(name).resolve()
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(audio)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path
