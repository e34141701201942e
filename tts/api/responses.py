"""How sound and errors leave: streams, whole bodies, and one JSON shape a route family."""

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

from tts.api.bodies import Limits, Order
from tts.api.cache import Answers
from tts.api.metrics import Figures, Spoken
from tts.api.tracing import span
from tts.engines.base import Engine, Listener
from tts.engines.logs import about
from tts.speech.audio import FORMATS, SAMPLE_RATE, Chunk
from tts.speech.encoding import encode, encode_whole
from tts.speech.errors import BadRequest, ClientGone, NotFound, SpeechError, TooLarge
from tts.speech.loudness import level

log = logging.getLogger(__name__)

MAX_TIMEOUT = 86_400.0
"""Seconds: the longest X-Request-Timeout."""

OPENAI_PATHS = ("/v1/", "/dev/", "/models", "/audio/")
"""Where errors have OpenAI's shape."""

EVENTS = "text/event-stream"
UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Tells nginx to hand on what comes when it comes."""

Shape = Callable[[SpeechError], dict[str, Any]]


def engine() -> Engine:
    """The application's engine."""
    found: Engine = current_app.extensions["engine"]
    return found


def figures() -> Figures:
    """What the application counts."""
    found: Figures = current_app.extensions["figures"]
    return found


def listener() -> Listener:
    """Who waits for this request's answer. Raises BadRequest for a wrong X-Request-Timeout."""
    seconds = _request_timeout()
    deadline = time.monotonic() + seconds if seconds else math.inf
    has_gone = request.environ.get("waitress.client_disconnected")
    waiting = Listener(deadline, request_id=g.request_id)
    return replace(waiting, has_gone=has_gone) if has_gone else waiting


def _request_timeout() -> float:
    header = request.headers.get("X-Request-Timeout")
    if header is None:
        return float(current_app.config["REQUEST_TIMEOUT"])
    try:
        seconds = float(header)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_TIMEOUT:
        allowed = f"seconds, above 0 and up to {MAX_TIMEOUT:g}"
        raise BadRequest(
            f"X-Request-Timeout is {header[:40]!r}: expected {allowed}.", "X-Request-Timeout", header, allowed
        )
    return seconds


class Speech:
    """An order's chunks, the first one made already, so that what goes wrong before it still has its status.

    Whoever makes one closes it; an iteration ends with the order's SpeechError, which is logged: its status has left.
    """

    def __init__(self, order: Order) -> None:
        self._order = order
        self._chunks = engine().synthesize(order.request, listener())
        self._first = next(self._chunks, Chunk(np.zeros(0, np.float32)))
        self._request_id, self._began, self._span, self._figures = g.request_id, g.began, span(), figures()
        self._characters = len(order.request.text)
        self._first_after = self._made = time.monotonic() - self._began
        self._outcome = "left"
        self.samples = 0
        """How many have been handed on, at SAMPLE_RATE."""

    def __iter__(self) -> Iterator[Chunk]:
        chunks: Iterator[Chunk] = chain([self._first], self._waited_for())
        if self._order.loudness is not None:
            chunks = level(chunks, self._order.loudness)
        volume = self._order.volume
        try:
            for chunk in chunks:
                self.samples += len(chunk.samples)
                yield chunk if volume == 1.0 else replace(chunk, samples=chunk.samples * volume)
            self._outcome = "whole"
        except SpeechError as exc:
            self._outcome = "left" if isinstance(exc, ClientGone) else "cut"
            log.warning("%s cut short: %s", self._request_id, exc, extra=about(request_id=self._request_id))
            raise

    def _waited_for(self) -> Iterator[Chunk]:
        """The rest of the chunks; the time counts that each lets us wait, not the time until it is wanted."""
        while True:
            asked = time.monotonic()
            chunk = next(self._chunks, None)
            self._made += time.monotonic() - asked
            if chunk is None:
                return
            yield chunk

    def close(self) -> None:
        """Give up what is not spoken yet, and tell how it went."""
        self._chunks.close()
        if self._outcome:
            self._tell(time.monotonic() - self._began)
            self._outcome = ""  # told; a server and a test's client both may close an answer

    def _tell(self, total: float) -> None:
        audio = self.samples / SAMPLE_RATE
        times = (self._first_after, self._made, total)
        self._figures.spoken(Spoken(self._request_id, self._outcome, self._characters, audio, *times))
        if self._span is not None:
            first = {"kokoro.first_audio_ms": round(1000 * self._first_after), "kokoro.audio_seconds": audio}
            self._span.set_attributes({**first, "kokoro.outcome": self._outcome})


