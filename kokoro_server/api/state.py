"""Hold the objects that all routes of an application share, with their types, and make a request's context."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app, g, request
from numpy.typing import NDArray

from kokoro_server.api.metrics import Metrics
from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.schemas import RequestLimits
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.core.errors import BadRequest
from kokoro_server.core.voices import Voice
from kokoro_server.engine.base import Engine, RequestContext

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

MAX_TIMEOUT = 86_400.0
"""Seconds; the longest X-Request-Timeout."""
_KEY = "kokoro_server"


@dataclass(frozen=True)
class AppState:
    """Hold what `create_app` makes of the settings; every member is thread-safe.

    Attributes:
        engine: Engine that synthesizes.
        metrics: Counters of requests and speech.
        audiobooks: Books in the background.
        response_cache: Finished responses on disk.
        limits: What a speech request may ask for.
        traces: Where spans go; None if requests are not traced.
        load_style: Return a voice's style table, float32 [510, 256]. Raises OSError where there is none.
    """

    engine: Engine
    metrics: Metrics
    audiobooks: AudiobookService
    response_cache: ResponseCache
    limits: RequestLimits
    traces: TracerProvider | None
    load_style: Callable[[Voice], NDArray[np.float32]]


def set_state(app: Flask, state: AppState) -> None:
    """Give the application its state."""
    app.extensions[_KEY] = state


def get_state(app: Flask | None = None) -> AppState:
    """Return the state of `app`, by default of the application that handles the current request."""
    state: AppState = (app or current_app).extensions[_KEY]
    return state


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
