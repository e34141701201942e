"""Expand ordinals, Roman numerals, fractions, ranges and telephone numbers for the languages that espeak reads.

Each public `build_…_rules` function compiles the words of a `Locale` to `RewriteRule`s; `build_rewrite_rules` puts them
in order. A replacement that returns the match unchanged means that the rule does not apply.
"""

import re
from functools import lru_cache

from num2words import num2words  # ships no types

from kokoro_server.text.normalization.locales.agreement import is_feminine
from kokoro_server.text.normalization.locales.locale import Locale
from kokoro_server.text.normalization.rules.numerals import (
    FRACTION_SIGNS,
    ROMAN_NUMERAL,
    parse_fraction_sign,
    parse_roman,
)
from kokoro_server.text.normalization.rules.rewriting import RewriteRule
from kokoro_server.text.tables import parse_words

NUMBER_START, NUMBER_END = r"(?<![\w.,/:-])", r"(?![\w/:]|[.,-]\d)"
"""Patterns of the start and end of a number that is not part of a longer number, word, date or time."""


# Capitals that are more often an abbreviation or a word than a Roman numeral.
_NOT_NUMERALS = parse_words("CD DC MC MD CV CL DI MI MIX XL LI CC MM CM ID DL LC")
_RULERS = parse_words("""
    felipe carlos fernando alfonso isabel juana juan enrique pedro luis jorge eduardo guillermo napoleón papa pío
    benedicto pablo francisco françois louis charles henri philippe jean napoléon élisabeth pie benoît paul
    guillaume frédéric luigi carlo vittorio umberto enrico filippo elisabetta pio benedetto giovanni paolo napoleone
    federico ludovico ferdinando luís joão dom afonso manuel sebastião josé henrique filipe catarina bento maria
    elizabeth george nicolau nicolás nicolas nicola alexandre alejandro alessandro emanuele ii
""")
_FEMININE_NAMES = parse_words("isabel beatriz élisabeth elizabeth carmen")
_FEMININE_ENDINGS = ("a", "ción", "sión", "ção", "são", "tà", "e")
# Words before "35º" that make it a temperature or an angle and not an ordinal.
_TEMPERATURE_WORDS = re.compile(
    r"\b(?:faz|fez|fazia|hace|hizo|hacía|grad\w*|graus|[âá]ngulo|temperatura|gir\w+|m[íi]nim\w+|m[áa]xim\w+|calor|fr[íi]o)\b",
    re.IGNORECASE,
)
_BEFORE_COUNT = re.compile(
    r"\b(?:p[áa]g\w*|part\w*|étape|paso|hilo|not[ae]|vot[oe]|valoraci\w+|avalia\w+|episod\w*|foto)\W{0,3}$|:\s$",
    re.IGNORECASE,
)
"""Words before 4/5 that make it a count and not a fraction: nota 4/5, pág. 4/5."""


def build_ordinal_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for ordinals: 1.º, 2ª, 3e, 21°."""
    pattern = rf"(?<![\w.,/:-])(?P<number>\d{{1,4}})(?:{locale.ordinal_suffix_pattern})(?!\w)"
    own = "|".join(re.escape(written) for written in sorted(locale.listed_ordinals, key=len, reverse=True))
    return (
        # ordinals that the locale lists, then a number with a suffix or sign
        RewriteRule(
            re.compile(rf"(?<![\w.,/:-])(?:{own or '(?!)'})(?![\w.]\w|\w)"),
            lambda f: _expand_listed_ordinal(locale, f[0]),
        ),
        RewriteRule(re.compile(pattern), lambda found: _expand_ordinal(locale, found)),
    )


def _expand_listed_ordinal(locale: Locale, written: str) -> str:
    """Expand an ordinal that the locale lists as it is written; keys of digits alone are for `spell_ordinal`."""
    return written if written.isdecimal() else locale.listed_ordinals[written]


def _expand_ordinal(locale: Locale, found: re.Match[str]) -> str:
    """Expand a number with an ordinal sign: 2ª -> segunda; 35º after a word of heat is degrees."""
    feminine = any(found.groupdict().get(group) for group in ("feminine", "feminine2"))
    number = int(found["number"])
    if (
        found[0].endswith("º")
        and number > 12
        and _TEMPERATURE_WORDS.search(found.string[max(0, found.start() - 25) : found.start()])
    ):
        return f"{number} {locale.symbols['°']}"  # hace 35º
    if not locale.num2words_language:  # Hindi: espeak reads the number, and its ending as a word
        return f"{number} {found[0][len(found['number']) :]}"
    return spell_ordinal(locale, number, feminine) if number else found[0]


@lru_cache(maxsize=1024)
def _look_up_ordinal(language: str, number: int) -> str:
    return str(num2words(number, lang=language, to="ordinal"))


def spell_ordinal(locale: Locale, number: int, feminine: bool) -> str:
    """Spell an ordinal with num2words, or as the locale overrides it; the feminine has -a for -o."""
    said = locale.listed_ordinals.get(str(number)) or _look_up_ordinal(locale.num2words_language, number)
    if not feminine:
        return said
    if number == 1 and locale.first_ordinal_feminine:
        return locale.first_ordinal_feminine
    return re.sub(r"o\b", "a", said)


def build_roman_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for Roman numerals: siglo XXI, Felipe II, capítulo IV, la II Guerra; French XXIe siècle."""
    if not locale.num2words_language:
        return ()
    # The word before the numeral, or the article before and the noun after it, decides.
    behind = rf"(?P<before>\b[^\W\d_]{{2,30}})\s(?P<numeral>{ROMAN_NUMERAL})(?!\w|[.'’-]\w)"
    ahead = rf"(?P<article>\b[^\W\d_]{{1,6}}['’]?)\s(?P<numeral>{ROMAN_NUMERAL})(?=\s(?P<noun>[^\W\d_]{{3,30}}))"
    suffixes = f"(?P<masculine>{locale.roman_suffixes[0]})|(?P<feminine>{locale.roman_suffixes[1]})"
    signed = rf"{NUMBER_START}(?P<numeral>(?![CDLM][erè]){ROMAN_NUMERAL})(?:{suffixes})(?!\w)"
    return (
        RewriteRule(
            re.compile(signed), lambda f: spell_ordinal(locale, parse_roman(f["numeral"]), f["feminine"] is not None)
        ),
        RewriteRule(
            re.compile(rf"{NUMBER_START}(?P<numeral>{ROMAN_NUMERAL})(?=\s{locale.century_word}\b)"),
            lambda f: _expand_before_century(locale, f),
        ),
        RewriteRule(re.compile(ahead), lambda found: _expand_before_noun(locale, found), "numeral"),
        RewriteRule(re.compile(behind), lambda found: _expand_after_word(locale, found), "numeral"),
    )


