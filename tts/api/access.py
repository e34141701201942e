"""Who may use the server and how often: the API key, the rate, and the web pages whose scripts may call it."""

from __future__ import annotations

import hashlib
import hmac
import time

from flask import Flask, current_app, request
from flask_cors import CORS
from flask_limiter import Limiter, RequestLimit

from tts.speech.errors import Busy, Forbidden, Unauthorized

OPEN_PATHS = frozenset({"/", "/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/favicon.ico"})
OPEN_FOLDER = "/static/"
"""What needs no key: whether the server is well, the page, and how to use both."""
EXPOSED = ("Content-Disposition", "ETag", "Retry-After", "X-Request-Id", "X-Download-Path")
"""Headers that a script of another origin may read."""
DAY = 86_400
JUMP = 1.0
"""Seconds: a clock that is merely corrected drifts by less from one request to the next."""


def install(app: Flask) -> None:
    """Have every request checked for a key and its rate, where those are set, and answer browsers about origins."""
    app.before_request(_check_key)
    if app.config["RATE_LIMIT"]:
        _limit_rate(app, app.config["RATE_LIMIT"])
    app.before_request(_check_origin)
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


def _check_origin() -> None:
    """A browser sends forms from any page without asking us first: those of pages that may not call are refused."""
    origin = request.headers.get("Origin")
    allowed: tuple[str, ...] = current_app.config["CORS_ORIGINS"]
    if origin is None or request.method in ("GET", "HEAD", "OPTIONS") or {"*", origin} & set(allowed):
        return
    if origin.partition("://")[2] != request.host:
        raise Forbidden("Pages of this origin may not call this server: see KOKORO_CORS_ORIGINS.")


def _is_one_of(given: str, keys: tuple[str, ...]) -> bool:
    """Compares with every key, each in a time that tells nothing about how much of it was right."""
    sent = given.encode("latin-1", "replace")  # headers come as text whose characters are the bytes
    same = [hmac.compare_digest(sent, key.encode()) for key in keys]
    return any(same)


def _limit_rate(app: Flask, limit: str) -> None:
    """Refuse what comes more often than `limit` (as flask-limiter writes it); what needs no key has no limit either."""
    limiter = Limiter(
        _client,
        application_limits=[limit],
        on_breach=_refuse,
        strategy="moving-window",
        storage_uri="memory://",  # one process serves, and a restart may forgive
    )
    clock = _Clock()

    def forgive() -> None:
        if clock.jumped():
            limiter.reset()

    app.before_request(forgive)
    limiter.request_filter(lambda: is_open(request.path) or request.method == "OPTIONS")
    limiter.init_app(app)


class _Clock:
    """Notices when the wall clock is set, by which the limiter counts: set back, it would refuse until it is as late
    again as it was."""

    def __init__(self) -> None:
        self._ahead = self._now()

    def jumped(self) -> bool:
        """Whether it was set by more than JUMP since the last call."""
        before, self._ahead = self._ahead, self._now()
        return abs(self._ahead - before) > JUMP

    def _now(self) -> float:
        return time.time() - time.monotonic()


def _client() -> str:
    """Who asks: the key that was let in, as a digest since the limiter logs this, or else the address."""
    keys: tuple[str, ...] = current_app.config["API_KEY"]
    if keys:
        return hashlib.sha256(request.headers["Authorization"].encode()).hexdigest()[:16]
    return request.remote_addr or "-"


def _refuse(limit: RequestLimit) -> None:
    raise Busy("You ask more often than this server allows.", max(1.0, limit.reset_at - time.time()))
