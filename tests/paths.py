"""Folders that tests refer to."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""The checkout."""
DATA = ROOT / "tests" / "data"
FAKES = ROOT / "tests" / "fakes"
