"""Provide the servers that this one is measured against; each runs in its own virtual environment."""
