"""Load the tables of words that rules and phonemizers use, from the TOML files beside their modules."""

import tomllib
from importlib.resources import files
from typing import Any


def load_tables(name: str) -> dict[str, Any]:
    """Load `NAME.toml`, where `name` is the full name of the module that the file stands beside.

    Raises:
        FileNotFoundError: There is no such file.
        tomllib.TOMLDecodeError: The file is not valid TOML.
    """
    package, _, stem = name.rpartition(".")
    return tomllib.loads((files(package) / f"{stem}.toml").read_text(encoding="utf-8"))


def parse_words(text: str) -> frozenset[str]:
    """Return the set of words in a string, which white space separates."""
    return frozenset(text.split())