def _expand_before_century(locale: Locale, found: re.Match[str]) -> str:
    """Expand a Roman numeral before the word century: XXI secolo -> ventunesimo secolo."""
    return spell_ordinal(locale, parse_roman(found["numeral"]), False)


def _expand_before_noun(locale: Locale, found: re.Match[str]) -> str:
    """Expand a Roman numeral between article and noun to an ordinal of the article's gender: la II Guerra.

    A single letter other than V counts only before guerra.
    """
    numeral, article = found["numeral"], found["article"].lower()
    masculine, feminine = (articles.split() for articles in locale.articles or ("", ""))
    is_war = article in feminine and found["noun"].lower().startswith("guerra")
    is_certain = len(numeral) > 1 or numeral == "V" or is_war
    if article not in (*masculine, *feminine) or numeral in _NOT_NUMERALS or not is_certain:
        return numeral
    return spell_ordinal(locale, parse_roman(numeral), article in feminine)


def _expand_after_word(locale: Locale, found: re.Match[str]) -> str:
    """Expand a Roman numeral after a word: siglo XXI, capítulo IV, Felipe II.

    After a capitalized word that is neither, it must have two letters or follow a known ruler's name.
    """
    numeral, before = found["numeral"], found["before"].lower()
    if numeral in ("C", "D", "L", "M"):
        return numeral  # letters: Plan C
    number = parse_roman(numeral)
    century = before.startswith(locale.century_word) and len(before) < len(locale.century_word) + 3
    if century or before == "séc":
        return _spell_rank(locale, number, False)
    if before in locale.numbered_words.split():
        feminine = before.endswith(_FEMININE_ENDINGS) and before != "articolo"
        return spell_ordinal(locale, number, feminine) if locale.ruler_numbers == "ordinal" else str(number)
    named = found["before"][0].isupper() and not found["before"].isupper()
    if not named or numeral in _NOT_NUMERALS or (len(numeral) < 2 and before not in _RULERS):
        return numeral
    feminine = before in _FEMININE_NAMES or (before.endswith("a") and before not in ("papa", "nicola"))
    return _spell_rank(locale, number, feminine)


def _spell_rank(locale: Locale, number: int, feminine: bool) -> str:
    """Spell the number of a ruler or a century by `locale.ruler_numbers`.

    French rulers after the first and Spanish ones from 11 on have cardinals: Louis quatorze, Alfonso trece.
    """
    if locale.ruler_numbers == "ordinal" or number == 1 or (locale.ruler_numbers == "mixed" and number <= 10):
        return spell_ordinal(locale, number, feminine)
    return str(number)


