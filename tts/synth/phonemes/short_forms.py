"""Expand dates, times, money, units, addresses and abbreviations into words for the languages that espeak reads.

`build_rewrite_rules` compiles a `Locale` to a list of `RewriteRule`s, which are applied in order, each to the result of
the ones before it. The order matters: addresses and telephone numbers first, while their dots and hyphens are still
there; dates and times before fractions, ranges and percent, which would match parts of them; money before units, since
both follow a number; agreement with the noun last, when units and currencies are words. Digits that no rule expands
stay digits: espeak reads them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from num2words import num2words  # type: ignore[import-untyped]

from tts.synth.phonemes import numerals
from tts.synth.phonemes.agreement import COUNTED, agreeing, counted, singular, spelled
from tts.synth.phonemes.locales import Locale
from tts.synth.phonemes.numerals import BEGIN, END, Rewrite

_NUMBER = r"\d{1,15}(?:[.,]\d{1,15}){0,6}"
# Digit groups separated by spaces: 1 234 with a no-break space; 1 234,50 or 1 234 €; 1 234 567; 5 000 personas
_THOUSANDS = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[\u00a0\u202f]\d{3}){1,6}(?!\d)|(?<![\d.,])\d{1,3}(?: \d{3}){1,6}(?=,\d|\s?[€$£])"
    r"|(?<![\d.,] )(?<![\d.,])[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d| ?\d)"
    r"|(?<![\d.,] )(?<![\w.,])[1-9]\d{0,2} 000(?= [a-zà-ÿ]{2})"
)
_TOP = "com|org|net|edu|gov|info|io|es|fr|it|br|in|mx|ar|cl|co|pt|eu|uk|de|ch|be|ca|us|tv"
_NAME = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
# ana@example.com; https://example.com/a or www.example.com; example.com with a known top-level domain
_ADDRESS = re.compile(
    rf"(?P<mail>\b[\w.+-]{{1,64}}@(?:{_NAME}\.){{1,4}}[^\W\d_]{{2,12}}\b)"
    rf"|(?:https?://|\b(?=www\.))(?P<link>(?:{_NAME}\.){{1,5}}[^\W\d_]{{2,12}}(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)"
    rf"|(?<![\w.@-])(?P<host>(?:{_NAME}\.){{1,4}}(?:{_TOP})(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)(?![\w@-]|\.\w)",
    re.IGNORECASE,
)

_BETWEEN = frozenset("<>*")
"""Signs that are read only between two operands."""
_BEFORE_NAMES = frozenset({"Me", "St", "Ste"})
"""Abbreviations without a full stop that are one only before a name: Me Dupont, St Pierre."""
_NAME_AHEAD = re.compile(r"(?:-|[ \u00a0\u202f]{1,2})(?:[^\W\d_a-zà-ÿ][a-zà-ÿ]|(?:et|y|e)\s)")
_OFFICE_AHEAD = re.compile(r"[ \u00a0\u202f]{1,2}(?:(?:le|la)\s|l['’])")
_OFTEN_LAST = frozenset(
    {"etc.", "ecc.", "EE. UU.", "EE.UU.", "a. C.", "d. C.", "a.C.", "d.C.", "min.", "p. m.", "a. m."}
)
"""Abbreviations whose full stop may also end the sentence."""
_SENTENCE_AHEAD = re.compile(r"\s+[¿¡«\"“]?[^\W\d_a-zà-ÿ]")
_NAME_BEHIND = re.compile(
    r"(?:^|[.,;:!?(¿¡\"'«“\n]\s?|\b(?:y|e|a|de|del|con|por|para|que|na|no|da|do|em|à|com|et|le|la|o|à|chez|avec|est)\s)$"
)

_CENTURY = re.compile(r"(?<!\d )(?<![\w.])[sS]\. ?(?=[IVX]{1,6}\b)")
_AT_ONE = re.compile(
    r"\b(?:[Aa]|[Dd]esde|[Hh]asta|[Ee]s|[Ss]obre) la (?P<hour>1)(?![\w/:]|[.,-]\d| de TVE| del | de España| a la)"
)


class _Date(NamedTuple):
    """Hold the parts of a date as they are written; `year` may be empty."""

    day: str
    month: str
    year: str = ""


def rewrites(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rewrite rules of a language, in the order in which they must be applied."""
    return (
        *_addresses(locale),
        *numerals.telephones(locale),
        Rewrite(_THOUSANDS, lambda found: re.sub(r"\s", "", found[0])),
        *_abbreviations(locale),
        # s. XXI -> siglo XXI
        *((Rewrite(_CENTURY, lambda _: "siglo "),) if locale.voice == "es" else ()),
        *_dates(locale),
        *_times(locale),
        *numerals.ordinals(locale),
        *numerals.romans(locale),
        *_money(locale),
        # 60 euros/mes -> 60 euros al mes; 12 kg -> 12 kilogramos
        Rewrite(re.compile(rf"(?<=[^\s\d])(?<![kK]m)/({_any(locale.per) or '(?!)'})(?!\w)"), lambda f: _per(locale, f)),
        Rewrite(re.compile(rf"(?<=[\d½¼¾])\s?({_any(locale.units)})(?!\w)"), lambda f: _unit(locale, f)),
        *numerals.fractions(locale),
        *numerals.ranges(locale),
        # 5 %; 1x cable; cuesta 12x; 3 x 4; 3 + 4; a < b; ~5
        Rewrite(re.compile(r"(?<=\d)\s?%"), lambda _: f" {locale.percent}"),
        Rewrite(re.compile(r"(?<![\w.,=+] )(?<![\w.,])1[x×](?=\s[^\W\d_]{2})"), lambda _: locale.once),
        Rewrite(re.compile(r"(?<=\d)[x×](?=\s[^\W\d_]{2}|[.;)]|$)"), lambda f: _times_of(locale, f)),
        Rewrite(re.compile(r"(?<=\d) ?[x×] ?(?=\d)|(?<=\d\s)[x×](?=\s\d)"), lambda _: f" {locale.by} "),
        Rewrite(re.compile(rf"(?<!\S)({_any(set(locale.symbols) - _BETWEEN)})(?!\S)"), lambda f: locale.symbols[f[1]]),
        Rewrite(re.compile(r"(?<=[\w)]\s)([<>*])(?=\s[\w(])"), lambda f: locale.symbols[f[1]]),
        Rewrite(re.compile(r"~\s?(?=\d)"), lambda _: f"{locale.about} "),
        # 1,234 or 1,23,456 -> no commas, where they separate thousands (Hindi)
        *((Rewrite(re.compile(r"(?<=\d),(?=\d\d\d?(?:\D|$))"), lambda _: ""),) if locale.english_numbers else ()),
        *_spellings(locale),
        *_agreements(locale),
    )


