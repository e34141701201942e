"""Read query parameters."""

from __future__ import annotations

from flask import request

from kokoro_server.core.errors import BadRequest

BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}
"""Values of a boolean parameter, in lower case; `?partial=` and a parameter that is missing are false."""


def parse_bool_query(name: str) -> bool:
    """Return a boolean query parameter, False when it is missing. Raises BadRequest."""
    value = request.args.get(name, "")
    if value.lower() not in BOOLEANS:
        raise BadRequest(f"{name} is {value[:40]!r}: expected true or false.", name, value, ["true", "false"])
    return BOOLEANS[value.lower()]
