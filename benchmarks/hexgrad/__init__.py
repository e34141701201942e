"""Hexgrad's own `kokoro` command, installed apart and made to work without a hub, for tests to drive."""
