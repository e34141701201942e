"""Normalize text: replace numbers, dates, money, links and marks by the words they are spoken as."""

from kokoro_server.text.normalization.normalizer import normalize
from kokoro_server.text.normalization.scanner import replace_emoji

__all__ = ["normalize", "replace_emoji"]
