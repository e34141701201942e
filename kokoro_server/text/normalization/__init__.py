"""Normalize text: replace numbers, dates, money, links and marks by the words they are spoken as."""

from kokoro_server.text.normalization.normalizer import ScriptRun, clean, name_signs, normalize, normalize_runs
from kokoro_server.text.normalization.scanner import replace_emoji

__all__ = ["ScriptRun", "clean", "name_signs", "normalize", "normalize_runs", "replace_emoji"]
