"""Synthesize speech with Kokoro: assets, normalization, phonemes and the network; runs in the worker process only."""
