"""Test what is heard: recognition of the real network in nine languages."""
