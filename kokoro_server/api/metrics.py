"""Record what the server does: requests, audio responses, cache lookups.

`Metrics` logs; `api/prometheus.py` extends it by counters for GET /metrics where the extra "metrics" is installed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from kokoro_server.core.extras import list_missing, require_extra
from kokoro_server.core.logs import log_fields
from kokoro_server.engine.base import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SpeechRecord:
    """Record one audio response as it was sent.

    `outcome` is "whole", "cut" (by an error of the server) or "left" (by the client). `characters` counts the text,
    `audio_seconds` the audio sent. `first_audio_seconds` and `total_seconds` count from the start of the request;
    `synthesis_seconds` is the part of the total spent waiting for the engine.
    """

    request_id: str
    outcome: str
    characters: int
    audio_seconds: float
    first_audio_seconds: float
    synthesis_seconds: float
    total_seconds: float


class Metrics:
    """Log what one application does, and count nothing. Methods may be called from any thread."""

    content_type = "text/plain"

    def record_response(self, route: str, status: int) -> None:
        """Count a response when it begins.

        `route` is the URL rule and not the path: clients could create series without end.
        """

    def record_cache_lookup(self, hit: bool) -> None:
        """Count a lookup in the response cache as a hit or a miss."""

    def record_speech(self, record: SpeechRecord) -> None:
        """Count and log an audio response when it ends."""
        log.info(
            "%s %s: %.2f s of audio, first after %.0f ms, all after %.0f ms",
            *(
                record.request_id,
                record.outcome,
                record.audio_seconds,
                1000 * record.first_audio_seconds,
                1000 * record.total_seconds,
            ),
            extra=log_fields(**_to_log_fields(record)),
        )

    def export_text(self) -> bytes:
        """Return all metrics in Prometheus' text format, as UTF-8. Raises MissingExtra."""
        require_extra("metrics", "Prometheus metrics")
        return b""


def make_metrics(engine: Engine) -> Metrics:
    """Return metrics for Prometheus, or those that only log where the extra "metrics" is not installed."""
    if list_missing("metrics"):
        return Metrics()
    from kokoro_server.api.prometheus import PrometheusMetrics  # here, because the extra may be missing

    return PrometheusMetrics(engine)


def _to_log_fields(record: SpeechRecord) -> dict[str, Any]:
    return {
        "request_id": record.request_id,
        "outcome": record.outcome,
        "characters": record.characters,
        "audio_seconds": round(record.audio_seconds, 3),
        "first_audio_ms": round(1000 * record.first_audio_seconds),
        "total_ms": round(1000 * record.total_seconds),
    }
