"""Boolean query parameters, read by one function."""

from __future__ import annotations

import pytest
from flask import Flask

from kokoro_server.api.query import parse_bool_query
from kokoro_server.core.errors import BadRequest


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("", False),
        ("?partial", False),
        ("?partial=", False),
        ("?partial=true", True),
        ("?partial=TRUE", True),
        ("?partial=1", True),
        ("?partial=yes", True),
        ("?partial=false", False),
        ("?partial=0", False),
        ("?partial=no", False),
        ("?partial=on", True),
        ("?partial=Off", False),
        ("?partial=Y", True),
        ("?partial=n", False),
        ("?partial=t", True),
        ("?partial=F", False),
        ("?other=1", False),
    ],
)
def test_a_boolean_is_read(query: str, value: bool) -> None:
    with Flask("test").test_request_context(f"/{query}"):
        assert parse_bool_query("partial") is value


@pytest.mark.parametrize("value", ["maybe", "2", "tru", " ", "null"])
def test_anything_else_is_refused(value: str) -> None:
    context = Flask("test").test_request_context("/", query_string={"partial": value})
    with context, pytest.raises(BadRequest) as caught:
        parse_bool_query("partial")
    assert (caught.value.field, caught.value.value, caught.value.allowed) == ("partial", value, ["true", "false"])
