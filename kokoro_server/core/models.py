"""Resolve the model names that clients send; all of them stand for the one network of this server."""

from __future__ import annotations

from kokoro_server.core.errors import ModelNotFound

MODELS: tuple[str, ...] = ("kokoro", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Model names that GET /v1/models lists: Kokoro's own name, then OpenAI's."""
MODEL_CREATED = 1_737_936_000
"""Unix time in seconds of the publication of Kokoro v1.0, 2025-01-27."""
MODEL_OWNER = "hexgrad"
"""Owner that GET /v1/models states."""

_NAME_PARTS = ("kokoro", "tts")
"""Parts of the names that stand for this network, as in hexgrad/Kokoro-82M, openai/tts-1 and
gpt-4o-mini-tts-2025-12-15."""


def find_model(name: str | None) -> str:
    """Return the listed model for `name`, ignoring case; None, "" and "default" give Kokoro.

    Raises ModelNotFound for any other name, such as whisper-1: a client that asks for another kind of model cannot use
    this one instead.
    """
    plain = (name or "").strip().lower()
    if plain in MODELS:
        return plain
    if plain in ("", "default") or any(part in plain for part in _NAME_PARTS):
        return MODELS[0]
    raise ModelNotFound(f"The model {(name or '')[:60]!r} does not exist here: expected {', '.join(MODELS)}.", "model")
