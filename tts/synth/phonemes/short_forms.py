"""Dates, times, money, units, addresses and abbreviations of one language as words, by the words of its `Locale`."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tts.synth.phonemes import numerals
from tts.synth.phonemes.locales import Locale
from tts.synth.phonemes.numerals import BEGIN, END, Rewrite

_NUMBER = r"\d{1,15}(?:[.,]\d{1,15}){0,6}"
_THOUSANDS = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[\u00a0\u202f]\d{3}){1,6}(?!\d)|(?<![\d.,])\d{1,3}(?: \d{3}){1,6}(?=,\d|\s?[€$£])"
    r"|(?<![\d.,] )(?<![\d.,])[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d| ?\d)"
)
_TOP = "com|org|net|edu|gov|info|io|es|fr|it|br|in|mx|ar|cl|co|pt|eu|uk|de|ch|be|ca|us|tv"
_NAME = r"[^\W_](?:[\w-]{0,62}[^\W_])?"
_ADDRESS = re.compile(
    rf"(?P<mail>\b[\w.+-]{{1,64}}@(?:{_NAME}\.){{1,4}}[^\W\d_]{{2,12}}\b)"
    rf"|(?:https?://|\b(?=www\.))(?P<link>(?:{_NAME}\.){{1,5}}[^\W\d_]{{2,12}}(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)"
    rf"|(?<![\w.@-])(?P<host>(?:{_NAME}\.){{1,4}}(?:{_TOP})(?:/[\w/.?=&%#-]{{0,200}}[\w/])?)(?![\w@-]|\.\w)",
    re.IGNORECASE,
)


_BETWEEN = frozenset("<>*")
"""Signs that are said between two things alone."""


_BEFORE_NAMES = frozenset({"Me", "St", "Ste"})
_NAME_AHEAD = re.compile(r"(?:-|[ \u00a0\u202f]{1,2})(?:[^\W\d_a-zà-ÿ][a-zà-ÿ]|(?:et|y|e)\s)")
_NAME_BEHIND = re.compile(
    r"(?:^|[.,;:!?(¿¡\"'«“\n]\s?|\b(?:y|e|a|de|del|con|por|para|que|na|no|da|do|em|à|com|et|le|la|o|à|chez|avec|est)\s)$"
)


class _Date(NamedTuple):
    """A date's parts as they are written; without a year it has none."""

    day: str
    month: str
    year: str = ""


def rewrites(locale: Locale) -> tuple[Rewrite, ...]:
    """What to replace in a text, in this order."""
    return (
        *_addresses(locale),
        *numerals.telephones(locale),
        Rewrite(_THOUSANDS, lambda found: re.sub(r"\s", "", found[0])),
        *_abbreviations(locale),
        *_dates(locale),
        *_times(locale),
        *numerals.ordinals(locale),
        *numerals.romans(locale),
        *_money(locale),
        *numerals.fractions(locale),
        *numerals.ranges(locale),
        Rewrite(re.compile(rf"(?<=\d)\s?({_any(locale.units)})(?!\w)"), lambda f: f" {locale.units[f[1]]}"),
        Rewrite(re.compile(r"(?<=\d)\s?%"), lambda _: f" {locale.percent}"),
        Rewrite(re.compile(r"(?<=\d) ?[x×] ?(?=\d)|(?<=\d\s)[x×](?=\s\d)"), lambda _: f" {locale.by} "),
        Rewrite(re.compile(rf"(?<!\S)({_any(set(locale.symbols) - _BETWEEN)})(?!\S)"), lambda f: locale.symbols[f[1]]),
        Rewrite(re.compile(r"(?<=[\w)]\s)([<>*])(?=\s[\w(])"), lambda f: locale.symbols[f[1]]),
        Rewrite(re.compile(r"~\s?(?=\d)"), lambda _: f"{locale.about} "),
        *((Rewrite(re.compile(r"(?<=\d),(?=\d\d\d?(?:\D|$))"), lambda _: ""),) if locale.english_numbers else ()),
    )