def limits() -> Limits:
    """What this server's settings allow."""
    found: Limits = current_app.extensions["limits"]
    return found


def event(content: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(content)}\n\n".encode()


def answers() -> Answers:
    """The application's kept answers."""
    found: Answers = current_app.extensions["answers"]
    return found


def whole(order: Order) -> bytes:
    """The order's sound, all of it."""
    tag = answers().tag(order, whole=True)
    kept = _kept(tag)
    if kept is not None:
        return kept
    with closing(Speech(order)) as speech:
        return answers().keep(tag, encode_whole(speech, order.format, order.sample_rate))


def _kept(tag: str) -> bytes | None:
    """The answer's bytes, if they are kept; counted where any are."""
    kept = answers().get(tag)
    if tag:
        figures().looked_up(kept is not None)
    return kept


def sound(order: Order, disposition: str, name: str = "tts_output") -> Response:
    """The order's sound: streamed, or whole with its length where that is asked for or costs nothing; from the cache
    where it is kept, and nothing but its tag where the client has it already."""
    format = FORMATS[order.format]
    at_once = _wants_whole(order)
    tag = answers().tag(order, at_once)
    if tag and request.if_none_match.contains_weak(tag):
        response = Response(status=304)
        figures().looked_up(True)
    else:
        body = whole(order) if at_once else _stream(order, tag)
        headers = {"Content-Disposition": f'{disposition}; filename="{name}.{format.extension}"'}
        response = Response(body, mimetype=format.content_type, headers=headers | UNBUFFERED)
    if tag:
        response.set_etag(tag, weak=True)  # weak: another run of the network sounds the same, to the ear
    return response


def _stream(order: Order, tag: str) -> bytes | ClosingIterator:
    kept = _kept(tag)
    if kept is not None:
        return kept
    speech = Speech(order)
    return ClosingIterator(answers().keeping(tag, encode(speech, order.format, order.sample_rate)), speech.close)


def _wants_whole(order: Order) -> bool:
    if not order.stream or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0":
        return True
    return len(engine().plan(order.request)) == 1


def native_error(error: SpeechError) -> dict[str, Any]:
    """The native routes' shape."""
    body: dict[str, Any] = {"error": error.title, "message": error.message}
    if isinstance(error, BadRequest):
        body |= {"field": error.field, "value": error.value, "allowed": error.allowed}
    return body


def openai_error(error: SpeechError) -> dict[str, Any]:
    """OpenAI's shape: all four keys, always."""
    return {"error": {"message": error.message, "type": error.kind, "param": error.field, "code": error.code}}


def shape_for(path: str) -> Shape:
    """The shape of the errors of the route family that `path` is in."""
    return openai_error if path.startswith(OPENAI_PATHS) else native_error


def install(app: Flask) -> None:
    """Give the application request ids and the one error handler."""
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(SpeechError, _answer)
    app.register_error_handler(HTTPException, lambda exc: _answer(_translated(exc), exc))
    app.register_error_handler(Exception, _broken)


def _begin() -> None:
    g.request_id = uuid.uuid4().hex
    g.began = time.monotonic()


def _end(response: Response) -> Response:
    response.headers["X-Request-Id"] = g.request_id
    taken = 1000 * (time.monotonic() - g.began)
    route = request.url_rule.rule if request.url_rule else "none"
    figures().answered(route, response.status_code)
    told = about(request_id=g.request_id, route=route, status=response.status_code, ms=round(taken))
    log.info(
        "%s %s %s %d %.0f ms",
        *(g.request_id, request.method, request.path[:100], response.status_code, taken),
        extra=told,
    )
    return response


def _answer(error: SpeechError, http: HTTPException | None = None) -> Response:
    response: Response = jsonify(shape_for(request.path)(error))
    response.status_code = error.status
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(math.ceil(error.retry_after))
    if isinstance(http, MethodNotAllowed) and http.valid_methods:
        response.headers["Allow"] = ", ".join(http.valid_methods)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _translated(exc: HTTPException) -> SpeechError:
    """Werkzeug's own refusals, in our words."""
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


def _broken(exc: Exception) -> Response:
    """A fault of ours: the log tells it all, the client nothing but that."""
    request_id = g.get("request_id", "-")
    log.error("%s failed", request_id, exc_info=exc, extra=about(request_id=request_id))
    return _answer(SpeechError("The server failed; its log says how."))
