"""Measure this server beside other Kokoro servers in one run: `python -m benchmarks`."""