def _unit(locale: Locale, found: re.Match[str]) -> str:
    """Expand a unit after a number, in the singular after 1 and after a fraction."""
    one = re.search(r"(?<![\d.,])1$|[½¼¾]$|\d/\d$", found.string[max(0, found.start() - 3) : found.start()])
    words = locale.units[found[1]]
    return f" {singular(locale, words) if one else words}"


def _per(locale: Locale, found: re.Match[str]) -> str:
    """Expand the slash of a rate: 60 euros/mes, 5 m/s.

    Anything else, such as día/noche or a slash without a number shortly before it, stays as it is.
    """
    amount = re.search(r"\d\s?([^\d\n]{1,30})$", found.string[max(0, found.start() - 32) : found.start()])
    counted_by = amount[1] if amount else ""
    money = any(counted_by.endswith(name) for names in locale.currencies.values() for name in names if name)
    measured = money or counted_by in locale.units
    short = len(found[1]) < 3 or found[1] == "min"  # a unit's symbol, not a word such as mes
    word = counted_by.rpartition(" ")[2]
    is_rate = measured or (counted_by and not short and word not in locale.per)
    return f" {locale.per[found[1]]}" if is_rate else found[0]


def _times_of(locale: Locale, found: re.Match[str]) -> str:
    """Expand a multiplier (12x), but not the variable of an equation (y = 2x)."""
    preceding = found.string[max(0, found.start() - 6) : found.start()]
    return found[0] if "=" in preceding or "+" in preceding else f" {locale.times}"


