"""Generate the API's OpenAPI 3.1 document from the registered routes, and serve it with a page that renders it.

Every route of the application appears. Its path, method and path parameters come from the URL rule; its summary from
the first line of the view's docstring; its body and answer schemas from the pydantic models and TypedDicts that the
code itself uses; its error responses from the SpeechError tree. `describe_route` adds what none of these say: media
types, extra statuses, query parameters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Literal, NotRequired, TypeVar, get_type_hints

from flask import Blueprint, Flask, Response, current_app, render_template
from pydantic import TypeAdapter
from typing_extensions import TypedDict, is_typeddict
from werkzeug.routing import Rule

from kokoro_server.api.auth import is_public
from kokoro_server.api.request_hooks import OPENAI_PATHS
from kokoro_server.api.state import MAX_TIMEOUT
from kokoro_server.audio.samples import FORMATS
from kokoro_server.core.errors import Busy, SpeechError, WorkerUnavailable

blueprint = Blueprint("description", __name__, template_folder="web/templates")

JSON_TYPE = "application/json"
BINARY_TYPE = "application/octet-stream"
HTML_TYPE = "text/html"
WAV_TYPE = FORMATS["wav"].content_type
AUDIO_TYPES = tuple(format.content_type for format in FORMATS.values())

SPEECH_STATUSES = (429, 500, 503, 504)
"""Error statuses of every route that synthesizes speech."""
BODY_STATUSES = (400, 413, 415)
"""Error statuses of every route that takes a body."""

SchemaMode = Literal["validation", "serialization"]
View = TypeVar("View", bound=Callable[..., Any])


@dataclass(frozen=True)
class RouteDescription:
    """Hold what the OpenAPI document needs beyond a view's code; the fields are those of `describe_route`."""

    body: Any = None
    media_types: tuple[str, ...] = (JSON_TYPE,)
    returns: Any = None
    statuses: tuple[int, ...] = ()
    query: dict[str, type] = field(default_factory=dict)
    success: int = 200


def describe_route(  # keywords alone: what the view's own code does not say
    *,
    body: Any = None,
    media_types: tuple[str, ...] = (JSON_TYPE,),
    returns: Any = None,
    speaks: bool = False,
    statuses: tuple[int, ...] = (),
    query: dict[str, type] | None = None,
    success: int = 200,
) -> Callable[[View], View]:
    """Attach a RouteDescription to a view, for the OpenAPI document.

    Args:
        body: The type of the request's JSON body, if it has one; implies BODY_STATUSES.
        media_types: The media types of the successful response.
        returns: The type of its JSON where the view's return annotation does not say.
        speaks: Whether the route synthesizes speech; implies SPEECH_STATUSES.
        statuses: Statuses other than `success` and the implied ones.
        query: The types of the query parameters, by name.
        success: The status of a successful response.
    """
    every = (*statuses, *(BODY_STATUSES if body is not None else ()), *(SPEECH_STATUSES if speaks else ()))

    def remember(view: View) -> View:
        view.__dict__["described"] = RouteDescription(body, media_types, returns, every, query or {}, success)
        return view

    return remember


class NativeError(TypedDict):
    """Error body of the native routes; `field`, `value` and `allowed` are present in status 400 and its relatives."""

    error: str
    message: str
    field: NotRequired[str | None]
    value: NotRequired[Any]
    allowed: NotRequired[str | list[str] | None]


class OpenAIErrorFields(TypedDict):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(TypedDict):
    """Error body of the routes that follow OpenAI's or Kokoro-FastAPI's API."""

    error: OpenAIErrorFields


@blueprint.get("/openapi.json")
def show_openapi() -> dict[str, Any]:
    """Return the OpenAPI description of this API."""
    return build_openapi(current_app)


@blueprint.get("/docs")
@describe_route(media_types=(HTML_TYPE,))
def show_docs() -> Response:
    """Show the API's documentation as a page."""
    return Response(render_template("docs.html"), mimetype=HTML_TYPE)


