"""Ordinals, Roman numerals, fractions, ranges and telephone numbers of one language, by the words of its `Locale`."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from num2words import num2words  # type: ignore[import-untyped]  # ships no types

from tts.synth.phonemes.locales import Locale

BEGIN, END = r"(?<![\w.,/:-])", r"(?![\w/:]|[.,-]\d)"


class Rewrite(NamedTuple):
    """A pattern, and what stands in the place of its match, or of one group of it."""

    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]
    group: str | int = 0


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_ROMAN = r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
# Capitals that are more often an abbreviation.
_NO_NUMERALS = _words("CD DC MC MD CV CL DI MI MIX XL LI CC MM CM ID DL LC")
_RULERS = _words("""
    felipe carlos fernando alfonso isabel juana juan enrique pedro luis jorge eduardo guillermo napoleón papa pío
    benedicto pablo francisco françois louis charles henri philippe jean napoléon élisabeth pie benoît paul
    guillaume frédéric luigi carlo vittorio umberto enrico filippo elisabetta pio benedetto giovanni paolo napoleone
    federico ludovico ferdinando luís joão dom afonso manuel sebastião josé henrique filipe catarina bento maria
    elizabeth george nicolau nicolás nicolas nicola alexandre alejandro alessandro emanuele ii
""")
_FEMININE_NAMES = _words("isabel beatriz élisabeth elizabeth carmen")
_VULGAR = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}
_ENDS_OF_FEMININES = ("a", "ción", "sión", "ção", "são", "tà", "e")


_HEAT = re.compile(
    r"\b(?:faz|fez|fazia|hace|hizo|hacía|grad\w*|graus|[âá]ngulo|temperatura|gir\w+|m[íi]nim\w+|m[áa]xim\w+|calor|fr[íi]o)\b",
    re.IGNORECASE,
)
_COUNT_BEHIND = re.compile(
    r"\b(?:p[áa]g\w*|part\w*|étape|paso|hilo|not[ae]|vot[oe]|valoraci\w+|avalia\w+|episod\w*|foto)\W{0,3}$|:\s$",
    re.IGNORECASE,
)
"""What stands before 4/5 that is no part of anything: a mark, or a page of so many."""


def ordinals(locale: Locale) -> tuple[Rewrite, ...]:
    """1.º, 2ª, 3e, 21°."""
    pattern = rf"(?<![\w.,/:-])(?P<number>\d{{1,4}})(?:{locale.ordinal_signs})(?!\w)"
    own = "|".join(re.escape(written) for written in sorted(locale.own_ordinals, key=len, reverse=True))
    return (
        Rewrite(re.compile(rf"(?<![\w.,/:-])(?:{own or '(?!)'})(?![\w.]\w|\w)"), lambda f: _own(locale, f[0])),
        Rewrite(re.compile(pattern), lambda found: _signed(locale, found)),
    )


def _own(locale: Locale, written: str) -> str:
    return written if written.isdecimal() else locale.own_ordinals[written]


def _signed(locale: Locale, found: re.Match[str]) -> str:
    feminine = any(found.groupdict().get(group) for group in ("feminine", "feminine2"))
    number = int(found["number"])
    if (
        found[0].endswith("º")
        and number > 12
        and _HEAT.search(found.string[max(0, found.start() - 25) : found.start()])
    ):
        return f"{number} {locale.symbols['°']}"  # 35º of heat
    if not locale.numbers:  # espeak says the number, and its ending as a word
        return f"{number} {found[0][len(found['number']) :]}"
    return ordinal(locale, number, feminine) if number else found[0]


@lru_cache(maxsize=1024)
def _ordinal(language: str, number: int) -> str:
    return str(num2words(number, lang=language, to="ordinal"))


def ordinal(locale: Locale, number: int, feminine: bool) -> str:
    """The number's place in a row, as num2words has it or as the locale knows better."""
    said = locale.own_ordinals.get(str(number)) or _ordinal(locale.numbers, number)
    if not feminine:
        return said
    if number == 1 and locale.first_feminine:
        return locale.first_feminine
    return re.sub(r"o\b", "a", said)