def _spellings(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rule that spells acronyms: IBGE -> I B G E.

    In Hindi this includes any two to four Latin capitals without a vowel. Portuguese vowels get an accent, so that
    espeak reads them as letters.
    """
    accented = str.maketrans("EOA", "éóá") if locale.voice == "pt-br" else {}
    listed = rf"(?:{_any(locale.spelled.split()) or '(?!)'})"
    if locale.voice == "hi":
        listed = rf"(?:[B-DF-HJ-NP-TV-XZ]{{2,4}}|{listed})"
    said = re.compile(rf"(?<![\w.-]){listed}(?![\w-]|\.\w)")
    return (Rewrite(said, lambda found: " ".join(found[0].translate(accented))),)


def _agreements(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rules for numbers that agree with a noun: 21 mesas -> veintiuna mesas.

    After an Italian article with an apostrophe the whole number is spelled (l'8 -> l'otto), since espeak would
    otherwise read the article as a letter.
    """
    if not locale.feminine_numbers:
        return ()
    elided = re.compile(r"\b(?:[Ll]|[Dd]ell|[Aa]ll|[Dd]all|[Nn]ell|[Ss]ull)['’](?P<number>\d{1,4})(?![\w/:]|[.,]\d)")
    thousands = re.compile(r"(?<![\w.,/:-])\d{2,3}\.?\d{3}(?![\w/:]|[.,-]\d)")
    # COUNTED_NOUN: 21 mesas, 200 personas
    agreements = [Rewrite(COUNTED, lambda found: agreeing(locale, found), "number")]
    if locale.voice == "it":
        agreements += [
            Rewrite(elided, lambda found: str(num2words(int(found["number"]), lang="it")), "number"),
            # un' ora -> un'ora; un specchio -> uno specchio
            Rewrite(re.compile(r"(?<!\w)un' (?=\w)"), lambda _: "un'"),
            Rewrite(re.compile(r"\bun(?= (?:z|s[^aeiou\W]|gn|ps|pn|x|y)\w)"), lambda _: "uno"),
        ]
    if locale.voice == "es":
        # 21.000 -> veintiún mil
        joined = (("veintiuno(?= mil)", "veintiún"), ("uno(?= mil)", "un"))
        agreements.append(Rewrite(thousands, lambda f: spelled("es", int(f[0].replace(".", "")), joined)))
    return tuple(agreements)


def _any(words: Iterable[str]) -> str:
    """Return a pattern for any of `words`, longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _addresses(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rule for links and mail addresses: ana@example.com -> ana arroba example punto com."""
    signs = {sign: f" {said} " for sign, said in locale.web.items() if len(sign) == 1}

    def expand(found: re.Match[str]) -> str:
        written = (found["mail"] or found["link"] or found["host"]).rstrip("/")
        said = "".join(signs.get(sign, sign) for sign in written)
        return re.sub(r"\bwww\b", locale.web["www"], said, flags=re.IGNORECASE)

    return (Rewrite(_ADDRESS, expand),)


def _abbreviations(locale: Locale) -> tuple[Rewrite, Rewrite]:
    """Build the rules for abbreviations: those that always are one, and those that are one only before a number."""
    words = _any({*locale.abbreviations, *filter(None, map(_capitalised, locale.abbreviations))})
    words = words.replace(r"\ ", r"[\ \u00a0\u202f]?")
    counted = _any(locale.counted) or "(?!)"
    return (
        Rewrite(
            re.compile(rf"(?<![\w.])(?:{words})(?:(?<=/)|(?<=[°º])(?=\d)|(?!\w))"),
            lambda found: _in_full(found, locale),
        ),
        Rewrite(
            re.compile(rf"(?<![\w.])(?i:(?P<word>{counted}))(?=(?P<gap>\s?)(?:\d|[IVXLC]{{1,8}}\b))"),
            lambda found: locale.counted[found["word"].lower()] + ("" if found["gap"] else " "),
            "word",
        ),
    )


def _in_full(found: re.Match[str], locale: Locale) -> str:
    """Expand an abbreviation; keep its full stop if that also ends the sentence.

    Exceptions: min. after a number is the unit; Me, St and Ste need a name after them; a capital with a full stop (D.,
    M.) needs a name after it and the start of a phrase or a preposition before it, so vitamina D. stays as it is.
    """
    written = found[0]
    if written in ("min.", "Min.") and found.string[: found.start()].rstrip()[-1:].isdigit():
        stop = "." if _SENTENCE_AHEAD.match(found.string, found.end()) else ""
        return f"{locale.units['min']}{stop}"
    if written in _BEFORE_NAMES and not _NAME_AHEAD.match(found.string, found.end()):
        return written
    if len(written) == 2 and written[0].isupper() and written[1] == ".":
        preceding = found.string[max(0, found.start() - 12) : found.start()]
        office = written == "M." and _OFFICE_AHEAD.match(found.string, found.end())  # M. le ministre
        if not ((office or _NAME_AHEAD.match(found.string, found.end())) and _NAME_BEHIND.search(preceding)):
            return written
    said = locale.abbreviations.get(written) or locale.abbreviations[_spaced(written, locale)]
    if written[-1] in "°º" and found.string[found.end() : found.end() + 1].isdigit():
        return f"{said} "
    ends = _spaced(written, locale) in _OFTEN_LAST and _SENTENCE_AHEAD.match(found.string, found.end())
    return f"{said}." if ends else said


def _capitalised(abbreviation: str) -> str:
    """Return the capitalized form (pág. -> Pág.), "" where it would be something else: Max. is a name."""
    has_none = (
        len(abbreviation) < 3
        or not abbreviation[0].islower()
        or not abbreviation[1].isalpha()
        or abbreviation in ("max.", "min.", "ing.", "vs.")
    )
    return "" if has_none else abbreviation[0].upper() + abbreviation[1:]


def _spaced(written: str, locale: Locale) -> str:
    """Return the key of `locale.abbreviations` for a written form, ignoring white space and case.

    A key whose first letter has the same case is preferred.
    """
    bare = re.sub(r"\s", "", written).lower()
    listed = sorted(locale.abbreviations, key=lambda each: each[0] != written[0])
    return next(each for each in listed if re.sub(r"\s", "", each).lower() == bare)


def _dates(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rules for dates; their comments give examples."""
    months = locale.months.split()
    short = locale.short_months.split()

    def expand_month(found: re.Match[str]) -> str:
        return next(
            month for month, pattern in zip(months, short, strict=True) if re.fullmatch(pattern, found["month"])
        )

    # The month of "5 ene. 2024" or "5 de ene 2024".
    named = rf"\b\d{{1,2}}\s(?:de\s)?(?P<written>(?P<month>{'|'.join(short) or '(?!)'})(?:\.|(?=\s(?:de\s)?\d{{4}}\b)))"
    return (
        # 15/03/2024, 15.3.2024
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}){END}"),
            lambda f: _date(locale, _Date(f[1], f[3], f[4]), f[0]),
        ),
        # 2024-03-15
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{4}})-(\d\d)-(\d\d){END}"), lambda f: _date(locale, _Date(f[3], f[2], f[1]), f[0])
        ),
        # 15/3/24: 00 to 49 are in this century
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{1,2}})/(\d{{1,2}})/(\d\d){END}"),
            lambda f: _date(locale, _Date(f[1], f[2], f"{'20' if f[3] < '50' else '19'}{f[3]}"), f[0]),
        ),
        # 15/03 before a word or at the end: not a fraction if the month has a leading zero or the day is over 12
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{1,2}})/(0\d|1[0-2])(?=\s[^\d\s]|\W?\s?$){END}"),
            lambda f: _date(locale, _Date(f[1], f[2]), f[0]) if f[2] < "10" or int(f[1]) > 12 else f[0],
        ),
        # el 3/9, after a word that introduces a date
        Rewrite(
            re.compile(rf"\b(?i:{locale.before_date})\s(?P<date>(\d{{1,2}})/(\d{{1,2}})){END}"),
            lambda f: _date(locale, _Date(f[2], f[3]), f["date"]) if _is_day(locale, f) else f["date"],
            "date",
        ),
        # 1 mai -> premier mai
        Rewrite(
            re.compile(rf"(?<!['’]){BEGIN}1(?=\s(?:de\s)?(?:{'|'.join(months)})\b)"),
            lambda _: locale.first,
        ),
        Rewrite(re.compile(named), expand_month, "written"),
    )


def _is_day(locale: Locale, found: re.Match[str]) -> bool:
    """Return True for a day and month (el 3/9), False for a usual fraction (el 3/4) unless "día" precedes it."""
    fraction = found["date"] == "1/2" or found["date"] in locale.fractions
    return not fraction or found[0].lower().startswith(("dia", "día"))


def _date(locale: Locale, date: _Date, written: str) -> str:
    """Spell a date by `locale.date_form`; return `written` if day or month is out of range."""
    if not 1 <= int(date.month) <= 12 or not 1 <= int(date.day) <= 31:
        return written
    said = locale.first if int(date.day) == 1 else str(int(date.day))
    form = locale.date if date.year else re.sub(r"\s(?:de\s)?\{year\}", "", locale.date)
    return form.format(day=said, month=locale.months.split()[int(date.month) - 1], year=date.year)


def _times(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rules for times of day and durations in hours, in the order in which they must be applied."""
    ends = rf"(?:\s?(?:{locale.clock_ends})(?!\w)\.?)?"
    hour = re.compile(rf"{BEGIN}([01]?\d|2[0-4])\s?h(?![\w/]|\s?\d)")
    lasting = re.compile(rf"{BEGIN}(\d{{1,2}})\s?h\s?(?=\d{{1,2}}\s?min\b)")
    dotted = re.compile(
        rf"(?<!\w){locale.before_time}\s(?P<time>([01]?\d|2[0-3])\.([0-5]\d)(?!\d|\.\d|\s?%)(?:(?={ends}){ends}))"
    )
    one = r"([01]?\d|2[0-4])(?:[:h]([0-5]\d)|\s?h)"
    between = re.compile(rf"{BEGIN}{one}\s?[-–—]\s?{one}(?:(?={ends}){ends})(?![\w/:]|[.,-]\d)")
    return (
        # 2 h 30 min, 9h-17h, 14:30 h, 8 h, a las 9.30, a la 1
        Rewrite(lasting, lambda f: f"{_hours(locale, f[1])} "),
        Rewrite(between, lambda f: f"{_time(locale, f[1], f[2])} {locale.to} {_time(locale, f[3], f[4])}"),
        Rewrite(
            re.compile(rf"{BEGIN}([01]?\d|2[0-3])(?:[:h]|\sh\s)([0-5]\d)(?:(?={ends}){ends})(?![\w/:]|[.,-]\d)"),
            lambda f: _time(locale, f[1], f[2]),
        ),
        Rewrite(hour, lambda f: _hours(locale, f[1])),
        Rewrite(dotted, lambda f: _time(locale, f[2], f[3]), "time"),
        *((Rewrite(_AT_ONE, lambda _: "una", "hour"),) if locale.voice == "es" else ()),
    )


def _time(locale: Locale, hour: str, minute: str | None) -> str:
    """Spell a time of day; hours are feminine in all these languages: duas horas, une heure."""
    if minute is None:
        return _hours(locale, hour)
    form = locale.time if int(minute) else locale.hour
    return _of_hour(locale, form, hour, minute)


def _hours(locale: Locale, hour: str) -> str:
    """Spell a number of hours: 8 h -> 8 horas."""
    return _of_hour(locale, locale.hours, hour)


def _of_hour(locale: Locale, form: str, hour: str, minute: str = "0") -> str:
    """Fill a form with hour and minute; in the singular for one o'clock."""
    said = form.format(hour=counted(locale, int(hour), True), minute=int(minute))
    return singular(locale, said) if int(hour) == 1 else said


def _money(locale: Locale) -> tuple[Rewrite, ...]:
    """Build the rules for money ($5-10, $5, 5 €, 5 M€) and for magnitudes without a currency (5 mln di persone)."""
    signs, millions = _any(locale.currencies), _any(locale.millions)
    many = rf"(?:\s?(?P<millions>{millions})(?!\w)(?:\s(?:de|di|d['’])(?=\s?(?:{signs})))?)?"

    def expand(found: re.Match[str]) -> str:
        return _amount(locale, found["number"], found["sign"], found["millions"])

    between = rf"(?<!\w)(?P<sign>{signs})\s?(?P<first>{_NUMBER})\s?[-–—]\s?(?:{signs})?\s?(?P<number>{_NUMBER}){many}"
    return (
        Rewrite(re.compile(between), lambda found: f"{found['first']} {locale.to} {expand(found)}"),
        Rewrite(re.compile(rf"(?<!\w)(?P<sign>{signs})\s?(?P<number>{_NUMBER}){many}"), expand),
        Rewrite(re.compile(rf"(?P<number>{_NUMBER}){many}\s?(?P<sign>{signs})(?!\w)"), expand),
        Rewrite(
            re.compile(rf"(?<=\d)\s?(?P<millions>{_any(_short(locale.millions))})(?=\s(?:de|di|d['’])\s?\w)"),
            lambda found: f" {locale.millions[found['millions']][1]}",
        ),
    )


def _short(millions: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the magnitudes that are abbreviations: mln, but not milione."""
    return [written for written, (one, many) in millions.items() if written not in (one, many)]


def _amount(locale: Locale, number: str, sign: str, millions: str | None) -> str:
    """Spell a sum: 1.299,99 and € -> 1299 euros con 99 céntimos.

    A mark before exactly two final digits is the decimal one; all others separate thousands.
    """
    one, many, hundredths = locale.currencies[sign]
    if millions:
        return _millions(locale, number, millions, many)
    parts = re.fullmatch(r"(.*?)(?:[.,](\d\d))?", number)
    whole, cents = (parts[1], parts[2]) if parts else (number, None)
    said = one if whole == "1" else f"{re.sub('[.,]', '', whole)} {many}"
    if not cents or cents == "00" or not hundredths:
        return said
    return locale.money.format(whole=said, cents=f"{int(cents)} {hundredths}")


def _millions(locale: Locale, number: str, written: str, currency: str) -> str:
    """Spell a sum in millions and the like: 5 M€ -> 5 millones de euros, 3 Md€ -> 3 milliards d'euros."""
    one, many = locale.millions[written]
    # French elides de before a vowel; magnitudes that are adjectives (mil) take no preposition.
    before_consonant, before_vowel = locale.of
    of = before_vowel if currency[0] in "aeiouéà" else before_consonant
    if one in ("mil", "mila", *locale.currencies) or not of:
        of = ""
    joint = of if of.endswith("'") else f"{of} " if of else ""
    said = written if written in (one, many) else one if number == "1" else many
    return f"{number} {said} {joint}{currency}"
