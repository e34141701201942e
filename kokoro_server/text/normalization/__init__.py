"""Normalize text: replace numbers, dates, money, links and marks by the words they are spoken as."""

from kokoro_server.text.normalization.replacement import NormalizedText, Replacement, join_spoken
from kokoro_server.text.normalization.scanner import drop_emoji, normalize

__all__ = ["Replacement", "NormalizedText", "normalize", "join_spoken", "drop_emoji"]
