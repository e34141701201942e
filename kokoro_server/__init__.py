"""Synthesize speech with Kokoro-82M on an ordinary CPU: a server, a command line, and a Python API.

from kokoro_server import Synthesizer

with Synthesizer() as synthesizer:
    speech = synthesizer.synthesize("Hello there.", voice="af_heart")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kokoro_server.python_api import SpokenText, Synthesizer, synthesize

__version__ = "0.1.0"

__all__ = ["SpokenText", "Synthesizer", "__version__", "synthesize"]


def __getattr__(name: str) -> object:
    """Import the Python API when it is first used: it takes a second, which `--version` does without."""
    if name in __all__:
        from kokoro_server import python_api

        return getattr(python_api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
