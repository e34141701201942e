"""Expand dates, times of day and years, in American or British order.

3/4 is March fourth in American English and the third of April in British English. Where a month is named, the written
order of day and month is kept. Two numbers with a slash are a date only after a word such as `on`, or if they can
hardly be a fraction; four digits are a year unless the word before or after makes a count or a label of them.
"""

import re

from kokoro_server.text.aligned import Replacement
from kokoro_server.text.normalization.english.number_words import (
    spell_cardinal,
    spell_decade,
    spell_digits,
    spell_ordinal,
    spell_year,
)
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import parse_words

_MONTHS: tuple[str, ...] = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
)
_MONTHS += ("November", "December")
_SHORT_MONTHS = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_DAY_NAMES = {name[:3]: name for name in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}
_MONTH_NAMES = {name: name for name in _MONTHS} | _SHORT_MONTHS
_MONTH_NAMES |= {name.upper(): full for name, full in _MONTH_NAMES.items()}
_MONTH = "(?P<month>" + "|".join(sorted(_MONTH_NAMES, key=len, reverse=True)) + r")\b(?P<dot>\.?)"
_YEAR = r"(?P<year>[12]\d{3})(?![\d,]\d|\d)"
# Patterns named _X_BEFORE are searched in the text that ends at the match, those named _X_AHEAD match after it.
_DATE_BEFORE = re.compile(
    rf"\b(?:{'|'.join(sorted(_MONTH_NAMES, key=len, reverse=True))})\.? "
    r"(?:\d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?|\d{4}) ?$"
)
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?P<suffix>st|nd|rd|th)?(?!\d|[:/%]\d|\.\d|,\d{3})"
_TO_DAY = r"(?:(?P<dash> ?[-–—] ?)(?P<last>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?(?![\d:/]))?"

# Words that make a year of the number after them, even before a noun in the plural.
_BEFORE_YEAR = parse_words("""
    in since from by of year circa c until till before after during early late mid spring summer fall
    autumn winter between around and through the to january february march april may june july august
    september october november december class copyright ©
""")
# Words after a count, beside the plurals in -s.
_AFTER_COUNT = parse_words("people men women children percent times more or others calories degrees dollars feet")
# Nouns after which a number is a label: room 1984.
_LABELED_NOUNS = parse_words(
    "room route highway flight bus channel gate platform suite apartment extension unit model area interstate"
)
# Words in -s that are no plural, so that 1984 was is a year.
_NOT_PLURALS = parse_words("was is has this as his its us across always perhaps does yes plus thus")
_ZONE_AHEAD = re.compile(
    r" (?:[ECMP][SD]?T|GMT|UTC|BST|CES?T|[IJK]ST|AE[SD]T|Eastern|Central|Mountain|Pacific|local|sharp)\b"
)
_BEFORE_DAY = parse_words("on by to until till next last this every from")
_DAY_GOES_ON = re.compile(
    r" (?:thru|through|morning|evening|afternoon|nights?)\b| (?:to|and|or|&) (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)| at \d"
)
# Words after which `at 9.30` is a price or a rate.
_PRICE_BEFORE = re.compile(r"\b(?:clos|trad|stood|fixed|priced|rated|peaked|rate|yield|pound|euro|pH)")
# Ant and Dec are two presenters; Hex, Dec and Bin are number systems.
_ANT_BEFORE = re.compile(r"\bAnt (?:and|&) $")
_BASE_NEAR = re.compile(r"\b(?:Hex|Bin)\b|Dec [+−-]?\d")
_BEFORE_JANUARY = parse_words("in since until early late mid next last this every through dec nov december")
_BEFORE_DATE = parse_words("on by until before after from since due dated till through")


def _spell_day(number: str, context: TextContext) -> str:
    return spell_ordinal(int(number), context.is_british)


def _format_date(month: str, day: str, context: TextContext) -> str:
    if context.is_british:
        return f"the {_spell_day(day, context)} of {month}"
    return f"{month} {_spell_day(day, context)}"


def _complete_year(written: str) -> int:
    number = int(written)
    # 00 to 49: this century.
    return number if len(written) == 4 else number + (2000 if number < 50 else 1900)


