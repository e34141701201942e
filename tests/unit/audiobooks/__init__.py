"""Test kokoro_server/audiobooks."""
