"""Define the JSON bodies of the speech routes and convert them into a checked SpeechJob.

The pydantic models validate requests and also produce their schemas in openapi.json, so the two cannot differ.
Validation has two stages: `read_body` checks JSON types and numeric bounds by the model; `make_speech_request` then
checks what depends on the server's settings (voices, text length, markup). Both raise BadRequest, which names the
field, its value and what was expected.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, TypeVar

from flask import Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE
from kokoro_server.core.errors import BadRequest, UnsupportedMedia, shorten_value
from kokoro_server.core.languages import Language, find_language
from kokoro_server.core.pronunciations import check_pronunciations
from kokoro_server.core.request import (
    MAX_SPEED,
    MIN_SPEED,
    Prosody,
    SpeechRequest,
    SpeechSegment,
    check_speed,
    check_text,
)
from kokoro_server.core.voices import Voice, find_voice
from kokoro_server.text.inline_tags import check_pauses, parse_inline_tags
from kokoro_server.text.ssml import is_ssml, parse_ssml

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 8_000, 48_000
"""Hz; the range of sample rates that the codecs accept."""

Loudness = Annotated[
    float, Field(description="Loudness to bring the sound to, in LUFS; -16 is what podcasts have.", ge=-40, le=-5)
]

TURN_SEPARATOR = "\n"
"""Separator between the turns of a dialogue in the joined text, whose offsets the word times refer to."""
TURN_PAUSE = 0.4
"""Seconds of pause between two turns: the 0.2 s usual in conversation, and as much again to notice the new voice."""

STRICT_CONFIG = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
Speed = Annotated[
    float, Field(description=f"Pace as a factor, {MIN_SPEED} to {MAX_SPEED}.", ge=MIN_SPEED, le=MAX_SPEED)
]


def _to_integer(value: Any) -> Any:
    """Convert a float without a fraction to int: JSON does not tell 24000.0 from 24000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


SampleRate = Annotated[
    int,
    Field(description="Samples a second of the answer, in Hz.", ge=MIN_SAMPLE_RATE, le=MAX_SAMPLE_RATE),
    BeforeValidator(_to_integer),  # after Field: placed before it, the bounds are missing in the schema
]


@dataclass(frozen=True)
class RequestLimits:
    """Hold what this server's settings allow in a speech request; `longest` is the maximum of characters of a text."""

    max_characters: int
    voices: tuple[str, ...]
    default_voice: str
    get_pronunciations: Callable[[], Mapping[str, str]] = dict
    """Return the current entries of the operator's pronunciation dictionary; read anew for every request."""
    ignore_unknown_tags: bool = False
    """Ignore unknown SSML tags instead of refusing the request."""
    should_name_emoji: bool = True
    """Read out the names of emoji where a request does not set `emoji`."""


@dataclass(frozen=True)
class SpeechJob:
    """Combine a speech request with the options of its audio output.

    `format` is a key of FORMATS and `sample_rate` in Hz. `stream` false asks for a response of known length.
    """

    request: SpeechRequest
    format: str
    sample_rate: int = SAMPLE_RATE
    stream: bool = True
    volume: float = 1.0
    """Factor that every sample is multiplied by, 0 or more."""
    loudness: float | None = None
    """Target loudness in LUFS; None leaves the level as synthesized."""


class Turn(BaseModel):
    """Turn of a dialogue: a text in one voice."""

    model_config = STRICT_CONFIG

    text: Annotated[str, Field(description="What to say.")]
    voice: Annotated[str | None, Field(description="Who says it, by default the request's voice.")] = None
    speed: Speed | None = None


def _get_text_tag(value: object) -> str:
    return "dialogue" if isinstance(value, list) else "str"


TextOrDialogue = Annotated[
    Annotated[str, Tag("str")] | Annotated[list[Turn], Tag("dialogue")], Discriminator(_get_text_tag)
]
Pronunciations = Annotated[
    dict[str, str] | None, Field(description="What to say for written words: a respelling, or /phonemes/.")
]

Emoji = Annotated[
    Literal["named", "silent"] | None,
    Field(description="named: say what emoji are called; silent: pass over them. The server's setting by default."),
]


class NativeBody(BaseModel):
    """Body of POST /synthesize and POST /synthesize/stream."""

    model_config = STRICT_CONFIG

    text: Annotated[
        TextOrDialogue, Field(description="What to say: a text, or the turns of a dialogue.", examples=["Hello there."])
    ]
    voice: Annotated[
        str | None, Field(description="A voice, or a blend such as af_bella(2)+af_sky(1).", examples=["af_heart"])
    ] = None
    format: Annotated[
        str | None, Field(description=f"One of {', '.join(FORMATS)}; wav by default.", examples=["wav"])
    ] = None
    speed: Speed | None = None
    language: Annotated[str | None, Field(description="The text's language, by default the voice's.")] = None
    sample_rate: SampleRate | None = None
    stream: Annotated[bool | None, Field(description="false: send nothing before all is spoken.")] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    emoji: Emoji = None
    pronunciations: Pronunciations = None
    loudness: Loudness | None = None
    timestamps: Annotated[bool | None, Field(description="true: tell when each word is spoken.")] = None

    def to_speech_job(self, limits: RequestLimits) -> SpeechJob:
        """Convert the body into a checked SpeechJob. Raises BadRequest."""
        fields = SpeechFields(
            self.text, self.voice, self.language, self.speed, self.normalize, self.emoji, self.pronunciations
        )
        request = make_speech_request(limits, fields)
        format = check_format(self.format or "wav", "format")
        stream = self.stream is not False
        return SpeechJob(request, format, self.sample_rate or SAMPLE_RATE, stream, loudness=self.loudness)


