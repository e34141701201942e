"""Authenticate requests, limit their rate, and check their origin.

`install_auth` registers three hooks that run before every view, in this order:

1. API key: `Authorization: Bearer KEY`, compared in constant time. Public paths and CORS preflights need none.
2. Rate limit (flask-limiter, moving window, in memory), counted per key, or per address where no key is set.
3. Origin: a state-changing request from a browser page of another origin is refused unless that origin is allowed.

Errors leave through the application's one error handler, as 401, 403 and 429.
"""

from __future__ import annotations

import hashlib
import hmac
import time

from flask import Flask, current_app, request
from flask_cors import CORS
from flask_limiter import Limiter, RequestLimit

from kokoro_server.core.errors import Busy, Forbidden, Unauthorized

PUBLIC_PATHS = frozenset({"/", "/health", "/health/live", "/health/ready", "/docs", "/openapi.json", "/favicon.ico"})
PUBLIC_PREFIX = "/static/"
"""Paths that need no API key: health checks, the web page and its files, and the documentation."""
EXPOSED_HEADERS = ("Content-Disposition", "ETag", "Retry-After", "X-Request-Id", "X-Download-Path")
"""Response headers that a script of another origin may read (Access-Control-Expose-Headers)."""
PREFLIGHT_MAX_AGE = 86_400
"""Seconds that a browser may cache the answer to a CORS preflight (Access-Control-Max-Age)."""
CLOCK_JUMP = 1.0
"""Seconds; gradual clock correction (NTP slewing) shifts the wall clock by less than this between two requests."""


def install_auth(app: Flask) -> None:
    """Register the checks of API key, rate and origin on `app`, as far as its settings ask for them.

    Reads API_KEY, RATE_LIMIT and CORS_ORIGINS from `app.config`.
    """
    app.before_request(_check_key)  # first: the limiter counts by the key that passed this check
    if app.config["RATE_LIMIT"]:
        _install_rate_limit(app, app.config["RATE_LIMIT"])
    app.before_request(_check_origin)
    origins = list(app.config["CORS_ORIGINS"])
    if origins:
        CORS(
            app,
            origins=origins,
            send_wildcard="*" in origins,
            expose_headers=list(EXPOSED_HEADERS),
            max_age=PREFLIGHT_MAX_AGE,
        )


def is_public(path: str) -> bool:
    """Return whether `path` is served without an API key."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIX)


def _check_key() -> None:
    keys: tuple[str, ...] = current_app.config["API_KEY"]
    if not keys or is_public(request.path) or request.method == "OPTIONS":  # a browser's preflight carries no key
        return
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise Unauthorized("No API key: expected the header Authorization: Bearer, and a key of this server.")
    if not _matches_any(given.strip(), keys):
        raise Unauthorized("The API key is not one of this server's.")


def _check_origin() -> None:
    """Refuse cross-site form posts, which a browser sends without a CORS preflight. Raises Forbidden."""
    origin = request.headers.get("Origin")
    allowed: tuple[str, ...] = current_app.config["CORS_ORIGINS"]
    if origin is None or request.method in ("GET", "HEAD", "OPTIONS") or {"*", origin} & set(allowed):
        return
    if origin.partition("://")[2] != request.host:
        raise Forbidden("Pages of this origin may not call this server: see KOKORO_CORS_ORIGINS.")


def _matches_any(key: str, keys: tuple[str, ...]) -> bool:
    """Return whether `given` equals one of `keys`; the time taken does not depend on how many characters match."""
    sent = key.encode("latin-1", "replace")  # WSGI decodes header bytes as Latin-1 (PEP 3333)
    same = [hmac.compare_digest(sent, key.encode()) for key in keys]
    return any(same)  # over a full list: a generator would stop at the first match and reveal which key it was


def _install_rate_limit(app: Flask, limit: str) -> None:
    """Refuse requests above `limit`, in flask-limiter's notation ("10/minute"); public paths have no limit."""
    limiter = Limiter(
        _identify_client,
        application_limits=[limit],
        on_breach=_raise_rate_limited,
        strategy="moving-window",
        storage_uri="memory://",  # one process serves; a restart may reset the counts
    )
    clock = _ClockWatch()

    def reset_after_clock_change() -> None:
        if clock.has_jumped():
            limiter.reset()

    app.before_request(reset_after_clock_change)
    limiter.request_filter(lambda: is_public(request.path) or request.method == "OPTIONS")
    limiter.init_app(app)


class _ClockWatch:
    """Detect that the wall clock was set, by comparing it with the monotonic clock.

    The limiter counts by the wall clock. After the clock is set back, it would refuse requests until the old time is
    reached again.
    """

    def __init__(self) -> None:
        self._offset = self._measure_offset()

    def has_jumped(self) -> bool:
        """Return whether the wall clock was set by more than CLOCK_JUMP seconds since the last call."""
        before, self._offset = self._offset, self._measure_offset()
        return abs(self._offset - before) > CLOCK_JUMP

    def _measure_offset(self) -> float:
        return time.time() - time.monotonic()


def _identify_client() -> str:
    """Return the name that the limiter counts by: a digest of the API key (the limiter logs it), or the address."""
    keys: tuple[str, ...] = current_app.config["API_KEY"]
    if keys:
        return hashlib.sha256(request.headers["Authorization"].encode()).hexdigest()[:16]
    return request.remote_addr or "-"


def _raise_rate_limited(limit: RequestLimit) -> None:
    """Raise Busy (429) with the seconds until the window has room again as Retry-After."""
    raise Busy("You ask more often than this server allows.", max(1.0, limit.reset_at - time.time()))
