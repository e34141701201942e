"""Convert text in any of Kokoro's nine languages to phonemes, word by word, with each word's position in the text.

`Phonemizer.__call__` works in these steps:

1. Replace characters that no backend accepts, one for one, so that offsets stay valid (`_CHARACTER_MAP`).
2. Fix the spans whose pronunciation is given: first the caller's `fixed` words, then matches of `overrides`.
3. Find runs in another script than the language's own (`scripts.find_foreign_runs`), phonemize each with the backend
   of that script and fix them as well.
4. Phonemize the rest with the language's backend, which leaves the fixed words as they are.
5. Reduce phonemes to the network's symbols and log how many characters have no pronunciation.

Backends are imported with the first text of their language, and kept.
"""

import logging
import re
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from tts.synth.phonemes import scripts
from tts.synth.phonemes.locales import FRENCH, HINDI, ITALIAN, PORTUGUESE, SPANISH, Locale
from tts.synth.phonemes.marks import CLOSING, OPENING
from tts.synth.phonemes.rules import Rules
from tts.synth.phonemes.spoken import Spoken, joined
from tts.synth.phonemes.vocabulary import known

log = logging.getLogger(__name__)


class Reader(Protocol):
    """Phonemize text of one language."""

    def read(self, text: str, fixed: Sequence[Spoken] = ()) -> list[Spoken]:
        """Return the words of `text`; keep `fixed` words as given and phonemize the text between them."""


def _american() -> Reader:
    from tts.synth.phonemes.english import English

    return English(british=False)


def _british() -> Reader:
    from tts.synth.phonemes.english import English

    return English(british=True)


def _japanese() -> Reader:
    from tts.synth.phonemes.japanese import Japanese

    return Between(Japanese().read, is_spaced=False)


def _mandarin() -> Reader:
    from tts.synth.phonemes.mandarin import Mandarin

    return Between(Mandarin().read, is_spaced=False)


def _ruled(locale: Locale) -> Reader:
    return Between(Rules(locale.voice, locale).read, is_spaced=True)


# Import a language's library with its first text: all of them together cost 3 s and 300 MB.
_READERS: dict[str, Callable[[], Reader]] = {
    "a": _american,
    "b": _british,
    "e": lambda: _ruled(SPANISH),
    "f": lambda: _ruled(FRENCH),
    "h": lambda: _ruled(HINDI),
    "i": lambda: _ruled(ITALIAN),
    "j": _japanese,
    "p": lambda: _ruled(PORTUGUESE),
    "z": _mandarin,
}

LANGUAGES = tuple(_READERS)
"""Kokoro's one-letter language codes: a American and b British English, e Spanish, f French, h Hindi, i Italian,
j Japanese, p Brazilian Portuguese, z Mandarin."""

# Full-width letters and digits to ASCII, control characters and wide spaces to a space, lone surrogates to U+FFFD, the
# soft hyphen to a zero-width space. Each replaces one character by one, so that offsets stay valid.
_PLAIN = (
    {0xFF01 + n: 0x21 + n for n in range(94) if chr(0x21 + n) != ","}  # a full-width comma never separates thousands
    | {surrogate: 0xFFFD for surrogate in range(0xD800, 0xE000)}
    | {control: 0x20 for control in (*range(0x20), *range(0x7F, 0xA0), 0x3000, 0xFEFF)}
    | {0x00AD: 0x200B}
)


