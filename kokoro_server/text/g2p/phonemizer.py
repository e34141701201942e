"""Convert text in any of Kokoro's nine languages to phonemes, word by word, with each word's position in the text.

`Phonemizer.__call__` works in these steps:

1. Replace characters that no backend accepts, one for one, so that offsets stay valid (`replace_unreadable`).
2. Fix the spans whose pronunciation is given: first the caller's `fixed` words, then matches of `overrides`.
3. Find runs in another script than the language's own (`find_foreign_runs`), phonemize each with the backend
   of that script and fix them as well.
4. Phonemize the rest with the language's backend, which leaves the fixed words as they are.
5. Reduce phonemes to the network's symbols and log how many characters have no pronunciation.

Backends are imported with the first text of their language, and kept.
"""

import itertools
import logging
import threading
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from kokoro_server.core.languages import Language
from kokoro_server.text.g2p.espeak_g2p import EspeakG2P
from kokoro_server.text.g2p.phoneme_words import PhonemeWord, join_phonemes
from kokoro_server.text.g2p.punctuation import CLOSING_MARKS, OPENING_MARKS
from kokoro_server.text.g2p.vocabulary import to_model_symbols
from kokoro_server.text.normalization.cleanup import replace_unreadable
from kokoro_server.text.pronounced_words import find_pronounced_words, look_up_pronunciation
from kokoro_server.text.scripts import find_foreign_runs

log = logging.getLogger(__name__)


class G2P(Protocol):
    """Phonemize text of one language."""

    def phonemize(self, text: str, fixed: Sequence[PhonemeWord] = ()) -> list[PhonemeWord]:
        """Return the words of `text`; keep `fixed` words as given and phonemize the text between them."""


def _load_american() -> G2P:
    from kokoro_server.text.g2p.english import EnglishG2P

    return EnglishG2P(british=False)


def _load_british() -> G2P:
    from kokoro_server.text.g2p.english import EnglishG2P

    return EnglishG2P(british=True)


def _load_japanese() -> G2P:
    from kokoro_server.text.g2p.japanese import JapaneseG2P

    return FixedWordsG2P(JapaneseG2P().phonemize, is_spaced=False)


def _load_mandarin() -> G2P:
    from kokoro_server.text.g2p.mandarin import MandarinG2P

    return FixedWordsG2P(MandarinG2P().phonemize, is_spaced=False)


def _load_espeak(voice: str) -> G2P:
    return FixedWordsG2P(EspeakG2P(voice).phonemize, is_spaced=True)


# Import a language's library with its first text: all of them together cost 3 s and 300 MB.
_LOADERS: dict[str, Callable[[], G2P]] = {
    Language.AMERICAN_ENGLISH: _load_american,
    Language.BRITISH_ENGLISH: _load_british,
    Language.SPANISH: lambda: _load_espeak("es"),
    Language.FRENCH: lambda: _load_espeak("fr"),
    Language.HINDI: lambda: _load_espeak("hi"),
    Language.ITALIAN: lambda: _load_espeak("it"),
    Language.JAPANESE: _load_japanese,
    Language.PORTUGUESE: lambda: _load_espeak("pt-br"),
    Language.MANDARIN: _load_mandarin,
}

LANGUAGES = tuple(_LOADERS)
"""The languages of Kokoro, by their letters: see Language."""


ForeignRun = tuple[str, int, int]
"""Language, start and end of a run in a foreign script."""