def build_fraction_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for fractions: ½, 1½, 3/4 de los votos, 1/2 litro."""
    listed = "|".join(re.escape(written) for written in ("1/2", *locale.fractions) if " " not in written)
    noun = r"(?=\s(?P<noun>[^\W\d_]+))"
    return (
        # ½, 1½
        RewriteRule(
            re.compile(rf"{NUMBER_START}(?:(?P<whole>\d{{1,3}})\s?)?(?P<sign>[{FRACTION_SIGNS}])(?:{noun})?"),
            lambda found: _expand_fraction(locale, found, "{}/{}".format(*parse_fraction_sign(found["sign"]))),
        ),
        # 3/4, 1 3/4: the denominators that the locale lists
        RewriteRule(
            re.compile(rf"{NUMBER_START}(?:(?P<whole>\d{{1,3}})\s)?(?P<sign>{listed})(?![\d/])(?:{noun})?(?!\w)"),
            lambda found: _expand_fraction(locale, found, found["sign"]),
        ),
    )


def _expand_fraction(locale: Locale, found: re.Match[str], written: str) -> str:
    """Expand a fraction with an optional whole number; half and one agree with the noun that follows."""
    if not found["noun"] and _BEFORE_COUNT.search(found.string[max(0, found.start() - 20) : found.start()]):
        return found[0]
    whole, feminine = found["whole"], bool(is_feminine(locale, found["noun"] or ""))
    special = locale.fractions.get(f"{whole} {written}")
    if special:
        return special
    half = locale.half[feminine]
    if not whole:
        return half if written == "1/2" else locale.fractions.get(written, found[0])
    counted = locale.one[feminine] if whole == "1" else whole
    if written == "1/2":
        return locale.and_half_form.format(whole=counted, half=half)
    part = locale.fractions.get(written)
    return f"{counted} {locale.fraction_conjunction} {part}" if part else found[0]


def build_range_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for ranges (10-15 minutos, 2010-2015) and for the minus of a negative number (-5)."""
    number = r"\d{1,4}(?:[.,]\d{1,3})?"
    between = re.compile(rf"{NUMBER_START}(?P<first>{number})\s?[-–—]\s?(?P<last>{number})(?![\w/-]|[.,:]\d)")
    return (
        RewriteRule(between, lambda found: f"{found['first']} {locale.range_word} {found['last']}"),
        build_minus_rule(locale),
    )


def build_minus_rule(locale: Locale) -> RewriteRule:
    """Build the rule for the minus of a negative number: -5."""
    return RewriteRule(re.compile(r"(?<![\w.,/:)\]%°-])[-−–](?=\d)"), lambda _: f"{locale.minus_word} ")


def build_telephone_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules that spell telephone numbers digit by digit, in French by pairs.

    A number of 7 to 15 digits counts if it starts with + or (after more than 8 digits) with ( or 0, if it has the
    locale's own form, or if a word such as "tel." precedes it.
    """
    groups = r"(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{1,5}(?:[ .-]\d{2,10}){1,6}"
    number = re.compile(rf"(?<![\w.,/-])(?P<number>{groups})(?![\w/-]|[.,:]\d)")
    own = re.compile(rf"{locale.telephone_pattern}|{locale.solid_telephone_pattern}")
    # Digits without spaces: +34612345678, 612345678, (11)98765432
    block = re.compile(r"(?<![\w.,/-])(?P<number>\+?\d{9,13}|\(\d\d\)\d{8,9})(?![\w/-]|[.,:]\d)")
    introduced = re.compile(
        rf"\b(?:{'|'.join(locale.telephone_words.split())})\b[^\d.?!]{{0,12}}\.?:?\s?$", re.IGNORECASE
    )

    def expand(found: re.Match[str]) -> str:
        written = found["number"]
        count = sum(map(str.isdecimal, written))
        # 1500000 and numbers after a currency sign are amounts, not telephone numbers
        amount = written.endswith("00000") or found.string[: found.start()].rstrip()[-1:] in tuple("$€£₹")
        if not 7 <= count <= 15 or _DATE_LIKE.fullmatch(written) or (amount and written.isdecimal()):
            return written
        marked = written[0] == "+" or (written[0] in "(0" and count > 8)
        if not marked and not own.fullmatch(written):
            preceding = found.string[max(0, found.start() - 40) : found.start()]
            if not introduced.search(preceding):
                return written
        return _spell_telephone(written, locale)

    return (RewriteRule(number, expand), RewriteRule(block, expand))


_DATE_LIKE = re.compile(r"(?:19|20)\d\d-(?:19|20)\d\d|\d{1,2}[.-]\d{1,2}[.-]\d{2,4}|\d{4}-\d\d-\d\d")


def _spell_telephone(written: str, locale: Locale) -> str:
    """Spell the groups of a telephone number; a + is spelled by its word."""
    groups = re.findall(r"\+|\d+", written)
    said = [
        locale.address_words.get(group) or locale.symbols.get(group) or _spell_group(group, locale.telephone_in_pairs)
        for group in groups
    ]
    return " ".join(said)


def _spell_group(digits: str, in_pairs: bool) -> str:
    """Spell a group digit by digit; a pair stays a number where the locale reads pairs, unless it starts with 0."""
    if not in_pairs or len(digits) > 2 or digits[0] == "0":
        return " ".join(digits)
    return digits