class Phonemizer:
    """Convert text to phonemes and keep the loaded language backends; safe to call from several threads."""

    def __init__(self, languages: Iterable[str] = ()) -> None:
        self._readers: dict[str, Reader] = {}
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
        fixed: Sequence[Spoken] = (),
    ) -> list[Spoken]:
        """Return the words and marks of `text` in order, not overlapping, in the network's symbols.

        Args:
            text: Text of any length; characters without a pronunciation are skipped and counted in a warning.
            language: One of `LANGUAGES`, or the name of an espeak-ng voice (`ru`, `el`).
            overrides: Pronunciations by written word: /phonemes/ between slashes, or a respelling. A word in lower
                case matches any case, another one only as it is written.
            fixed: Spans of `text` with their phonemes; they take precedence over `overrides`.

        Raises:
            ValueError: If the language is unknown, if spans overlap or lie outside the text, or if an override has an
                empty word.
        """
        reader = self._reader(language)
        plain = text.translate(_PLAIN)
        given = [replace(word, phonemes=word.phonemes.strip()) for word in _checked(fixed, text)]
        given += self._overridden(plain, language, overrides or {}, given)
        given.sort(key=lambda word: word.start)
        given = sorted([*given, *self._strange(plain, language, given)], key=lambda word: word.start)
        spoken = [_trimmed(word, text) for word in reader.read(plain, given)]
        _tell_unsaid(spoken, plain, reader)
        return spoken

    def _reader(self, language: str) -> Reader:
        with self._lock:
            if language not in self._readers:
                self._readers[language] = _opened(language)
            return self._readers[language]

    def _overridden(
        self, text: str, language: str, overrides: Mapping[str, str], taken: Sequence[Spoken]
    ) -> list[Spoken]:
        if not overrides:
            return []
        out = []
        free = _Free(taken)
        for found in _words(tuple(sorted(overrides, key=len, reverse=True))).finditer(text):
            if free.is_free(*found.span()):
                said = overrides.get(found[0]) or _in_any_case(overrides, found[0])
                out.append(Spoken(self._said(said, language), *found.span()))
        return out

    def _said(self, pronunciation: str, language: str) -> str:
        if len(pronunciation) > 2 and pronunciation[0] == pronunciation[-1] == "/":
            return known(pronunciation[1:-1]).strip()
        return joined(self(pronunciation, language)).strip()

    def _strange(self, text: str, language: str, taken: Sequence[Spoken]) -> list[Spoken]:
        """Phonemize the runs in a foreign script with the backend of that script."""
        out = []
        for start, end in _gaps(taken, len(text)):
            for foreign, first, last in scripts.strangers(text[start:end], language):
                run = text[start + first : start + last]
                words = [word for word in self._reader(foreign).read(run) if word.phonemes]
                out += [_moved(replace(word, phonemes=word.phonemes.strip()), start + first) for word in words]
        return out


class _Free:
    """Test whether spans, queried from left to right, overlap any of the sorted `taken` ones.

    The cursor moves forward only, so all queries together take linear time.
    """

    def __init__(self, taken: Sequence[Spoken]) -> None:
        self._taken = taken
        self._next = 0

    def is_free(self, start: int, end: int) -> bool:
        """Return True if `start:end` overlaps no taken span; `start` must not decrease between calls."""
        while self._next < len(self._taken) and self._taken[self._next].end <= start:
            self._next += 1
        return self._next == len(self._taken) or self._taken[self._next].start >= end


class Between:
    """Add support for fixed words to a backend that phonemizes plain text only: call it for the gaps between them.

    `is_spaced` says whether the language separates words by spaces; Japanese and Mandarin do not.
    """

    def __init__(self, read: Callable[[str], list[Spoken]], is_spaced: bool) -> None:
        self._read = read
        self._is_spaced = is_spaced

    def read(self, text: str, fixed: Sequence[Spoken] = ()) -> list[Spoken]:
        """Return the words of `text`; keep `fixed` words as given and phonemize the text between them."""
        out = list(fixed)
        for start, end in _gaps(fixed, len(text)):
            out += [_moved(word, start) for word in self._read(text[start:end])]
        out.sort(key=lambda word: word.start)
        return _bridged(out, text, self._is_spaced) if fixed else out


