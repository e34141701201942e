"""Build the responses of audio and errors: streams, complete bodies, and one JSON error format per route family.

An audio response is buffered (complete, with Content-Length) or streamed (chunked). Either way the first chunk is
synthesized before the response starts, so that an invalid voice, a full queue or a failed worker still gets its
4xx or 5xx status. After the first byte an error can only cut the chunked body short, which clients detect.

This module also holds the accessors of the application's objects (engine, metrics, limits, cache), the request's
context, and the hooks that log every request and translate every exception.
"""

from __future__ import annotations

import json
import logging
import math
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError
from werkzeug.wsgi import ClosingIterator

from kokoro_server.api.metrics import Metrics, SpeechRecord
from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.schemas import RequestLimits, SpeechJob
from kokoro_server.api.state import get_state
from kokoro_server.api.tracing import get_span
from kokoro_server.audio.encoding import encode_file, encode_stream
from kokoro_server.audio.loudness import normalize_loudness
from kokoro_server.audio.samples import FORMATS, SAMPLE_RATE, Chunk
from kokoro_server.core.errors import BadRequest, ClientGone, NotFound, SpeechError, TooLarge
from kokoro_server.core.logs import log_fields
from kokoro_server.engine.base import Engine, RequestContext

log = logging.getLogger(__name__)

MAX_TIMEOUT = 86_400.0
"""Seconds; the longest X-Request-Timeout."""

OPENAI_PATHS = ("/v1/", "/dev/", "/models", "/audio/")
"""Path prefixes of the routes whose errors have OpenAI's format."""

EVENT_STREAM = "text/event-stream"
UNBUFFERED_HEADERS = {"X-Accel-Buffering": "no"}
"""Header that turns off nginx' response buffering."""

ErrorFormat = Callable[[SpeechError], dict[str, Any]]
"""Function from an error to its JSON body."""


def get_engine() -> Engine:
    """Return the application's engine, which is thread-safe."""
    return get_state().engine


def get_metrics() -> Metrics:
    """Return the application's metrics, which are thread-safe."""
    return get_state().metrics


def make_request_context() -> RequestContext:
    """Return this request's context: deadline, cancellation, and id.

    `is_cancelled` comes from waitress and tells whether the client has disconnected; other WSGI servers have none.
    Raises BadRequest for an invalid X-Request-Timeout.
    """
    seconds = _parse_request_timeout()
    deadline = time.monotonic() + seconds if seconds else math.inf
    is_cancelled = request.environ.get("waitress.client_disconnected")
    context = RequestContext(deadline, request_id=g.request_id)
    return replace(context, is_cancelled=is_cancelled) if is_cancelled else context


def _parse_request_timeout() -> float:
    """Return the request's time limit in seconds, 0 for none. Raises BadRequest."""
    header = request.headers.get("X-Request-Timeout")
    if header is None:
        return float(current_app.config["REQUEST_TIMEOUT"])
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan  # fails the range check below
    if not 0 < seconds <= MAX_TIMEOUT:
        allowed = f"seconds, above 0 and up to {MAX_TIMEOUT:g}"
        raise BadRequest(
            f"X-Request-Timeout is {header[:40]!r}: expected {allowed}.", "X-Request-Timeout", header, allowed
        )
    return seconds


class AudioStream:
    """Iterate over the audio chunks of a job, the first of which is synthesized in the constructor.

    An error before the first chunk is raised by the constructor, while the response can still have its status. A later
    SpeechError is logged and raised by the iteration. The outcome ("whole", "cut" or "left") starts as "left", which
    is right if the client stops reading. The caller must call `close`, which records the response in metrics, log and
    trace. Iterate once, from one thread; needs the request's context only for construction.
    """

    def __init__(self, job: SpeechJob) -> None:
        """Start the synthesis and wait for its first chunk. Raises SpeechError."""
        self._job = job
        self._chunks = get_engine().synthesize(job.request, make_request_context())
        self._first_chunk = next(self._chunks, Chunk(np.zeros(0, np.float32)))  # empty: a text without any sound
        self._request_id, self._started_at, self._span, self._metrics = g.request_id, g.began, get_span(), get_metrics()
        self._characters = len(job.request.text)
        self._first_audio_seconds = self._synthesis_seconds = time.monotonic() - self._started_at
        self._outcome = "left"
        self.samples = 0
        """Samples yielded so far, at SAMPLE_RATE."""

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks at the job's loudness and volume. Raises SpeechError."""
        chunks: Iterator[Chunk] = chain([self._first_chunk], self._iter_timed_chunks())
        if self._job.loudness is not None:
            chunks = normalize_loudness(chunks, self._job.loudness)
        volume = self._job.volume
        try:
            for chunk in chunks:
                self.samples += len(chunk.samples)
                yield chunk if volume == 1.0 else replace(chunk, samples=chunk.samples * volume)
            self._outcome = "whole"
        except SpeechError as exc:
            self._outcome = "left" if isinstance(exc, ClientGone) else "cut"
            log.warning("%s cut short: %s", self._request_id, exc, extra=log_fields(request_id=self._request_id))
            raise

    def _iter_timed_chunks(self) -> Iterator[Chunk]:
        """Yield the chunks after the first, adding up the time spent waiting for each.

        The time until the client wants the next chunk does not count as synthesis.
        """
        while True:
            requested_at = time.monotonic()
            chunk = next(self._chunks, None)
            self._synthesis_seconds += time.monotonic() - requested_at
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Cancel the rest of the synthesis and record the outcome. May be called more than once."""
        self._chunks.close()
        if self._outcome:
            self._record_outcome(time.monotonic() - self._started_at)
            self._outcome = ""  # recorded: the server and a test client may both close a response

    def _record_outcome(self, total: float) -> None:
        """Record the response in the metrics, the log and the trace; `total` is in seconds."""
        audio = self.samples / SAMPLE_RATE
        times = (self._first_audio_seconds, self._synthesis_seconds, total)
        self._metrics.record_speech(SpeechRecord(self._request_id, self._outcome, self._characters, audio, *times))
        if self._span is not None:
            attributes = {
                "kokoro.first_audio_ms": round(1000 * self._first_audio_seconds),
                "kokoro.audio_seconds": audio,
            }
            self._span.set_attributes({**attributes, "kokoro.outcome": self._outcome})


def get_limits() -> RequestLimits:
    """Return the limits of a speech request that the settings allow."""
    return get_state().limits


def encode_event(content: dict[str, Any]) -> bytes:
    """Encode `content` as one server-sent event without a name."""
    return f"data: {json.dumps(content)}\n\n".encode()


def get_response_cache() -> ResponseCache:
    """Return the application's response cache, which is thread-safe."""
    return get_state().response_cache


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


