"""Expand dates, times, money, units, addresses and abbreviations into words for the languages that espeak reads.

`build_rewrite_rules` compiles a `Locale` to a list of `RewriteRule`s, which are applied in order, each to the result of
the ones before it. The order matters: addresses and telephone numbers first, while their dots and hyphens are still
there; dates and times before fractions, ranges and percent, which would match parts of them; money before units, since
both follow a number; agreement with the noun last, when units and currencies are words. Digits that no rule expands
stay digits: espeak reads them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from num2words import num2words

from kokoro_server.text.normalization.locales import numerals
from kokoro_server.text.normalization.locales.agreement import (
    COUNTED_NOUN,
    inflect_cardinal,
    inflect_match,
    spell_inflected,
    to_singular,
)
from kokoro_server.text.normalization.locales.locale import Locale
from kokoro_server.text.normalization.locales.numerals import NUMBER_END, NUMBER_START
from kokoro_server.text.normalization.rules.rewriting import RewriteRule

_NUMBER = r"\d{1,15}(?:[.,]\d{1,15}){0,6}"
# Digit groups separated by spaces: 1 234 with a no-break space; 1 234,50 or 1 234 €; 1 234 567; 5 000 personas
_SPACED_THOUSANDS = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[\u00a0\u202f]\d{3}){1,6}(?!\d)|(?<![\d.,])\d{1,3}(?: \d{3}){1,6}(?=,\d|\s?[€$£])"
    r"|(?<![\d.,] )(?<![\d.,])[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d| ?\d)"
    r"|(?<![\d.,] )(?<![\w.,])[1-9]\d{0,2} 000(?= [a-zà-ÿ]{2})"
)
_TOP_LEVEL_DOMAINS = "com|org|net|edu|gov|info|io|es|fr|it|br|in|mx|ar|cl|co|pt|eu|uk|de|ch|be|ca|us|tv"
_DOMAIN_LABEL = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
# ana@example.com; https://example.com/a or www.example.com; example.com with a known top-level domain
_ADDRESS = re.compile(
    rf"(?P<mail>\b[\w.+-]{{1,64}}@(?:{_DOMAIN_LABEL}\.){{1,4}}[^\W\d_]{{2,12}}\b)"
    rf"|(?:https?://|\b(?=www\.))(?P<link>(?:{_DOMAIN_LABEL}\.){{1,5}}[^\W\d_]{{2,12}}(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)"
    rf"|(?<![\w.@-])(?P<host>(?:{_DOMAIN_LABEL}\.){{1,4}}(?:{_TOP_LEVEL_DOMAINS})(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)(?![\w@-]|\.\w)",
    re.IGNORECASE,
)

_INFIX_SIGNS = frozenset("<>*")
"""Signs that are read only between two operands."""
_BARE_TITLES = frozenset({"Me", "St", "Ste"})
"""Abbreviations without a full stop that are one only before a name: Me Dupont, St Pierre."""
_NAME_FOLLOWS = re.compile(r"(?:-|[ \u00a0\u202f]{1,2})(?:[^\W\d_a-zà-ÿ][a-zà-ÿ]|(?:et|y|e)\s)")
_OFFICE_FOLLOWS = re.compile(r"[ \u00a0\u202f]{1,2}(?:(?:le|la)\s|l['’])")
_OFTEN_SENTENCE_FINAL = frozenset(
    {"etc.", "ecc.", "EE. UU.", "EE.UU.", "a. C.", "d. C.", "a.C.", "d.C.", "min.", "p. m.", "a. m."}
)
"""Abbreviations whose full stop may also end the sentence."""
_SENTENCE_FOLLOWS = re.compile(r"\s+[¿¡«\"“]?[^\W\d_a-zà-ÿ]")
_BEFORE_TITLE = re.compile(
    r"(?:^|[.,;:!?(¿¡\"'«“\n]\s?|\b(?:y|e|a|de|del|con|por|para|que|na|no|da|do|em|à|com|et|le|la|o|à|chez|avec|est)\s)$"
)


class _Date(NamedTuple):
    """Hold the parts of a date as they are written; `year` may be empty."""

    day: str
    month: str
    year: str = ""


def build_rewrite_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rewrite rules of a language, in the order in which they must be applied."""
    return (
        *_build_address_rules(locale),
        *numerals.build_telephone_rules(locale),
        RewriteRule(_SPACED_THOUSANDS, lambda found: re.sub(r"\s", "", found[0])),
        *_build_abbreviation_rules(locale),
        # s. XXI -> siglo XXI
        RewriteRule(re.compile(locale.century_sign_pattern), lambda _: f"{locale.century_word} "),
        *_build_date_rules(locale),
        *_build_time_rules(locale),
        *numerals.build_ordinal_rules(locale),
        *numerals.build_roman_rules(locale),
        *_build_money_rules(locale),
        # 60 euros/mes -> 60 euros al mes; 12 kg -> 12 kilogramos
        RewriteRule(
            re.compile(rf"(?<=[^\s\d])(?<![kK]m)/({_join_alternatives(locale.rate_words) or '(?!)'})(?!\w)"),
            lambda f: _expand_rate(locale, f),
        ),
        RewriteRule(
            re.compile(rf"(?<=[\d½¼¾])\s?({_join_alternatives(locale.units)})(?!\w)"), lambda f: _expand_unit(locale, f)
        ),
        *numerals.build_fraction_rules(locale),
        *numerals.build_range_rules(locale),
        # 1x cable; cuesta 12x
        RewriteRule(re.compile(r"(?<![\w.,=+] )(?<![\w.,])1[x×](?=\s[^\W\d_]{2})"), lambda _: locale.once_words),
        RewriteRule(re.compile(r"(?<=\d)[x×](?=\s[^\W\d_]{2}|[.;)]|$)"), lambda f: _expand_multiplier(locale, f)),
        *_build_symbol_rules(locale),
        *_build_thousands_rules(locale),
        *_build_acronym_rules(locale),
        *_build_agreement_rules(locale),
    )


