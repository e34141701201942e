"""A trace of every request for OpenTelemetry, where its packages are installed and the settings name a collector."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, current_app, g, request

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"


class TracesUnavailable(Exception):
    """Traces are asked for, but the packages that send them are not installed."""


def install(app: Flask) -> None:
    """Have every request traced when the settings say where to. Raises TracesUnavailable."""
    address: str = app.config["TRACES"]
    if address:
        app.extensions["traces"] = _provider(address, app.config["VERSION"])
        app.before_request(_begin)
        app.after_request(_answered)


def span() -> Span | None:
    """The span of the request that is being answered, if it is traced."""
    found: Span | None = g.get("span")
    return found


def _provider(address: str, version: str) -> TracerProvider:
    """What makes spans and sends them; it sends the last ones when the process ends. Raises TracesUnavailable."""
    try:  # optional: who sends no traces need not install what does
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise TracesUnavailable(f"KOKORO_TRACES needs packages that are missing: pip install {PACKAGES}") from exc
    provider = TracerProvider(resource=Resource.create({"service.name": "kokoro-tts-api", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return provider


def _begin() -> None:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    route = request.url_rule.rule if request.url_rule else "none"
    provider: TracerProvider = current_app.extensions["traces"]
    g.span = provider.get_tracer("tts").start_span(
        f"{request.method} {route}",
        context=TraceContextTextMapPropagator().extract({name.lower(): value for name, value in request.headers}),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": request.method, "http.route": route, "kokoro.request_id": g.request_id},
    )


def _answered(response: Response) -> Response:
    found = span()
    if found is not None:
        found.set_attribute("http.response.status_code", response.status_code)
        response.call_on_close(found.end)  # after the last sound, not when it begins
    return response
