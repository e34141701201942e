"""Read query parameters."""

from __future__ import annotations

from flask import request

from kokoro_server.core.errors import BadRequest

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})
FALSE_WORDS = frozenset({"false", "f", "no", "n", "off", "0", ""})
"""Values of a boolean parameter, in lower case; `?partial=` and a parameter that is missing are false."""


def parse_bool_query(name: str) -> bool:
    """Return a boolean query parameter, False when it is missing. Raises BadRequest."""
    value = request.args.get(name, "")
    if value.lower() not in TRUE_WORDS | FALSE_WORDS:
        raise BadRequest(f"{name} is {value[:40]!r}: expected true or false.", name, value, ["true", "false"])
    return value.lower() in TRUE_WORDS
