"""Know the optional extras of the package, and report a missing one in one sentence.

A checkout installs everything (requirements.txt). A wheel installs the core; `pip install 'kokoro-tts-api[books]'` adds
what books need. `EXTRAS` repeats the import names behind pyproject.toml's extras; a test compares the two.
"""

from __future__ import annotations

from importlib.util import find_spec

from kokoro_server.core.errors import Unsupported

EXTRAS = {
    "books": ("lxml", "pypdf", "docx", "markdown_it", "charset_normalizer"),
    "cluster": ("celery", "redis", "msgpack"),
    "mcp": ("mcp",),
    "wyoming": ("wyoming", "zeroconf"),
    "metrics": ("prometheus_client",),
}
"""Modules that each extra brings."""


class MissingExtra(Unsupported):
    """Report that a feature was asked for whose extra is not installed."""


def list_missing(extra: str) -> list[str]:
    """Return the modules of the extra that are not installed."""
    return [module for module in EXTRAS[extra] if find_spec(module) is None]


def require_extra(extra: str, feature: str) -> None:
    """Raise MissingExtra unless everything that the extra brings is installed.

    Args:
        extra: A key of EXTRAS.
        feature: What needs it, as the plural that begins the message, such as "Books".
    """
    if missing := list_missing(extra):
        raise MissingExtra(
            f"{feature} need the extra {extra!r} ({', '.join(missing)} missing): pip install 'kokoro-tts-api[{extra}]'."
        )
