"""Test kokoro_server/api."""
