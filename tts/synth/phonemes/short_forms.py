"""Dates, times, money, units and abbreviations of one language as words, by the words of its `Locale`."""

import re
from collections.abc import Callable, Mapping

from tts.synth.phonemes.locales import Locale

Rewrite = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]

_NUMBER = r"\d+(?:[.,]\d+)*"
_THOUSANDS = re.compile(
    r"(?<![\d.,])\d{1,3}(?:[\u00a0\u202f]\d{3})+(?!\d)|(?<![\d.,])\d{1,3}(?: \d{3})+(?=,\d|\s?[€$£])"
)
_BEGIN, _END = r"(?<![\w.,/:-])", r"(?![\w/:]|[.,-]\d)"


def rewrites(locale: Locale) -> tuple[Rewrite, ...]:
    """What to replace in a text, in this order."""
    return (
        (_THOUSANDS, lambda found: re.sub(r"\s", "", found[0])),
        (_abbreviation_pattern(locale.abbreviations), lambda found: locale.abbreviations[found[0]]),
        (
            re.compile(rf"{_BEGIN}(\d{{1,2}})[/.](\d{{1,2}})[/.](\d{{4}}){_END}"),
            lambda f: _date(locale, f[1], f[2], f),
        ),
        (re.compile(rf"{_BEGIN}(\d{{4}})-(\d\d)-(\d\d){_END}"), lambda f: _date(locale, f[3], f[2], f, f[1])),
        (re.compile(rf"{_BEGIN}([01]?\d|2[0-3])(?:[:h]|\sh\s)([0-5]\d){_END}"), lambda f: _time(locale, f)),
        *_money(locale),
        (re.compile(rf"(?<=\d)\s?({_any(locale.units)})(?!\w)"), lambda f: f" {locale.units[f[1]]}"),
        (re.compile(r"(?<=\d)\s?%"), lambda _: f" {locale.percent}"),
        (re.compile(rf"(?<!\S)({_any(locale.symbols)})(?!\S)"), lambda f: locale.symbols[f[1]]),
        *(((re.compile(r"(?<=\d),(?=\d\d\d?(?:\D|$))"), lambda _: ""),) if locale.english_numbers else ()),
    )


def _any(words: Mapping[str, object]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def _abbreviation_pattern(abbreviations: Mapping[str, str]) -> re.Pattern[str]:
    words = _any(abbreviations).replace(r"\ ", r"[\ \u00a0\u202f]?")
    return re.compile(rf"(?<![\w.])(?:{words})(?!\w)") if words else re.compile("(?!)")


def _date(locale: Locale, day: str, month: str, found: re.Match[str], year: str = "") -> str:
    if not 1 <= int(month) <= 12 or not 1 <= int(day) <= 31:
        return found[0]
    said = locale.first if int(day) == 1 else str(int(day))
    return locale.date.format(day=said, month=locale.months.split()[int(month) - 1], year=year or found[3])


def _time(locale: Locale, found: re.Match[str]) -> str:
    hour, minute = int(found[1]), int(found[2])
    if not minute:
        return locale.hour.format(hour=hour)
    return locale.time.format(hour=hour, minute=minute)


def _money(locale: Locale) -> tuple[Rewrite, Rewrite]:
    signs = _any(locale.currencies)
    return (
        (re.compile(rf"({signs})\s?({_NUMBER})"), lambda found: _amount(locale, found[2], found[1])),
        (re.compile(rf"({_NUMBER})\s?({signs})(?!\w)"), lambda found: _amount(locale, found[1], found[2])),
    )


def _amount(locale: Locale, number: str, sign: str) -> str:
    """`1.299,99` and `€` as "1.299 euros con 99 céntimos": the last mark before two digits is the decimal one."""
    one, many, hundredths = locale.currencies[sign]
    parts = re.fullmatch(r"(.*?)(?:[.,](\d\d))?", number)
    whole, cents = (parts[1], parts[2]) if parts else (number, None)
    said = one if whole == "1" else f"{re.sub('[.,]', '', whole)} {many}"
    if not cents or cents == "00" or not hundredths:
        return said
    return locale.money.format(whole=said, cents=f"{int(cents)} {hundredths}")
