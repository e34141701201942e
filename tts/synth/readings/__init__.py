"""What is said for what is written: numbers, dates, money, links and marks as a good reader says them."""

from tts.synth.readings.reading import Reading, SpokenText, spoken_text
from tts.synth.readings.scan import read, without_emoji

__all__ = ["Reading", "SpokenText", "read", "spoken_text", "without_emoji"]
