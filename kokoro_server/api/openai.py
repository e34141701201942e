"""Serve OpenAI's speech API, with the fields that Kokoro servers such as Kokoro-FastAPI add to it."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, current_app, request
from pydantic import BaseModel, Discriminator, Field, Tag
from typing_extensions import TypedDict
from werkzeug.wsgi import ClosingIterator

from kokoro_server.api.audio_stream import AudioStream
from kokoro_server.api.downloads import DownloadFile, remove_expired_downloads
from kokoro_server.api.openapi import AUDIO_TYPES, describe_route
from kokoro_server.api.query import parse_bool_query
from kokoro_server.api.request_hooks import format_openai_error
from kokoro_server.api.responses import EVENT_STREAM, UNBUFFERED_HEADERS, encode_event, make_audio_response
from kokoro_server.api.schemas import (
    STRICT_CONFIG,
    Emoji,
    Loudness,
    Pronunciations,
    RequestLimits,
    SampleRate,
    SpeechFields,
    SpeechJob,
    Speed,
    TextOrDialogue,
    check_format,
    make_speech_request,
    read_body,
)
from kokoro_server.api.state import get_limits
from kokoro_server.audio.encoding import encode_stream
from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE
from kokoro_server.core.errors import SpeechError
from kokoro_server.core.models import MODEL_CREATED, MODEL_OWNER, MODELS, find_model
from kokoro_server.core.voices import get_voice_language

log = logging.getLogger(__name__)
blueprint = Blueprint("openai", __name__)

SAMPLES_PER_FRAME = 600
"""Samples per duration frame of the network (ISTFTNet: upsampling 10 * 6, hop 5, factor 2), 40 frames a second."""
MAX_VOLUME_FACTOR = 10.0
"""Largest volume factor, +20 dB: enough for the quietest (whispering) voices."""


class VoiceObject(BaseModel):
    """Voice as an object, OpenAI's form for a custom voice."""

    model_config = STRICT_CONFIG

    id: Annotated[str, Field(description="A voice, or a blend.")]


class NormalizationOptions(BaseModel):
    """Kokoro-FastAPI's options of text normalization; all but `normalize` are ignored."""

    model_config = STRICT_CONFIG

    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None


def _get_voice_tag(value: object) -> str:
    return "model" if isinstance(value, dict | VoiceObject) else "str"


AnyVoice = Annotated[Annotated[str, Tag("str")] | Annotated[VoiceObject, Tag("model")], Discriminator(_get_voice_tag)]


class SpeechBody(BaseModel):
    """Body of POST /v1/audio/speech."""

    model_config = STRICT_CONFIG

    input: Annotated[
        TextOrDialogue, Field(description="What to say: a text, or the turns of a dialogue.", examples=["Hello there."])
    ]
    model: Annotated[
        str | None, Field(description=f"Any of {', '.join(MODELS)}; all are Kokoro.", examples=["kokoro"])
    ] = None
    voice: Annotated[
        AnyVoice | None,
        Field(
            description="One of Kokoro's voices or OpenAI's, or a blend such as af_bella(2)+af_sky(1).",
            examples=["af_heart"],
        ),
    ] = None
    instructions: Annotated[str | None, Field(description="Accepted; Kokoro takes no instructions.")] = None
    response_format: Annotated[
        str | None, Field(description=f"One of {', '.join(FORMATS)}; mp3 by default.", examples=["mp3"])
    ] = None
    speed: Speed | None = None
    stream_format: Annotated[
        Literal["audio", "sse"] | None, Field(description="sse: base64 in server-sent events.")
    ] = None
    stream: Annotated[bool | None, Field(description="false: send nothing before all is spoken.")] = None
    sample_rate: SampleRate | None = None
    lang_code: Annotated[str | None, Field(description="The text's language, by default the voice's.")] = None
    language: Annotated[str | None, Field(description="Another name of lang_code.")] = None
    volume_multiplier: Annotated[
        float | None, Field(description="What every sample is multiplied by.", ge=0, le=MAX_VOLUME_FACTOR)
    ] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    normalization_options: NormalizationOptions | None = None
    emoji: Emoji = None
    pronunciations: Pronunciations = None
    loudness: Loudness | None = None
    return_download_link: Annotated[
        bool | None, Field(description="true: the header X-Download-Path says where the answer can be fetched again.")
    ] = None

    def to_speech_job(self, limits: RequestLimits) -> SpeechJob:
        """Convert the body into a checked SpeechJob. Raises BadRequest or ModelNotFound."""
        find_model(self.model)
        options = self.normalization_options or NormalizationOptions()
        fields = SpeechFields(
            self.input,
            self.voice.id if isinstance(self.voice, VoiceObject) else self.voice,
            self.lang_code or self.language or None,
            self.speed,
            self.normalize is not False and options.normalize is not False,
            self.emoji,
            self.pronunciations,
            text_field="input",
            language_field="lang_code" if self.lang_code else "language",
        )
        return SpeechJob(
            make_speech_request(limits, fields),
            check_format(self.response_format or "mp3", "response_format"),
            self.sample_rate or SAMPLE_RATE,
            self.stream is not False,
            1.0 if self.volume_multiplier is None else self.volume_multiplier,
            self.loudness,
        )


