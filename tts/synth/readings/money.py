"""Expand sums of money: $12.50, €1,299.99, £5m, $3.5 billion, 5 USD, $20/month.

Two decimals are cents; with another number of decimals or a magnitude, the number is spelled with a point and the
currency is plural. As an attribute the currency is singular: a $5 million deal.
"""

import re
from typing import NamedTuple

from tts.synth.readings.numbers import INTEGER, NUMBER, amount, cardinal
from tts.synth.readings.passage import Passage, Rule, Said, rule
from tts.synth.readings.reading import Reading


class Currency(NamedTuple):
    """Name a currency's unit and its hundredth, singular and plural."""

    one: str
    many: str
    cent: str = "cent"
    cents: str = "cents"


_DOLLAR = Currency("dollar", "dollars")
_POUND = Currency("pound", "pounds", "penny", "pence")
_EURO = Currency("euro", "euros")
_YEN = Currency("yen", "yen", "sen", "sen")
_RUPEE = Currency("rupee", "rupees", "paisa", "paise")


def _kind(kind: str, of: Currency) -> Currency:
    """Return a currency with an adjective: Canadian dollar."""
    return Currency(f"{kind} {of.one}", f"{kind} {of.many}", of.cent, of.cents)


_SIGNS = {
    "$": _DOLLAR,
    "£": _POUND,
    "€": _EURO,
    "¥": _YEN,
    "₹": _RUPEE,
    "₩": Currency("won", "won"),
    "₽": Currency("ruble", "rubles", "kopeck", "kopecks"),
    "₿": Currency("bitcoin", "bitcoin"),
    "US$": _kind("US", _DOLLAR),
    "A$": _kind("Australian", _DOLLAR),
    "AU$": _kind("Australian", _DOLLAR),
    "C$": _kind("Canadian", _DOLLAR),
    "CA$": _kind("Canadian", _DOLLAR),
    "NZ$": _kind("New Zealand", _DOLLAR),
    "HK$": _kind("Hong Kong", _DOLLAR),
    "S$": _kind("Singapore", _DOLLAR),
    "R$": Currency("real", "reais", "centavo", "centavos"),
}
_CODES = {
    "USD": _kind("US", _DOLLAR),
    "EUR": _EURO,
    "GBP": _kind("British", _POUND),
    "JPY": _kind("Japanese", _YEN),
    "CAD": _kind("Canadian", _DOLLAR),
    "AUD": _kind("Australian", _DOLLAR),
    "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"),
    "INR": _kind("Indian", _RUPEE),
    "CNY": Currency("Chinese yuan", "Chinese yuan", "fen", "fen"),
    "BTC": Currency("bitcoin", "bitcoin"),
    "Rs": _RUPEE,
    "Rs.": _RUPEE,
}
_MAGNITUDES = {
    "k": "thousand",
    "m": "million",
    "mn": "million",
    "mm": "million",
    "mil": "million",
    "b": "billion",
    "bn": "billion",
    "bil": "billion",
    "t": "trillion",
    "tn": "trillion",
}
# What follows a slash, if it is not a word itself: $5/hr.
_PERIODS = {"hr": "hour", "h": "hour", "wk": "week", "mo": "month", "yr": "year", "y": "year", "lb": "pound"}
_PERIODS |= {
    "kg": "kilogram",
    "oz": "ounce",
    "gal": "gallon",
    "GB": "gigabyte",
    "TB": "terabyte",
    "kWh": "kilowatt hour",
    "MWh": "megawatt hour",
    "bbl": "barrel",
    "t": "ton",
    "sqft": "square foot",
    "m²": "square meter",
    "m": "meter",
    "km": "kilometer",
    "mi": "mile",
    "min": "minute",
    "ea": "each",
}

# The groups that an action reads: sign, short or long (magnitude), gap, dash, to, per.
_SIGN = r"(?P<sign>(?:US|AU?|CA?|NZ|HK|S|R)?\$|[£€¥₹₩₽₿])"
_CODE = r"(?P<sign>Rs\.?(?= ?\d)|USD|EUR|GBP|JPY|CAD|AUD|CHF|INR|CNY|BTC)"
_MAGNITUDE = r"(?P<short>[kKmMbBtT]|[mb]il|[bmt]n|mm|BN|MN)(?![\w])"
_LONG = r"(?P<gap>[ \u00a0-])(?P<long>hundred|thousand|lakh|million|crore|billion|trillion)s?\b"
_TO = rf"(?P<dash> ?[-–—] ?)(?:[$£€¥])?(?P<to>{NUMBER})"
_PER = (
    r"(?P<per>/(?:hour|hr|h|day|week|wk|month|mo|year|yr|person|head|kg|lb|oz|gal|unit|user|seat|share|GB|TB|min|night"
    r"|ea|bbl|barrel|tonne|ton|t|kWh|MWh|sqft|acre|word|page|item|mile|mi|km|m²|m)(?!\w))"
)
# Points between groups of three digits, and a comma before two decimals.
_EUROPEAN = r"\d{1,3}(?:\.\d{3}){1,4},\d{2}(?!\d)"


def _sum(written: str, magnitude: str, currency: Currency, british: bool) -> str:
    """Spell a sum: with its cents, or with a magnitude and a decimal point."""
    whole, point, decimals = written.replace(",", "").partition(".")
    # $3.5 billion, $1.234.
    if magnitude or (point and len(decimals) != 2):
        return f"{amount(written, british)} {magnitude + ' ' if magnitude else ''}{currency.many}"
    spoken_whole = _count(int(whole or 0), currency.one, currency.many, british)
    cents = _count(int(decimals or 0), currency.cent, currency.cents, british)
    if not int(decimals or 0):
        return spoken_whole
    return f"{spoken_whole} and {cents}" if int(whole or 0) else cents


