"""Speech with the times of its words: as JSON, as events or lines beside the sound, and as captions alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing

from flask import Response, jsonify, request
from typing_extensions import TypedDict
from werkzeug.wsgi import ClosingIterator

from tts.api.bodies import Order
from tts.api.responses import EVENTS, UNBUFFERED, Shape, Speech, event, shape_for
from tts.speech.audio import FORMATS, Chunk, Word, timed
from tts.speech.captions import CAPTION_TYPES, captions
from tts.speech.encoding import encode, encode_whole
from tts.speech.errors import SpeechError

LINES = "application/x-ndjson"


class Timestamp(TypedDict):
    """A word and when it is spoken, in seconds; `start` and `end` are its characters in the text as sent."""

    word: str
    start_time: float
    end_time: float
    start: int
    end: int


class CaptionedSpeech(TypedDict):
    """Sound in base64 and the times of its words."""

    audio: str
    audio_format: str
    timestamps: list[Timestamp]


def lines_with_times(order: Order) -> Response:
    """A line of JSON for each block of sound, with the words that begin in it."""
    speech = Speech(order)
    lines = (json.dumps(fields).encode() + b"\n" for fields in _timed_blocks(speech, order))
    return Response(ClosingIterator(lines, speech.close), mimetype=LINES, headers=UNBUFFERED)


def whole_with_times(order: Order) -> Response:
    """All of the sound and the times of all its words, in one JSON object."""
    with closing(Speech(order)) as speech:
        chunks = list(timed(speech))
    sound = encode_whole(chunks, order.format, order.sample_rate)
    return jsonify(_captioned(sound, [word for chunk in chunks for word in chunk.words], order))


def events_with_times(order: Order) -> Response:
    """Server-sent events: blocks of sound with the words that begin in them, then `done` or the error that came."""
    speech = Speech(order)
    events = _events(speech, order, shape_for(request.path))
    return Response(ClosingIterator(events, speech.close), mimetype=EVENTS, headers=UNBUFFERED)


def caption_file(order: Order, kind: str) -> Response:
    """The captions of the order's text, vtt or srt."""
    with closing(Speech(order)) as speech:
        words = [word for chunk in timed(speech) for word in chunk.words]
    return Response(captions(order.request.unmarked, words, kind), content_type=f"{CAPTION_TYPES[kind]}; charset=utf-8")


def wanted_captions() -> str | None:
    """The kind of captions that the client accepts rather than sound."""
    named = {accepted for accepted, _ in request.accept_mimetypes}
    return next((kind for kind, content_type in CAPTION_TYPES.items() if content_type in named), None)


def _events(speech: Speech, order: Order, shape: Shape) -> Iterator[bytes]:
    """Ends well after an error, too: of a body that is cut short, browsers throw away what was not read yet."""
    try:
        for fields in _timed_blocks(speech, order):
            yield event({"type": "audio", **fields})
    except SpeechError as exc:
        yield event({"type": "error", **shape(exc)})
    else:
        yield event({"type": "done"})


def _timed_blocks(speech: Speech, order: Order) -> Iterator[CaptionedSpeech]:
    """Each block of the container's bytes with the words that have been made since the last one."""
    words: list[Word] = []

    def heard() -> Iterator[Chunk]:
        for chunk in timed(speech):
            words.extend(chunk.words)
            yield chunk

    for block in encode(heard(), order.format, order.sample_rate):
        yield _captioned(block, words, order)
        words.clear()


def _captioned(sound: bytes, words: list[Word], order: Order) -> CaptionedSpeech:
    return {
        "audio": base64.b64encode(sound).decode("ascii"),
        "audio_format": FORMATS[order.format].content_type,
        "timestamps": [_timestamp(word) for word in words],
    }


def _timestamp(word: Word) -> Timestamp:
    return {
        "word": word.text,
        "start_time": round(word.start_time, 4),
        "end_time": round(word.end_time, 4),
        "start": word.start,
        "end": word.end,
    }
