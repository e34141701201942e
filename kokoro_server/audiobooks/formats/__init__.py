"""Read the files that books come in."""
