"""The JSON bodies that the routes take: each is checked against the model that describes it to clients, too."""

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
"""Hz: what the codecs take between them."""

Loudness = Annotated[
    float, Field(description="Loudness to bring the sound to, in LUFS; -16 is what podcasts have.", ge=-40, le=-5)
]

TURN_GAP = "\n"
"""What stands between the turns of a dialogue in the text that word times count in."""
TURN_REST = 0.4
"""Seconds between two turns: the gap that people leave, 0.2 s, and what a listener needs for a new voice."""

Strict = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)
Speed = Annotated[
    float, Field(description=f"Pace as a factor, {MIN_SPEED} to {MAX_SPEED}.", ge=MIN_SPEED, le=MAX_SPEED)
]


def _whole_number(value: Any) -> Any:
    """JSON knows one kind of number: 24000.0 is as whole as 24000."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Rate = Annotated[
    int,
    Field(description="Samples a second of the answer, in Hz.", ge=MIN_RATE, le=MAX_RATE),
    BeforeValidator(_whole_number),  # behind the bounds, which would not be in the description otherwise
]


@dataclass(frozen=True)
class Limits:
    """What this server allows: the longest text in characters, and its voices."""

    longest: int
    voices: tuple[str, ...]
    default_voice: str
    pronunciations: Callable[[], Mapping[str, str]] = dict
    """What the operator's dictionary says now."""
    ignore_unknown_tags: bool = False
    """Read on over SSML tags that are not known, instead of refusing them."""
    name_emoji: bool = True
    """Say what emoji are called, where a request does not say otherwise."""


@dataclass(frozen=True)
class Order:
    """A request and how its answer is to be sent."""

    request: SpeechRequest
    format: str
    sample_rate: int = SAMPLE_RATE
    stream: bool = True
    volume: float = 1.0
    """What every sample is multiplied by."""
    loudness: float | None = None
    """LUFS that the sound is brought to; None leaves it as the voice made it."""


class Turn(BaseModel):
    """What one voice says in a dialogue."""

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
    """What POST /synthesize and POST /synthesize/stream take."""

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
        """The checked order. Raises BadRequest."""
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
    """The request that these fields make, defaults filled in. Raises BadRequest."""
    spoken_by = find_voice(limits.default_voice if voice is None else voice, limits.voices)
    manner = Manner(spoken_by, _language(language, spoken_by, language_field).letter)
    said = {**limits.pronunciations(), **check_pronunciations(pronunciations or {})}
    if isinstance(text, str):
        marked = _passages(check_text(text, limits.longest, field), manner, limits, field)
    else:
        marked = list(_dialogue(text, manner, limits, field))
        text = check_text(TURN_GAP.join(turn.text for turn in text), limits.longest, field)
    check_pauses(marked, text, field)
    return SpeechRequest(
        text=text,
        voice=spoken_by,
        language=manner.language,
        speed=check_speed(1.0 if speed is None else speed),
        normalize=normalize,
        emoji=limits.name_emoji if emoji is None else emoji == "named",
        pronunciations=tuple(said.items()),
        marked=tuple(marked),
    )


def _passages(text: str, manner: Manner, limits: Limits, field: str) -> list[Passage]:
    """The passages of a marked or plain text, at least one. Raises BadRequest."""
    if is_ssml(text):
        found = ssml_passages(text, manner, limits.voices, field, limits.ignore_unknown_tags)
    else:
        found = passages(text, manner, limits.voices, field)
    if not any(passage.pause or passage.text.strip() for passage in found):
        raise BadRequest(f"{field} has marks but nothing to say between them.", field, text, "something to say")
    return found


def _dialogue(turns: list[Turn], manner: Manner, limits: Limits, field: str) -> Iterator[Passage]:
    """The passages of all turns, in one text, with a rest between them."""
    offset = 0
    for number, turn in enumerate(turns):
        name = f"{field}[{number}]"
        theirs = manner
        if turn.voice is not None:
            voice = find_voice(turn.voice, limits.voices, f"{name}.voice")
            theirs = Manner(voice, voice.language)
        theirs = replace(theirs, rate=check_speed(1.0 if turn.speed is None else turn.speed, f"{name}.speed"))
        text = check_text(turn.text, limits.longest, f"{name}.text")
        *before, last = _passages(text, theirs, limits, f"{name}.text")
        rest = TURN_REST if number < len(turns) - 1 else 0.0
        for passage in (*before, replace(last, pause=last.pause or rest)):
            yield replace(passage, runs=tuple(run.moved(offset) for run in passage.runs))
        offset += len(turn.text) + len(TURN_GAP)


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
    fields = read_json(request)
    if not isinstance(fields, dict):
        raise BadRequest(
            f"The body is a JSON {_json_type(fields)}: expected an object.", "body", fields, "a JSON object"
        )
    return validated(fields, model)


def validated(fields: dict[str, Any], model: type[Body]) -> Body:
    """The fields as a `model`. Raises BadRequest, which names the first wrong one."""
    try:
        return model.model_validate(fields)
    except ValidationError as exc:
        raise _first_fault(exc, model) from exc


def read_json(request: Request, expected: str = "a JSON object") -> Any:
    """The request's JSON, whatever it is. Raises BadRequest or UnsupportedMedia."""
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
    except (ValueError, RecursionError) as exc:
        raise BadRequest(f"The body is not JSON: expected {expected}.", "body", None, expected) from exc


def _first_fault(exc: ValidationError, model: type[BaseModel]) -> BadRequest:
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
        expected = "a JSON object"  # pydantic names classes of ours
    return BadRequest(f"{field} is {_described(value)}: expected {expected}.", field, value, expected)


_EXPECTED = {
    **dict.fromkeys(("string_type", "string_sub_type"), "a text"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "a JSON object"),
}
"""What pydantic's kinds of faults mean to who has never heard of it."""
_BOUNDS = ("greater_than_equal", "less_than_equal")


def _span(model: type[BaseModel], field: str) -> str:
    """The numbers that a field takes, as the model's own description of it has them."""
    schema = model.model_json_schema()
    name = field.rpartition(".")[2]
    known = (part["properties"].get(name, {}) for part in (schema, *schema.get("$defs", {}).values()))
    kinds = (kind for each in known for kind in (each, *each.get("anyOf", ())) if "minimum" in kind)
    return next(f"a number from {kind['minimum']:g} to {kind['maximum']:g}" for kind in kinds)


def _place(parts: Sequence[int | str]) -> str:
    """Where in the body, as in `text[0].speed`; what pydantic calls the branches of a union is left out."""
    name, *inside = parts
    shown_parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in inside if not _is_branch(part)]
    return str(shown("".join([str(name), *shown_parts])))


def _is_branch(part: int | str) -> bool:
    return part in ("str", "model", "dialogue") or str(part).startswith("function-")


def _purpose(model: type[BaseModel], field: str) -> str:
    known = model.model_fields.get(field)
    purpose = (known and known.description or "a value").rstrip(".")
    return purpose[:1].lower() + purpose[1:]


def _described(value: object) -> str:
    """A scalar as it is, anything larger by its JSON type."""
    if isinstance(value, dict | list) or value is None or (isinstance(value, str) and len(value) > 40):
        return f"a JSON {_json_type(value)}"
    return repr(value).encode("ascii", "backslashreplace").decode()[:60]


def _json_type(value: object) -> str:
    names = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}
    return names.get(type(value), "null")
