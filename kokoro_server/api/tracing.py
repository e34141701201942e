"""Trace every HTTP request with OpenTelemetry if the TRACES setting names a collector.

The OpenTelemetry packages are optional and imported only then. Each request is one server span, a child of the span in
the caller's `traceparent` header; it ends when the response has been sent completely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, g, request

from kokoro_server.api.state import get_state

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

TRACING_PACKAGES = "opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
"""Packages to install for tracing, as arguments of pip."""


class TracingUnavailable(Exception):
    """Tracing is configured, but its packages are not installed."""


def install_tracing(app: Flask) -> None:
    """Trace every request of the application if its state has a tracer provider."""
    if get_state(app).traces is not None:
        app.before_request(_start_span)
        app.after_request(_finish_span)


def get_span() -> Span | None:
    """Return the current request's span, None if tracing is off. Needs an application context."""
    found: Span | None = g.get("span")
    return found


def make_tracer_provider(address: str, version: str) -> TracerProvider | None:
    """Create a provider that sends spans in batches to the OTLP endpoint `address`, and the last ones at process exit.

    Returns None for an empty address.

    Raises:
        TracingUnavailable: An OpenTelemetry package is missing.
    """
    if not address:
        return None
    try:  # optional dependencies
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as exc:
        raise TracingUnavailable(
            f"KOKORO_TRACES needs packages that are missing: pip install {TRACING_PACKAGES}"
        ) from exc
    provider = TracerProvider(resource=Resource.create({"service.name": "kokoro-tts-api", "service.version": version}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=address)))
    return provider


def _start_span() -> None:
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    # The route's pattern (/jobs/<id>), not the path, keeps the number of span names small.
    route = request.url_rule.rule if request.url_rule else "none"
    provider = get_state().traces
    assert provider is not None  # see install_tracing
    g.span = provider.get_tracer("kokoro_server").start_span(
        f"{request.method} {route}",
        context=TraceContextTextMapPropagator().extract({name.lower(): value for name, value in request.headers}),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": request.method, "http.route": route, "kokoro.request_id": g.request_id},
    )


def _finish_span(response: Response) -> Response:
    current = get_span()
    if current is not None:
        current.set_attribute("http.response.status_code", response.status_code)
        response.call_on_close(current.end)  # when a streamed body has ended, not when it starts
    return response