def _any(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _addresses(locale: Locale) -> tuple[Rewrite, ...]:
    signs = {sign: f" {said} " for sign, said in locale.web.items() if len(sign) == 1}

    def say(found: re.Match[str]) -> str:
        written = (found["mail"] or found["link"] or found["host"]).rstrip("/")
        said = "".join(signs.get(sign, sign) for sign in written)
        return re.sub(r"\bwww\b", locale.web["www"], said, flags=re.IGNORECASE)

    return (Rewrite(_ADDRESS, say),)


def _abbreviations(locale: Locale) -> tuple[Rewrite, Rewrite]:
    words = _any(locale.abbreviations).replace(r"\ ", r"[\ \u00a0\u202f]?")
    counted = _any(locale.counted) or "(?!)"
    return (
        Rewrite(
            re.compile(rf"(?<![\w.])(?:{words})(?:(?<=/)|(?!\w))"),
            lambda found: _in_full(found, locale),
        ),
        Rewrite(
            re.compile(rf"(?<![\w.])(?i:(?P<word>{counted}))(?=(?P<gap>\s?)(?:\d|[IVXLC]{{1,8}}\b))"),
            lambda found: locale.counted[found["word"].lower()] + ("" if found["gap"] else " "),
            "word",
        ),
    )


def _in_full(found: re.Match[str], locale: Locale) -> str:
    """What the abbreviation stands for; D. and M. are one only where a name follows, and not behind `vitamin`."""
    written = found[0]
    if written in _BEFORE_NAMES and not _NAME_AHEAD.match(found.string, found.end()):
        return written
    if len(written) == 2 and written[0].isupper() and written[1] == ".":
        behind = found.string[max(0, found.start() - 12) : found.start()]
        if not (_NAME_AHEAD.match(found.string, found.end()) and _NAME_BEHIND.search(behind)):
            return written
    return locale.abbreviations.get(written) or locale.abbreviations[_spaced(written, locale)]


def _spaced(written: str, locale: Locale) -> str:
    """The abbreviation as it is listed, whatever its spaces are here."""
    bare = re.sub(r"\s", "", written)
    return next(each for each in locale.abbreviations if re.sub(r"\s", "", each) == bare)


def _dates(locale: Locale) -> tuple[Rewrite, ...]:
    months = locale.months.split()
    short = locale.short_months.split()

    def name(found: re.Match[str]) -> str:
        return next(
            month for month, pattern in zip(months, short, strict=True) if re.fullmatch(pattern, found["month"])
        )

    named = rf"\b\d{{1,2}}\s(?:de\s)?(?P<written>(?P<month>{'|'.join(short) or '(?!)'})(?:\.|(?=\s(?:de\s)?\d{{4}}\b)))"
    return (
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{1,2}})([/.-])(\d{{1,2}})\2(\d{{4}}){END}"),
            lambda f: _date(locale, _Date(f[1], f[3], f[4]), f[0]),
        ),
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{4}})-(\d\d)-(\d\d){END}"), lambda f: _date(locale, _Date(f[3], f[2], f[1]), f[0])
        ),
        Rewrite(
            re.compile(rf"{BEGIN}(\d{{1,2}})/(0\d|1[0-2])(?=\s[^\d\s]|\W?\s?$){END}"),
            lambda f: _date(locale, _Date(f[1], f[2]), f[0]),
        ),
        Rewrite(re.compile(named), name, "written"),
    )


def _date(locale: Locale, date: _Date, written: str) -> str:
    if not 1 <= int(date.month) <= 12 or not 1 <= int(date.day) <= 31:
        return written
    said = locale.first if int(date.day) == 1 else str(int(date.day))
    form = locale.date if date.year else re.sub(r"\s(?:de\s)?\{year\}", "", locale.date)
    return form.format(day=said, month=locale.months.split()[int(date.month) - 1], year=date.year)


def _times(locale: Locale) -> tuple[Rewrite, ...]:
    ends = rf"(?:\s?(?:{locale.clock_ends})(?!\w)\.?)?"
    hour = re.compile(rf"{BEGIN}([01]?\d|2[0-4])\s?h(?![\w/]|\s?\d)")
    dotted = re.compile(r"\b(?:ore|alle|dalle)\s(?P<time>([01]?\d|2[0-3])\.([0-5]\d))(?![\d.])")
    return (
        Rewrite(
            re.compile(rf"{BEGIN}([01]?\d|2[0-3])(?:[:h]|\sh\s)([0-5]\d)(?:(?={ends}){ends})(?![\w/:]|[.,-]\d)"),
            lambda f: _time(locale, f[1], f[2]),
        ),
        Rewrite(hour, lambda f: locale.hours.format(hour=int(f[1]))),
        *((Rewrite(dotted, lambda f: _time(locale, f[2], f[3]), "time"),) if locale.voice == "it" else ()),
    )


def _time(locale: Locale, hour: str, minute: str) -> str:
    if not int(minute):
        return locale.hour.format(hour=int(hour))
    return locale.time.format(hour=int(hour), minute=int(minute))


def _money(locale: Locale) -> tuple[Rewrite, ...]:
    signs, millions = _any(locale.currencies), _any(locale.millions)
    many = rf"(?:\s?(?P<millions>{millions})(?!\w)(?:\s(?:de|di|d['’])(?=\s?(?:{signs})))?)?"
    say = lambda found: _amount(locale, found["number"], found["sign"], found["millions"])  # noqa: E731
    return (
        Rewrite(re.compile(rf"(?<!\w)(?P<sign>{signs})\s?(?P<number>{_NUMBER}){many}"), say),
        Rewrite(re.compile(rf"(?P<number>{_NUMBER}){many}\s?(?P<sign>{signs})(?!\w)"), say),
        Rewrite(
            re.compile(rf"(?<=\d)\s?(?P<millions>{_any(_short(locale.millions))})(?=\s(?:de|di|d['’])\s?\w)"),
            lambda found: f" {locale.millions[found['millions']][1]}",
        ),
    )


def _short(millions: Mapping[str, tuple[str, str]]) -> list[str]:
    """Those that are abbreviations: `5 mln di persone`."""
    return [written for written, (one, many) in millions.items() if written not in (one, many)]


def _amount(locale: Locale, number: str, sign: str, millions: str | None) -> str:
    """`1.299,99` and `€` as "1.299 euros con 99 céntimos": the last mark before two digits is the decimal one."""
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
    """`5 M€` as "5 millones de euros", `3 Md€` as "3 milliards d'euros"."""
    one, many = locale.millions[written]
    before_consonant, before_vowel = locale.of
    of = before_vowel if currency[0] in "aeiouéà" else before_consonant
    if one in ("mil", "mila", *locale.currencies) or not of:
        of = ""
    joint = of if of.endswith("'") else f"{of} " if of else ""
    return f"{number} {one if number == '1' else many} {joint}{currency}"
