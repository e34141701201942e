"""Read the numerals that many languages write alike: Roman numerals and fraction signs."""

import unicodedata

ROMAN_NUMERAL = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
"""Pattern of a Roman numeral in capitals, from 1 to 3999."""
FRACTION_SIGNS = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒"
"""Unicode's signs for fractions."""

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def parse_roman(numeral: str) -> int:
    """Return the value of a Roman numeral in capitals, whose letters may stand in any order: XIV is 10 - 1 + 5."""
    values = [_ROMAN_VALUES[letter] for letter in numeral]
    # A letter before a greater one is subtracted.
    return sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))


def parse_fraction_sign(sign: str) -> tuple[int, int]:
    """Return the numerator and denominator of a sign of FRACTION_SIGNS."""
    above, _, below = unicodedata.normalize("NFKC", sign).partition("\u2044")
    return int(above), int(below)
