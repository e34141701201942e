"""Test kokoro_server/engine."""
