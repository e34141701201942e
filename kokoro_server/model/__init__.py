"""Turn phonemes, a style and a speed into samples and durations; knows no text."""
