"""The routes of who runs the server: figures, and whether it lives and can speak."""

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
    """Tell that the server answers: where it does not, restart it."""
    return {"status": "alive"}


@blueprint.get("/health/ready")
@described(statuses=(503,))
def ready() -> Readiness:
    """Tell whether it can speak: 503 while no worker is ready or would wake up for a request."""
    status = engine().status()
    able = status.get("ready", 0) + status.get("asleep", 0)
    if not able:
        raise WorkerUnavailable("No worker is ready to speak.")
    return {"status": "ready", "ready": able}


@blueprint.get("/metrics")
@described(answer=(TEXT,))
def metrics() -> Response:
    """Tell the operator's figures in Prometheus' text format."""
    return Response(figures().text(), content_type=CONTENT_TYPE_LATEST)
