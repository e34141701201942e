"""Serve the routes that Kokoro-FastAPI adds to OpenAI's: voice blends, captioned speech, phonemes, and downloads.

Paths, fields and answers follow Kokoro-FastAPI, so that its clients work unchanged.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from flask import Blueprint, Response, current_app, jsonify, request, send_file
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from kokoro_server.api.downloads import find_download
from kokoro_server.api.openai import SpeechBody
from kokoro_server.api.openapi import AUDIO_TYPES, BINARY_TYPE, JSON_TYPE, WAV_TYPE, describe_route
from kokoro_server.api.responses import make_audio_response
from kokoro_server.api.schemas import STRICT_CONFIG, RequestLimits, SpeechJob, Speed, read_body, read_json
from kokoro_server.api.state import get_engine, get_limits, get_state, make_request_context
from kokoro_server.api.timed_speech import NDJSON, CaptionedSpeech, make_timed_json_response, make_timed_lines_response
from kokoro_server.api.voice_file import to_pt
from kokoro_server.audio.samples import FORMATS
from kokoro_server.core.errors import BadRequest, Unsupported
from kokoro_server.core.languages import Language, find_language
from kokoro_server.core.request import SpeechRequest, check_speed, check_text
from kokoro_server.core.voices import Voice, find_voice

blueprint = Blueprint("kokoro", __name__)


class Blend(BaseModel):
    """Voices to blend, as an object."""

    model_config = STRICT_CONFIG

    voices: Annotated[
        str | list[str],
        Field(description="A blend, or names to blend in equal parts.", examples=["af_bella(2)+af_sky(1)"]),
    ]


CombineBody = str | list[str] | Blend
COMBINE_BODY_ADAPTER: TypeAdapter[CombineBody] = TypeAdapter(CombineBody)


class PhonemizeBody(BaseModel):
    """Body of POST /dev/phonemize."""

    model_config = STRICT_CONFIG

    text: Annotated[str, Field(description="What to read.", examples=["Hello there."])]
    language: Annotated[
        str | None, Field(description="The text's language, American English by default.", examples=["en-us"])
    ] = None


class PhonemesBody(BaseModel):
    """Body of POST /dev/generate_from_phonemes."""

    model_config = STRICT_CONFIG

    phonemes: Annotated[str, Field(description="What to say, in Kokoro's phonemes.", examples=["həlˈO ðˈɛɹ."])]
    voice: Annotated[str | None, Field(description="A voice, or a blend.", examples=["af_heart"])] = None
    speed: Speed | None = None

    def to_speech_job(self, limits: RequestLimits) -> SpeechJob:
        """Convert the body into a checked SpeechJob. Raises BadRequest."""
        voice = find_voice(limits.default_voice if self.voice is None else self.voice, limits.voices)
        text = check_text(self.phonemes, limits.max_characters, "phonemes")
        speed = check_speed(1.0 if self.speed is None else self.speed)
        return SpeechJob(SpeechRequest(text, voice, voice.language, speed, is_phonemes=True), "wav")


class CombinedVoice(TypedDict):
    voice: str
    voices: list[str]


class Phonemes(TypedDict):
    phonemes: str
    tokens: list[int]


@blueprint.post("/v1/audio/voices/combine")
@describe_route(body=CombineBody, media_types=(BINARY_TYPE, JSON_TYPE), returns=CombinedVoice, statuses=(501,))
def combine_voices() -> Response:
    """Blend voices and return a .pt file, or the blend's name where the client accepts JSON."""
    voice = find_voice(_parse_blend(read_json(request, "a blend or a list of voices")), get_limits().voices, "voices")
    if request.accept_mimetypes.best_match([BINARY_TYPE, JSON_TYPE]) == JSON_TYPE:
        return jsonify({"voice": voice.name, "voices": [name for name, _ in voice.parts]})
    headers = {"Content-Disposition": f'attachment; filename="{voice.name}.pt"'}
    return Response(to_pt(_load_style_table(voice)), mimetype=BINARY_TYPE, headers=headers)


@blueprint.post("/dev/captioned_speech")
@describe_route(body=SpeechBody, media_types=(JSON_TYPE, NDJSON), returns=CaptionedSpeech, speaks=True, statuses=(404,))
def create_captioned_speech() -> Response:
    """Synthesize speech with word times: one line of JSON for each block of audio, or one object with stream=false."""
    job = read_body(request, SpeechBody).to_speech_job(get_limits())
    return make_timed_lines_response(job) if job.stream else make_timed_json_response(job)


@blueprint.post("/dev/phonemize")
@describe_route(body=PhonemizeBody, speaks=True, statuses=(501,))
def phonemize_text() -> Phonemes:
    """Convert a text to phonemes and to the model's token ids."""
    body = read_body(request, PhonemizeBody)
    text = check_text(body.text, get_limits().max_characters)
    language = find_language(body.language or Language.AMERICAN_ENGLISH)
    result = get_engine().phonemize(text, language, make_request_context(), get_limits().should_name_emoji)
    return {"phonemes": result.phonemes, "tokens": list(result.tokens)}


@blueprint.post("/dev/generate_from_phonemes")
@describe_route(body=PhonemesBody, media_types=(WAV_TYPE,), speaks=True, statuses=(304,))
def generate_from_phonemes() -> Response:
    """Synthesize speech from phonemes, as a WAV file."""
    return make_audio_response(read_body(request, PhonemesBody).to_speech_job(get_limits()), "attachment", "speech")


@blueprint.get("/v1/download/<name>")
@describe_route(media_types=AUDIO_TYPES, statuses=(404,))
def download_response(name: str) -> Response:
    """Download a recent response again, by the path that its header X-Download-Path gave."""
    path = find_download(current_app.config["TEMP_DIR"], name)
    format = next(each for each in FORMATS.values() if path.suffix == f".{each.extension}")
    return send_file(path, mimetype=format.content_type, as_attachment=True, conditional=False, etag=False)


def _parse_blend(fields: object) -> str:
    """Return the blend that the body names, e.g. ["af_sky", "am_adam"] -> "af_sky+am_adam". Raises BadRequest."""
    try:
        body = COMBINE_BODY_ADAPTER.validate_python(fields, strict=True)
    except ValidationError as exc:
        allowed = "a blend such as af_bella(2)+af_sky(1), or a list of voices"
        raise BadRequest(f"The body does not name voices: expected {allowed}.", "voices", fields, allowed) from exc
    names = body.voices if isinstance(body, Blend) else body
    return names if isinstance(names, str) else "+".join(names)


def _load_style_table(voice: Voice) -> NDArray[np.float32]:
    """Return the voice's style table, float32 [510, 256]. Raises Unsupported where this server has none."""
    try:
        return get_state().load_style(voice)
    except OSError as exc:
        raise Unsupported("This server has no tables of its voices: its engine is a command.") from exc
