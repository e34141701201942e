"""Serve the operator's routes: liveness, readiness, and Prometheus metrics."""

from __future__ import annotations

from flask import Blueprint, Response
from typing_extensions import TypedDict

from kokoro_server.api.openapi import describe_route
from kokoro_server.api.state import get_engine, get_metrics
from kokoro_server.core.errors import WorkerUnavailable

blueprint = Blueprint("operator", __name__)

TEXT_TYPE = "text/plain"


class Liveness(TypedDict):
    status: str


class Readiness(TypedDict):
    status: str
    ready: int


@blueprint.get("/health/live")
def show_liveness() -> Liveness:
    """Report liveness: a server that does not answer should be restarted."""
    return {"status": "alive"}


@blueprint.get("/health/ready")
@describe_route(statuses=(503,))
def show_readiness() -> Readiness:
    """Report readiness: 503 while no worker is loaded or can be loaded on request."""
    status = get_engine().get_status()
    available = status.get("ready", 0) + status.get("asleep", 0)
    if not available:
        raise WorkerUnavailable("No worker is ready to speak.")
    return {"status": "ready", "ready": available}


@blueprint.get("/metrics")
@describe_route(media_types=(TEXT_TYPE,))
def export_metrics() -> Response:
    """Export the server's metrics in Prometheus' text format."""
    metrics = get_metrics()
    return Response(metrics.export_text(), content_type=metrics.content_type)