def _count(number: int, one: str, many: str, british: bool) -> str:
    return f"{cardinal(number, british)} {one if number == 1 else many}"


def _say(found: re.Match[str], passage: Passage, currency: Currency) -> Said:
    """Expand a match with its range, magnitude, sign and period."""
    groups = found.groupdict()
    if passage.is_attribute(*found.span()):
        currency = currency._replace(many=currency.one, cents=currency.cent)
    minus = "minus " if groups.get("minus") else ""
    per = _per(groups.get("per"))
    long, british = groups.get("long"), passage.british
    magnitude = _MAGNITUDES.get((groups.get("short") or "").lower(), "")
    if groups.get("to"):
        first = amount(found["number"], british)
        return f"{minus}{first} to {_sum(found['to'], long or magnitude, currency, british)}{per}"
    # Two replacements, so that number and magnitude have times of their own.
    if long and groups["gap"] != "-":
        return [
            Reading(minus + amount(found["number"], british), found.start(), found.end("number")),
            Reading(f"{long} {currency.many}{per}", found.start("long"), found.end()),
        ]
    return minus + _sum(found["number"], long or magnitude, currency, british) + per


def _per(written: str | None) -> str:
    if not written:
        return ""
    period = _PERIODS.get(written[1:], written[1:])
    return " each" if period == "each" else f" per {period}"


def _signed(found: re.Match[str], passage: Passage) -> Said:
    """Expand a sum with a sign before it.

    In `$1.2 to $1.5 billion` the first number takes magnitude and currency from the second.
    """
    groups = found.groupdict()
    whole = groups.get("short") or groups.get("long") or groups.get("to") or groups.get("per")
    ahead = _SHARED_AHEAD.match(passage.text, found.end())
    if not whole and ahead and float(found["number"].replace(",", "")) < float(ahead["last"].replace(",", "")):
        return amount(found["number"], passage.british)
    return _say(found, passage, _SIGNS[found["sign"]])


def _coded(found: re.Match[str], passage: Passage) -> Said:
    """Expand a sum with a code, or with a sign after it."""
    return _say(found, passage, _CODES.get(found["sign"]) or _SIGNS[found["sign"]])


def _european(found: re.Match[str], passage: Passage) -> Said:
    """Expand a sum with points between thousands and a decimal comma: €1.299,50."""
    number = found["number"].replace(".", "").replace(",", ".")
    return _sum(number, "", _SIGNS[found["sign"]], passage.british)


def _cents(found: re.Match[str], passage: Passage) -> Said:
    return _count(int(found["number"].replace(",", "")), "cent", "cents", passage.british)


def _penny(found: re.Match[str], passage: Passage) -> Said:
    """Expand pence: 50p in British English, 1,204.50p anywhere; 1080p is a screen."""
    number = found["number"]
    if not (passage.british or "." in number):
        return None
    return "one penny" if number == "1" else f"{amount(number, passage.british)} pence"


def _to(found: re.Match[str], passage: Passage) -> Said:
    """Replace the dash of a range: $1M–$2M."""
    return " to " if passage.before(found.start()).isalnum() else None


# A second sum with a magnitude, which the first one shares if it is smaller.
_SHARED_AHEAD = re.compile(
    rf"(?: to | and | or | ?[-–—] ?)[$£€](?P<last>{NUMBER}) ?(?:m|b|[bm]n|million|billion|trillion)\b"
)
_AFTER_SIGN = rf"(?:{_MAGNITUDE}|{_LONG})?"
SIGN_RULES: tuple[Rule, ...] = (
    # paid €1.299,50 today -> paid one thousand two hundred ninety-nine euros and fifty cents today
    rule(rf"(?P<minus>[-−–])?{_SIGN} ?(?P<number>{_EUROPEAN})", _european),
    # pays $20/month now -> pays twenty dollars per month now
    rule(rf"(?P<minus>[-−–])?{_SIGN} ?-?(?P<number>{NUMBER})(?:{_TO})?{_AFTER_SIGN}{_PER}?(?!\w)", _signed),
    # A sum that a word follows at once: $5off.
    rule(rf"(?P<minus>[-−–])?{_SIGN} ?(?P<number>{NUMBER})", _signed),
)
# from $1M–$2M now -> from one million dollars to two million dollars now
TO_RULES: tuple[Rule, ...] = (rule(r"[-–—](?=[$£€]\d|(?:noon|midnight|dusk|close)\b)", _to),)
# paid USD 5 now -> paid five US dollars now
CODE_RULES: tuple[Rule, ...] = (rule(rf"{_CODE} ?(?P<number>{NUMBER}){_AFTER_SIGN}", _coded),)
DIGIT_RULES: tuple[Rule, ...] = (
    rule(rf"(?P<number>{_EUROPEAN}) ?(?P<sign>[£€])", _european),
    # paid 5€ now -> paid five euros now
    rule(rf"(?P<number>{NUMBER}){_AFTER_SIGN} ?(?P<sign>[€£¥₹])(?!\d)", _coded),
    # paid 5 USD now -> paid five US dollars now
    rule(rf"(?P<number>{NUMBER}){_AFTER_SIGN} ?{_CODE}\b", _coded),
    # costs 50¢ now -> costs fifty cents now
    rule(rf"(?P<number>{INTEGER}) ?¢", _cents),
    # British: costs 50p now -> costs fifty pence now
    rule(rf"(?P<number>\d{{1,3}}(?!\d)|{INTEGER}\.\d{{1,3}})p\b", _penny),
)
