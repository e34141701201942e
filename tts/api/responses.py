"""How sound and errors leave: streams, whole bodies, and one JSON shape a route family."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np
from flask import Flask, Response, current_app, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wsgi import ClosingIterator

from tts.api.bodies import Order
from tts.engines.base import Engine, Listener
from tts.speech.audio import FORMATS, Chunk
from tts.speech.encoding import encode, encode_whole
from tts.speech.errors import BadRequest, NotFound, SpeechError, TooLarge

log = logging.getLogger(__name__)

MAX_TIMEOUT = 86_400.0
"""Seconds: the longest X-Request-Timeout."""

Shape = Callable[[SpeechError], dict[str, Any]]


def engine() -> Engine:
    """The application's engine."""
    found: Engine = current_app.extensions["engine"]
    return found


def listener() -> Listener:
    """Who waits for this request's answer. Raises BadRequest for a wrong X-Request-Timeout."""
    seconds = _request_timeout()
    deadline = time.monotonic() + seconds if seconds else math.inf
    has_gone = request.environ.get("waitress.client_disconnected")
    return Listener(deadline, has_gone) if has_gone else Listener(deadline)


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


def whole(order: Order) -> bytes:
    """The order's sound, all of it."""
    with closing(engine().synthesize(order.request, listener())) as chunks:
        return encode_whole(chunks, order.format, order.sample_rate)


def sound(order: Order, disposition: str) -> Response:
    """The order's sound: streamed, or whole with its length where that is asked for or costs nothing."""
    format = FORMATS[order.format]
    headers = {"Content-Disposition": f'{disposition}; filename="tts_output.{format.extension}"'}
    body = whole(order) if _wants_whole(order) else _stream(order)
    return Response(body, mimetype=format.content_type, headers=headers)


def _stream(order: Order) -> ClosingIterator:
    """The order's bytes; its first chunk is made already, so that what goes wrong before it still has its status."""
    chunks = engine().synthesize(order.request, listener())
    first = next(chunks, Chunk(np.zeros(0, np.float32)))
    return ClosingIterator(_logged(encode(chain([first], chunks), order.format, order.sample_rate)), chunks.close)


def _wants_whole(order: Order) -> bool:
    one_chunk = len(engine().plan(order.request)) == 1
    return not order.stream or one_chunk or request.environ.get("SERVER_PROTOCOL") == "HTTP/1.0"


def _logged(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The stream's bytes; an error in mid-stream is logged, and cuts the body short since its status has left."""
    try:
        yield from blocks
    except SpeechError as exc:
        log.warning("%s cut short: %s", g.request_id, exc)
        raise


def native_error(error: SpeechError) -> dict[str, Any]:
    """The native routes' shape."""
    body: dict[str, Any] = {"error": error.title, "message": error.message}
    if isinstance(error, BadRequest):
        body |= {"field": error.field, "value": error.value, "allowed": error.allowed}
    return body


def openai_error(error: SpeechError) -> dict[str, Any]:
    """OpenAI's shape: all four keys, always."""
    field = error.field if isinstance(error, BadRequest) else None
    return {"error": {"message": error.message, "type": error.kind, "param": field, "code": error.code}}


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
    log.info("%s %s %s %d %.0f ms", g.request_id, request.method, request.path[:100], response.status_code, taken)
    return response


def _answer(error: SpeechError, http: HTTPException | None = None) -> Response:
    shape = openai_error if request.path.startswith(("/v1/", "/dev/")) else native_error
    response: Response = jsonify(shape(error))
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
    error = BadRequest(exc.description or exc.name)
    error.status, error.title = code, exc.name if code != 400 else error.title
    if code == 405:
        error.title = "Method not allowed"
        error.message = f"{request.method} is not allowed for {request.path[:100]}."
    return error


def _broken(exc: Exception) -> Response:
    """A fault of ours: the log tells it all, the client nothing but that."""
    log.error("%s failed", g.get("request_id", "-"), exc_info=exc)
    return _answer(SpeechError("The server failed; its log says how."))
