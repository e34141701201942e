"""Keep what was prepared for this machine on disk: compiled code, weights, graphs."""