def build_sign_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules that name signs and join the digits of a number, for text that is not normalized otherwise."""
    signs = {sign: names[1] for sign, names in locale.currencies.items() if not any(map(str.isalnum, sign))}
    return (
        RewriteRule(_SPACED_THOUSANDS, lambda found: re.sub(r"\s", "", found[0])),
        numerals.build_minus_rule(locale),
        RewriteRule(re.compile(f"[{''.join(signs)}]"), lambda found: f" {signs[found[0]]} "),
        *_build_symbol_rules(locale),
        *_build_thousands_rules(locale),
    )


def _build_symbol_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for single signs: 5 %; 3 x 4; 3 + 4; a < b; ~5."""
    return (
        RewriteRule(re.compile(r"(?<=\d)\s?%"), lambda _: f" {locale.percent}"),
        RewriteRule(re.compile(r"(?<=\d) ?[x×] ?(?=\d)|(?<=\d\s)[x×](?=\s\d)"), lambda _: f" {locale.by_word} "),
        RewriteRule(
            re.compile(rf"(?<!\S)({_join_alternatives(set(locale.symbols) - _INFIX_SIGNS)})(?!\S)"),
            lambda f: locale.symbols[f[1]],
        ),
        RewriteRule(re.compile(r"(?<=[\w)]\s)([<>*])(?=\s[\w(])"), lambda f: locale.symbols[f[1]]),
        RewriteRule(re.compile(r"~\s?(?=\d)"), lambda _: f"{locale.about_word} "),
    )


