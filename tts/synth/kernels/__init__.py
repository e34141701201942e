"""Kokoro's convolutions as machine code made for this CPU, with fewer multiplications than taps."""
