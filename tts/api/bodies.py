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

from tts.speech.audio import FORMATS, SAMPLE_RATE
from tts.speech.errors import BadRequest, UnsupportedMedia, shown
from tts.speech.markup import check_pauses, passages
from tts.speech.pronunciations import check_pronunciations
from tts.speech.request import MAX_SPEED, MIN_SPEED, Manner, Passage, SpeechRequest, check_speed, check_text
from tts.speech.ssml import is_ssml, ssml_passages
from tts.speech.voices import Language, Voice, find_language, find_voice, language_of

MIN_RATE, MAX_RATE = 8_000, 48_000
"""Hz; the range of sample rates that the codecs accept."""

Loudness = Annotated[
    float, Field(description="Loudness to bring the sound to, in LUFS; -16 is what podcasts have.", ge=-40, le=-5)
]

TURN_GAP = "\n"
"""Separator between the turns of a dialogue in the joined text, whose offsets the word times refer to."""
TURN_REST = 0.4
"""Seconds of pause between two turns: the 0.2 s usual in conversation, and as much again to notice the new voice."""

Strict = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
Speed = Annotated[
    float, Field(description=f"Pace as a factor, {MIN_SPEED} to {MAX_SPEED}.", ge=MIN_SPEED, le=MAX_SPEED)
]


def _whole_number(value: Any) -> Any:
    """Convert a float without a fraction to int: JSON does not tell 24000.0 from 24000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Rate = Annotated[
    int,
    Field(description="Samples a second of the answer, in Hz.", ge=MIN_RATE, le=MAX_RATE),
    BeforeValidator(_whole_number),  # after Field: placed before it, the bounds are missing in the schema
]


@dataclass(frozen=True)
class Limits:
    """Hold what this server's settings allow in a speech request; `longest` is the maximum of characters of a text."""

    longest: int
    voices: tuple[str, ...]
    default_voice: str
    pronunciations: Callable[[], Mapping[str, str]] = dict
    """Return the current entries of the operator's pronunciation dictionary; read anew for every request."""
    ignore_unknown_tags: bool = False
    """Ignore unknown SSML tags instead of refusing the request."""
    name_emoji: bool = True
    """Read out the names of emoji where a request does not set `emoji`."""


@dataclass(frozen=True)
class Order:
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

    model_config = Strict

    text: Annotated[str, Field(description="What to say.")]
    voice: Annotated[str | None, Field(description="Who says it, by default the request's voice.")] = None
    speed: Speed | None = None


def _text_kind(value: object) -> str:
    return "dialogue" if isinstance(value, list) else "str"


Text = Annotated[Annotated[str, Tag("str")] | Annotated[list[Turn], Tag("dialogue")], Discriminator(_text_kind)]
Said = Annotated[
    dict[str, str] | None, Field(description="What to say for written words: a respelling, or /phonemes/.")
]

Emoji = Annotated[
    Literal["named", "silent"] | None,
    Field(description="named: say what emoji are called; silent: pass over them. The server's setting by default."),
]


class NativeBody(BaseModel):
    """Body of POST /synthesize and POST /synthesize/stream."""

    model_config = Strict

    text: Annotated[
        Text, Field(description="What to say: a text, or the turns of a dialogue.", examples=["Hello there."])
    ]
    voice: Annotated[
        str | None, Field(description="A voice, or a blend such as af_bella(2)+af_sky(1).", examples=["af_heart"])
    ] = None
    format: Annotated[
        str | None, Field(description=f"One of {', '.join(FORMATS)}; wav by default.", examples=["wav"])
    ] = None
    speed: Speed | None = None
    language: Annotated[str | None, Field(description="The text's language, by default the voice's.")] = None
    sample_rate: Rate | None = None
    stream: Annotated[bool | None, Field(description="false: send nothing before all is spoken.")] = None
    normalize: Annotated[bool | None, Field(description="false: read numbers and marks as they stand.")] = None
    emoji: Emoji = None
    pronunciations: Said = None
    loudness: Loudness | None = None
    timestamps: Annotated[bool | None, Field(description="true: tell when each word is spoken.")] = None

    def order(self, limits: Limits) -> Order:
        """Convert the body into a checked SpeechJob. Raises BadRequest."""
        request = speech_request(
            limits,
            self.text,
            self.voice,
            self.language,
            self.speed,
            normalize=self.normalize is not False,
            emoji=self.emoji,
            pronunciations=self.pronunciations,
        )
        format = check_format(self.format or "wav", "format")
        stream = self.stream is not False
        return Order(request, format, self.sample_rate or SAMPLE_RATE, stream, loudness=self.loudness)


