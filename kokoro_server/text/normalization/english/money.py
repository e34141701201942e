"""Expand sums of money: $12.50, €1,299.99, £5m, $3.5 billion, 5 USD, $20/month.

Two decimals are cents; with another number of decimals or a magnitude, the number is spelled with a point and the
currency is plural. As an attribute the currency is singular: a $5 million deal.
"""

import re
from typing import NamedTuple

from kokoro_server.text.aligned import Replacement
from kokoro_server.text.normalization.english.number_words import INTEGER, NUMBER, spell_cardinal, spell_number
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import load_tables


class Currency(NamedTuple):
    """Name a currency's unit and its hundredth, singular and plural."""

    one: str
    many: str
    cent: str = "cent"
    cents: str = "cents"


_TABLES = load_tables(__name__)
_CURRENCY_SIGNS = {sign: Currency(*names) for sign, names in _TABLES["signs"].items()}
_CURRENCY_CODES = {code: Currency(*names) for code, names in _TABLES["codes"].items()}
_MAGNITUDES: dict[str, str] = _TABLES["magnitudes"]
_PERIODS: dict[str, str] = _TABLES["periods"]

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
_EUROPEAN_NUMBER = r"\d{1,3}(?:\.\d{3}){1,4},\d{2}(?!\d)"


def _spell_sum(written: str, magnitude: str, currency: Currency, british: bool) -> str:
    """Spell a sum: with its cents, or with a magnitude and a decimal point."""
    whole, point, decimals = written.replace(",", "").partition(".")
    # $3.5 billion, $1.234.
    if magnitude or (point and len(decimals) != 2):
        return f"{spell_number(written, british)} {magnitude + ' ' if magnitude else ''}{currency.many}"
    spoken_whole = _spell_unit_count(int(whole or 0), currency.one, currency.many, british)
    cents = _spell_unit_count(int(decimals or 0), currency.cent, currency.cents, british)
    if not int(decimals or 0):
        return spoken_whole
    return f"{spoken_whole} and {cents}" if int(whole or 0) else cents


def _spell_unit_count(number: int, one: str, many: str, british: bool) -> str:
    return f"{spell_cardinal(number, british)} {one if number == 1 else many}"


def _expand_sum(match: re.Match[str], context: TextContext, currency: Currency) -> RuleResult:
    """Expand a match with its range, magnitude, sign and period."""
    groups = match.groupdict()
    if context.is_attributive(*match.span()):
        currency = currency._replace(many=currency.one, cents=currency.cent)
    minus = "minus " if groups.get("minus") else ""
    per = _spell_period(groups.get("per"))
    long, british = groups.get("long"), context.is_british
    magnitude = _MAGNITUDES.get((groups.get("short") or "").lower(), "")
    if groups.get("to"):
        first = spell_number(match["number"], british)
        return f"{minus}{first} to {_spell_sum(match['to'], long or magnitude, currency, british)}{per}"
    # Two replacements, so that number and magnitude have times of their own.
    if long and groups["gap"] != "-":
        return [
            Replacement(minus + spell_number(match["number"], british), match.start(), match.end("number")),
            Replacement(f"{long} {currency.many}{per}", match.start("long"), match.end()),
        ]
    return minus + _spell_sum(match["number"], long or magnitude, currency, british) + per


def _spell_period(written: str | None) -> str:
    if not written:
        return ""
    period = _PERIODS.get(written[1:], written[1:])
    return " each" if period == "each" else f" per {period}"


