"""Test kokoro_server/synthesis."""
