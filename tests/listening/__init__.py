"""Ears for the tests: what Whisper hears, how far that is from what was said, how speech measures."""