def build_openapi(app: Flask) -> dict[str, Any]:
    """Build the OpenAPI document of every route of `app`, as JSON values."""
    operations = [Operation(rule, app.view_functions[rule.endpoint]) for rule in _iter_rules(app)]
    schemas, components = _build_schemas(operations)
    paths: dict[str, Any] = {}
    known = {operation.path for operation in operations}
    for operation in operations:
        document = operation.to_openapi(schemas)
        if f"/v1{operation.path}" in known:
            document["summary"] = f"The same as /v1{operation.path}."
        paths.setdefault(operation.path, {})[operation.method] = document
    key: dict[str, list[str]] = {"bearer": []}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Kokoro TTS API",
            "version": app.config["VERSION"],
            "description": "Text in, Kokoro-82M's voice out. Fields that are not described here are ignored.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [key] if app.config["API_KEY"] else [{}, key],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _iter_rules(app: Flask) -> Iterator[Rule]:
    """Yield the URL rules of the document, sorted by path; static files are left out."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        if not rule.endpoint.endswith("static"):
            yield rule


class Operation:
    """Describe one route by its URL rule and its view."""

    def __init__(self, rule: Rule, view: Callable[..., Any]) -> None:
        # Werkzeug's "/jobs/<any(vtt, srt):kind>" is OpenAPI's "/jobs/{kind}".
        self.path = re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule)
        self.method = next(method.lower() for method in sorted(rule.methods or ()) if method not in ("HEAD", "OPTIONS"))
        self.arguments = sorted(rule.arguments)
        self.details: RouteDescription = getattr(view, "described", RouteDescription())
        self.returns = self.details.returns or get_type_hints(view).get("return")
        self.name = rule.endpoint.rpartition(".")[2]
        self.summary = (view.__doc__ or self.name).split("\n")[0]

    @property
    def iter_types(self) -> Iterator[tuple[Any, SchemaMode]]:
        """Yield the types of its body and its response, each with the mode that its schema is generated in."""
        if self.details.body is not None:
            yield self.details.body, "validation"
        if is_typeddict(self.returns):
            yield self.returns, "serialization"

    def to_openapi(self, schemas: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Return the OpenAPI operation object; `schemas` returns the JSON schema of a type."""
        content = {kind: schemas(self.returns) if kind == JSON_TYPE else {} for kind in self._media_types}
        content = {kind: {"schema": schema} if schema else {} for kind, schema in content.items()}  # {}: anything
        done = {"description": "Done.", "headers": dict([REQUEST_ID_HEADER]), "content": content}
        answers = {str(self.details.success): done}
        operation: dict[str, Any] = {
            "operationId": f"{self.method}{re.sub(r'[^A-Za-z0-9]+', '_', self.path)}",
            "summary": self.summary,
            "tags": [self._tag],
            "parameters": list(self._iter_parameters()),
            "responses": answers
            | {str(status): self._describe_error(status, schemas) for status in self._list_statuses()},
        }
        if self.details.body is not None:
            content = {JSON_TYPE: {"schema": schemas(self.details.body)}}
            operation["requestBody"] = {"required": True, "content": content}
        if is_public(self.path):
            operation["security"] = []
        return operation

    @property
    def _media_types(self) -> tuple[str, ...]:
        unknown = self.returns is Response and self.details == RouteDescription()
        return ("*/*",) if unknown else (HTML_TYPE,) if self.returns is str else self.details.media_types

    @property
    def _tag(self) -> str:
        return "As OpenAI and Kokoro servers" if self.path.startswith(OPENAI_PATHS) else "Native"

    def _iter_parameters(self) -> Iterator[dict[str, Any]]:
        for name in self.arguments:
            yield {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name, kind in self.details.query.items():
            yield {"name": name, "in": "query", "schema": TypeAdapter(kind).json_schema()}
        if 504 in self.details.statuses:
            yield TIMEOUT_PARAMETER

    def _list_statuses(self) -> list[int]:
        key = () if is_public(self.path) else (401,)
        return sorted({*self.details.statuses, *key, 500})

    def _describe_error(self, status: int, schemas: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        headers = dict([REQUEST_ID_HEADER])
        if status in RETRY_STATUSES:
            headers |= dict([RETRY_AFTER_HEADER])
        answer: dict[str, Any] = {"description": _describe_status(status), "headers": headers}
        if status != HTTPStatus.NOT_MODIFIED:
            shape = OpenAIError if self.path.startswith(OPENAI_PATHS) else NativeError
            answer["content"] = {JSON_TYPE: {"schema": schemas(shape)}}
        return answer


REQUEST_ID_HEADER = (
    "X-Request-Id",
    {"schema": {"type": "string"}, "description": "Names this answer in the server's log."},
)
RETRY_AFTER_HEADER = (
    "Retry-After",
    {"schema": {"type": "string"}, "description": "Seconds until another try is worthwhile."},
)
RETRY_STATUSES = {kind.status for kind in (Busy, WorkerUnavailable)}
TIMEOUT_PARAMETER = {
    "name": "X-Request-Timeout",
    "in": "header",
    "description": "Seconds that the whole answer may take.",
    "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_TIMEOUT},
}


def _describe_status(status: int) -> str:
    """Return the description of a status: the title of its SpeechError, or else the HTTP reason phrase."""
    titles = {kind.status: kind.title for kind in _iter_subclasses(SpeechError)}
    return titles.get(status, HTTPStatus(status).phrase)


def _iter_subclasses(kind: type[SpeechError]) -> Iterator[type[SpeechError]]:
    """Yield `kind` and all its subclasses, `kind` last: in a dict by status the base class wins."""
    for child in kind.__subclasses__():
        yield from _iter_subclasses(child)
    yield kind


def _build_schemas(operations: list[Operation]) -> tuple[Callable[[Any], dict[str, Any]], dict[str, Any]]:
    """Generate the schemas of all types at once, so that they share components.

    Returns a function from a type to its JSON schema ({"type": "object"} for others) and the components by name.
    """
    errors: list[tuple[Any, SchemaMode]] = [(NativeError, "serialization"), (OpenAIError, "serialization")]
    kinds = [*errors, *(each for operation in operations for each in operation.iter_types)]
    found, shared = TypeAdapter.json_schemas(
        [(str(kind), mode, TypeAdapter(kind)) for kind, mode in dict.fromkeys(kinds)],
        ref_template="#/components/schemas/{model}",
    )
    by_kind = {key: schema for (key, _), schema in found.items()}
    return lambda kind: by_kind.get(str(kind), {"type": "object"}), shared.get("$defs", {})
