"""Normalize text: replace numbers, dates, money, links and marks by the words they are spoken as."""

from tts.synth.readings.reading import Reading, SpokenText, spoken_text
from tts.synth.readings.scan import read, without_emoji

__all__ = ["Reading", "SpokenText", "read", "spoken_text", "without_emoji"]
