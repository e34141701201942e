"""Build the responses that carry audio: buffered ones, and streams.

A buffered response is complete and has a Content-Length; a streamed one is chunked. Either way the first chunk is
synthesized before the response starts, so that an invalid voice, a full queue or a failed worker still gets its 4xx or
5xx status. After the first byte an error can only cut the chunked body short, which clients detect.
"""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

from flask import Response, request
from werkzeug.wsgi import ClosingIterator

from kokoro_server.api.audio_stream import AudioStream
from kokoro_server.api.schemas import SpeechJob
from kokoro_server.api.state import get_engine, get_metrics, get_response_cache
from kokoro_server.audio.encoding import encode_file, encode_stream
from kokoro_server.audio.samples import FORMATS

EVENT_STREAM = "text/event-stream"
UNBUFFERED_HEADERS = {"X-Accel-Buffering": "no"}
"""Header that turns off nginx' response buffering."""


def encode_event(content: dict[str, Any]) -> bytes:
    """Encode `content` as one server-sent event without a name."""
    return f"data: {json.dumps(content)}\n\n".encode()


def get_full_audio(job: SpeechJob) -> bytes:
    """Return the job's complete encoded audio, from the cache or synthesized. Raises SpeechError."""
    tag = get_response_cache().make_tag(job, buffered=True)
    cached = _look_up(tag)
    if cached is not None:
        return cached
    with closing(AudioStream(job)) as stream:
        return get_response_cache().put(tag, encode_file(stream, job.format, job.sample_rate))


def _look_up(tag: str) -> bytes | None:
    """Look up a response in the cache, and count the lookup unless the cache is off (an empty tag)."""
    cached = get_response_cache().get(tag)
    if tag:
        get_metrics().record_cache_lookup(cached is not None)
    return cached


def make_audio_response(job: SpeechJob, disposition: str, name: str = "tts_output") -> Response:
    """Return the response that carries the job's audio, with its file name and ETag.

    The body comes from the cache where possible, and is buffered where the client wants it or where a single utterance
    makes it as fast as streaming. A client that sends the ETag of this response gets 304.

    Args:
        job: What to synthesize, and its format.
        disposition: "inline" or "attachment".
        name: The file name without its suffix.

    Raises:
        SpeechError: The first chunk could not be synthesized.
    """
    format = FORMATS[job.format]
    buffered = _should_buffer(job)
    tag = get_response_cache().make_tag(job, buffered)
    if tag and request.if_none_match.contains_weak(tag):
        response = Response(status=304)
        get_metrics().record_cache_lookup(True)
    else:
        body = get_full_audio(job) if buffered else _make_streamed_body(job, tag)
        headers = {"Content-Disposition": f'{disposition}; filename="{name}.{format.extension}"'}
        response = Response(body, mimetype=format.content_type, headers=headers | UNBUFFERED_HEADERS)
    if tag:
        response.set_etag(tag, weak=True)  # weak: another run may differ in a few bits, not audibly
    return response


def _make_streamed_body(job: SpeechJob, tag: str) -> bytes | ClosingIterator:
    """Return the body of a streamed response; it is stored in the cache once it has been sent completely."""
    cached = _look_up(tag)
    if cached is not None:
        return cached
    stream = AudioStream(job)
    return ClosingIterator(
        get_response_cache().put_stream(tag, encode_stream(stream, job.format, job.sample_rate)), stream.close
    )


def _should_buffer(job: SpeechJob) -> bool:
    """Return whether to buffer the response: on request, or for HTTP/1.0, or when it has one utterance."""
    if not job.stream or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":  # no chunked coding
        return True
    return len(get_engine().plan(job.request)) == 1