def _build_thousands_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rule that drops commas between thousands, where the locale has them: 1,234 and 1,23,456 in Hindi."""
    if not locale.has_thousands_commas:
        return ()
    return (RewriteRule(re.compile(r"(?<=\d),(?=\d\d\d?(?:\D|$))"), lambda _: ""),)


def _expand_unit(locale: Locale, found: re.Match[str]) -> str:
    """Expand a unit after a number, in the singular after 1 and after a fraction."""
    one = re.search(r"(?<![\d.,])1$|[½¼¾]$|\d/\d$", found.string[max(0, found.start() - 3) : found.start()])
    words = locale.units[found[1]]
    return f" {to_singular(locale, words) if one else words}"


def _expand_rate(locale: Locale, found: re.Match[str]) -> str:
    """Expand the slash of a rate: 60 euros/mes, 5 m/s.

    Anything else, such as día/noche or a slash without a number shortly before it, stays as it is.
    """
    amount = re.search(r"\d\s?([^\d\n]{1,30})$", found.string[max(0, found.start() - 32) : found.start()])
    counted_by = amount[1] if amount else ""
    money = any(counted_by.endswith(name) for names in locale.currencies.values() for name in names if name)
    measured = money or counted_by in locale.units
    short = len(found[1]) < 3 or found[1] == "min"  # a unit's symbol, not a word such as mes
    word = counted_by.rpartition(" ")[2]
    is_rate = measured or (counted_by and not short and word not in locale.rate_words)
    return f" {locale.rate_words[found[1]]}" if is_rate else found[0]


def _expand_multiplier(locale: Locale, found: re.Match[str]) -> str:
    """Expand a multiplier (12x), but not the variable of an equation (y = 2x)."""
    preceding = found.string[max(0, found.start() - 6) : found.start()]
    return found[0] if "=" in preceding or "+" in preceding else f" {locale.multiplier_word}"


def _build_acronym_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rule that spells acronyms: IBGE -> I B G E.

    Portuguese vowels get an accent, so that espeak reads them as letters.
    """
    accented = str.maketrans(locale.acronym_letters)
    listed = _join_alternatives(locale.spelled_acronyms.split()) or "(?!)"
    said = re.compile(rf"(?<![\w.-])(?:{locale.acronym_pattern}|{listed})(?![\w-]|\.\w)")
    return (RewriteRule(said, lambda found: " ".join(found[0].translate(accented))),)


