"""Send speech with word timestamps: as JSON, as server-sent events, as JSON lines, or as a caption file.

Timestamps are in seconds from the start of the whole audio. In the two streaming forms each block of encoded audio
comes with the words synthesized since the previous block; a codec may hold some of their samples back for a later one.
"""

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
    """Time of a word in seconds; `start` and `end` are its character offsets in the text as sent."""

    word: str
    start_time: float
    end_time: float
    start: int
    end: int


class CaptionedSpeech(TypedDict):
    """Audio in base64 and the times of its words."""

    audio: str
    audio_format: str
    timestamps: list[Timestamp]


def lines_with_times(order: Order) -> Response:
    """Stream one line of JSON (NDJSON) for each block of audio, with its word times. Raises SpeechError."""
    stream = Speech(order)
    lines = (json.dumps(fields).encode() + b"\n" for fields in _timed_blocks(stream, order))
    return Response(ClosingIterator(lines, stream.close), mimetype=LINES, headers=UNBUFFERED)


def whole_with_times(order: Order) -> Response:
    """Return all of the audio and all word times as one JSON object. Raises SpeechError."""
    with closing(Speech(order)) as stream:
        chunks = list(timed(stream))
    audio = encode_whole(chunks, order.format, order.sample_rate)
    return jsonify(_captioned(audio, [word for chunk in chunks for word in chunk.words], order))


def events_with_times(order: Order) -> Response:
    """Stream server-sent events: `audio` for each block with its word times, then `done` or `error`.

    Raises SpeechError for an error before the first chunk; a later one is sent as an event.
    """
    stream = Speech(order)
    events = _events(stream, order, shape_for(request.path))
    return Response(ClosingIterator(events, stream.close), mimetype=EVENTS, headers=UNBUFFERED)


def caption_file(order: Order, kind: str) -> Response:
    """Return the captions of the job's text as a file; `kind` is vtt or srt. Raises SpeechError."""
    with closing(Speech(order)) as stream:
        words = [word for chunk in timed(stream) for word in chunk.words]
    return Response(captions(order.request.unmarked, words, kind), content_type=f"{CAPTION_TYPES[kind]}; charset=utf-8")


def wanted_captions() -> str | None:
    """Return the caption format, vtt or srt, that the Accept header names, or None for audio."""
    named = {accepted for accepted, _ in request.accept_mimetypes}
    return next((kind for kind, content_type in CAPTION_TYPES.items() if content_type in named), None)


def _events(speech: Speech, order: Order, shape: Shape) -> Iterator[bytes]:
    """Yield the events of a timed stream.

    After an error the body still ends regularly: a browser discards the unread rest of a truncated body, and with
    it the error event.
    """
    try:
        for fields in _timed_blocks(speech, order):
            yield event({"type": "audio", **fields})
    except SpeechError as exc:
        yield event({"type": "error", **shape(exc)})
    else:
        yield event({"type": "done"})


def _timed_blocks(speech: Speech, order: Order) -> Iterator[CaptionedSpeech]:
    """Yield each block of encoded audio with the words synthesized since the previous block."""
    words: list[Word] = []

    def collect_words() -> Iterator[Chunk]:  # records the words of each chunk as the encoder reads it
        for chunk in timed(speech):
            words.extend(chunk.words)
            yield chunk

    for block in encode(collect_words(), order.format, order.sample_rate):
        yield _captioned(block, words, order)
        words.clear()  # _captioned has copied them


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
