"""Build from the settings what a server needs to start: engine, limits, folders and the Wyoming server."""

from __future__ import annotations


class StartupError(Exception):
    """Raised when the server cannot start; the message is one line for the operator."""