def romans(locale: Locale) -> tuple[Rewrite, ...]:
    """siglo XXI, Felipe II, capítulo IV, la II Guerra; in French XXIe siècle as well."""
    if not locale.numbers:
        return ()
    behind = rf"(?P<before>\b[^\W\d_]{{2,30}})\s(?P<numeral>{_ROMAN})(?!\w|[.'’-]\w)"
    ahead = rf"(?P<article>\b[^\W\d_]{{1,6}}['’]?)\s(?P<numeral>{_ROMAN})(?=\s(?P<noun>[^\W\d_]{{3,30}}))"
    found_rewrites = [
        Rewrite(re.compile(rf"{BEGIN}(?P<numeral>{_ROMAN})(?=\s{locale.century}\b)"), lambda f: _before(locale, f)),
        Rewrite(re.compile(ahead), lambda found: _before_noun(locale, found), "numeral"),
        Rewrite(re.compile(behind), lambda found: _behind(locale, found), "numeral"),
    ]
    if locale.voice == "fr":
        signed = re.compile(rf"{BEGIN}(?P<numeral>(?![CDLM][erè]){_ROMAN})(?P<sign>er|ère|re|e|ème|eme|è)(?!\w)")
        found_rewrites.insert(
            0, Rewrite(signed, lambda f: ordinal(locale, value(f["numeral"]), f["sign"] in ("ère", "re")))
        )
    return tuple(found_rewrites)


def value(numeral: str) -> int:
    """The number that a Roman numeral is."""
    values = [_VALUES[letter] for letter in numeral]
    return sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))


def _before(locale: Locale, found: re.Match[str]) -> str:
    return ordinal(locale, value(found["numeral"]), False)


def _before_noun(locale: Locale, found: re.Match[str]) -> str:
    """la II Guerra, il XX congresso: an ordinal of the article's gender."""
    numeral, article = found["numeral"], found["article"].lower()
    masculine, feminine = (articles.split() for articles in locale.articles or ("", ""))
    war = article in feminine and found["noun"].lower().startswith("guerra")
    sure = len(numeral) > 1 or numeral == "V" or war
    if article not in (*masculine, *feminine) or numeral in _NO_NUMERALS or not sure:
        return numeral
    return ordinal(locale, value(numeral), article in feminine)


def _behind(locale: Locale, found: re.Match[str]) -> str:
    numeral, before = found["numeral"], found["before"].lower()
    if numeral in ("C", "D", "L", "M"):
        return numeral
    number = value(numeral)
    century = before.startswith(locale.century) and len(before) < len(locale.century) + 3
    if century or before == "séc":
        return _ranked(locale, number, False)
    if before in locale.numbered.split():
        feminine = before.endswith(_ENDS_OF_FEMININES) and before != "articolo"
        return ordinal(locale, number, feminine) if locale.rulers == "ordinal" else str(number)
    named = found["before"][0].isupper() and not found["before"].isupper()
    if not named or numeral in _NO_NUMERALS or (len(numeral) < 2 and before not in _RULERS):
        return numeral
    feminine = before in _FEMININE_NAMES or (before.endswith("a") and before not in ("papa", "nicola"))
    return _ranked(locale, number, feminine)


def _ranked(locale: Locale, number: int, feminine: bool) -> str:
    """A ruler's or a century's number: French rulers but the first are counted, as are Spanish ones from eleven on."""
    if locale.rulers == "ordinal" or number == 1 or (locale.rulers == "mixed" and number <= 10):
        return ordinal(locale, number, feminine)
    return str(number)


