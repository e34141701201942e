"""Normalize Spanish, French, Hindi, Italian and Portuguese by tables of each locale."""
