"""Hold the objects that all routes of an application share, with their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from kokoro_server.api.metrics import Metrics
from kokoro_server.api.response_cache import ResponseCache
from kokoro_server.api.schemas import RequestLimits
from kokoro_server.audiobooks.service import AudiobookService
from kokoro_server.core.voices import Voice
from kokoro_server.engine.base import Engine

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

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
