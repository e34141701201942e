"""OpenAI's routes, with the fields that servers of Kokoro add to them."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, current_app, request
from pydantic import BaseModel, Discriminator, Field, Tag
from typing_extensions import TypedDict
from werkzeug.wsgi import ClosingIterator

from tts.api.bodies import (
    Emoji,
    Limits,
    Loudness,
    Order,
    Rate,
    Said,
    Speed,
    Strict,
    Text,
    check_format,
    read_body,
    speech_request,
)
from tts.api.description import AUDIO, described
from tts.api.downloads import Copy, sweep
from tts.api.responses import EVENTS, UNBUFFERED, Speech, event, limits, openai_error, sound
from tts.speech.audio import FORMATS, SAMPLE_RATE
from tts.speech.encoding import encode
from tts.speech.errors import BadRequest, SpeechError
from tts.speech.models import CREATED, MODELS, OWNER, find_model
from tts.speech.voices import language_of

log = logging.getLogger(__name__)
blueprint = Blueprint("openai", __name__)

FRAME = 600
"""Samples of one frame that the network predicts (ISTFTNet's upsampling 10 * 6 * hop 5 * 2): 40 a second."""
MAX_VOLUME = 10.0
"""20 dB, the most that a voice as quiet as Kokoro's whispers can need."""


class VoiceObject(BaseModel):
    """A voice as OpenAI writes one that was made by a customer."""

    model_config = Strict

    id: Annotated[str, Field(description="A voice, or a blend.")]


class NormalizationOptions(BaseModel):
    """What a Kokoro server may read otherwise than it is written; of these only `normalize` is heeded."""

    model_config = Strict

    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None


def _voice_kind(value: object) -> str:
    return "model" if isinstance(value, dict | VoiceObject) else "str"


AnyVoice = Annotated[Annotated[str, Tag("str")] | Annotated[VoiceObject, Tag("model")], Discriminator(_voice_kind)]


class SpeechBody(BaseModel):
    """What POST /v1/audio/speech takes."""

    model_config = Strict

    input: Annotated[
        Text, Field(description="What to say: a text, or the turns of a dialogue.", examples=["Hello there."])
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
    sample_rate: Rate | None = None
    lang_code: Annotated[str | None, Field(description="The text's language, by default the voice's.")] = None
    language: Annotated[str | None, Field(description="Another name of lang_code.")] = None
    volume_multiplier: Annotated[
        float | None, Field(description="What every sample is multiplied by.", ge=0, le=MAX_VOLUME)
    ] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    normalization_options: NormalizationOptions | None = None
    emoji: Emoji = None
    pronunciations: Said = None
    loudness: Loudness | None = None
    return_download_link: Annotated[
        bool | None, Field(description="true: the header X-Download-Path says where the answer can be fetched again.")
    ] = None

    def order(self, limits: Limits) -> Order:
        """The checked order. Raises BadRequest or ModelNotFound."""
        find_model(self.model)
        options = self.normalization_options or NormalizationOptions()
        spoken = speech_request(
            limits,
            self.input,
            self.voice.id if isinstance(self.voice, VoiceObject) else self.voice,
            self.lang_code or self.language or None,
            self.speed,
            "input",
            normalize=self.normalize is not False and options.normalize is not False,
            emoji=self.emoji,
            pronunciations=self.pronunciations,
            language_field="lang_code" if self.lang_code else "language",
        )
        return Order(
            spoken,
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


class State(TypedDict):
    status: Literal["ok"]


@blueprint.post("/v1/audio/speech")
@blueprint.post("/audio/speech")
@described(body=SpeechBody, answer=(*AUDIO, EVENTS), speaks=True, statuses=(304, 404))
def speech() -> Response:
    """Speak, and send the sound while it is being made."""
    body = read_body(request, SpeechBody)
    order = body.order(limits())
    if body.stream_format == "sse":
        return _events(order)
    response = sound(order, "attachment", "speech")
    if body.return_download_link and response.status_code == 200:
        _copy(response, order)
    return response


@blueprint.get("/v1/models")
@blueprint.get("/models")
def models() -> ModelList:
    """List the names of models that may be asked for."""
    return {"object": "list", "data": [_model(name) for name in MODELS]}


@blueprint.get("/v1/models/<path:name>")
@blueprint.get("/models/<path:name>")
@described(statuses=(404,))
def model(name: str) -> Model:
    """Show the model that a name means."""
    return _model(find_model(name))


@blueprint.get("/v1/audio/models")
@blueprint.get("/audio/models")
def audio_models() -> AudioModelList:
    """List the models' names as Open WebUI reads them."""
    return {"models": [{"id": name, "name": name} for name in MODELS]}


@blueprint.get("/v1/audio/voices")
@blueprint.get("/audio/voices")
@described(query={"legacy": bool}, statuses=(400,))
def voices() -> VoiceList:
    """List the voices as objects; with legacy=true their names alone."""
    names = limits().voices
    if _flag("legacy"):
        return {"voices": list(names)}
    return {"voices": [_voice(name) for name in names]}


@blueprint.get("/v1/test")
def test() -> State:
    """Tell that these routes are here."""
    return {"status": "ok"}


def _model(name: str) -> Model:
    return {"id": name, "object": "model", "created": CREATED, "owned_by": OWNER}


def _voice(name: str) -> NamedVoice:
    return {"id": name, "name": name, "language": language_of(name[0]).code}


def _flag(name: str) -> bool:
    """A query parameter that is true or false, false when it is missing. Raises BadRequest."""
    given = request.args.get(name, "false")
    if given.lower() not in ("true", "false", "1", "0"):
        raise BadRequest(f"{name} is {given[:40]!r}: expected true or false.", name, given, ["true", "false"])
    return given.lower() in ("true", "1")


def _copy(response: Response, order: Order) -> None:
    """Have the answer kept for a while, and say where."""
    folder = current_app.config["TEMP_DIR"]
    sweep(folder)
    try:
        copy = Copy(folder, order)
    except OSError as exc:  # a disk that refuses costs the link, never the sound
        log.warning("No link to this answer: %s", exc)
        return
    blocks: Any = response.response
    response.response = ClosingIterator(copy.of(blocks), [getattr(blocks, "close", _nothing), copy.close])
    response.headers["X-Download-Path"] = f"/v1/download/{copy.path.name}"


def _nothing() -> None:
    """Close what needs no closing."""


def _events(order: Order) -> Response:
    """The sound in OpenAI's server-sent events: the bytes of one container in base64, then what it cost."""
    speech = Speech(order)
    events = ClosingIterator(_speech_events(speech, order), speech.close)
    return Response(events, mimetype=EVENTS, headers={"Cache-Control": "no-cache"} | UNBUFFERED)


def _speech_events(speech: Speech, order: Order) -> Iterator[bytes]:
    """One delta a block of bytes. An error in mid-stream is an event too, and the answer then ends short."""
    try:
        for block in encode(speech, order.format, order.sample_rate):
            yield event({"type": "speech.audio.delta", "audio": base64.b64encode(block).decode("ascii")})
    except SpeechError as exc:
        yield event({"type": "error", **openai_error(exc)})
        raise
    yield event({"type": "speech.audio.done", "usage": _usage(order, speech)})


def _usage(order: Order, speech: Speech) -> dict[str, int]:
    """Characters in, the network's frames out: what its work depends on, as OpenAI's tokens are for theirs."""
    characters, frames = len(order.request.text), round(speech.samples / FRAME)
    return {"input_tokens": characters, "output_tokens": frames, "total_tokens": characters + frames}