def _expand_signed_sum(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a sum with a sign before it.

    In `$1.2 to $1.5 billion` the first number takes magnitude and currency from the second.
    """
    groups = match.groupdict()
    whole = groups.get("short") or groups.get("long") or groups.get("to") or groups.get("per")
    ahead = _SHARED_AHEAD.match(context.text, match.end())
    if not whole and ahead and float(match["number"].replace(",", "")) < float(ahead["last"].replace(",", "")):
        return spell_number(match["number"], context.is_british)
    return _expand_sum(match, context, _CURRENCY_SIGNS[match["sign"]])


def _expand_coded_sum(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a sum with a code, or with a sign after it."""
    return _expand_sum(match, context, _CURRENCY_CODES.get(match["sign"]) or _CURRENCY_SIGNS[match["sign"]])


def _expand_european_sum(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a sum with points between thousands and a decimal comma: €1.299,50."""
    number = match["number"].replace(".", "").replace(",", ".")
    return _spell_sum(number, "", _CURRENCY_SIGNS[match["sign"]], context.is_british)


def _expand_cents(match: re.Match[str], context: TextContext) -> RuleResult:
    return _spell_unit_count(int(match["number"].replace(",", "")), "cent", "cents", context.is_british)


def _expand_pence(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand pence: 50p in British English, 1,204.50p anywhere; 1080p is a screen."""
    number = match["number"]
    if not (context.is_british or "." in number):
        return None
    return "one penny" if number == "1" else f"{spell_number(number, context.is_british)} pence"


def _expand_range_dash(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace the dash of a range: $1M–$2M."""
    return " to " if context.get_char_before(match.start()).isalnum() else None


# A second sum with a magnitude, which the first one shares if it is smaller.
_SHARED_AHEAD = re.compile(
    rf"(?: to | and | or | ?[-–—] ?)[$£€](?P<last>{NUMBER}) ?(?:m|b|[bm]n|million|billion|trillion)\b"
)
_AFTER_SIGN = rf"(?:{_MAGNITUDE}|{_LONG})?"
SIGN_RULES: tuple[Rule, ...] = (
    # paid €1.299,50 today -> paid one thousand two hundred ninety-nine euros and fifty cents today
    compile_rule(rf"(?P<minus>[-−–])?{_SIGN} ?(?P<number>{_EUROPEAN_NUMBER})", _expand_european_sum),
    # pays $20/month now -> pays twenty dollars per month now
    compile_rule(
        rf"(?P<minus>[-−–])?{_SIGN} ?-?(?P<number>{NUMBER})(?:{_TO})?{_AFTER_SIGN}{_PER}?(?!\w)", _expand_signed_sum
    ),
    # A sum that a word follows at once: $5off.
    compile_rule(rf"(?P<minus>[-−–])?{_SIGN} ?(?P<number>{NUMBER})", _expand_signed_sum),
)
# from $1M–$2M now -> from one million dollars to two million dollars now
TO_RULES: tuple[Rule, ...] = (compile_rule(r"[-–—](?=[$£€]\d|(?:noon|midnight|dusk|close)\b)", _expand_range_dash),)
# paid USD 5 now -> paid five US dollars now
CODE_RULES: tuple[Rule, ...] = (compile_rule(rf"{_CODE} ?(?P<number>{NUMBER}){_AFTER_SIGN}", _expand_coded_sum),)
DIGIT_RULES: tuple[Rule, ...] = (
    compile_rule(rf"(?P<number>{_EUROPEAN_NUMBER}) ?(?P<sign>[£€])", _expand_european_sum),
    # paid 5€ now -> paid five euros now
    compile_rule(rf"(?P<number>{NUMBER}){_AFTER_SIGN} ?(?P<sign>[€£¥₹])(?!\d)", _expand_coded_sum),
    # paid 5 USD now -> paid five US dollars now
    compile_rule(rf"(?P<number>{NUMBER}){_AFTER_SIGN} ?{_CODE}\b", _expand_coded_sum),
    # costs 50¢ now -> costs fifty cents now
    compile_rule(rf"(?P<number>{INTEGER}) ?¢", _expand_cents),
    # British: costs 50p now -> costs fifty pence now
    compile_rule(rf"(?P<number>\d{{1,3}}(?!\d)|{INTEGER}\.\d{{1,3}})p\b", _expand_pence),
)