def _build_agreement_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for numbers that agree with a noun: 21 mesas -> veintiuna mesas.

    After an Italian article with an apostrophe the whole number is spelled (l'8 -> l'otto), since espeak would
    otherwise read the article as a letter.
    """
    if not locale.feminine_number_changes:
        return ()
    thousands = re.compile(r"(?<![\w.,/:-])\d{2,3}\.?\d{3}(?![\w/:]|[.,-]\d)")
    language = locale.num2words_language
    return (
        # COUNTED_NOUN: 21 mesas, 200 personas
        RewriteRule(COUNTED_NOUN, lambda found: inflect_match(locale, found), "number"),
        # l'8 -> l'otto
        RewriteRule(
            re.compile(locale.before_spelled_pattern + r"(?P<number>\d{1,4})(?![\w/:]|[.,]\d)"),
            lambda found: str(num2words(int(found["number"]), lang=language)),
            "number",
        ),
        *_build_form_rules(locale),
        # 21.000 -> veintiún mil
        RewriteRule(
            thousands,
            lambda f: (
                spell_inflected(language, int(f[0].replace(".", "")), locale.thousands_changes)
                if locale.thousands_changes
                else f[0]
            ),
        ),
    )


def _build_form_rules(locale: Locale) -> Iterator[RewriteRule]:
    """Build the rules for words that change their form before others: un specchio -> uno specchio."""
    for pattern, form in locale.form_changes:
        yield RewriteRule(re.compile(pattern), lambda found, form=form: form)  # type: ignore[misc]


def _join_alternatives(words: Iterable[str]) -> str:
    """Return a pattern for any of `words`, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _build_address_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rule for links and mail addresses: ana@example.com -> ana arroba example punto com."""
    signs = {sign: f" {said} " for sign, said in locale.address_words.items() if len(sign) == 1}

    def expand(found: re.Match[str]) -> str:
        written = (found["mail"] or found["link"] or found["host"]).rstrip("/")
        said = "".join(signs.get(sign, sign) for sign in written)
        return re.sub(r"\bwww\b", locale.address_words["www"], said, flags=re.IGNORECASE)

    return (RewriteRule(_ADDRESS, expand),)


def _build_abbreviation_rules(locale: Locale) -> tuple[RewriteRule, RewriteRule]:
    """Build the rules for abbreviations: those that always are one, and those that are one only before a number."""
    words = _join_alternatives(
        {*locale.abbreviations, *filter(None, map(_capitalize_abbreviation, locale.abbreviations))}
    )
    words = words.replace(r"\ ", r"[\ \u00a0\u202f]?")
    counted = _join_alternatives(locale.abbreviations_before_number) or "(?!)"
    return (
        RewriteRule(
            re.compile(rf"(?<![\w.])(?:{words})(?:(?<=/)|(?<=[°º])(?=\d)|(?!\w))"),
            lambda found: _expand_abbreviation(found, locale),
        ),
        RewriteRule(
            re.compile(rf"(?<![\w.])(?i:(?P<word>{counted}))(?=(?P<gap>\s?)(?:\d|[IVXLC]{{1,8}}\b))"),
            lambda found: locale.abbreviations_before_number[found["word"].lower()] + ("" if found["gap"] else " "),
            "word",
        ),
    )


def _expand_abbreviation(found: re.Match[str], locale: Locale) -> str:
    """Expand an abbreviation; keep its full stop if that also ends the sentence.

    Exceptions: min. after a number is the unit; Me, St and Ste need a name after them; a capital with a full stop (D.,
    M.) needs a name after it and the start of a phrase or a preposition before it, so vitamina D. stays as it is.
    """
    written = found[0]
    if written in ("min.", "Min.") and found.string[: found.start()].rstrip()[-1:].isdigit():
        stop = "." if _SENTENCE_FOLLOWS.match(found.string, found.end()) else ""
        return f"{locale.units['min']}{stop}"
    if written in _BARE_TITLES and not _NAME_FOLLOWS.match(found.string, found.end()):
        return written
    if len(written) == 2 and written[0].isupper() and written[1] == ".":
        preceding = found.string[max(0, found.start() - 12) : found.start()]
        office = written == "M." and _OFFICE_FOLLOWS.match(found.string, found.end())  # M. le ministre
        if not ((office or _NAME_FOLLOWS.match(found.string, found.end())) and _BEFORE_TITLE.search(preceding)):
            return written
    said = locale.abbreviations.get(written) or locale.abbreviations[_find_listed_form(written, locale)]
    if written[-1] in "°º" and found.string[found.end() : found.end() + 1].isdigit():
        return f"{said} "
    ends = _find_listed_form(written, locale) in _OFTEN_SENTENCE_FINAL and _SENTENCE_FOLLOWS.match(
        found.string, found.end()
    )
    return f"{said}." if ends else said


def _capitalize_abbreviation(abbreviation: str) -> str:
    """Return the capitalized form (pág. -> Pág.), "" where it would be something else: Max. is a name."""
    has_none = (
        len(abbreviation) < 3
        or not abbreviation[0].islower()
        or not abbreviation[1].isalpha()
        or abbreviation in ("max.", "min.", "ing.", "vs.")
    )
    return "" if has_none else abbreviation[0].upper() + abbreviation[1:]


def _find_listed_form(written: str, locale: Locale) -> str:
    """Return the key of `locale.abbreviations` for a written form, ignoring white space and case.

    A key whose first letter has the same case is preferred.
    """
    bare = re.sub(r"\s", "", written).lower()
    listed = sorted(locale.abbreviations, key=lambda each: each[0] != written[0])
    return next(each for each in listed if re.sub(r"\s", "", each).lower() == bare)


def _build_date_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for dates; their comments give examples."""
    months = locale.months.split()
    short = locale.month_patterns.split()

    def expand_month(found: re.Match[str]) -> str:
        return next(
            month for month, pattern in zip(months, short, strict=True) if re.fullmatch(pattern, found["month"])
        )

    # The month of "5 ene. 2024" or "5 de ene 2024".
    named = rf"\b\d{{1,2}}\s(?:de\s)?(?P<written>(?P<month>{'|'.join(short) or '(?!)'})(?:\.|(?=\s(?:de\s)?\d{{4}}\b)))"
    return (
        # 15/03/2024, 15.3.2024
        RewriteRule(
            re.compile(rf"{NUMBER_START}(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}){NUMBER_END}"),
            lambda f: _spell_date(locale, _Date(f[1], f[3], f[4]), f[0]),
        ),
        # 2024-03-15
        RewriteRule(
            re.compile(rf"{NUMBER_START}(\d{{4}})-(\d\d)-(\d\d){NUMBER_END}"),
            lambda f: _spell_date(locale, _Date(f[3], f[2], f[1]), f[0]),
        ),
        # 15/3/24: 00 to 49 are in this century
        RewriteRule(
            re.compile(rf"{NUMBER_START}(\d{{1,2}})/(\d{{1,2}})/(\d\d){NUMBER_END}"),
            lambda f: _spell_date(locale, _Date(f[1], f[2], f"{'20' if f[3] < '50' else '19'}{f[3]}"), f[0]),
        ),
        # 15/03 before a word or at the end: not a fraction if the month has a leading zero or the day is over 12
        RewriteRule(
            re.compile(rf"{NUMBER_START}(\d{{1,2}})/(0\d|1[0-2])(?=\s[^\d\s]|\W?\s?$){NUMBER_END}"),
            lambda f: _spell_date(locale, _Date(f[1], f[2]), f[0]) if f[2] < "10" or int(f[1]) > 12 else f[0],
        ),
        # el 3/9, after a word that introduces a date
        RewriteRule(
            re.compile(rf"\b(?i:{locale.before_date_pattern})\s(?P<date>(\d{{1,2}})/(\d{{1,2}})){NUMBER_END}"),
            lambda f: _spell_date(locale, _Date(f[2], f[3]), f["date"]) if _is_day_and_month(locale, f) else f["date"],
            "date",
        ),
        # 1 mai -> premier mai
        RewriteRule(
            re.compile(rf"(?<!['’]){NUMBER_START}1(?=\s(?:de\s)?(?:{'|'.join(months)})\b)"),
            lambda _: locale.first_of_month,
        ),
        RewriteRule(re.compile(named), expand_month, "written"),
    )


