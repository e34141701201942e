"""Synthesize one utterance: text, model and audio together; and the worker process that does it."""
