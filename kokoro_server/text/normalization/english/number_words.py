"""Spell numbers as words, in American or British English.

Wherever a function takes `british`, hundreds and tens are joined by "and": one hundred and twenty.
"""

from functools import lru_cache

from num2words import num2words  # ships no types

# Patterns, bounded in length. INTEGER: 1234, 1,234,567 or, in India, 12,34,567. NUMBER: also 1.5 and .5.
INTEGER = r"(?:\d{1,3}(?:,\d{2,3}){0,5},\d{3}(?![\d,]\d)|\d{1,15}(?!\d))"
NUMBER = rf"(?:{INTEGER}(?:\.\d{{1,20}})?(?!\d)|\.\d{{1,20}}(?!\d))"
# Digits of the longest number that is spelled as one; a longer one is a code.
_MAX_CARDINAL_DIGITS = 15

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAMED_FRACTIONS = {2: ("half", "halves"), 4: ("quarter", "quarters")}


@lru_cache(maxsize=4096)
def spell_cardinal(number: int, british: bool) -> str:
    """Spell a whole number: one hundred twenty, or one hundred and twenty in British English."""
    # num2words writes "one thousand, two hundred and five".
    words = str(num2words(number)).replace(",", "")
    return words if british else words.replace(" and ", " ")


@lru_cache(maxsize=1024)
def spell_ordinal(number: int, british: bool) -> str:
    """Spell an ordinal number: twenty-first."""
    words = str(num2words(number, to="ordinal")).replace(",", "")
    return words if british else words.replace(" and ", " ")


def spell_digits(written: str, zero: str = "zero") -> str:
    """Spell the decimal digits of a string one by one, and skip all other characters."""
    return " ".join(zero if digit == "0" else _DIGITS[int(digit)] for digit in written if digit.isdecimal())


def spell_number(written: str, british: bool) -> str:
    """Spell a number as written: `1,299.50` is one thousand two hundred ninety-nine point five zero."""
    whole, point, decimals = written.replace(",", "").partition(".")
    spoken = spell_integer(whole, british) if whole else ""
    return f"{spoken} point {spell_digits(decimals)}".strip() if point else spoken


def spell_integer(written: str, british: bool) -> str:
    """Spell a string of digits as a number.

    A string that starts with a zero or is longer than 15 digits is spelled digit by digit.
    """
    if len(written) > _MAX_CARDINAL_DIGITS or (len(written) > 1 and written[0] == "0"):
        return spell_digits(written)
    return spell_cardinal(int(written), british)


def spell_year(number: int, british: bool) -> str:
    """Spell a year: nineteen eighty-four, nineteen oh five, two thousand five, twenty ten."""
    century, rest = divmod(number, 100)
    # 2005: two thousand five, but 1905: nineteen oh five.
    if number < 1000 or number % 1000 < 10:
        return spell_cardinal(number, british)
    if rest == 0:
        return f"{spell_cardinal(century, british)} hundred"
    return f"{spell_cardinal(century, british)} {'oh ' if rest < 10 else ''}{spell_cardinal(rest, british)}"


def spell_numeric_label(written: str, british: bool) -> str:
    """Spell a number that is a label, as in room 305 or A380: three oh five, three eighty."""
    if len(written) > 4 or written[0] == "0":
        return spell_digits(written)
    number = int(written)
    # 305: three oh five; 12345 or 042: digit by digit; 42, 300: as a number.
    return (
        spell_cardinal(number, british)
        if number <= 100 or (number % 100 == 0 and number < 1000)
        else spell_digit_pairs(number)
    )


def spell_digit_pairs(number: int) -> str:
    """Spell three or four digits in two parts: one ninety-two, twelve thirty-four."""
    if number % 1000 == 0:
        return spell_cardinal(number, False)
    first, rest = divmod(number, 100)
    if rest == 0:
        return f"{spell_cardinal(first, False)} hundred"
    return f"{spell_cardinal(first, False)} {'oh ' if rest < 10 else ''}{spell_cardinal(rest, False)}"


def spell_fraction(numerator: int, denominator: int, british: bool) -> str:
    """Spell a fraction: one half, three quarters, five eighths."""
    one, many = _NAMED_FRACTIONS.get(
        denominator, (spell_ordinal(denominator, british), spell_ordinal(denominator, british) + "s")
    )
    return f"{spell_cardinal(numerator, british)} {one if numerator == 1 else many}"


def spell_mixed_number(whole: int, numerator: int, denominator: int, british: bool) -> str:
    """Spell a whole number and a fraction: three and a half, two and three quarters."""
    article = "a" if numerator == 1 and denominator in _NAMED_FRACTIONS else ""
    part = (
        f"{article} {_NAMED_FRACTIONS[denominator][0]}" if article else spell_fraction(numerator, denominator, british)
    )
    return f"{spell_cardinal(whole, british)} and {part}"


def spell_decade(number: int, british: bool) -> str:
    """Spell a decade: nineteen nineties, nineties, two thousands, twenty tens."""
    return pluralize_number(spell_year(number, british) if number > 99 else spell_cardinal(number, british))


def pluralize_number(words: str) -> str:
    """Return the plural of a number in words: nineties, forty-sevens, sixes."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    return words + ("es" if words.endswith("x") else "s")