def _expand_month_first(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand March 3rd, 2024; the year is a replacement of its own, so that its word has its own time."""
    # May is a verb and Mar a name; the other months are certain.
    if match["month"] in ("May", "MAY", "Mar") and not _is_date(match, context):
        return None
    article = "the " if context.is_british else ""
    day = article + _spell_day(match["day"], context)
    if match["last"]:
        day += f" to {article}{_spell_day(match['last'], context)}"
    replacements = [
        Replacement(_MONTH_NAMES[match["month"]], match.start(), match.end("dot")),
        Replacement(day, *match.span("days")),
    ]
    if match["year"]:
        replacements.append(Replacement(spell_year(int(match["year"]), context.is_british), *match.span("year")))
    return replacements


def _is_date(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a month's name that is a word too begins a date.

    Only a noun after the number speaks against it: `may 5 people come`.
    """
    following = context.find_word_after(match.end())
    return not (following in _AFTER_COUNT and not match["suffix"])


def _expand_month_and_year(match: re.Match[str], context: TextContext) -> RuleResult:
    return [
        Replacement(_MONTH_NAMES[match["month"]], match.start(), match.end("dot")),
        Replacement(spell_year(int(match["year"]), context.is_british), *match.span("year")),
    ]


def _expand_dotted_month(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a month's abbreviation with a full stop; keep the stop if it ends the sentence."""
    stop = "." if context.ends_sentence(match.end()) else ""
    return _MONTH_NAMES[match["month"]] + stop


def _expand_day_first(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand 14 Mar 2024 in its own order: the fourteenth of March."""
    article = "" if context.find_word_before(match.start()).lower() == "the" else "the "
    last = f" to {article}{_spell_day(match['last'], context)}" if match["last"] else ""
    of = "" if match["of"].strip() else " of"
    replacements = [
        Replacement(f"{article}{_spell_day(match['day'], context)}{last}{of}", *match.span("days")),
        Replacement(_MONTH_NAMES[match["month"]], match.start("month"), match.end("dot")),
    ]
    if match["of"] == "-":
        replacements.insert(1, Replacement(" ", *match.span("of")))
    if match["gap"] == "-":
        replacements.append(Replacement(" ", *match.span("gap")))
    if match["year"]:
        replacements.append(Replacement(spell_year(int(match["year"]), context.is_british), *match.span("year")))
    return replacements


def _expand_iso_date(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand an ISO date, with its time if it has one: 2024-03-14T15:09:26Z."""
    month, day = int(match["month"]), int(match["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    date = (
        f"{_format_date(_MONTHS[month - 1], str(day), context)}, {spell_year(int(match['year']), context.is_british)}"
    )
    if not match["clock"]:
        return date
    hour, minute, second = int(match["hour"]), match["minute"], match["second"]
    spoken = f"{date}, {_spell_clock_time(hour, minute, second, context)}"
    return spoken + (" U T C" if match["zone"] == "Z" else "")


def _expand_numeric_date(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a date of three numbers: 3/14/2024, 14.3.2024.

    Points mean the day first in American English too; a second number above 12 must be the day.
    """
    first, second = int(match["first"]), int(match["second"])
    month_first = not context.is_british if match["sign"] != "." else False
    # By order of the language, unless a number above 12 decides.
    month, day = (first, second) if (month_first and first <= 12) or second > 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    spoken_year = spell_year(_complete_year(match["year"]), context.is_british)
    return f"{_format_date(_MONTHS[month - 1], str(day), context)}, {spoken_year}"


def _expand_month_and_day(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand 3/14 after a word such as `on`, or if it can hardly be a fraction."""
    introduced = context.find_word_before(match.start()).lower() in _BEFORE_DATE
    if not introduced and not _is_likely_date(match, context):
        return None
    first, second = int(match["first"]), int(match["second"])
    month, day = (second, first) if context.is_british and second <= 12 else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _format_date(_MONTHS[month - 1], str(day), context)


def _is_likely_date(match: re.Match[str], context: TextContext) -> bool:
    """Return whether two numbers can hardly be a fraction, as 10/31."""
    first, second = int(match["first"]), int(match["second"])
    month, day = (second, first) if context.is_british else (first, second)
    # Sixteenths and twentieths are fractions: 3/16, 7/20.
    return month <= 12 and 12 < day <= 31 and second not in (16, 20)


def _expand_day_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of days: 3/18–3/22; one of the days must be above 12."""
    dates = []
    for first, second in ((match["a"], match["b"]), (match["c"], match["d"])):
        month, day = (int(second), int(first)) if context.is_british else (int(first), int(second))
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        dates.append((_format_date(_MONTHS[month - 1], str(day), context), day))
    return " to ".join(date for date, _ in dates) if max(day for _, day in dates) > 12 else None


def _expand_year_and_month(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand 2024-03; the 2008-09 season is two years."""
    # the 2008-09 season -> the two thousand eight to oh nine season
    season = (
        int(match["month"]) == int(match["year"][2:]) + 1 and context.find_word_before(match.start()).lower() == "the"
    )
    if season:
        return f"{spell_year(int(match['year']), context.is_british)} to {_spell_short_year(match['month'], context)}"
    return f"{_MONTHS[int(match['month']) - 1]} {spell_year(int(match['year']), context.is_british)}"


def _spell_clock_time(hour: int, minute: str, second: str | None, context: TextContext) -> str:
    british = context.is_british
    if minute == "00" and not second:
        if hour == 0:
            return "midnight"
        # 5:00: five o'clock; 17:00: seventeen hundred.
        return f"{spell_cardinal(hour, british)} o'clock" if hour <= 12 else f"{spell_cardinal(hour, british)} hundred"
    spoken = f"{spell_cardinal(hour, british)} {_spell_minutes(minute, british)}"
    if second and second != "00":
        seconds = int(second)
        spoken += f" and {spell_cardinal(seconds, british)} second{'' if seconds == 1 else 's'}"
    return spoken


def _spell_minutes(written: str, british: bool) -> str:
    if written == "00":
        return "hundred"
    # 7:05: seven oh five.
    return f"oh {spell_digits(written[1])}" if written[0] == "0" else spell_cardinal(int(written), british)


def _spell_half_day(written: str) -> str:
    return "A M" if written[0] in "aA" else "P M"


def _expand_time(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a time of day, or a duration such as 2:04:35."""
    hour, minute, second = int(match["hour"]), match["minute"], match["second"]
    if (
        hour > 24
        or int(minute) > 59
        or (match["sign"] == "." and not (match["half"] or _is_british_time(match, context)))
    ):
        return None
    # 12:00 noon.
    if match[0] == "12:00" and context.find_word_after(match.end()) in ("noon", "midnight"):
        return "twelve"
    # A clock writes 02:04:35.
    if second and hour < 10 and len(match["hour"]) == 1 and not match["half"]:
        return _spell_duration(hour, minute, second, context)
    if not match["half"]:
        return _spell_clock_time(hour, minute, second, context)
    whole = minute == "00" and not second
    spoken = spell_cardinal(hour, context.is_british) if whole else _spell_clock_time(hour, minute, second, context)
    return _add_half_day(match, context, spoken)


def _is_british_time(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a point separates hours and minutes: at 9.30 on Monday, which is no quantity."""
    at = context.is_british and context.find_word_before(match.start()).lower() in ("at", "until", "till")
    following = context.find_word_after(match.end())
    price = _PRICE_BEFORE.search(context.text[max(0, match.start() - 40) : match.start()])
    at = at and price is None and match["minute"][1] in "05"
    return at and following in ("", "on", "and", "in", "to", "for", "tomorrow", "today", "every", "sharp", "this")


def _spell_duration(hour: int, minute: str, second: str, context: TextContext) -> str:
    """Expand a duration: 2:04:35, whose first number has one digit."""
    parts = ((hour, "hour"), (int(minute), "minute"), (int(second), "second"))
    spoken = [f"{spell_cardinal(n, context.is_british)} {name}{'' if n == 1 else 's'}" for n, name in parts if n]
    return " and ".join(filter(None, (", ".join(spoken[:-1]), spoken[-1]))) if spoken else "zero"


def _expand_hour(match: re.Match[str], context: TextContext) -> RuleResult:
    if int(match["hour"]) > 12:
        return None
    return _add_half_day(match, context, spell_cardinal(int(match["hour"]), context.is_british))


def _expand_time_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of times: 5-7pm, 9:30am–5pm."""
    first, last = (_spell_written_time(match[group], context) for group in ("from", "to"))
    first += f" {_spell_half_day(match['first_half'])}" if match["first_half"] else ""
    return _add_half_day(match, context, f"{first} to {last}") if match["half"] else f"{first} to {last}"


def _spell_written_time(written: str, context: TextContext) -> str:
    hour, _, minute = written.replace(".", ":").partition(":")
    if minute in ("", "00"):
        return spell_cardinal(int(hour), context.is_british) + (" hundred" if minute and int(hour) > 12 else "")
    return _spell_clock_time(int(hour), minute, None, context)


def _add_half_day(match: re.Match[str], context: TextContext, spoken: str) -> RuleResult:
    """Add A M or P M, as a replacement of its own after a space; keep a full stop that ends the sentence."""
    half = _spell_half_day(match["half"])
    zone = _ZONE_AHEAD.match(context.text, match.end("half"))
    if match["half"].endswith(".") and not zone and context.ends_sentence(match.end("half")):
        half += "."
    if match["gap"]:
        return [Replacement(spoken, match.start(), match.start("gap")), Replacement(half, *match.span("half"))]
    return f"{spoken} {half}"


def _expand_name_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of days or months: Mon–Fri, Jan–Mar."""
    first, last = (_get_full_name(match[group]) for group in ("first", "last"))
    stop = "." if match[0].endswith(".") and context.ends_sentence(match.end()) else ""
    return [
        Replacement(f"{first} to ", *match.span("first")),
        Replacement("", *match.span("to")),
        Replacement(last + stop, *match.span("last")),
    ]


def _expand_short_day(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a short day's name: can we move it to Wed? Mon thru Fri.

    Mon, Sat, Sun and Wed may be other words or names, so they need a neighbour that shows that they are days.
    """
    before, following = context.find_word_before(match.start()).lower(), context.find_word_after(match.end())
    sure = match[0] not in ("Mon", "Sat", "Sun", "Wed") and not following.istitle()  # Thu Nguyen
    sure = sure or (before != "the" and _DAY_GOES_ON.match(context.text, match.end()) is not None)
    return _DAY_NAMES[match[0][:3]] if sure or before in _BEFORE_DAY else None


def _expand_undotted_month(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a short month's name: in Dec; Jan may be a person, so it needs a word such as `in` before it."""
    before = context.find_word_before(match.start()).lower()
    if match["month"] == "Jan" and before not in _BEFORE_JANUARY:
        return None
    ant = _ANT_BEFORE.search(context.text[max(0, match.start() - 8) : match.start()])
    base = _BASE_NEAR.search(context.text[max(0, match.start() - 12) : match.end() + 12])
    return None if ant or base else _MONTH_NAMES[match["month"]]


def _expand_date_hyphen(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace the hyphen of a range of dates: June 5-July 10."""
    if not _DATE_BEFORE.search(context.text, max(0, match.start() - 26), match.start()):
        return None
    return "to " if context.get_char_before(match.start()).isspace() else " to "


def _expand_until_now(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand the start of a range that ends today: 2020–present."""
    return [Replacement(f"{spell_year(int(match['year']), context.is_british)} to ", match.start(), match.end())]


def _expand_zone(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a time zone with its offset: GMT-5, UTC+2."""
    sign = "plus" if match["sign"] == "+" else "minus"
    return f"{match['zone']} {sign} {spell_cardinal(int(match['hours']), context.is_british)}"


def _expand_decade_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of decades: the '60s–'70s."""
    first, last = (spell_decade(int(match[group]), context.is_british) for group in ("first", "last"))
    return f"{first} to {last}"


def _expand_day_name(match: re.Match[str], context: TextContext) -> RuleResult:
    return _DAY_NAMES[match[0]]


def _get_full_name(written: str) -> str:
    name = written.rstrip(".")
    return _DAY_NAMES.get(name[:3]) or _MONTH_NAMES.get(name, name)


def _expand_decade(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a decade: 90s, 1980s; 30s after an equals sign is a duration."""
    number = int(match["number"])
    if context.get_char_before(match.start()) in "=<>":
        return None  # timeout=30s
    # 20s to 90s, and 1100s or 1980s, but not 1000s.
    if number < 100 and (number < 20 or number % 10):
        return None
    if number >= 100 and (number % 10 or number == 1000):
        return None
    return spell_decade(number, context.is_british)


def _expand_short_year(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a year or decade without its century: '99, '60s."""
    number = int(match["number"])
    if match["tens"]:
        return spell_decade(number, context.is_british)
    return ("oh " if number < 10 else "") + spell_cardinal(number, context.is_british)


def _expand_year_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of years: 2019-2021, 1914–18."""
    first, last = int(match["first"]), match["last"]
    if len(last) == 4 and int(last) <= first:
        return None
    if len(last) == 2 and int(last) <= first % 100:
        return None
    spoken = spell_year(int(last), context.is_british) if len(last) == 4 else _spell_short_year(last, context)
    return f"{spell_year(first, context.is_british)} to {spoken}"


def _spell_short_year(written: str, context: TextContext) -> str:
    return ("oh " if written[0] == "0" else "") + spell_cardinal(int(written), context.is_british)


def _expand_year(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand four digits as a year, unless they count what follows."""
    number = int(match["year"])
    before = context.find_word_before(match.start()).lower()
    if before in _LABELED_NOUNS:
        return None
    following = context.find_word_after(match.end())
    plural = following.islower() and following.endswith("s") and len(following) > 2 and following not in _NOT_PLURALS
    # 1500 people, 2000 cars.
    counts = plural or following in _AFTER_COUNT
    if before not in _BEFORE_YEAR and (counts or not 1100 <= number < 2100):
        return None
    if counts and before in ("the", "and", "around", "between", "by", "of", "from", "to", "until", "after"):
        return None
    return spell_year(number, context.is_british) if number >= 1000 else None


DIGIT_RULES: tuple[Rule, ...] = (
    compile_rule(
        # on 2024-03-14 we -> on March fourteenth, twenty twenty-four we
        r"(?P<year>[12]\d{3})[-/.](?P<month>\d{2})[-/.](?P<day>\d{2})(?!\d)"
        r"(?P<clock>[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,6})?)?(?P<zone>Z)?)?",
        _expand_iso_date,
    ),
    compile_rule(
        # British: on 14/3/2024 we -> on the fourteenth of March, twenty twenty-four we
        r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?P=sign)"
        r"(?P<year>[12]\d{3}|(?<=[/])\d{2})(?![\d/]|\.\d)",
        _expand_numeric_date,
    ),
    # from 3/18–3/22 we -> from March eighteenth to March twenty-second we
    compile_rule(r"(?P<a>\d{1,2})/(?P<b>\d{1,2}) ?[-–—] ?(?P<c>\d{1,2})/(?P<d>\d{1,2})(?![\d/])", _expand_day_range),
    # on 3/14 we -> on March fourteenth we
    compile_rule(r"(?P<first>\d{1,2})/(?P<second>\d{1,2})(?![\d/.]\d|\d|[=+])", _expand_month_and_day),
    # in 2024-03 we -> in March twenty twenty-four we
    compile_rule(r"(?P<year>(?:19|20)\d{2})-(?P<month>0[1-9])(?![-\d])", _expand_year_and_month),
    compile_rule(
        # open 5-7pm daily -> open five to seven P M daily
        r"(?P<from>\d{1,2}(?:[:.][0-5]\d)?) ?(?P<first_half>[apAP]\.?[mM]\.?)?(?: ?[-–—] ?)"
        r"(?P<to>\d{1,2}(?:[:.][0-5]\d)?)(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM]))(?![\w])",
        _expand_time_range,
    ),
    compile_rule(
        # open 9:30–17:00 daily -> open nine thirty to seventeen hundred daily
        r"(?P<from>\d{1,2}:[0-5]\d)(?P<first_half>[apAP][mM])?(?: ?[-–—] ?)(?P<to>\d{1,2}:[0-5]\d)"
        r"(?![:\d])(?P<gap>)(?P<half>[apAP][mM]\b)?",
        _expand_time_range,
    ),
    compile_rule(
        # at 7:05 p.m. it -> at seven oh five P M it
        r"(?P<hour>\d{1,2})(?P<sign>[:.])(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.\d{1,6})?)?"
        r"(?:(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM](?![\w]))))?(?![\d:]|,\d{3})",
        _expand_time,
    ),
    # at 7pm it -> at seven P M it
    compile_rule(r"(?P<hour>\d{1,2})(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM](?![\w])))", _expand_hour),
    # on 14 Mar 2024 we -> on the fourteenth of March twenty twenty-four we
    compile_rule(
        rf"(?P<days>{_DAY}{_TO_DAY})(?P<of> of | |-|\u00a0){_MONTH}(?:(?P<gap>,? |-){_YEAR})?", _expand_day_first
    ),
    compile_rule(r"(?P<year>[12]\d{3}) ?[-–—] ?(?=(?:present|now|today)(?:[)\].,;]|\s*$|\n))", _expand_until_now),
    # the 1980s were -> the nineteen eighties were
    compile_rule(r"(?P<number>\d{2}|[12]\d{2}0)['’]?s\b", _expand_decade),
    # from 2019-2021 we -> from twenty nineteen to twenty twenty-one we
    compile_rule(r"(?P<first>[12]\d{3}) ?[-–—/] ?(?P<last>[12]\d{3}|\d{2})(?![\d\-–/]|,\d|\.\d)", _expand_year_range),
    # in 1984 we -> in nineteen eighty-four we
    compile_rule(r"(?P<year>[12]\d{3}|[1-9]\d{3})(?![\d\w]|,\d|\.\d)", _expand_year),
)
_DAY_NAME_PATTERN = "(?:" + "|".join(_DAY_NAMES.values()) + "|Tues|Thurs?|" + "|".join(_DAY_NAMES) + r")\.?"
_RANGE_TEMPLATE = r"(?P<first>{0})(?P<to> ?[-–—] ?)(?P<last>{0})(?!\w)"
_MONTH_NAME_PATTERN = "(?:" + "|".join(sorted(_MONTH_NAMES, key=len, reverse=True)) + r")\.?"
QUOTE_RULES: tuple[Rule, ...] = (
    compile_rule(r"['’‘](?P<first>[2-9]0)s ?[-–] ?['’‘]?(?P<last>[2-9]0)s\b", _expand_decade_range),
    # since '99 we -> since ninety-nine we
    compile_rule(r"['’‘](?P<number>\d{2})(?P<tens>s)?(?![\w'’])", _expand_short_year),
)
LETTER_RULES: tuple[Rule, ...] = (
    # open Mon–Fri here -> open Monday to Friday here
    compile_rule(_RANGE_TEMPLATE.format(_DAY_NAME_PATTERN), _expand_name_range),
    compile_rule(
        # Mon, 3pm -> Monday, three P M
        rf"(?:{'|'.join(_DAY_NAMES)})(?=,? (?:\d{{1,2}}(?:[:–-]\d|(?:[ap]m|st|nd|rd|th)\b|[,.;)]|$)"
        rf"|(?:{'|'.join(_MONTH_NAMES)})\b))",
        _expand_day_name,
    ),
    compile_rule(rf"(?:Tues|Thurs?|{'|'.join(_DAY_NAMES)})(?![\w.'’-])", _expand_short_day),
    # at GMT-5 now -> at GMT minus five now
    compile_rule(r"(?P<zone>GMT|UTC) ?(?P<sign>[-−+])(?P<hours>\d{1,2})(?![\w:]|\.\d)", _expand_zone),
    compile_rule(_RANGE_TEMPLATE.format(_MONTH_NAME_PATTERN) + r"(?! \d{1,2}\b)", _expand_name_range),
    # on March 3rd, 2024 we -> on March third, twenty twenty-four we
    compile_rule(rf"{_MONTH} (?P<days>{_DAY}{_TO_DAY})(?:,? {_YEAR})?", _expand_month_first),
    compile_rule(rf"{_MONTH},? {_YEAR}", _expand_month_and_year),
    # in Dec. we -> in December we
    compile_rule(r"(?P<month>Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)(?P<dot>\.)(?![\w])", _expand_dotted_month),
    compile_rule(r"(?P<month>Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)(?![\w.'’-])", _expand_undotted_month),
)
# from June 5-July 10 we -> from June fifth to July tenth we
TO_RULES: tuple[Rule, ...] = (compile_rule(rf"[-–—] ?(?=(?:{'|'.join(_MONTH_NAMES)})\b\.? \d)", _expand_date_hyphen),)