class Phonemizer:
    """Convert text to phonemes and keep the loaded language backends; safe to call from several threads."""

    def __init__(self, languages: Iterable[str] = ()) -> None:
        self._g2ps: dict[str, G2P] = {}
        self._lock = threading.Lock()
        for language in languages:
            self.load(language)

    def load(self, language: str) -> None:
        """Load the backend of `language` in advance, so that its first text is as fast as later ones.

        Raises ValueError for an unknown language code.
        """
        self("1.", language)

    def __call__(
        self,
        text: str,
        language: str,
        overrides: Mapping[str, str] | None = None,
        fixed: Sequence[PhonemeWord] = (),
        foreign: Sequence[ForeignRun] | None = None,
    ) -> list[PhonemeWord]:
        """Return the words and marks of `text` in order, not overlapping, in the network's symbols.

        Args:
            text: Text of any length; characters without a pronunciation are skipped and counted in a warning.
            language: One of `LANGUAGES`, or the name of an espeak-ng voice (`ru`, `el`).
            overrides: Pronunciations by written word: /phonemes/ between slashes, or a respelling. A word in lower
                case matches any case, another one only as it is written.
            fixed: Spans of `text` with their phonemes; they take precedence over `overrides`.
            foreign: Runs that another language reads, in order; None to find them by their script.

        Raises:
            ValueError: If the language is unknown, if spans overlap or lie outside the text, or if an override has an
                empty word.
        """
        reader = self._get_g2p(language)
        plain = replace_unreadable(text)
        given = [replace(word, phonemes=word.phonemes.strip()) for word in _validate_fixed(fixed, text)]
        given += self._apply_overrides(plain, language, overrides or {}, given)
        given.sort(key=lambda word: word.start)
        runs = list(find_foreign_runs(plain, language)) if foreign is None else foreign
        given = sorted([*given, *self._phonemize_foreign_runs(plain, runs, given)], key=lambda word: word.start)
        spoken = [_clean_word(word, text) for word in reader.phonemize(plain, given)]
        _warn_unspoken(spoken, plain, reader)
        return spoken

    def _get_g2p(self, language: str) -> G2P:
        with self._lock:
            if language not in self._g2ps:
                self._g2ps[language] = _create_g2p(language)
            return self._g2ps[language]

    def _apply_overrides(
        self, text: str, language: str, overrides: Mapping[str, str], taken: Sequence[PhonemeWord]
    ) -> list[PhonemeWord]:
        free = _TakenSpans(taken)
        return [
            PhonemeWord(self.resolve_pronunciation(look_up_pronunciation(overrides, found[0]), language), *found.span())
            for found in find_pronounced_words(text, overrides)
            if free.is_free(*found.span())
        ]

    def resolve_pronunciation(self, pronunciation: str, language: str) -> str:
        """Return the phonemes of a pronunciation: /phonemes/ between slashes, or a respelling."""
        if is_phonemic(pronunciation):
            return to_model_symbols(pronunciation[1:-1]).strip()
        return join_phonemes(self(pronunciation, language)).strip()

    def _phonemize_foreign_runs(
        self, text: str, runs: Sequence[ForeignRun], taken: Sequence[PhonemeWord]
    ) -> Iterator[PhonemeWord]:
        """Phonemize the parts of foreign runs that are not taken, each with the backend of its run's language."""
        for language, start, end in runs:
            for first, last in _find_gaps_between(taken, start, end):
                for word in self._get_g2p(language).phonemize(text[first:last]):
                    if word.phonemes:
                        yield _shift(replace(word, phonemes=word.phonemes.strip()), first)


def is_phonemic(pronunciation: str) -> bool:
    """Return whether a pronunciation is /phonemes/ between slashes; otherwise it is a respelling."""
    return len(pronunciation) > 2 and pronunciation[0] == pronunciation[-1] == "/"


class _TakenSpans:
    """Test whether spans, queried from left to right, overlap any of the sorted `taken` ones.

    The cursor moves forward only, so all queries together take linear time.
    """

    def __init__(self, taken: Sequence[PhonemeWord]) -> None:
        self._taken = taken
        self._next = 0

    def is_free(self, start: int, end: int) -> bool:
        """Return True if `start:end` overlaps no taken span; `start` must not decrease between calls."""
        while self._next < len(self._taken) and self._taken[self._next].end <= start:
            self._next += 1
        return self._next == len(self._taken) or self._taken[self._next].start >= end


class FixedWordsG2P:
    """Add support for fixed words to a backend that phonemizes plain text only: call it for the gaps between them.

    `is_spaced` says whether the language separates words by spaces; Japanese and Mandarin do not.
    """

    def __init__(self, phonemize_plain: Callable[[str], list[PhonemeWord]], is_spaced: bool) -> None:
        self._phonemize_plain = phonemize_plain
        self._is_spaced = is_spaced

    def phonemize(self, text: str, fixed: Sequence[PhonemeWord] = ()) -> list[PhonemeWord]:
        """Return the words of `text`; keep `fixed` words as given and phonemize the text between them."""
        out = list(fixed)
        for start, end in _find_gaps(fixed, len(text)):
            out += [_shift(word, start) for word in self._phonemize_plain(text[start:end])]
        out.sort(key=lambda word: word.start)
        return self._add_missing_spaces(out, text, {word.start for word in fixed}) if fixed or self._is_spaced else out

    def _add_missing_spaces(self, spoken: list[PhonemeWord], text: str, fixed: set[int]) -> list[PhonemeWord]:
        """Add missing spaces.

        In a spaced language a space is added where the text has one, though a mark that is dropped stands before it; in
        the others beside fixed words, whose starts are given, except at closing and opening marks.
        """
        audible = [n for n, word in enumerate(spoken) if word.phonemes]
        for this, following in itertools.pairwise(audible):
            word, after = spoken[this], spoken[following]
            if not self._is_spaced and word.start not in fixed and after.start not in fixed:
                continue
            gap = text[word.end : after.start]
            needs_space = gap != gap.strip() if self._is_spaced else after.phonemes[0] not in CLOSING_MARKS | {"—"}
            if needs_space and word.phonemes[-1] not in OPENING_MARKS | {" "}:
                spoken[this] = replace(word, phonemes=word.phonemes + " ")
        return spoken