def speech_request(
    limits: Limits,
    text: str | list[Turn],
    voice: str | None,
    language: str | None,
    speed: float | None,
    field: str = "text",
    *,
    normalize: bool = True,
    emoji: str | None = None,
    pronunciations: Mapping[str, str] | None = None,
    language_field: str = "language",
) -> SpeechRequest:
    """Check a body's fields against `limits`, fill in defaults, and return the speech request.

    Args:
        limits: What the settings allow.
        text: A text, plain or with inline tags or SSML; or the turns of a dialogue, joined by TURN_SEPARATOR.
        voice: A voice or a blend; None for the default voice.
        language: A language's name or code; None for the voice's own.
        speed: Pace as a factor, MIN_SPEED to MAX_SPEED; None for 1.
        field: The name of the text's field, for error messages.
        normalize: Whether to expand numbers, dates and symbols into words.
        emoji: "named" or "silent"; None for the server's setting.
        pronunciations: Entries that override the operator's dictionary.
        language_field: The name of the language's field, for error messages.

    Raises:
        BadRequest: A field is wrong; it names the field, its value and what was expected.
    """
    default = find_voice(limits.default_voice if voice is None else voice, limits.voices)
    prosody = Manner(default, _language(language, default, language_field).letter)
    entries = {**limits.pronunciations(), **check_pronunciations(pronunciations or {})}
    if isinstance(text, str):
        segments = _passages(check_text(text, limits.longest, field), prosody, limits, field)
    else:
        segments = list(_dialogue(text, prosody, limits, field))
        text = check_text(TURN_GAP.join(turn.text for turn in text), limits.longest, field)
    check_pauses(segments, text, field)
    return SpeechRequest(
        text=text,
        voice=default,
        language=prosody.language,
        speed=check_speed(1.0 if speed is None else speed),
        normalize=normalize,
        emoji=limits.name_emoji if emoji is None else emoji == "named",
        pronunciations=tuple(entries.items()),
        marked=tuple(segments),
    )


def _passages(text: str, manner: Manner, limits: Limits, field: str) -> list[Passage]:
    """Parse a plain or marked-up text into one or more segments. Raises BadRequest when there is nothing to say."""
    if is_ssml(text):
        segments = ssml_passages(text, manner, limits.voices, field, limits.ignore_unknown_tags)
    else:
        segments = passages(text, manner, limits.voices, field)
    if not any(segment.pause or segment.text.strip() for segment in segments):
        raise BadRequest(f"{field} has marks but nothing to say between them.", field, text, "something to say")
    return segments


def _dialogue(turns: list[Turn], manner: Manner, limits: Limits, field: str) -> Iterator[Passage]:
    """Yield the segments of all turns, their spans shifted into the joined text, with TURN_PAUSE between turns.

    A pause that the turn's own markup ends with takes precedence over TURN_PAUSE. Raises BadRequest.
    """
    offset = 0
    for number, turn in enumerate(turns):
        name = f"{field}[{number}]"
        prosody = manner
        if turn.voice is not None:
            voice = find_voice(turn.voice, limits.voices, f"{name}.voice")
            prosody = Manner(voice, voice.language)  # in the voice's own language, whatever the request's is
        prosody = replace(prosody, rate=check_speed(1.0 if turn.speed is None else turn.speed, f"{name}.speed"))
        text = check_text(turn.text, limits.longest, f"{name}.text")
        *before, last = _passages(text, prosody, limits, f"{name}.text")
        pause = TURN_REST if number < len(turns) - 1 else 0.0
        for segment in (*before, replace(last, pause=last.pause or pause)):
            yield replace(segment, runs=tuple(run.moved(offset) for run in segment.runs))
        offset += len(turn.text) + len(TURN_GAP)


