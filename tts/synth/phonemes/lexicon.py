"""misaki's English pronunciations: a hundred and eighty thousand words, and its rules for -s, -ed and -ing.

Only here does anything of misaki's English module come in. That module imports spaCy at its top for a tagger that we
do not use; an empty module stands in for spaCy while it is imported, so that 400 MB need not be installed.
"""

import importlib.resources
import json
import sys
import types
from typing import Any

_without_spacy = "spacy" not in sys.modules
if _without_spacy:
    sys.modules["spacy"] = types.ModuleType("spacy")
try:
    import misaki.en as _en  # type: ignore[import-untyped]
finally:
    if _without_spacy:
        del sys.modules["spacy"]

Context = _en.TokenContext
"""What follows a word: `future_vowel` (None before a pause) and `future_to`."""

apply_stress = _en.apply_stress
stress_weight = _en.stress_weight
CONSONANTS: frozenset[str] = _en.CONSONANTS
VOWELS: frozenset[str] = _en.VOWELS


class Words(dict[str, Any]):
    """A pronunciation table in which a capitalised word is found under its lower case, and the reverse.

    misaki doubles its tables for that, which takes half a second of every start.
    """

    def __contains__(self, word: object) -> bool:
        return self.get(word) is not None or dict.__contains__(self, word)

    def __getitem__(self, word: str) -> Any:
        return self.get(word)

    def get(self, word: Any, default: Any = None) -> Any:
        found = dict.get(self, word, default)
        if found is None and len(word) > 1:
            found = dict.get(self, _other_case(word), default)
        return found


def _other_case(word: str) -> str:
    if word.islower():
        return word.capitalize()
    lower = word.lower()
    return lower if word == lower.capitalize() else word


class Lexicon(_en.Lexicon):  # type: ignore[misc]
    """misaki's `Lexicon`, loaded without its self-checks."""

    def __init__(self, british: bool) -> None:
        self.british = british
        self.cap_stresses = (0.5, 2)
        country = "gb" if british else "us"
        self.golds = _table(f"{country}_gold.json")
        self.silvers = _table(f"{country}_silver.json")

    def phonemes(self, word: str, tag: str, context: Any) -> str | None:
        """The word's phonemes in Kokoro's symbols, or None where the tables and rules do not know it."""
        stress = None if word == word.lower() else self.cap_stresses[word == word.upper()]
        found: str | None = self.get_word(word, tag, stress, context)[0]
        return found


def _table(name: str) -> Words:
    return Words(json.loads((importlib.resources.files("misaki") / "data" / name).read_bytes()))