@dataclass(frozen=True)
class SpeechFields:
    """Hold the fields of a body that make a speech request, which each family of routes names differently.

    Attributes:
        text: A text, plain or with inline tags or SSML; or the turns of a dialogue, joined by TURN_SEPARATOR.
        voice: A voice or a blend; None for the default voice.
        language: A language's name or code; None for the voice's own.
        speed: Pace as a factor, MIN_SPEED to MAX_SPEED; None for 1.
        normalize: Whether to expand numbers, dates and symbols into words; None is True.
        emoji: "named" or "silent"; None for the server's setting.
        pronunciations: Entries that override the operator's dictionary.
        text_field: The name of the text's field, for error messages.
        language_field: The name of the language's field, for error messages.
    """

    text: str | list[Turn]
    voice: str | None = None
    language: str | None = None
    speed: float | None = None
    normalize: bool | None = None
    emoji: str | None = None
    pronunciations: Mapping[str, str] | None = None
    text_field: str = "text"
    language_field: str = "language"


def make_speech_request(limits: RequestLimits, fields: SpeechFields) -> SpeechRequest:
    """Check a body's fields against what the settings allow, fill in defaults, and return the speech request.

    Raises:
        BadRequest: A field is wrong; it names the field, its value and what was expected.
    """
    text, field = fields.text, fields.text_field
    default = find_voice(limits.default_voice if fields.voice is None else fields.voice, limits.voices)
    prosody = Prosody(default, _choose_language(fields.language, default, fields.language_field))
    entries = {**limits.get_pronunciations(), **check_pronunciations(fields.pronunciations or {})}
    if isinstance(text, str):
        segments = _parse_segments(check_text(text, limits.max_characters, field), prosody, limits, field)
    else:
        segments = list(_parse_dialogue(text, prosody, limits, field))
        text = check_text(TURN_SEPARATOR.join(turn.text for turn in text), limits.max_characters, field)
    check_pauses(segments, text, field)
    return SpeechRequest(
        text=text,
        voice=default,
        language=prosody.language,
        speed=check_speed(1.0 if fields.speed is None else fields.speed),
        normalize=fields.normalize is None or bool(fields.normalize),
        emoji=limits.should_name_emoji if fields.emoji is None else fields.emoji == "named",
        pronunciations=tuple(entries.items()),
        tagged_segments=tuple(segments),
    )


def _parse_segments(text: str, prosody: Prosody, limits: RequestLimits, field: str) -> list[SpeechSegment]:
    """Parse a plain or marked-up text into one or more segments. Raises BadRequest when there is nothing to say."""
    if is_ssml(text):
        segments = parse_ssml(text, prosody, limits.voices, field, limits.ignore_unknown_tags)
    else:
        segments = parse_inline_tags(text, prosody, limits.voices, field)
    if not any(segment.pause or segment.text.strip() for segment in segments):
        raise BadRequest(f"{field} has marks but nothing to say between them.", field, text, "something to say")
    return segments


def _parse_dialogue(
    turns: list[Turn], default_prosody: Prosody, limits: RequestLimits, field: str
) -> Iterator[SpeechSegment]:
    """Yield the segments of all turns, their spans shifted into the joined text, with TURN_PAUSE between turns.

    A pause that the turn's own markup ends with takes precedence over TURN_PAUSE. Raises BadRequest.
    """
    offset = 0
    for number, turn in enumerate(turns):
        name = f"{field}[{number}]"
        prosody = default_prosody
        if turn.voice is not None:
            voice = find_voice(turn.voice, limits.voices, f"{name}.voice")
            prosody = Prosody(voice, voice.language)  # in the voice's own language, whatever the request's is
        prosody = replace(prosody, rate=check_speed(1.0 if turn.speed is None else turn.speed, f"{name}.speed"))
        text = check_text(turn.text, limits.max_characters, f"{name}.text")
        *before, last = _parse_segments(text, prosody, limits, f"{name}.text")
        pause = TURN_PAUSE if number < len(turns) - 1 else 0.0
        for segment in (*before, replace(last, pause=last.pause or pause)):
            yield replace(segment, spans=tuple(run.with_offset(offset) for run in segment.spans))
        offset += len(turn.text) + len(TURN_SEPARATOR)


def _choose_language(name: str | None, voice: Voice, field: str) -> Language:
    """Return the named language, or else the voice's; plain `en` means the English (US or UK) of the voice.

    Raises BadRequest for an unknown name.
    """
    if name is None or (name.strip().lower() in ("en", "english") and voice.language.is_english):
        return voice.language
    return find_language(name, field)