class Model(TypedDict):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelList(TypedDict):
    object: Literal["list"]
    data: list[Model]


class NamedModel(TypedDict):
    id: str
    name: str


class AudioModelList(TypedDict):
    models: list[NamedModel]


class NamedVoice(TypedDict):
    id: str
    name: str
    language: str


class VoiceList(TypedDict):
    voices: list[NamedVoice] | list[str]


class TestStatus(TypedDict):
    status: Literal["ok"]


@blueprint.post("/v1/audio/speech")
@blueprint.post("/audio/speech")
@describe_route(body=SpeechBody, media_types=(*AUDIO_TYPES, EVENT_STREAM), speaks=True, statuses=(304, 404))
def create_speech() -> Response:
    """Synthesize speech, and stream it while it is being synthesized."""
    body = read_body(request, SpeechBody)
    job = body.to_speech_job(get_limits())
    if body.stream_format == "sse":
        return _make_event_response(job)
    response = make_audio_response(job, "attachment", "speech")
    if body.return_download_link and response.status_code == 200:  # 304 has no body to copy
        _attach_download(response, job)
    return response


@blueprint.get("/v1/models")
@blueprint.get("/models")
def list_models() -> ModelList:
    """List the models that a request may name."""
    return {"object": "list", "data": [_to_model(name) for name in MODELS]}


@blueprint.get("/v1/models/<path:name>")
@blueprint.get("/models/<path:name>")
@describe_route(statuses=(404,))
def show_model(name: str) -> Model:
    """Show one model."""
    return _to_model(find_model(name))


@blueprint.get("/v1/audio/models")
@blueprint.get("/audio/models")
def list_audio_models() -> AudioModelList:
    """List the models in the form that Open WebUI reads."""
    return {"models": [{"id": name, "name": name} for name in MODELS]}


@blueprint.get("/v1/audio/voices")
@blueprint.get("/audio/voices")
@describe_route(query={"legacy": bool}, statuses=(400,))
def list_audio_voices() -> VoiceList:
    """List the voices as objects, or with legacy=true as names."""
    names = get_limits().voices
    if parse_bool_query("legacy"):
        return {"voices": list(names)}
    return {"voices": [_to_named_voice(name) for name in names]}


@blueprint.get("/v1/test")
def show_test_status() -> TestStatus:
    """Report that these routes are available."""
    return {"status": "ok"}


def _to_model(name: str) -> Model:
    return {"id": name, "object": "model", "created": MODEL_CREATED, "owned_by": MODEL_OWNER}


def _to_named_voice(name: str) -> NamedVoice:
    return {"id": name, "name": name, "language": get_voice_language(name).code}


def _attach_download(response: Response, job: SpeechJob) -> None:
    """Copy the response to a file while it is sent, and name it in X-Download-Path.

    Without room on the disk the response goes out without a link.
    """
    folder = current_app.config["TEMP_DIR"]
    remove_expired_downloads(folder)
    try:
        copy = DownloadFile(folder, job)
    except OSError as exc:
        log.warning("No download link for this response: %s", exc)
        return
    blocks: Any = response.response
    response.response = ClosingIterator(copy.copy_blocks(blocks), [getattr(blocks, "close", _do_nothing), copy.close])
    response.headers["X-Download-Path"] = f"/v1/download/{copy.path.name}"


def _do_nothing() -> None:
    """Do nothing, in place of a missing close()."""


def _make_event_response(job: SpeechJob) -> Response:
    """Return a response of OpenAI's server-sent events: blocks of one audio file in base64, then the usage."""
    stream = AudioStream(job)
    events = ClosingIterator(_encode_speech_events(stream, job), stream.close)
    return Response(events, mimetype=EVENT_STREAM, headers={"Cache-Control": "no-cache"} | UNBUFFERED_HEADERS)


def _encode_speech_events(stream: AudioStream, job: SpeechJob) -> Iterator[bytes]:
    """Yield a delta event for each block of bytes; after an error yield an error event and re-raise it."""
    try:
        for block in encode_stream(stream, job.format, job.sample_rate):
            yield encode_event({"type": "speech.audio.delta", "audio": base64.b64encode(block).decode("ascii")})
    except SpeechError as exc:
        yield encode_event({"type": "error", **format_openai_error(exc)})
        raise
    yield encode_event({"type": "speech.audio.done", "usage": _compute_usage(job, stream)})


def _compute_usage(job: SpeechJob, stream: AudioStream) -> dict[str, int]:
    """Count the usage: characters as input tokens, duration frames of the network as output tokens."""
    characters, frames = len(job.request.text), round(stream.samples / SAMPLES_PER_FRAME)
    return {"input_tokens": characters, "output_tokens": frames, "total_tokens": characters + frames}
