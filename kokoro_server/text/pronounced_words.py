"""Find the words of a text that a request gives a pronunciation for.

A word in lower case matches any case, another one only as it is written. Matches are whole words; where several words
match, the longest wins.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from kokoro_server.text.scripts import WORD_CHARACTER


def find_pronounced_words(text: str, pronunciations: Mapping[str, str]) -> Iterator[re.Match[str]]:
    """Yield a match for each word with a pronunciation; `look_up_pronunciation` returns what it is.

    Raises:
        ValueError: A word of `pronunciations` is empty.
    """
    if pronunciations:
        pattern = _compile_pattern(tuple(sorted(pronunciations, key=len, reverse=True)))
        yield from pattern.finditer(text)


def look_up_pronunciation(pronunciations: Mapping[str, str], written: str) -> str:
    """Return the pronunciation of a matched word, which may be listed in another case or with a straight apostrophe."""
    plain = written.replace("’", "'")
    found = pronunciations.get(written) or pronunciations.get(plain) or pronunciations.get(plain.lower())
    return found or pronunciations[written.lower()]


@lru_cache(maxsize=64)
def _compile_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_build_word_pattern, words)))


def _build_word_pattern(word: str) -> str:
    """Return the pattern of one whole word; require a boundary only where the word starts or ends with a letter."""
    if not word.strip():
        raise ValueError("a pronunciation needs a word to stand for, not an empty one")
    pattern = re.escape(word).replace("'", "['’]")
    before = f"(?<!{WORD_CHARACTER})" if re.match(WORD_CHARACTER, word) else ""
    after = f"(?!{WORD_CHARACTER})" if re.match(WORD_CHARACTER, word[-1]) else ""
    return f"{before}{f'(?i:{pattern})' if word == word.lower() else pattern}{after}"