def format_native_error(error: SpeechError) -> dict[str, Any]:
    """Format an error for the native routes."""
    body: dict[str, Any] = {"error": error.title, "message": error.message}
    if isinstance(error, BadRequest):
        body |= {"field": error.field, "value": error.value, "allowed": error.allowed}
    return body


def format_openai_error(error: SpeechError) -> dict[str, Any]:
    """Format an error as OpenAI does, always with all four keys."""
    return {"error": {"message": error.message, "type": error.kind, "param": error.field, "code": error.code}}


def choose_error_format(path: str) -> ErrorFormat:
    """Return the error format of the route family that `path` belongs to."""
    return format_openai_error if path.startswith(OPENAI_PATHS) else format_native_error


def install_request_hooks(app: Flask) -> None:
    """Register request ids, the access log, and the error handlers on `app`.

    Every exception becomes a JSON error of the route's family: a SpeechError with its own status, an HTTPException of
    werkzeug translated, any other as 500.
    """
    app.before_request(_begin_request)
    app.after_request(_finish_request)
    app.register_error_handler(SpeechError, _make_error_response)
    app.register_error_handler(HTTPException, lambda exc: _make_error_response(_translate_http_error(exc), exc))
    app.register_error_handler(Exception, _handle_unexpected_error)


def _begin_request() -> None:
    """Give the request its id and its start time."""
    g.request_id = uuid.uuid4().hex
    g.began = time.monotonic()


def _finish_request(response: Response) -> Response:
    """Count and log the response when its headers are ready; a streamed body is still to be sent."""
    response.headers["X-Request-Id"] = g.request_id
    elapsed_ms = 1000 * (time.monotonic() - g.began)
    route = request.url_rule.rule if request.url_rule else "none"
    get_metrics().record_response(route, response.status_code)
    fields = log_fields(request_id=g.request_id, route=route, status=response.status_code, ms=round(elapsed_ms))
    log.info(
        "%s %s %s %d %.0f ms",
        *(g.request_id, request.method, request.path[:100], response.status_code, elapsed_ms),
        extra=fields,
    )
    return response


def _make_error_response(error: SpeechError, http: HTTPException | None = None) -> Response:
    """Build the JSON response of an error, with the headers that its status calls for."""
    response: Response = jsonify(choose_error_format(request.path)(error))
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(http, MethodNotAllowed) and http.valid_methods:
        response.headers["Allow"] = ", ".join(http.valid_methods)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _translate_http_error(exc: HTTPException) -> SpeechError:
    """Translate an error raised by werkzeug (routing, body size, host) into a SpeechError."""
    code = exc.code or 500
    if code == 404:
        return NotFound(f"There is no {request.path[:100]} here.")
    if code == 413:
        limit = request.max_content_length
        return TooLarge(f"The body is over its limit of {limit} bytes.", "body", None, f"up to {limit} bytes")
    if isinstance(exc, SecurityError):
        host = request.headers.get("Host", "")
        allowed = "a name in KOKORO_ALLOWED_HOSTS"
        return BadRequest(f"Host is {host[:60]!r}: expected {allowed}.", "Host", host, allowed)
    error = BadRequest(exc.description or exc.name)
    error.status, error.title = code, exc.name if code != 400 else error.title
    if code == 405:
        error.title = "Method not allowed"
        error.message = f"{request.method} is not allowed for {request.path[:100]}."
    return error


def _handle_unexpected_error(exc: Exception) -> Response:
    """Answer 500 to an unexpected exception: the traceback goes to the log, no detail to the client."""
    request_id = g.get("request_id", "-")
    log.error("%s failed", request_id, exc_info=exc, extra=log_fields(request_id=request_id))
    return _make_error_response(SpeechError("The server failed; its log says how."))
