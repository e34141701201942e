"""What a start makes of the settings: engines, limits, folders and the servers beside HTTP."""

from __future__ import annotations


class StartFailed(Exception):
    """The server can't start; the message is one clear line."""
