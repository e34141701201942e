"""Measures this server beside others that speak with Kokoro, in one run: `python -m benchmarks`."""
