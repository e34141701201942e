"""Give routes the objects that the application shares, and the context of the current request."""

from __future__ import annotations

import math
import time
from dataclasses import replace

from flask import current_app, g, request

from kokoro_server.api.metrics import Metrics
from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.schemas import RequestLimits
from kokoro_server.api.state import get_state
from kokoro_server.core.errors import BadRequest
from kokoro_server.engine.base import Engine, RequestContext

MAX_TIMEOUT = 86_400.0
"""Seconds; the longest X-Request-Timeout."""


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


def get_limits() -> RequestLimits:
    """Return the limits of a speech request that the settings allow."""
    return get_state().limits


def get_response_cache() -> ResponseCache:
    """Return the application's response cache, which is thread-safe."""
    return get_state().response_cache
