"""Serve the routes that Kokoro-FastAPI adds to OpenAI's: voice blends, captioned speech, phonemes, and downloads.

Paths, fields and answers follow Kokoro-FastAPI, so that its clients work unchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import numpy as np
from flask import Blueprint, Response, current_app, jsonify, request, send_file
from numpy.typing import NDArray
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from tts.api.bodies import Limits, Order, Speed, Strict, read_body, read_json
from tts.api.captions import LINES, CaptionedSpeech, lines_with_times, whole_with_times
from tts.api.description import AUDIO, BINARY, JSON, WAV, described
from tts.api.downloads import find
from tts.api.openai import SpeechBody
from tts.api.responses import engine, limits, listener, sound
from tts.speech.audio import FORMATS
from tts.speech.errors import BadRequest, Unsupported
from tts.speech.request import SpeechRequest, check_speed, check_text
from tts.speech.voice_file import to_pt
from tts.speech.voices import Voice, find_language, find_voice

blueprint = Blueprint("kokoro", __name__)

Styles = Callable[[Voice], NDArray[np.float32]]
"""Function that returns the style table of a voice or a blend, float32 [510, 256].

Raises OSError where the voices' files are not on this machine.
"""


class Blend(BaseModel):
    """Voices to blend, as an object."""

    model_config = Strict

    voices: Annotated[
        str | list[str],
        Field(description="A blend, or names to blend in equal parts.", examples=["af_bella(2)+af_sky(1)"]),
    ]


CombineBody = str | list[str] | Blend
COMBINE_BODY: TypeAdapter[CombineBody] = TypeAdapter(CombineBody)


class PhonemizeBody(BaseModel):
    """Body of POST /dev/phonemize."""

    model_config = Strict

    text: Annotated[str, Field(description="What to read.", examples=["Hello there."])]
    language: Annotated[
        str | None, Field(description="The text's language, American English by default.", examples=["en-us"])
    ] = None


class PhonemesBody(BaseModel):
    """Body of POST /dev/generate_from_phonemes."""

    model_config = Strict

    phonemes: Annotated[str, Field(description="What to say, in Kokoro's phonemes.", examples=["həlˈO ðˈɛɹ."])]
    voice: Annotated[str | None, Field(description="A voice, or a blend.", examples=["af_heart"])] = None
    speed: Speed | None = None

    def order(self, limits: Limits) -> Order:
        """Convert the body into a checked SpeechJob. Raises BadRequest."""
        voice = find_voice(limits.default_voice if self.voice is None else self.voice, limits.voices)
        text = check_text(self.phonemes, limits.longest, "phonemes")
        speed = check_speed(1.0 if self.speed is None else self.speed)
        return Order(SpeechRequest(text, voice, voice.language, speed, phonemes=True), "wav")


class Combined(TypedDict):
    voice: str
    voices: list[str]


class Phonemes(TypedDict):
    phonemes: str
    tokens: list[int]


@blueprint.post("/v1/audio/voices/combine")
@described(body=CombineBody, answer=(BINARY, JSON), returns=Combined, statuses=(501,))
def combine() -> Response:
    """Blend voices and return a .pt file, or the blend's name where the client accepts JSON."""
    voice = find_voice(_blend(read_json(request, "a blend or a list of voices")), limits().voices, "voices")
    if request.accept_mimetypes.best_match([BINARY, JSON]) == JSON:
        return jsonify({"voice": voice.name, "voices": [name for name, _ in voice.parts]})
    headers = {"Content-Disposition": f'attachment; filename="{voice.name}.pt"'}
    return Response(to_pt(_table(voice)), mimetype=BINARY, headers=headers)


@blueprint.post("/dev/captioned_speech")
@described(body=SpeechBody, answer=(JSON, LINES), returns=CaptionedSpeech, speaks=True, statuses=(404,))
def captioned_speech() -> Response:
    """Synthesize speech with word times: one line of JSON for each block of audio, or one object with stream=false."""
    job = read_body(request, SpeechBody).order(limits())
    return lines_with_times(job) if job.stream else whole_with_times(job)


@blueprint.post("/dev/phonemize")
@described(body=PhonemizeBody, speaks=True, statuses=(501,))
def phonemize() -> Phonemes:
    """Convert a text to phonemes and to the model's token ids."""
    body = read_body(request, PhonemizeBody)
    text = check_text(body.text, limits().longest)
    language = find_language(body.language or "a").letter
    result = engine().phonemize(text, language, listener(), limits().name_emoji)
    return {"phonemes": result.phonemes, "tokens": list(result.tokens)}


@blueprint.post("/dev/generate_from_phonemes")
@described(body=PhonemesBody, answer=(WAV,), speaks=True, statuses=(304,))
def generate_from_phonemes() -> Response:
    """Synthesize speech from phonemes, as a WAV file."""
    return sound(read_body(request, PhonemesBody).order(limits()), "attachment", "speech")


@blueprint.get("/v1/download/<name>")
@described(answer=AUDIO, statuses=(404,))
def download(name: str) -> Response:
    """Download a recent response again, by the path that its header X-Download-Path gave."""
    path = find(current_app.config["TEMP_DIR"], name)
    format = next(each for each in FORMATS.values() if path.suffix == f".{each.extension}")
    return send_file(path, mimetype=format.content_type, as_attachment=True, conditional=False, etag=False)


def _blend(fields: object) -> str:
    """Return the blend that the body names, e.g. ["af_sky", "am_adam"] -> "af_sky+am_adam". Raises BadRequest."""
    try:
        body = COMBINE_BODY.validate_python(fields, strict=True)
    except ValidationError as exc:
        allowed = "a blend such as af_bella(2)+af_sky(1), or a list of voices"
        raise BadRequest(f"The body does not name voices: expected {allowed}.", "voices", fields, allowed) from exc
    names = body.voices if isinstance(body, Blend) else body
    return names if isinstance(names, str) else "+".join(names)


def _table(voice: Voice) -> NDArray[np.float32]:
    """Return the voice's style table, float32 [510, 256]. Raises Unsupported where this server has none."""
    styles: Styles = current_app.extensions["styles"]
    try:
        return styles(voice)
    except OSError as exc:
        raise Unsupported("This server has no tables of its voices: its engine is a command.") from exc
