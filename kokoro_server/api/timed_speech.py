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

from kokoro_server.api.audio_stream import AudioStream
from kokoro_server.api.request_hooks import ErrorFormat, choose_error_format
from kokoro_server.api.responses import EVENT_STREAM, UNBUFFERED_HEADERS, encode_event
from kokoro_server.api.schemas import SpeechJob
from kokoro_server.audio.encoding import encode_file, encode_stream
from kokoro_server.audio.samples import FORMATS, Chunk, Word, with_absolute_times
from kokoro_server.core.errors import SpeechError
from kokoro_server.synthesis.captions import CAPTION_MEDIA_TYPES, render_captions

NDJSON = "application/x-ndjson"


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


def make_timed_lines_response(job: SpeechJob) -> Response:
    """Stream one line of JSON (NDJSON) for each block of audio, with its word times. Raises SpeechError."""
    stream = AudioStream(job)
    lines = (json.dumps(fields).encode() + b"\n" for fields in _encode_timed_blocks(stream, job))
    return Response(ClosingIterator(lines, stream.close), mimetype=NDJSON, headers=UNBUFFERED_HEADERS)


def make_timed_json_response(job: SpeechJob) -> Response:
    """Return all of the audio and all word times as one JSON object. Raises SpeechError."""
    with closing(AudioStream(job)) as stream:
        chunks = list(with_absolute_times(stream))
    audio = encode_file(chunks, job.format, job.sample_rate)
    return jsonify(_to_captioned_speech(audio, [word for chunk in chunks for word in chunk.words], job))


def make_timed_events_response(job: SpeechJob) -> Response:
    """Stream server-sent events: `audio` for each block with its word times, then `done` or `error`.

    Raises SpeechError for an error before the first chunk; a later one is sent as an event.
    """
    stream = AudioStream(job)
    events = _encode_timed_events(stream, job, choose_error_format(request.path))
    return Response(ClosingIterator(events, stream.close), mimetype=EVENT_STREAM, headers=UNBUFFERED_HEADERS)


def make_caption_response(job: SpeechJob, kind: str) -> Response:
    """Return the captions of the job's text as a file; `kind` is vtt or srt. Raises SpeechError."""
    with closing(AudioStream(job)) as stream:
        words = [word for chunk in with_absolute_times(stream) for word in chunk.words]
    return Response(
        render_captions(job.request.visible_text, words, kind),
        content_type=f"{CAPTION_MEDIA_TYPES[kind]}; charset=utf-8",
    )


def choose_caption_format() -> str | None:
    """Return the caption format, vtt or srt, that the Accept header names, or None for audio."""
    named = {accepted for accepted, _ in request.accept_mimetypes}
    return next((kind for kind, content_type in CAPTION_MEDIA_TYPES.items() if content_type in named), None)


def _encode_timed_events(stream: AudioStream, job: SpeechJob, format_error: ErrorFormat) -> Iterator[bytes]:
    """Yield the events of a timed stream.

    After an error the body still ends regularly: a browser discards the unread rest of a truncated body, and with
    it the error event.
    """
    try:
        for fields in _encode_timed_blocks(stream, job):
            yield encode_event({"type": "audio", **fields})
    except SpeechError as exc:
        yield encode_event({"type": "error", **format_error(exc)})
    else:
        yield encode_event({"type": "done"})


def _encode_timed_blocks(stream: AudioStream, job: SpeechJob) -> Iterator[CaptionedSpeech]:
    """Yield each block of encoded audio with the words synthesized since the previous block."""
    words: list[Word] = []

    def collect_words() -> Iterator[Chunk]:  # records the words of each chunk as the encoder reads it
        for chunk in with_absolute_times(stream):
            words.extend(chunk.words)
            yield chunk

    for block in encode_stream(collect_words(), job.format, job.sample_rate):
        yield _to_captioned_speech(block, words, job)
        words.clear()  # _captioned has copied them


def _to_captioned_speech(audio: bytes, words: list[Word], job: SpeechJob) -> CaptionedSpeech:
    return {
        "audio": base64.b64encode(audio).decode("ascii"),
        "audio_format": FORMATS[job.format].content_type,
        "timestamps": [_to_timestamp(word) for word in words],
    }


def _to_timestamp(word: Word) -> Timestamp:
    return {
        "word": word.text,
        "start_time": round(word.start_time, 4),
        "end_time": round(word.end_time, 4),
        "start": word.start,
        "end": word.end,
    }
