"""Folds away what no ear can tell (case, punctuation, spelling) and counts what differs."""

import re
import unicodedata
from collections.abc import Sequence

# British and older spellings that Whisper writes the American way, or the other way round.
SPELLINGS = {
    "centre": "center",
    "cheque": "check",
    "colour": "color",
    "colours": "colors",
    "favour": "favor",
    "favourite": "favorite",
    "grey": "gray",
    "harbour": "harbor",
    "honour": "honor",
    "humour": "humor",
    "labour": "labor",
    "neighbour": "neighbor",
    "neighbours": "neighbors",
    "okay": "ok",
    "parlour": "parlor",
    "rumour": "rumor",
    "theatre": "theater",
    "towards": "toward",
    "traveller": "traveler",
    "travellers": "travelers",
}
APOSTROPHES = "'’ʼ`"
HIRAGANA_FROM_KATAKANA = {code: code - 0x60 for code in range(ord("ァ"), ord("ヶ") + 1)}


def fold_words(text: str) -> list[str]:
    """The text's words in lower case, without punctuation, in one spelling; hyphens and dashes part words."""
    plain = unicodedata.normalize("NFKC", text).lower()
    plain = re.sub(f"[{APOSTROPHES}]", "'", plain)
    words = (word.strip("'") for word in "".join(map(_letter_or_space, plain)).split())
    return [SPELLINGS.get(word, word) for word in words if word]


def fold_characters(text: str) -> str:
    """The letters of a text that is written without spaces (Japanese, Chinese), katakana as hiragana."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return "".join(filter(_is_letter, plain)).translate(HIRAGANA_FROM_KATAKANA)


def word_error_rate(said: str, heard: str) -> float:
    """Words put in, left out or changed, for each word said. Raises ValueError when none was said."""
    return _error_rate(fold_words(said), fold_words(heard))


def character_error_rate(said: str, heard: str) -> float:
    """The same for characters: the measure of Japanese and Chinese, whose words have no agreed borders.

    Whisper writes whichever of kanji and kana it likes: hand in readings of both sides where that matters.
    """
    return _error_rate(fold_characters(said), fold_characters(heard))


def edits(said: Sequence[str], heard: Sequence[str]) -> int:
    """Levenshtein's distance: the fewest insertions, deletions and changes that turn one into the other."""
    row = list(range(len(heard) + 1))
    for count, mine in enumerate(said, 1):
        diagonal, row[0] = row[0], count
        for column, theirs in enumerate(heard, 1):
            change = diagonal + (mine != theirs)
            diagonal = row[column]
            row[column] = min(row[column] + 1, row[column - 1] + 1, change)
    return row[-1]


def _error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    if not said:
        raise ValueError("nothing was said, so there is no error rate: the text has no letters")
    return edits(said, heard) / len(said)


def _letter_or_space(character: str) -> str:
    return character if character == "'" or _is_letter(character) else " "


def _is_letter(character: str) -> bool:
    # Marks too: Hindi writes its vowels as combining marks, and ー is a letter (Lm) of kana.
    return unicodedata.category(character)[0] in "LMN"
