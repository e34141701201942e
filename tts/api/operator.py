"""Serve the operator's routes: liveness, readiness, and Prometheus metrics."""

from __future__ import annotations

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST
from typing_extensions import TypedDict

from tts.api.description import described
from tts.api.responses import engine, figures
from tts.speech.errors import WorkerUnavailable

blueprint = Blueprint("operator", __name__)

TEXT = "text/plain"


class Life(TypedDict):
    status: str


class Readiness(TypedDict):
    status: str
    ready: int


@blueprint.get("/health/live")
def live() -> Life:
    """Report liveness: a server that does not answer should be restarted."""
    return {"status": "alive"}


@blueprint.get("/health/ready")
@described(statuses=(503,))
def ready() -> Readiness:
    """Report readiness: 503 while no worker is loaded or can be loaded on request."""
    status = engine().status()
    available = status.get("ready", 0) + status.get("asleep", 0)
    if not available:
        raise WorkerUnavailable("No worker is ready to speak.")
    return {"status": "ready", "ready": available}


@blueprint.get("/metrics")
@described(answer=(TEXT,))
def metrics() -> Response:
    """Export the server's metrics in Prometheus' text format."""
    return Response(figures().text(), content_type=CONTENT_TYPE_LATEST)
