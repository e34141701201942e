"""A text-to-speech server that speaks with Kokoro-82M on an ordinary CPU."""

__version__ = "0.1.0"
