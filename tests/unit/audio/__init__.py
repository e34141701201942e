"""Test kokoro_server/audio."""
