"""The names that clients know speech models by; every one of them means the network that is here."""

from __future__ import annotations

from tts.speech.errors import ModelNotFound

MODELS: tuple[str, ...] = ("kokoro", "tts-1", "tts-1-hd", "gpt-4o-mini-tts")
"""Kokoro's own name, then OpenAI's: what GET /v1/models lists."""
CREATED = 1_737_936_000
"""When Kokoro v1.0 was published, 2025-01-27, in Unix seconds."""
OWNER = "hexgrad"

_OURS = ("kokoro", "tts")
"""What a name of ours holds: clients write hexgrad/Kokoro-82M, openai/tts-1, gpt-4o-mini-tts-2025-12-15 and so on."""


def find_model(name: str | None) -> str:
    """The listed model that `name` means, in any case; none, an empty one and "default" are Kokoro.

    Raises ModelNotFound for a name of something else, such as whisper-1: who asks for that would be told nothing by
    Kokoro's voice.
    """
    plain = (name or "").strip().lower()
    if plain in MODELS:
        return plain
    if plain in ("", "default") or any(part in plain for part in _OURS):
        return MODELS[0]
    raise ModelNotFound(f"The model {(name or '')[:60]!r} does not exist here: expected {', '.join(MODELS)}.", "model")
