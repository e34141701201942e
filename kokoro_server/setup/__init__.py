"""Build from the settings what a server needs to start: engine, limits, folders and the Wyoming server."""

from __future__ import annotations

from kokoro_server.core.extras import MissingExtra, require_extra


class StartupError(Exception):
    """Raised when the server cannot start; the message is one line for the operator."""


def require_extra_at_start(extra: str, feature: str) -> None:
    """Raise StartupError unless everything that the extra brings is installed; see require_extra."""
    try:
        require_extra(extra, feature)
    except MissingExtra as exc:
        raise StartupError(exc.message) from exc
