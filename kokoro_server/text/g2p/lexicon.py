"""Load misaki's English lexicon: 180,000 words, and its rules for -s, -ed and -ing.

This is the only module that imports misaki's English module. That one imports spaCy for a tagger that is not used
here; an empty module replaces spaCy during the import, so that its 400 MB need not be installed.
"""

import importlib.resources
import json
import sys
import types
from typing import Any

_needs_spacy_stub = "spacy" not in sys.modules
if _needs_spacy_stub:
    sys.modules["spacy"] = types.ModuleType("spacy")
try:
    import misaki.en as _en  # type: ignore[import-untyped]
finally:
    if _needs_spacy_stub:
        del sys.modules["spacy"]

WordContext = _en.TokenContext
"""Context of a word for misaki: `future_vowel`, True if a vowel follows, None before a pause, and `future_to`, True if
the word "to" follows."""

apply_stress = _en.apply_stress
stress_weight = _en.stress_weight
CONSONANTS: frozenset[str] = _en.CONSONANTS
VOWELS: frozenset[str] = _en.VOWELS


class PronunciationTable(dict[str, Any]):
    """Look up words in either case: a capitalized word finds its lower-case entry and the reverse.

    misaki doubles its tables for that, which takes 0.5 s of every start.
    """

    def __contains__(self, word: object) -> bool:
        return self.get(word) is not None or dict.__contains__(self, word)

    def __getitem__(self, word: str) -> Any:
        return self.get(word)

    def get(self, word: Any, default: Any = None) -> Any:
        """Return the entry of `word`, else the entry of its other case, else `default`."""
        found = dict.get(self, word, default)
        if found is None and len(word) > 1:
            found = dict.get(self, _swap_case(word), default)
        return found


def _swap_case(word: str) -> str:
    if word.islower():
        return word.capitalize()
    lower = word.lower()
    return lower if word == lower.capitalize() else word


class Lexicon(_en.Lexicon):  # type: ignore[misc]
    """Extend misaki's `Lexicon`, loaded without its self-checks.

    misaki's methods read the attributes `british`, `cap_stresses`, `golds` and `silvers`, hence their names: golds are
    the more reliable pronunciations, silvers the less reliable ones.
    """

    def __init__(self, british: bool) -> None:
        self.british = british
        self.cap_stresses = (0.5, 2)
        country = "gb" if british else "us"
        self.golds = _load_table(f"{country}_gold.json")
        self.silvers = _load_table(f"{country}_silver.json")

    def find_phonemes(self, word: str, tag: str, context: Any) -> str | None:
        """Return the word's phonemes in Kokoro's symbols, or None if neither tables nor rules know it.

        `tag` is the word's Penn tag, `context` a `WordContext`.
        """
        stress = None if word == word.lower() else self.cap_stresses[word == word.upper()]
        found: str | None = self.get_word(word, tag, stress, context)[0]
        return found


def _load_table(name: str) -> PronunciationTable:
    return PronunciationTable(json.loads((importlib.resources.files("misaki") / "data" / name).read_bytes()))
