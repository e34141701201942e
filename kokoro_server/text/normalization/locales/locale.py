"""Hold the words for dates, money, units and abbreviations in one of the languages that espeak reads.

Each language has a TOML file beside this module. Digits stay digits: espeak reads them. A currency is (singular with
its article, plural, hundredths), a pair of words is the masculine and the feminine one. Forms such as `date_form` are
filled by `str.format`.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kokoro_server.core.languages import Language
from kokoro_server.text.tables import load_tables

Currency = tuple[str, str, str]
Pair = tuple[str, str]


@dataclass(frozen=True)
class Locale:
    """Hold the words and patterns of one language; `espeak_voice` is espeak's name for it.

    Lists of words are separated by spaces; patterns are regular expressions, of which `(?!)` never matches.
    """

    espeak_voice: str
    months: str
    date_form: str
    first_of_month: str
    time_form: str
    full_hour_form: str
    percent: str
    money_form: str
    currencies: dict[str, Currency]
    units: dict[str, str]
    abbreviations: dict[str, str]
    num2words_language: str = ""
    """num2words' name of the language; empty if it lacks the language's ordinals (Hindi)."""
    month_patterns: str = ""
    first_ordinal_feminine: str = ""
    """Feminine of the first ordinal, if it is irregular (not -a for -o)."""
    ordinal_suffix_pattern: str = ""
    """Pattern of the suffix that makes a number an ordinal; its group `feminine` matches in the feminine."""
    listed_ordinals: dict[str, str] = field(default_factory=dict)
    """Ordinals that num2words lacks or spells differently, by written form or by digits."""
    century_word: str = ""
    """Word for century beside a Roman numeral."""
    numbered_words: str = ""
    """Words before a Roman numeral that numbers parts: chapter, act."""
    ruler_numbers: str = "mixed"
    """Numbers of rulers: "ordinal", "cardinal" (from the second on) or "mixed" (ordinals up to ten)."""
    articles: Pair = ("", "")
    """Masculine and feminine articles before a Roman numeral and its noun: la II Guerra."""
    range_word: str = ""
    minus_word: str = ""
    about_word: str = ""
    by_word: str = ""
    hours_form: str = ""
    time_suffix_pattern: str = ""
    """Pattern of a suffix of a time of day that is dropped, since the time's form already says it."""
    half: Pair = ("", "")
    one: Pair = ("", "")
    and_half_form: str = ""
    fraction_conjunction: str = ""
    """Conjunction between a whole number and a fraction."""
    fractions: dict[str, str] = field(default_factory=dict)
    magnitudes: dict[str, Pair] = field(default_factory=dict)
    """Magnitudes after a sum, abbreviated or in full, with their singular and plural."""
    magnitude_prepositions: Pair = ("", "")
    """Preposition between a magnitude and a currency, before a consonant and before a vowel."""
    abbreviations_before_number: dict[str, str] = field(default_factory=dict)
    """Abbreviations, in lower case, that are one only before a number."""
    telephone_words: str = ""
    """Words before a telephone number."""
    telephone_pattern: str = "(?!)"
    """Pattern of a telephone number in groups that needs no word before it."""
    telephone_in_pairs: bool = False
    """True if telephone numbers are read in pairs of digits (French)."""
    address_words: dict[str, str] = field(default_factory=dict)
    """Words for the marks of links, mail addresses and telephone numbers, and for www."""
    has_thousands_commas: bool = False
    """True if commas separate thousands (Hindi)."""
    symbols: dict[str, str] = field(default_factory=dict)
    feminine_nouns: str = ""
    """Feminine nouns in lower case that are often counted, and, after a hyphen, endings of feminine nouns."""
    masculine_nouns: str = ""
    """Masculine nouns and endings likewise; a word takes precedence over an ending."""
    non_nouns: str = ""
    """Words with such an ending that are not nouns."""
    plural_endings: tuple[str, ...] = ("s",)
    feminine_number_changes: tuple[Pair, ...] = ()
    """Changes of a number's words before a feminine noun: pattern and replacement."""
    masculine_number_changes: tuple[Pair, ...] = ()
    singular_changes: tuple[Pair, ...] = ((r"s\b", ""),)
    """Changes that turn a unit's plural into its singular: pattern and replacement."""
    before_time_pattern: str = "(?!)"
    """Pattern of the words before a time of day that is written with a full stop (a las 9.30)."""
    before_date_pattern: str = "(?!)"
    """Pattern of the words before a day and month that could be a fraction (el 3/9)."""
    multiplier_word: str = ""
    """Word for the x of a multiplier: 12x."""
    once_words: str = ""
    """Words for 1x."""
    rate_words: dict[str, str] = field(default_factory=dict)
    """Words for a slash and the unit after it: /mes -> al mes."""
    spelled_acronyms: str = ""
    """Acronyms that are spelled, though they look like words."""
    century_sign_pattern: str = "(?!)"
    """Pattern of an abbreviation for century before a Roman numeral: s. XXI."""
    one_oclock_pattern: str = "(?!)"
    """Pattern whose group `hour` is a 1 that is a feminine hour: a la 1."""
    acronym_pattern: str = "(?!)"
    """Pattern of acronyms that are spelled, beside those listed."""
    acronym_letters: dict[str, str] = field(default_factory=dict)
    """Letters of acronyms that espeak reads as letters in another form only."""
    roman_suffixes: Pair = ("(?!)", "(?!)")
    """Patterns of the masculine and the feminine suffix that makes an ordinal of a Roman numeral: XXIe."""
    before_spelled_pattern: str = "(?!)"
    """Pattern of what espeak reads right only before a number in words: l'8 -> l'otto."""
    one_before_vowel: str = ""
    """The feminine one before a vowel, if it differs, without a space after it: un'ora."""
    form_changes: tuple[Pair, ...] = ()
    """Changes of words before others: pattern and replacement."""
    thousands_changes: tuple[Pair, ...] = ()
    """Changes of the words of a number of thousands: pattern and replacement."""
    solid_telephone_pattern: str = "(?!)"
    """Pattern of a telephone number without spaces or hyphens."""


LOCALE_FILES = {
    language: language.name.lower()
    for language in (Language.SPANISH, Language.FRENCH, Language.HINDI, Language.ITALIAN, Language.PORTUGUESE)
}
"""Names of the locales' files, without the suffix."""


@cache
def load_locale(language: Language) -> Locale:
    """Load the locale of a language.

    Raises:
        KeyError: The language has no locale.
        TypeError: Its file has a field that Locale lacks, or lacks one.
    """
    fields = load_tables(f"{__package__}.{LOCALE_FILES[language]}")
    return Locale(**{name: _freeze(value) for name, value in fields.items()})


def _freeze(value: Any) -> Any:
    """Return a value of TOML with tuples in place of lists."""
    if isinstance(value, list):
        return tuple(map(_freeze, value))
    return {key: _freeze(item) for key, item in value.items()} if isinstance(value, dict) else value
