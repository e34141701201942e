"""Test what goes wrong: faults, attacks, load, signals, long running."""
