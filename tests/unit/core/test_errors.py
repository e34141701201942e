"""The errors: what each says on the wire, and how much of a refused value it repeats."""

from __future__ import annotations

import json
import math

import pytest

from kokoro_server.core import errors
from kokoro_server.core.errors import BadRequest, Busy, SpeechError, shorten_value

WIRE = [
    (SpeechError("x"), 500, "Internal server error", "internal_error", "server_error"),
    (BadRequest("x"), 400, "Invalid request", "invalid_value", "invalid_request_error"),
    (errors.UnsupportedMedia("x"), 415, "Invalid request", "unsupported_media_type", "invalid_request_error"),
    (errors.TooLarge("x"), 413, "Invalid request", "request_too_large", "invalid_request_error"),
    (errors.Unauthorized("x"), 401, "Unauthorized", "invalid_api_key", "invalid_request_error"),
    (errors.Forbidden("x"), 403, "Forbidden", "origin_not_allowed", "invalid_request_error"),
    (errors.NotFound("x"), 404, "Not found", "not_found", "invalid_request_error"),
    (errors.ModelNotFound("x", "model"), 404, "Not found", "model_not_found", "invalid_request_error"),
    (Busy("x", 2.5), 429, "Too many requests", "rate_limit_exceeded", "rate_limit_error"),
    (errors.SynthesisFailed("x"), 500, "TTS synthesis failed", "synthesis_failed", "server_error"),
    (errors.WorkerLost("x"), 500, "TTS synthesis failed", "synthesis_failed", "server_error"),
    (errors.Unsupported("x"), 501, "Not supported", "not_supported", "server_error"),
    (errors.WorkerUnavailable("x"), 503, "Service unavailable", "engine_unavailable", "server_error"),
    (errors.TimedOut("x"), 504, "TTS synthesis timed out", "timeout", "server_error"),
    (errors.Conflict("x"), 409, "Conflict", "conflict", "invalid_request_error"),
    (errors.StorageUnavailable("x"), 503, "Service unavailable", "storage_unavailable", "server_error"),
    (errors.StorageFull("x"), 507, "Insufficient storage", "storage_full", "server_error"),
    (errors.ClientGone("x"), 499, "Client closed request", "client_gone", "server_error"),
]


@pytest.mark.parametrize(("error", "status", "title", "code", "kind"), WIRE, ids=[type(e[0]).__name__ for e in WIRE])
def test_what_the_wire_says(error: SpeechError, status: int, title: str, code: str, kind: str) -> None:
    assert (error.status, error.title, error.code, error.kind) == (status, title, code, kind)
    assert (error.message, str(error)) == ("x", "x")


def test_every_error_is_in_the_table() -> None:
    defined = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, SpeechError)}
    assert defined == {type(error) for error, *_ in WIRE}


def test_who_should_come_back_later() -> None:
    assert Busy("x", 2.5).retry_after == 2.5
    assert errors.WorkerUnavailable("x").retry_after == 5
    assert SpeechError("x").retry_after is None


def test_a_bad_request_names_its_field() -> None:
    error = BadRequest("x", "speed", 9, "0.25 to 4.0")
    assert (error.field, error.value, error.allowed) == ("speed", 9, "0.25 to 4.0")


@pytest.mark.parametrize(
    ("value", "repeated"),
    [
        (None, None),
        (True, True),
        (3, 3),
        (-2.5, -2.5),
        ("af_hart", "af_hart"),
        ("", ""),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("a\ud800b", "a\\ud800b"),
        ([1, 2], "[1, 2]"),
        ({"a": 1}, "{'a': 1}"),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (10**400, "1" + "0" * 78 + "…"),
    ],
)
def test_how_much_of_a_value_is_repeated(value: object, repeated: object) -> None:
    assert shorten_value(value) == repeated
    json.dumps(shorten_value(value), allow_nan=False).encode("utf-8")
