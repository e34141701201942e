"""Test kokoro_server/text."""
