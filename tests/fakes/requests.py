"""Requests as the tests ask for them."""

from __future__ import annotations

from typing import Any

from kokoro_server.core.languages import Language
from kokoro_server.core.request import SpeechRequest, TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.text.chunking import Utterance

HEART = find_voice("af_heart")
LONG = "This is a sentence of a long text. " * 60


def asking(
    text: str = "Hello there.", voice: str = "af_heart", language: str = "a", speed: float = 1.0
) -> SpeechRequest:
    return SpeechRequest(text, find_voice(voice), Language(language), speed)


def utterance(text: str = "Hello there.", voice: str = "af_heart", **options: Any) -> Utterance:
    spoken_by = find_voice(voice)
    return Utterance((TextSpan(text, 0, len(text)),), spoken_by, spoken_by.language, **options)
