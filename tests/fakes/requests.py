"""Requests as the tests ask for them."""

from __future__ import annotations

from typing import Any

from tts.speech.request import Run, SpeechRequest
from tts.speech.text import Utterance
from tts.speech.voices import find_voice

HEART = find_voice("af_heart")
LONG = "This is a sentence of a long text. " * 60


def asking(
    text: str = "Hello there.", voice: str = "af_heart", language: str = "a", speed: float = 1.0
) -> SpeechRequest:
    return SpeechRequest(text, find_voice(voice), language, speed)


def utterance(text: str = "Hello there.", voice: str = "af_heart", **options: Any) -> Utterance:
    spoken_by = find_voice(voice)
    return Utterance((Run(text, 0, len(text)),), spoken_by, spoken_by.language, **options)
