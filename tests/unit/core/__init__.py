"""Test kokoro_server/core."""
