"""Export the server's metrics in Prometheus' text format: requests, speech, cache, and the engine's status.

Counters and histograms are updated as responses begin and end. The engine's values (queue, workers, memory, totals)
are read from `Engine.get_status()` when the metrics are exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from kokoro_server.api.metrics import Metrics, SpeechRecord
from kokoro_server.engine.base import Engine

FIRST_AUDIO_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30)
"""Histogram buckets in seconds; 0.2 is what screen readers need, 10 the time limit of Home Assistant."""
REAL_TIME_FACTOR_BUCKETS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 5)
"""Histogram buckets in seconds of synthesis per second of audio; above 1 playback has gaps."""
SPEECH_DURATION_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
"""Histogram buckets in seconds, of whole responses."""


class PrometheusMetrics(Metrics):
    """Count what one application does. Methods may be called from any thread.

    Each application has its own registry, so that several can live in one process.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self, engine: Engine) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the number of series
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "kokoro_requests", "Answers begun, by route and status.", ["route", "outcome"], registry=self._registry
        )
        self._speeches = Counter(
            "kokoro_speeches", "Answers of sound that ended: whole, cut or left.", ["outcome"], registry=self._registry
        )
        self._first_audio = self._make_histogram(
            "kokoro_first_audio_seconds", "Time until the first sound was made.", FIRST_AUDIO_BUCKETS
        )
        self._speech_seconds = self._make_histogram(
            "kokoro_speech_seconds", "Time until the last sound was sent.", SPEECH_DURATION_BUCKETS
        )
        factor = "Seconds of waiting for the engine for each second of sound, of whole answers."
        self._real_time_factor = self._make_histogram("kokoro_real_time_factor", factor, REAL_TIME_FACTOR_BUCKETS)
        self._characters = Counter("kokoro_characters", "Characters of text spoken.", registry=self._registry)
        self._audio_seconds = Counter("kokoro_audio_seconds", "Seconds of sound sent.", registry=self._registry)
        self._cache_lookups = Counter(
            "kokoro_cache", "Answers looked for in the cache: hit or miss.", ["result"], registry=self._registry
        )
        self._registry.register(_EngineCollector(engine))
        ProcessCollector(registry=self._registry)

    def _make_histogram(self, name: str, help: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(name, help, buckets=buckets, registry=self._registry)

    def record_response(self, route: str, status: int) -> None:
        """Count a response when it begins.

        `route` is the URL rule and not the path: clients could create series without end.
        """
        self._requests.labels(route, str(status)).inc()

    def record_cache_lookup(self, hit: bool) -> None:
        """Count a lookup in the response cache as a hit or a miss."""
        self._cache_lookups.labels("hit" if hit else "miss").inc()

    def record_speech(self, record: SpeechRecord) -> None:
        """Count and log an audio response when it ends."""
        self._speeches.labels(record.outcome).inc()
        self._first_audio.observe(record.first_audio_seconds)
        self._speech_seconds.observe(record.total_seconds)
        if record.outcome == "whole" and record.audio_seconds:
            self._real_time_factor.observe(record.synthesis_seconds / record.audio_seconds)
        self._characters.inc(record.characters)
        self._audio_seconds.inc(record.audio_seconds)
        super().record_speech(record)

    def export_text(self) -> bytes:
        """Return all metrics in Prometheus' text format, as UTF-8."""
        return generate_latest(self._registry)


class _EngineCollector(Collector):
    """Read the engine's status whenever the metrics are exported."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of the engine; called by the registry."""
        status = self._engine.get_status()
        totals = dict(status.get("totals", {}))
        yield GaugeMetricFamily("kokoro_queue_length", "Requests that wait.", status.get("waiting", 0))
        yield _collect_worker_states(status)
        yield GaugeMetricFamily("kokoro_worker_memory_bytes", "Memory of all child processes.", _measure_child_memory())
        if "machines" in status:
            yield from _collect_cluster(status)
        waits = SummaryMetricFamily("kokoro_queue_wait_seconds", "Waiting of requests until their turn.")
        waits.add_metric([], totals.pop("waits", 0), totals.pop("wait_seconds", 0.0))
        yield waits
        for name, value in totals.items():
            yield CounterMetricFamily(f"kokoro_engine_{name}", f"The engine's {name.replace('_', ' ')}.", value)


def _collect_cluster(status: dict[str, Any]) -> Iterator[Metric]:
    """Yield the metrics of a cluster: lag, machines, broker."""
    lag = "Waiting so far of the utterance that has waited longest for a machine to begin it."
    yield GaugeMetricFamily("kokoro_cluster_lag_seconds", lag, status["lag_seconds"])
    machines = GaugeMetricFamily("kokoro_cluster_machines", "Worker machines by whether they match.", labels=["state"])
    machines.add_metric(["there"], status["machines"])
    machines.add_metric(["refused"], status["refused"])
    yield machines
    yield GaugeMetricFamily("kokoro_cluster_broker_up", "Whether the broker answers.", status["broker"] == "there")


def _collect_worker_states(status: dict[str, Any]) -> Metric:
    """Return the number of workers by state; every worker has one of the four."""
    workers, ready, busy = (status.get(name, 0) for name in ("workers", "ready", "busy"))
    asleep = status.get("asleep", 0)
    states = GaugeMetricFamily("kokoro_workers", "Workers by what they do now.", labels=["state"])
    states.add_metric(["busy"], busy)
    states.add_metric(["idle"], max(0, ready - busy))
    states.add_metric(["asleep"], asleep)
    states.add_metric(["down"], max(0, workers - max(ready, busy) - asleep))
    return states


def _measure_child_memory() -> int:
    """Return the resident memory of all descendant processes in bytes."""
    total = 0
    for child in psutil.Process().children(recursive=True):
        try:
            total += child.memory_info().rss
        except psutil.NoSuchProcess:
            continue  # it has ended since it was listed
    return total
