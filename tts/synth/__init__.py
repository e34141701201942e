"""How Kokoro speaks: assets, phonemes and the network. Runs in the worker process only."""
