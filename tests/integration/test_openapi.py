"""The API's description: complete, true, and shown without help from elsewhere."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from kokoro_server.api.openai import SpeechBody
from kokoro_server.api.schemas import NativeBody
from kokoro_server.api.state import get_state, set_state
from kokoro_server.audio.samples import FORMATS
from tests.fakes.engine import FakeEngine
from tests.fakes.live import live, make_app

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
SPEAKING = {"/synthesize", "/synthesize/stream", "/v1/audio/speech", "/audio/speech", "/dev/generate_from_phonemes"}


@pytest.fixture
def app(tmp_path: Path) -> Flask:
    made = make_app(tmp_path, FakeEngine(0.02))
    styles = np.zeros((510, 256), np.float32)
    set_state(made, replace(get_state(made), load_style=lambda voice: styles))
    return made


@pytest.fixture
def description(app: Flask) -> dict[str, Any]:
    told: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return told


def sensible(case: schemathesis.Case) -> bool:  # type: ignore[type-arg]
    """Whether the time limit, if any, is long enough for an answer: below that 504 is the right one."""
    try:
        return not 0 < float((case.headers or {}).get("X-Request-Timeout", 60)) < 1  # type: ignore[call-overload]
    except ValueError:
        return True


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_as_described(app: Flask, mode: GenerationMode) -> None:
    with live(app) as address:
        schema = schemathesis.openapi.from_url(f"{address}/openapi.json")
        for found in schema.get_all_operations():
            operation = found.ok()  # type: ignore[union-attr]
            if mode is GenerationMode.POSITIVE or operation.body or operation.query:  # any text is a good path
                probe(operation, mode)


def probe(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    """Ask for the operation in 15 ways, good or bad ones, and compare each answer with its description."""

    @settings(max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode).filter(sensible))
    def answers(case: schemathesis.Case) -> None:  # type: ignore[type-arg]
        case.call_and_validate(checks=CHECKS)

    answers()


def test_describes_every_route(app: Flask, description: dict[str, Any]) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:[^<>:]+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        if not rule.endpoint.endswith("static")  # files of the page
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    described = {(method, path) for path, methods in description["paths"].items() for method in methods}
    assert described == routes


def test_is_valid(description: dict[str, Any]) -> None:
    """By OpenAPI 3.1's own schema, which schemathesis brings along."""
    schemathesis.openapi.from_dict(description).validate()
    names = [operation["operationId"] for methods in description["paths"].values() for operation in methods.values()]
    assert len(set(names)) == len(names)


def test_bodies_are_the_models_that_validate(description: dict[str, Any]) -> None:
    schemas = description["components"]["schemas"]
    for path, model in {"/synthesize": NativeBody, "/v1/audio/speech": SpeechBody}.items():
        body = description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        shown = schemas[body["$ref"].rpartition("/")[2]]
        assert set(shown["properties"]) == set(model.model_fields)  # type: ignore[attr-defined]
        assert shown["required"] == [name for name, field in model.model_fields.items() if field.is_required()]  # type: ignore[attr-defined]


def test_says_which_routes_are_the_same(description: dict[str, Any]) -> None:
    assert description["paths"]["/audio/speech"]["post"]["summary"] == "The same as /v1/audio/speech."


def test_every_status_and_format_is_told(description: dict[str, Any]) -> None:
    for path in SPEAKING:
        answers = description["paths"][path]["post"]["responses"]
        assert {"200", "400", "401", "413", "415", "429", "500", "503", "504"} <= set(answers)
        assert "Retry-After" in answers["429"]["headers"]
        if path != "/dev/generate_from_phonemes":
            assert {format.content_type for format in FORMATS.values()} <= set(answers["200"]["content"])


def test_errors_have_their_familys_shape(description: dict[str, Any]) -> None:
    def shape(path: str) -> str:
        refused = description["paths"][path]["post"]["responses"]["400"]["content"]["application/json"]["schema"]
        return str(refused["$ref"]).rpartition("/")[2]

    assert shape("/synthesize") == "NativeError"
    assert shape("/v1/audio/speech") == shape("/audio/speech") == shape("/dev/phonemize") == "OpenAIError"


@pytest.mark.parametrize(("keys", "expected"), [((), [{}, {"bearer": []}]), (("key",), [{"bearer": []}])])
def test_tells_whether_a_key_is_needed(tmp_path: Path, keys: tuple[str, ...], expected: Any) -> None:
    told = make_app(tmp_path, FakeEngine(), API_KEY=keys).test_client().get("/openapi.json").get_json()
    assert told["security"] == expected
    assert told["paths"]["/health"]["get"]["security"] == []
    assert "security" not in told["paths"]["/v1/models"]["get"]


def test_the_page_asks_nobody_else(app: Flask) -> None:
    page = app.test_client().get("/docs")
    assert page.content_type == "text/html; charset=utf-8"
    assert re.findall(r"(?:https?:)?//\w[^\s\"']*", page.text) == []
    assert 'fetch("openapi.json")' in page.text


def test_the_bounds_of_numbers_are_described(tmp_path: Path) -> None:
    told = make_app(tmp_path, FakeEngine()).test_client().get("/openapi.json").get_json()
    fields = told["components"]["schemas"]["NativeBody"]["properties"]
    bounds = {
        name: (kind["minimum"], kind["maximum"])
        for name, field in fields.items()
        for kind in field.get("anyOf", ())
        if "minimum" in kind
    }
    assert bounds == {"speed": (0.25, 4.0), "sample_rate": (8000, 48000), "loudness": (-40, -5)}
