"""Test kokoro_server/model."""