def check_format(name: str, field: str) -> str:
    """Return the format's canonical name, a key of FORMATS; `field` is for the message. Raises BadRequest."""
    if name.lower() not in FORMATS:
        raise BadRequest(
            f"Unsupported {field} {name[:40]!r}: expected {', '.join(FORMATS)}.", field, name, list(FORMATS)
        )
    return name.lower()


Body = TypeVar("Body", bound=BaseModel)


def read_body(request: Request, model: type[Body]) -> Body:
    """Read the request's JSON body as a `model`.

    Raises BadRequest, which names the first invalid field, or UnsupportedMedia when it is not declared as JSON.
    """
    fields = read_json(request)
    if not isinstance(fields, dict):
        raise BadRequest(
            f"The body is a JSON {_get_json_type(fields)}: expected an object.", "body", fields, "a JSON object"
        )
    return validate_fields(fields, model)


def validate_fields(fields: dict[str, Any], model: type[Body]) -> Body:
    """Validate `fields` as a `model`. Raises BadRequest, which names the first invalid field."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise _make_validation_error(exc, model) from exc


def read_json(request: Request, expected: str = "a JSON object") -> Any:
    """Parse the request's JSON body, of any type. Raises BadRequest or UnsupportedMedia.

    `expected` describes the right body in error messages.
    """
    data = request.get_data(cache=False)
    if not data.strip():
        raise BadRequest(f"The request has no body: expected {expected}.", "body", None, expected)
    if not request.is_json:
        raise UnsupportedMedia(
            f"Content-Type is {request.content_type!r}: expected application/json.",
            "Content-Type",
            request.content_type,
            "application/json",
        )
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:  # RecursionError: brackets nested a thousand deep
        raise BadRequest(f"The body is not JSON: expected {expected}.", "body", None, expected) from exc


def _make_validation_error(exc: ValidationError, model: type[BaseModel]) -> BadRequest:
    """Convert pydantic's first error into a BadRequest that names the field, its value and what was expected."""
    fault = exc.errors(include_url=False, include_context=False)[0]
    field = _format_location(fault["loc"])
    expected = (
        _format_range(model, field)
        if fault["type"] in _BOUND_ERRORS
        else _EXPECTED_BY_TYPE.get(fault["type"]) or fault["msg"]
    )
    expected = expected.removeprefix("Input should be ").removeprefix("String should have ")
    if fault["type"] == "missing":
        return BadRequest(
            f"{field} is missing: expected {_get_purpose(model, field)}.", field, None, _get_purpose(model, field)
        )
    value = fault["input"]
    if fault["type"] in ("dict_type", "model_type", "model_attributes_type"):
        expected = "a JSON object"  # pydantic's own message names the Python class
    return BadRequest(f"{field} is {_describe_value(value)}: expected {expected}.", field, value, expected)


_EXPECTED_BY_TYPE = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a JSON object"),
}
"""What was expected, in JSON terms, by pydantic's error type."""
_BOUND_ERRORS = ("greater_than_equal", "less_than_equal")


def _format_range(model: type[BaseModel], field: str) -> str:
    """Return the range of a numeric field as text, from the bounds in the model's JSON schema."""
    schema = model.model_json_schema()
    name = field.rpartition(".")[2]
    # The field may belong to a nested model ("text[0].speed"), and an optional one has its bounds inside anyOf.
    known = (part["properties"].get(name, {}) for part in (schema, *schema.get("$defs", {}).values()))
    kinds = (kind for each in known for kind in (each, *each.get("anyOf", ())) if "minimum" in kind)
    return next(f"a number from {kind['minimum']:g} to {kind['maximum']:g}" for kind in kinds)


def _format_location(parts: Sequence[int | str]) -> str:
    """Format pydantic's location as a path, ("text", "dialogue", 0, "speed") -> `text[0].speed`, without union tags."""
    name, *inside = parts
    shown_parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in inside if not _is_union_tag(part)]
    return str(shorten_value("".join([str(name), *shown_parts])))


def _is_union_tag(part: int | str) -> bool:
    """Return whether a part of a location is pydantic's label for a branch of a union or for a validator."""
    return part in ("str", "model", "dialogue") or str(part).startswith("function-")


def _get_purpose(model: type[BaseModel], field: str) -> str:
    """Return the field's schema description as the end of a sentence: "What to say." -> "what to say"."""
    known = model.model_fields.get(field)
    purpose = ((known and known.description) or "a value").rstrip(".")
    return purpose[:1].lower() + purpose[1:]


def _describe_value(value: object) -> str:
    """Format a short scalar as its ASCII repr, anything longer as its JSON type."""
    if isinstance(value, dict | list) or value is None or (isinstance(value, str) and len(value) > 40):
        return f"a JSON {_get_json_type(value)}"
    return repr(value).encode("ascii", "backslashreplace").decode()[:60]


def _get_json_type(value: object) -> str:
    """Return the JSON name of the type of `value`."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