def _gaps(words: Sequence[Spoken], length: int) -> Iterator[tuple[int, int]]:
    """Return the non-empty spans before, between and after `words` in a text of `length` characters."""
    edges = [0, *(edge for word in words for edge in (word.start, word.end)), length]
    return ((start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if start < end)


def _moved(word: Spoken, by: int) -> Spoken:
    return replace(word, start=word.start + by, end=word.end + by)


def _opened(language: str) -> Reader:
    """Create the backend of a Kokoro language code, or of an espeak voice for a script that no Kokoro language uses."""
    if language in _READERS:
        return _READERS[language]()
    if len(language) < 2:
        raise ValueError(f"unknown language {language!r}: expected one of {', '.join(LANGUAGES)}")
    return Between(Rules(language).read, is_spaced=True)


def _bridged(spoken: list[Spoken], text: str, is_spaced: bool) -> list[Spoken]:
    """Add the missing spaces between words that were phonemized separately.

    In a spaced language a space is added where the text has one; in the others everywhere except beside closing and
    opening marks.
    """
    audible = [n for n, word in enumerate(spoken) if word.phonemes]
    for this, following in zip(audible, audible[1:], strict=False):
        word, after = spoken[this], spoken[following]
        gap = text[word.end : after.start]
        needs_space = gap != gap.strip() if is_spaced else after.phonemes[0] not in CLOSING | {"—"}
        if needs_space and word.phonemes[-1] not in OPENING | {" "}:
            spoken[this] = replace(word, phonemes=word.phonemes + " ")
    return spoken


def _trimmed(word: Spoken, text: str) -> Spoken:
    """Reduce the word's phonemes to the network's symbols and its span to the text without outer white space."""
    written = text[word.start : word.end]
    start = word.end - len(written.lstrip())
    end = word.start + len(written.rstrip())
    return Spoken(known(word.phonemes), start, end) if start < end else replace(word, phonemes=known(word.phonemes))


def _tell_unsaid(spoken: Sequence[Spoken], text: str, reader: Reader) -> None:
    """Log one warning with the number of characters without a pronunciation and their scripts, never the text."""
    if unsaid := "".join(_unsaid(spoken, text, reader)):
        log.warning(
            "left out %d characters that have no reading: %s", len(unsaid), ", ".join(sorted({*map(_kind, unsaid)}))
        )


def _unsaid(spoken: Sequence[Spoken], text: str, reader: Reader) -> Iterator[str]:
    """Yield the characters that no word with phonemes covers.

    A gap that has phonemes when read alone is not counted: its pronunciation went to a neighbouring word.
    """
    audible = [word for word in spoken if any(map(str.isalpha, word.phonemes))]
    for start, end in _gaps(audible, len(text)):
        for written in text[start:end].split():
            if any(map(_wants_a_sound, written)) and not any(map(str.isalpha, joined(reader.read(written)))):
                yield from filter(_wants_a_sound, written)


def _wants_a_sound(character: str) -> bool:
    """Return True for letters, numerals, pictographs and signs; False for layout marks such as `|`, `~`, `†`."""
    category = unicodedata.category(character)
    return category[0] in "LN" or category in ("So", "Sm", "Sc") and character not in "|~¦" or character == "‰"


def _kind(character: str) -> str:
    """Return a letter's script (`CYRILLIC`) or any other character's code point (`U+2603`)."""
    is_letter = unicodedata.category(character)[0] == "L"
    return unicodedata.name(character, "UNNAMED").split()[0] if is_letter else f"U+{ord(character):04X}"


def _checked(fixed: Sequence[Spoken], text: str) -> list[Spoken]:
    """Return `fixed` sorted; raise ValueError for spans that overlap, are empty or lie outside the text."""
    words = sorted(fixed, key=lambda word: word.start)
    for before, word in zip([None, *words], words, strict=False):
        if not 0 <= word.start < word.end <= len(text):
            raise ValueError(f"fixed span {word.start}:{word.end} is not in a text of {len(text)} characters")
        if before is not None and word.start < before.end:
            raise ValueError(f"fixed spans {before.start}:{before.end} and {word.start}:{word.end} overlap")
    return words


@lru_cache(maxsize=64)
def _words(words: tuple[str, ...]) -> re.Pattern[str]:
    """Compile a pattern for any of `words` as whole words; those in lower case match any case."""
    return re.compile("|".join(map(_whole, words)))


def _whole(word: str) -> str:
    """Return the pattern of one whole word; require a boundary only where the word starts or ends with a letter."""
    if not word.strip():
        raise ValueError("a pronunciation needs a word to stand for, not an empty one")
    letter = scripts.WORD_CHARACTER
    pattern = re.escape(word).replace("'", "['’]")
    before = f"(?<!{letter})" if re.match(letter, word) else ""
    after = f"(?!{letter})" if re.match(letter, word[-1]) else ""
    return f"{before}{f'(?i:{pattern})' if word == word.lower() else pattern}{after}"


def _in_any_case(overrides: Mapping[str, str], written: str) -> str:
    """Return the override of a word that is listed in another case or with a straight apostrophe."""
    plain = written.replace("’", "'")
    return overrides.get(plain) or overrides.get(plain.lower()) or overrides[written.lower()]