def _language(name: str | None, voice: Voice, field: str) -> Language:
    """Return the named language, or else the voice's; plain `en` means the English (US or UK) of the voice.

    Raises BadRequest for an unknown name.
    """
    if name is None or (name.strip().lower() in ("en", "english") and voice.language in "ab"):
        return language_of(voice.language)
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
            f"The body is a JSON {_json_type(fields)}: expected an object.", "body", fields, "a JSON object"
        )
    return validated(fields, model)


def validated(fields: dict[str, Any], model: type[Body]) -> Body:
    """Validate `fields` as a `model`. Raises BadRequest, which names the first invalid field."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise _first_fault(exc, model) from exc


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


def _first_fault(exc: ValidationError, model: type[BaseModel]) -> BadRequest:
    """Convert pydantic's first error into a BadRequest that names the field, its value and what was expected."""
    fault = exc.errors(include_url=False, include_context=False)[0]
    field = _place(fault["loc"])
    expected = _span(model, field) if fault["type"] in _BOUNDS else _EXPECTED.get(fault["type"]) or fault["msg"]
    expected = expected.removeprefix("Input should be ").removeprefix("String should have ")
    if fault["type"] == "missing":
        return BadRequest(
            f"{field} is missing: expected {_purpose(model, field)}.", field, None, _purpose(model, field)
        )
    value = fault["input"]
    if fault["type"] in ("dict_type", "model_type", "model_attributes_type"):
        expected = "a JSON object"  # pydantic's own message names the Python class
    return BadRequest(f"{field} is {_described(value)}: expected {expected}.", field, value, expected)


_EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a JSON object"),
}
"""What was expected, in JSON terms, by pydantic's error type."""
_BOUNDS = ("greater_than_equal", "less_than_equal")


def _span(model: type[BaseModel], field: str) -> str:
    """Return the range of a numeric field as text, from the bounds in the model's JSON schema."""
    schema = model.model_json_schema()
    name = field.rpartition(".")[2]
    # The field may belong to a nested model ("text[0].speed"), and an optional one has its bounds inside anyOf.
    known = (part["properties"].get(name, {}) for part in (schema, *schema.get("$defs", {}).values()))
    kinds = (kind for each in known for kind in (each, *each.get("anyOf", ())) if "minimum" in kind)
    return next(f"a number from {kind['minimum']:g} to {kind['maximum']:g}" for kind in kinds)


def _place(parts: Sequence[int | str]) -> str:
    """Format pydantic's location as a path, ("text", "dialogue", 0, "speed") -> `text[0].speed`, without union tags."""
    name, *inside = parts
    shown_parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in inside if not _is_branch(part)]
    return str(shown("".join([str(name), *shown_parts])))


def _is_branch(part: int | str) -> bool:
    """Return whether a part of a location is pydantic's label for a branch of a union or for a validator."""
    return part in ("str", "model", "dialogue") or str(part).startswith("function-")


def _purpose(model: type[BaseModel], field: str) -> str:
    """Return the field's schema description as the end of a sentence: "What to say." -> "what to say"."""
    known = model.model_fields.get(field)
    purpose = (known and known.description or "a value").rstrip(".")
    return purpose[:1].lower() + purpose[1:]


def _described(value: object) -> str:
    """Format a short scalar as its ASCII repr, anything longer as its JSON type."""
    if isinstance(value, dict | list) or value is None or (isinstance(value, str) and len(value) > 40):
        return f"a JSON {_json_type(value)}"
    return repr(value).encode("ascii", "backslashreplace").decode()[:60]


def _json_type(value: object) -> str:
    """Return the JSON name of the type of `value`."""
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