def _is_day_and_month(locale: Locale, found: re.Match[str]) -> bool:
    """Return True for a day and month (el 3/9), False for a usual fraction (el 3/4) unless "día" precedes it."""
    fraction = found["date"] == "1/2" or found["date"] in locale.fractions
    return not fraction or found[0].lower().startswith(("dia", "día"))


def _spell_date(locale: Locale, date: _Date, written: str) -> str:
    """Spell a date by `locale.date_form`; return `written` if day or month is out of range."""
    if not 1 <= int(date.month) <= 12 or not 1 <= int(date.day) <= 31:
        return written
    said = locale.first_of_month if int(date.day) == 1 else str(int(date.day))
    form = locale.date_form if date.year else re.sub(r"\s(?:de\s)?\{year\}", "", locale.date_form)
    return form.format(day=said, month=locale.months.split()[int(date.month) - 1], year=date.year)


def _build_time_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for times of day and durations in hours, in the order in which they must be applied."""
    ends = rf"(?:\s?(?:{locale.time_suffix_pattern})(?!\w)\.?)?"
    hour = re.compile(rf"{NUMBER_START}([01]?\d|2[0-4])\s?h(?![\w/]|\s?\d)")
    lasting = re.compile(rf"{NUMBER_START}(\d{{1,2}})\s?h\s?(?=\d{{1,2}}\s?min\b)")
    dotted = re.compile(
        rf"(?<!\w){locale.before_time_pattern}\s(?P<time>([01]?\d|2[0-3])\.([0-5]\d)(?!\d|\.\d|\s?%)(?:(?={ends}){ends}))"
    )
    one = r"([01]?\d|2[0-4])(?:[:h]([0-5]\d)|\s?h)"
    between = re.compile(rf"{NUMBER_START}{one}\s?[-–—]\s?{one}(?:(?={ends}){ends})(?![\w/:]|[.,-]\d)")
    return (
        # 2 h 30 min, 9h-17h, 14:30 h, 8 h, a las 9.30, a la 1
        RewriteRule(lasting, lambda f: f"{_spell_hours(locale, f[1])} "),
        RewriteRule(
            between,
            lambda f: f"{_spell_time(locale, f[1], f[2])} {locale.range_word} {_spell_time(locale, f[3], f[4])}",
        ),
        RewriteRule(
            re.compile(rf"{NUMBER_START}([01]?\d|2[0-3])(?:[:h]|\sh\s)([0-5]\d)(?:(?={ends}){ends})(?![\w/:]|[.,-]\d)"),
            lambda f: _spell_time(locale, f[1], f[2]),
        ),
        RewriteRule(hour, lambda f: _spell_hours(locale, f[1])),
        RewriteRule(dotted, lambda f: _spell_time(locale, f[2], f[3]), "time"),
        RewriteRule(re.compile(locale.one_oclock_pattern), lambda _: locale.one[1], "hour"),
    )


def _spell_time(locale: Locale, hour: str, minute: str | None) -> str:
    """Spell a time of day; hours are feminine in all these languages: duas horas, une heure."""
    if minute is None:
        return _spell_hours(locale, hour)
    form = locale.time_form if int(minute) else locale.full_hour_form
    return _fill_hour_form(locale, form, hour, minute)


def _spell_hours(locale: Locale, hour: str) -> str:
    """Spell a number of hours: 8 h -> 8 horas."""
    return _fill_hour_form(locale, locale.hours_form, hour)


def _fill_hour_form(locale: Locale, form: str, hour: str, minute: str = "0") -> str:
    """Fill a form with hour and minute; in the singular for one o'clock."""
    said = form.format(hour=inflect_cardinal(locale, int(hour), True), minute=int(minute))
    return to_singular(locale, said) if int(hour) == 1 else said


