"""Define Kokoro's languages and the genders of its voices."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from kokoro_server.core.errors import BadRequest


class Language(StrEnum):
    """Name a language that Kokoro speaks by its letter, which the names of its voices start with."""

    AMERICAN_ENGLISH = "a"
    BRITISH_ENGLISH = "b"
    SPANISH = "e"
    FRENCH = "f"
    HINDI = "h"
    ITALIAN = "i"
    JAPANESE = "j"
    PORTUGUESE = "p"
    MANDARIN = "z"

    @property
    def code(self) -> str:
        """Return the language by BCP 47, in lower case."""
        return _NAMES[self].code

    @property
    def title_name(self) -> str:
        """Return the language's name in English."""
        return _NAMES[self].title_name

    @property
    def aliases(self) -> tuple[str, ...]:
        """Return further names that a request may use."""
        return _NAMES[self].aliases

    @property
    def is_english(self) -> bool:
        """Return whether this is American or British English."""
        return self in (Language.AMERICAN_ENGLISH, Language.BRITISH_ENGLISH)

    @property
    def is_spaced(self) -> bool:
        """Return whether the language separates words by spaces."""
        return self not in (Language.JAPANESE, Language.MANDARIN)


class _Names(NamedTuple):
    """Hold the names of a language: see the properties of Language."""

    code: str
    title_name: str
    aliases: tuple[str, ...]


_NAMES = {
    Language.AMERICAN_ENGLISH: _Names("en-us", "American English", ("en", "english")),
    Language.BRITISH_ENGLISH: _Names("en-gb", "British English", ("en-uk",)),
    Language.SPANISH: _Names("es", "Spanish", ("es-es", "es-mx", "spanish")),
    Language.FRENCH: _Names("fr-fr", "French", ("fr", "french")),
    Language.HINDI: _Names("hi", "Hindi", ("hi-in", "hindi")),
    Language.ITALIAN: _Names("it", "Italian", ("it-it", "italian")),
    Language.JAPANESE: _Names("ja", "Japanese", ("ja-jp", "jp", "japanese")),
    Language.PORTUGUESE: _Names("pt-br", "Brazilian Portuguese", ("pt", "portuguese")),
    Language.MANDARIN: _Names("zh", "Mandarin Chinese", ("zh-cn", "cmn", "chinese")),
}


class Gender(StrEnum):
    """Name the gender of a voice by its letter, the second in the voice's name."""

    FEMALE = "f"
    MALE = "m"

    @property
    def title_name(self) -> str:
        """Return the gender in English."""
        return self.name.lower()


_LANGUAGE_BY_NAME = {
    name: language for language in Language for name in (language.value, language.code, *language.aliases)
}


def find_language(name: str, field: str = "language") -> Language:
    """Return the language with this letter, code or alias, ignoring case. Raises BadRequest if there is none."""
    found = _LANGUAGE_BY_NAME.get(name.strip().lower().replace("_", "-"))
    if found is None:
        codes = [language.code for language in Language]
        raise BadRequest(f"Unknown {field} {quote_name(name)}: expected one of {', '.join(codes)}.", field, name, codes)
    return found


def quote_name(name: str) -> str:
    """Quote a name from a request for an error message: 60 characters at most, escaped where they cannot be encoded."""
    shown = name.encode("utf-8", "backslashreplace").decode("utf-8")
    return repr(shown if len(shown) <= 60 else shown[:59] + "…")
