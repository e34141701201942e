"""The JSON bodies that the routes take: each is checked against the model that describes it to clients, too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from flask import Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tts.speech.audio import FORMATS, SAMPLE_RATE
from tts.speech.errors import BadRequest, UnsupportedMedia
from tts.speech.request import MAX_SPEED, MIN_SPEED, SpeechRequest, check_speed, check_text
from tts.speech.voices import Language, Voice, find_language, find_voice, language_of

MIN_RATE, MAX_RATE = 8_000, 48_000
"""Hz: what the codecs take between them."""

Strict = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
Speed = Annotated[
    float, Field(description=f"Pace as a factor, {MIN_SPEED} to {MAX_SPEED}.", ge=MIN_SPEED, le=MAX_SPEED)
]
Rate = Annotated[int, Field(description="Samples a second of the answer, in Hz.", ge=MIN_RATE, le=MAX_RATE)]


@dataclass(frozen=True)
class Limits:
    """What this server allows: the longest text in characters, and its voices."""

    longest: int
    voices: tuple[str, ...]
    default_voice: str


@dataclass(frozen=True)
class Order:
    """A request and how its answer is to be sent."""

    request: SpeechRequest
    format: str
    sample_rate: int = SAMPLE_RATE
    stream: bool = True


class NativeBody(BaseModel):
    """What POST /synthesize and POST /synthesize/stream take."""

    model_config = Strict

    text: Annotated[str, Field(description="What to say.")]
    voice: Annotated[str | None, Field(description="A voice, or a blend such as af_bella(2)+af_sky(1).")] = None
    format: Annotated[str | None, Field(description=f"One of {', '.join(FORMATS)}; wav by default.")] = None
    speed: Speed | None = None
    language: Annotated[str | None, Field(description="The text's language, by default the voice's.")] = None
    sample_rate: Rate | None = None
    stream: Annotated[bool | None, Field(description="false: send nothing before all is spoken.")] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None

    def order(self, limits: Limits) -> Order:
        """The checked order. Raises BadRequest."""
        request = speech_request(
            limits, self.text, self.voice, self.language, self.speed, normalize=self.normalize is not False
        )
        format = check_format(self.format or "wav", "format")
        return Order(request, format, self.sample_rate or SAMPLE_RATE, self.stream is not False)


def speech_request(
    limits: Limits,
    text: str,
    voice: str | None,
    language: str | None,
    speed: float | None,
    field: str = "text",
    *,
    normalize: bool = True,
    language_field: str = "language",
) -> SpeechRequest:
    """The request that these fields make, defaults filled in. Raises BadRequest."""
    spoken_by = find_voice(limits.default_voice if voice is None else voice, limits.voices)
    return SpeechRequest(
        text=check_text(text, limits.longest, field),
        voice=spoken_by,
        language=_language(language, spoken_by, language_field).letter,
        speed=check_speed(1.0 if speed is None else speed),
        normalize=normalize,
    )


def _language(name: str | None, voice: Voice, field: str) -> Language:
    """The named language or the voice's; plain `en` is the voice's own English."""
    if name is None or (name.strip().lower() in ("en", "english") and voice.language in "ab"):
        return language_of(voice.language)
    return find_language(name, field)


def check_format(name: str, field: str) -> str:
    """The format's own name. Raises BadRequest."""
    if name.lower() not in FORMATS:
        raise BadRequest(
            f"Unsupported {field} {name[:40]!r}: expected {', '.join(FORMATS)}.", field, name, list(FORMATS)
        )
    return name.lower()


Body = TypeVar("Body", bound=BaseModel)


def read_body(request: Request, model: type[Body]) -> Body:
    """The request's JSON as a `model`. Raises BadRequest, which names the first wrong field, or UnsupportedMedia."""
    return validated(_json_object(request), model)


def validated(fields: dict[str, Any], model: type[Body]) -> Body:
    """The fields as a `model`. Raises BadRequest, which names the first wrong one."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise _first_fault(exc, model) from exc


def _json_object(request: Request) -> dict[str, Any]:
    data = request.get_data(cache=False)
    if not data.strip():
        raise BadRequest("The request has no body: expected a JSON object.", "body", None, "a JSON object")
    if not request.is_json:
        raise UnsupportedMedia(
            f"Content-Type is {request.content_type!r}: expected application/json.",
            "Content-Type",
            request.content_type,
            "application/json",
        )
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("The body is not JSON: expected a JSON object.", "body", None, "a JSON object") from exc
    if not isinstance(fields, dict):
        raise BadRequest(
            f"The body is a JSON {_json_type(fields)}: expected an object.", "body", fields, "a JSON object"
        )
    return fields


def _first_fault(exc: ValidationError, model: type[BaseModel]) -> BadRequest:
    fault = exc.errors(include_url=False, include_context=False)[0]
    field = ".".join(str(part) for part in fault["loc"] if not str(part).startswith(("function-", "str", "model")))
    expected = fault["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if fault["type"] == "missing":
        return BadRequest(
            f"{field} is missing: expected {_purpose(model, field)}.", field, None, _purpose(model, field)
        )
    value = fault["input"]
    return BadRequest(f"{field} is {_described(value)}: expected {expected}.", field, value, expected)


def _purpose(model: type[BaseModel], field: str) -> str:
    known = model.model_fields.get(field)
    return (known and known.description or "a value").rstrip(".")


def _described(value: object) -> str:
    """A scalar as it is, anything larger by its JSON type."""
    if isinstance(value, dict | list) or value is None or (isinstance(value, str) and len(value) > 40):
        return f"a JSON {_json_type(value)}"
    return repr(value).encode("ascii", "backslashreplace").decode()[:60]


def _json_type(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