def _build_money_rules(locale: Locale) -> tuple[RewriteRule, ...]:
    """Build the rules for money ($5-10, $5, 5 €, 5 M€) and for magnitudes without a currency (5 mln di persone)."""
    signs, millions = _join_alternatives(locale.currencies), _join_alternatives(locale.magnitudes)
    many = rf"(?:\s?(?P<millions>{millions})(?!\w)(?:\s(?:de|di|d['’])(?=\s?(?:{signs})))?)?"

    def expand(found: re.Match[str]) -> str:
        return _spell_amount(locale, found["number"], found["sign"], found["millions"])

    between = rf"(?<!\w)(?P<sign>{signs})\s?(?P<first>{_NUMBER})\s?[-–—]\s?(?:{signs})?\s?(?P<number>{_NUMBER}){many}"
    return (
        RewriteRule(re.compile(between), lambda found: f"{found['first']} {locale.range_word} {expand(found)}"),
        RewriteRule(re.compile(rf"(?<!\w)(?P<sign>{signs})\s?(?P<number>{_NUMBER}){many}"), expand),
        RewriteRule(re.compile(rf"(?P<number>{_NUMBER}){many}\s?(?P<sign>{signs})(?!\w)"), expand),
        RewriteRule(
            re.compile(
                rf"(?<=\d)\s?(?P<millions>{_join_alternatives(_select_abbreviated(locale.magnitudes))})(?=\s(?:de|di|d['’])\s?\w)"
            ),
            lambda found: f" {locale.magnitudes[found['millions']][1]}",
        ),
    )


def _select_abbreviated(millions: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the magnitudes that are abbreviations: mln, but not milione."""
    return [written for written, (one, many) in millions.items() if written not in (one, many)]


def _spell_amount(locale: Locale, number: str, sign: str, millions: str | None) -> str:
    """Spell a sum: 1.299,99 and € -> 1299 euros con 99 céntimos.

    A mark before exactly two final digits is the decimal one; all others separate thousands.
    """
    one, many, hundredths = locale.currencies[sign]
    if millions:
        return _spell_magnitude(locale, number, millions, many)
    parts = re.fullmatch(r"(.*?)(?:[.,](\d\d))?", number)
    whole, cents = (parts[1], parts[2]) if parts else (number, None)
    said = one if whole == "1" else f"{re.sub('[.,]', '', whole)} {many}"
    if not cents or cents == "00" or not hundredths:
        return said
    return locale.money_form.format(whole=said, cents=f"{int(cents)} {hundredths}")


def _spell_magnitude(locale: Locale, number: str, written: str, currency: str) -> str:
    """Spell a sum in millions and the like: 5 M€ -> 5 millones de euros, 3 Md€ -> 3 milliards d'euros."""
    one, many = locale.magnitudes[written]
    # French elides de before a vowel; magnitudes that are adjectives (mil) take no preposition.
    before_consonant, before_vowel = locale.magnitude_prepositions
    of = before_vowel if currency[0] in "aeiouéà" else before_consonant
    if one in ("mil", "mila", *locale.currencies) or not of:
        of = ""
    joint = of if of.endswith("'") else f"{of} " if of else ""
    said = written if written in (one, many) else one if number == "1" else many
    return f"{number} {said} {joint}{currency}"
