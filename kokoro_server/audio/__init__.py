"""Handle samples: chunks, formats, encoders, loudness, time stretching."""