def fractions(locale: Locale) -> tuple[Rewrite, ...]:
    """½, 1½, 3/4 de los votos, 1/2 litro."""
    listed = "|".join(re.escape(written) for written in ("1/2", *locale.fractions) if " " not in written)
    noun = r"(?=\s(?P<noun>[^\W\d_]+))"
    return (
        Rewrite(
            re.compile(rf"{BEGIN}(?:(?P<whole>\d{{1,3}})\s?)?(?P<sign>[{''.join(_VULGAR)}])(?:{noun})?"),
            lambda found: _fraction(locale, found, _VULGAR[found["sign"]]),
        ),
        Rewrite(
            re.compile(rf"{BEGIN}(?:(?P<whole>\d{{1,3}})\s)?(?P<sign>{listed})(?![\d/])(?:{noun})?(?!\w)"),
            lambda found: _fraction(locale, found, found["sign"]),
        ),
    )


def _fraction(locale: Locale, found: re.Match[str], written: str) -> str:
    if not found["noun"] and _COUNT_BEHIND.search(found.string[max(0, found.start() - 20) : found.start()]):
        return found[0]
    whole, feminine = found["whole"], _is_feminine(found["noun"] or "")
    special = locale.fractions.get(f"{whole} {written}")
    if special:
        return special
    half = locale.half[feminine]
    if not whole:
        return half if written == "1/2" else locale.fractions.get(written, found[0])
    counted = locale.one[feminine] if whole == "1" else whole
    if written == "1/2":
        return locale.and_half.format(whole=counted, half=half)
    part = locale.fractions.get(written)
    return f"{counted} {locale.joint} {part}" if part else found[0]


def _is_feminine(noun: str) -> bool:
    return noun.lower().rstrip("s").endswith(("a", "ade", "ción", "sión", "tasse", "heure", "tazze", "ore"))


def ranges(locale: Locale) -> tuple[Rewrite, ...]:
    """10-15 minutos, 2010-2015, and -5 that is below zero."""
    number = r"\d{1,4}(?:[.,]\d{1,3})?"
    between = re.compile(rf"{BEGIN}(?P<first>{number})\s?[-–—]\s?(?P<last>{number})(?![\w/-]|[.,:]\d)")
    below = re.compile(r"(?<![\w.,/:)\]%°-])[-−–](?=\d)")
    return (
        Rewrite(between, lambda found: f"{found['first']} {locale.to} {found['last']}"),
        Rewrite(below, lambda _: f"{locale.minus} "),
    )


def telephones(locale: Locale) -> tuple[Rewrite, ...]:
    """Digit by digit, or in France by pairs."""
    groups = r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]\d{2,10}){1,6}"
    number = re.compile(rf"(?<![\w.,/-])(?P<number>{groups})(?![\w/-]|[.,:]\d)")
    own = re.compile(rf"{locale.own_telephone}|{locale.block_telephone}")
    block = re.compile(r"(?<![\w.,/-])(?P<number>\+?\d{9,13}|\(\d\d\)\d{8,9})(?![\w/-]|[.,:]\d)")
    said_before = re.compile(rf"\b(?:{'|'.join(locale.telephones.split())})\b[^\d.?!]{{0,12}}\.?:?\s?$", re.IGNORECASE)

    def say(found: re.Match[str]) -> str:
        written = found["number"]
        count = sum(map(str.isdecimal, written))
        amount = written.endswith("00000") or found.string[: found.start()].rstrip()[-1:] in tuple("$€£₹")
        if not 7 <= count <= 15 or _DATE.fullmatch(written) or (amount and written.isdecimal()):
            return written
        marked = written[0] == "+" or (written[0] in "(0" and count > 8)
        if not marked and not own.fullmatch(written):
            behind = found.string[max(0, found.start() - 40) : found.start()]
            if not said_before.search(behind):
                return written
        return _spelled(written, locale)

    return (Rewrite(number, say), Rewrite(block, say))


_DATE = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d|\d{1,2}[.-]\d{1,2}[.-]\d{2,4}|\d{4}-\d\d-\d\d")


def _spelled(written: str, locale: Locale) -> str:
    groups = re.findall(r"\+|\d+", written)
    said = [locale.web.get(group) or locale.symbols.get(group) or _group(group, locale.in_pairs) for group in groups]
    return " ".join(said)


def _group(digits: str, in_pairs: bool) -> str:
    if not in_pairs or len(digits) > 2 or digits[0] == "0":
        return " ".join(digits)
    return digits
