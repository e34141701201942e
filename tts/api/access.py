"""Who may use the server: the API key, and the web pages whose scripts may call it."""

from __future__ import annotations

import hmac

from flask import Flask, current_app, request
from flask_cors import CORS

from tts.speech.errors import Unauthorized

OPEN_PATHS = frozenset({"/", "/health", "/docs", "/openapi.json", "/favicon.ico"})
OPEN_FOLDER = "/static/"
"""What needs no key: whether the server is well, the page, and how to use both."""
EXPOSED = ("Content-Disposition", "ETag", "Retry-After", "X-Request-Id", "X-Download-Path")
"""Headers that a script of another origin may read."""
DAY = 86_400


def install(app: Flask) -> None:
    """Have every request checked for a key, where keys are set, and answer what browsers ask about origins."""
    app.before_request(_check_key)
    origins = list(app.config["CORS_ORIGINS"])
    if origins:
        CORS(app, origins=origins, send_wildcard="*" in origins, expose_headers=list(EXPOSED), max_age=DAY)


def is_open(path: str) -> bool:
    """Whether the route at `path` answers without a key."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def _check_key() -> None:
    keys: tuple[str, ...] = current_app.config["API_KEY"]
    if not keys or is_open(request.path) or request.method == "OPTIONS":  # a browser's preflight carries no key
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Unauthorized("No API key: expected the header Authorization: Bearer, and a key of this server.")
    if not _is_one_of(given.strip(), keys):
        raise Unauthorized("The API key is not one of this server's.")


def _is_one_of(given: str, keys: tuple[str, ...]) -> bool:
    """Compares with every key, each in a time that tells nothing about how much of it was right."""
    sent = given.encode("latin-1", "replace")  # headers come as text whose characters are the bytes
    same = [hmac.compare_digest(sent, key.encode()) for key in keys]
    return any(same)