def _find_gaps(words: Sequence[PhonemeWord], length: int) -> Iterator[tuple[int, int]]:
    """Return the non-empty spans before, between and after `words` in a text of `length` characters."""
    edges = [0, *(edge for word in words for edge in (word.start, word.end)), length]
    return ((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)


def _find_gaps_between(words: Sequence[PhonemeWord], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Return the non-empty parts of a span that none of `words`, which are in order, covers."""
    for word in words[bisect_right(words, start, key=lambda word: word.end) :]:
        if word.start >= end:
            break
        if word.start > start:
            yield start, word.start
        start = word.end
    if start < end:
        yield start, end


def _shift(word: PhonemeWord, by: int) -> PhonemeWord:
    return replace(word, start=word.start + by, end=word.end + by)


def _create_g2p(language: str) -> G2P:
    """Create the backend of a Kokoro language code, or of an espeak voice for a script that no Kokoro language uses."""
    if language in _LOADERS:
        return _LOADERS[language]()
    if len(language) < 2:
        raise ValueError(f"unknown language {language!r}: expected one of {', '.join(LANGUAGES)}")
    return _load_espeak(language)


def _clean_word(word: PhonemeWord, text: str) -> PhonemeWord:
    """Reduce the word's phonemes to the network's symbols and its span to the text without outer white space."""
    written = text[word.start : word.end]
    start = word.end - len(written.lstrip())
    end = word.start + len(written.rstrip())
    return (
        PhonemeWord(to_model_symbols(word.phonemes), start, end)
        if start < end
        else replace(word, phonemes=to_model_symbols(word.phonemes))
    )


def _warn_unspoken(spoken: Sequence[PhonemeWord], text: str, g2p: G2P) -> None:
    """Log one warning with the number of characters without a pronunciation and their scripts, never the text."""
    if unsaid := "".join(_find_unspoken(spoken, text, g2p)):
        log.warning(
            "left out %d characters that have no reading: %s",
            len(unsaid),
            ", ".join(sorted({*map(_describe_character, unsaid)})),
        )


def _find_unspoken(spoken: Sequence[PhonemeWord], text: str, g2p: G2P) -> Iterator[str]:
    """Yield the characters that no word with phonemes covers.

    A gap that has phonemes when read alone is not counted: its pronunciation went to a neighbouring word.
    """
    audible = [word for word in spoken if any(map(str.isalpha, word.phonemes))]
    for start, end in _find_gaps(audible, len(text)):
        for written in text[start:end].split():
            if any(map(_needs_sound, written)) and not any(map(str.isalpha, join_phonemes(g2p.phonemize(written)))):
                yield from filter(_needs_sound, written)


def _needs_sound(character: str) -> bool:
    """Return True for letters, numerals, pictographs and signs; False for layout marks such as `|`, `~`, `†`."""
    category = unicodedata.category(character)
    return category[0] in "LN" or (category in ("So", "Sm", "Sc") and character not in "|~¦") or character == "‰"


def _describe_character(character: str) -> str:
    """Return a letter's script (`CYRILLIC`) or any other character's code point (`U+2603`)."""
    is_letter = unicodedata.category(character)[0] == "L"
    return unicodedata.name(character, "UNNAMED").split()[0] if is_letter else f"U+{ord(character):04X}"


def _validate_fixed(fixed: Sequence[PhonemeWord], text: str) -> list[PhonemeWord]:
    """Return `fixed` sorted; raise ValueError for spans that overlap, are empty or lie outside the text."""
    words = sorted(fixed, key=lambda word: word.start)
    for before, word in zip([None, *words], words, strict=False):
        if not 0 <= word.start < word.end <= len(text):
            raise ValueError(f"fixed span {word.start}:{word.end} is not in a text of {len(text)} characters")
        if before is not None and word.start < before.end:
            raise ValueError(f"fixed spans {before.start}:{before.end} and {word.start}:{word.end} overlap")
    return words
