"""Log every request, and turn every exception into one JSON error format per family of routes."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, SecurityError

from kokoro_server.api.state import get_metrics
from kokoro_server.core.errors import BadRequest, NotFound, SpeechError, TooLarge
from kokoro_server.core.logs import log_fields

log = logging.getLogger(__name__)

OPENAI_PATHS = ("/v1/", "/dev/", "/models", "/audio/")
"""Path prefixes of the routes whose errors have OpenAI's format."""

ErrorFormat = Callable[[SpeechError], dict[str, Any]]
"""Function from an error to its JSON body."""


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
