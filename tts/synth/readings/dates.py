"""Expand dates, times of day and years, in American or British order.

3/4 is March fourth in American English and the third of April in British English. Where a month is named, the written
order of day and month is kept. Two numbers with a slash are a date only after a word such as `on`, or if they can
hardly be a fraction; four digits are a year unless the word before or after makes a count or a label of them.
"""

import re

from tts.synth.readings.numbers import cardinal, decade, digits, ordinal, year
from tts.synth.readings.passage import Passage, Rule, Said, rule, words
from tts.synth.readings.reading import Reading

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
_SHORT = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
DAYS = {name[:3]: name for name in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")}
_NAMES = {name: name for name in _MONTHS} | _SHORT
_NAMES |= {name.upper(): full for name, full in _NAMES.items()}
_MONTH = "(?P<month>" + "|".join(sorted(_NAMES, key=len, reverse=True)) + r")\b(?P<dot>\.?)"
_YEAR = r"(?P<year>[12]\d{3})(?![\d,]\d|\d)"
# Patterns named _X_BEFORE are searched in the text that ends at the match, those named _X_AHEAD match after it.
_DATE_BEHIND = re.compile(
    rf"\b(?:{'|'.join(sorted(_NAMES, key=len, reverse=True))})\.? "
    r"(?:\d{1,2}(?:st|nd|rd|th)?(?:,? \d{4})?|\d{4}) ?$"
)
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])(?P<suffix>st|nd|rd|th)?(?!\d|[:/%]\d|\.\d|,\d{3})"
_TO_DAY = r"(?:(?P<dash> ?[-–—] ?)(?P<last>[12]\d|3[01]|[1-9])(?:st|nd|rd|th)?(?![\d:/]))?"

# Words that make a year of the number after them, even before a noun in the plural.
_BEFORE_YEAR = words("""
    in since from by of year circa c until till before after during early late mid spring summer fall
    autumn winter between around and through the to january february march april may june july august
    september october november december class copyright ©
""")
# Words after a count, beside the plurals in -s.
_AFTER_NO_YEAR = words("people men women children percent times more or others calories degrees dollars feet")
# Nouns after which a number is a label: room 1984.
_BEFORE_NUMBER = words(
    "room route highway flight bus channel gate platform suite apartment extension unit model area interstate"
)
# Words in -s that are no plural, so that 1984 was is a year.
_NO_PLURALS = words("was is has this as his its us across always perhaps does yes plus thus")
_ZONE_AHEAD = re.compile(
    r" (?:[ECMP][SD]?T|GMT|UTC|BST|CES?T|[IJK]ST|AE[SD]T|Eastern|Central|Mountain|Pacific|local|sharp)\b"
)
_BEFORE_DAY = words("on by to until till next last this every from")
_DAY_GOES_ON = re.compile(
    r" (?:thru|through|morning|evening|afternoon|nights?)\b| (?:to|and|or|&) (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)| at \d"
)
# Words after which `at 9.30` is a price or a rate.
_PRICE_BEHIND = re.compile(r"\b(?:clos|trad|stood|fixed|priced|rated|peaked|rate|yield|pound|euro|pH)")
# Ant and Dec are two presenters; Hex, Dec and Bin are number systems.
_ANT_BEHIND = re.compile(r"\bAnt (?:and|&) $")
_BASE_NEAR = re.compile(r"\b(?:Hex|Bin)\b|Dec [+−-]?\d")
_BEFORE_JANUARY = words("in since until early late mid next last this every through dec nov december")
_BEFORE_DATE = words("on by until before after from since due dated till through")


def _day(number: str, passage: Passage) -> str:
    return ordinal(int(number), passage.british)


def _in_order(month: str, day: str, passage: Passage) -> str:
    if passage.british:
        return f"the {_day(day, passage)} of {month}"
    return f"{month} {_day(day, passage)}"


def _full_year(written: str) -> int:
    number = int(written)
    # 00 to 49: this century.
    return number if len(written) == 4 else number + (2000 if number < 50 else 1900)


def _month_first(found: re.Match[str], passage: Passage) -> Said:
    """Expand March 3rd, 2024; the year is a replacement of its own, so that its word has its own time."""
    # May is a verb and Mar a name; the other months are certain.
    if found["month"] in ("May", "MAY", "Mar") and not _is_date(found, passage):
        return None
    article = "the " if passage.british else ""
    day = article + _day(found["day"], passage)
    if found["last"]:
        day += f" to {article}{_day(found['last'], passage)}"
    replacements = [
        Reading(_NAMES[found["month"]], found.start(), found.end("dot")),
        Reading(day, *found.span("days")),
    ]
    if found["year"]:
        replacements.append(Reading(year(int(found["year"]), passage.british), *found.span("year")))
    return replacements


def _is_date(found: re.Match[str], passage: Passage) -> bool:
    """Return whether a month's name that is a word too begins a date.

    Only a noun after the number speaks against it: `may 5 people come`.
    """
    following = passage.word_after(found.end())
    return not (following in _AFTER_NO_YEAR and not found["suffix"])


def _month_and_year(found: re.Match[str], passage: Passage) -> Said:
    return [
        Reading(_NAMES[found["month"]], found.start(), found.end("dot")),
        Reading(year(int(found["year"]), passage.british), *found.span("year")),
    ]


def _month_alone(found: re.Match[str], passage: Passage) -> Said:
    """Expand a month's abbreviation with a full stop; keep the stop if it ends the sentence."""
    stop = "." if passage.ends_sentence(found.end()) else ""
    return _NAMES[found["month"]] + stop


def _day_first(found: re.Match[str], passage: Passage) -> Said:
    """Expand 14 Mar 2024 in its own order: the fourteenth of March."""
    article = "" if passage.word_before(found.start()).lower() == "the" else "the "
    last = f" to {article}{_day(found['last'], passage)}" if found["last"] else ""
    of = "" if found["of"].strip() else " of"
    replacements = [
        Reading(f"{article}{_day(found['day'], passage)}{last}{of}", *found.span("days")),
        Reading(_NAMES[found["month"]], found.start("month"), found.end("dot")),
    ]
    if found["of"] == "-":
        replacements.insert(1, Reading(" ", *found.span("of")))
    if found["gap"] == "-":
        replacements.append(Reading(" ", *found.span("gap")))
    if found["year"]:
        replacements.append(Reading(year(int(found["year"]), passage.british), *found.span("year")))
    return replacements


def _iso(found: re.Match[str], passage: Passage) -> Said:
    """Expand an ISO date, with its time if it has one: 2024-03-14T15:09:26Z."""
    month, day = int(found["month"]), int(found["day"])
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    date = f"{_in_order(_MONTHS[month - 1], str(day), passage)}, {year(int(found['year']), passage.british)}"
    if not found["clock"]:
        return date
    hour, minute, second = int(found["hour"]), found["minute"], found["second"]
    spoken = f"{date}, {_clock(hour, minute, second, passage)}"
    return spoken + (" U T C" if found["zone"] == "Z" else "")


def _slashed(found: re.Match[str], passage: Passage) -> Said:
    """Expand a date of three numbers: 3/14/2024, 14.3.2024.

    Points mean the day first in American English too; a second number above 12 must be the day.
    """
    first, second = int(found["first"]), int(found["second"])
    month_first = not passage.british if found["sign"] != "." else False
    # By order of the language, unless a number above 12 decides.
    month, day = (first, second) if (month_first and first <= 12) or second > 12 else (second, first)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    spoken_year = year(_full_year(found["year"]), passage.british)
    return f"{_in_order(_MONTHS[month - 1], str(day), passage)}, {spoken_year}"


def _month_and_day(found: re.Match[str], passage: Passage) -> Said:
    """Expand 3/14 after a word such as `on`, or if it can hardly be a fraction."""
    introduced = passage.word_before(found.start()).lower() in _BEFORE_DATE
    if not introduced and not _looks_like_a_date(found, passage):
        return None
    first, second = int(found["first"]), int(found["second"])
    month, day = (second, first) if passage.british and second <= 12 else (first, second)
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    return _in_order(_MONTHS[month - 1], str(day), passage)


def _looks_like_a_date(found: re.Match[str], passage: Passage) -> bool:
    """Return whether two numbers can hardly be a fraction, as 10/31."""
    first, second = int(found["first"]), int(found["second"])
    month, day = (second, first) if passage.british else (first, second)
    # Sixteenths and twentieths are fractions: 3/16, 7/20.
    return month <= 12 and 12 < day <= 31 and second not in (16, 20)


def _dates(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of days: 3/18–3/22; one of the days must be above 12."""
    dates = []
    for first, second in ((found["a"], found["b"]), (found["c"], found["d"])):
        month, day = (int(second), int(first)) if passage.british else (int(first), int(second))
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return None
        dates.append((_in_order(_MONTHS[month - 1], str(day), passage), day))
    return " to ".join(date for date, _ in dates) if max(day for _, day in dates) > 12 else None


def _year_and_month(found: re.Match[str], passage: Passage) -> Said:
    """Expand 2024-03; the 2008-09 season is two years."""
    # the 2008-09 season -> the two thousand eight to oh nine season
    season = int(found["month"]) == int(found["year"][2:]) + 1 and passage.word_before(found.start()).lower() == "the"
    if season:
        return f"{year(int(found['year']), passage.british)} to {_short_year_words(found['month'], passage)}"
    return f"{_MONTHS[int(found['month']) - 1]} {year(int(found['year']), passage.british)}"


def _clock(hour: int, minute: str, second: str | None, passage: Passage) -> str:
    british = passage.british
    if minute == "00" and not second:
        if hour == 0:
            return "midnight"
        # 5:00: five o'clock; 17:00: seventeen hundred.
        return f"{cardinal(hour, british)} o'clock" if hour <= 12 else f"{cardinal(hour, british)} hundred"
    spoken = f"{cardinal(hour, british)} {_minutes(minute, british)}"
    if second and second != "00":
        seconds = int(second)
        spoken += f" and {cardinal(seconds, british)} second{'' if seconds == 1 else 's'}"
    return spoken


def _minutes(written: str, british: bool) -> str:
    if written == "00":
        return "hundred"
    # 7:05: seven oh five.
    return f"oh {digits(written[1])}" if written[0] == "0" else cardinal(int(written), british)


def _half(written: str) -> str:
    return "A M" if written[0] in "aA" else "P M"


def _time(found: re.Match[str], passage: Passage) -> Said:
    """Expand a time of day, or a duration such as 2:04:35."""
    hour, minute, second = int(found["hour"]), found["minute"], found["second"]
    if hour > 24 or int(minute) > 59 or (found["sign"] == "." and not (found["half"] or _is_british(found, passage))):
        return None
    # 12:00 noon.
    if found[0] == "12:00" and passage.word_after(found.end()) in ("noon", "midnight"):
        return "twelve"
    # A clock writes 02:04:35.
    if second and hour < 10 and len(found["hour"]) == 1 and not found["half"]:
        return _elapsed(hour, minute, second, passage)
    if not found["half"]:
        return _clock(hour, minute, second, passage)
    whole = minute == "00" and not second
    spoken = cardinal(hour, passage.british) if whole else _clock(hour, minute, second, passage)
    return _with_half(found, passage, spoken)


def _is_british(found: re.Match[str], passage: Passage) -> bool:
    """Return whether a point separates hours and minutes: at 9.30 on Monday, which is no quantity."""
    at = passage.british and passage.word_before(found.start()).lower() in ("at", "until", "till")
    following = passage.word_after(found.end())
    price = _PRICE_BEHIND.search(passage.text[max(0, found.start() - 40) : found.start()])
    at = at and price is None and found["minute"][1] in "05"
    return at and following in ("", "on", "and", "in", "to", "for", "tomorrow", "today", "every", "sharp", "this")


def _elapsed(hour: int, minute: str, second: str, passage: Passage) -> str:
    """Expand a duration: 2:04:35, whose first number has one digit."""
    parts = ((hour, "hour"), (int(minute), "minute"), (int(second), "second"))
    spoken = [f"{cardinal(n, passage.british)} {name}{'' if n == 1 else 's'}" for n, name in parts if n]
    return " and ".join(filter(None, (", ".join(spoken[:-1]), spoken[-1]))) if spoken else "zero"


def _hour(found: re.Match[str], passage: Passage) -> Said:
    if int(found["hour"]) > 12:
        return None
    return _with_half(found, passage, cardinal(int(found["hour"]), passage.british))


def _hours(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of times: 5-7pm, 9:30am–5pm."""
    first, last = (_said_time(found[group], passage) for group in ("from", "to"))
    first += f" {_half(found['first_half'])}" if found["first_half"] else ""
    return _with_half(found, passage, f"{first} to {last}") if found["half"] else f"{first} to {last}"


def _said_time(written: str, passage: Passage) -> str:
    hour, _, minute = written.replace(".", ":").partition(":")
    if minute in ("", "00"):
        return cardinal(int(hour), passage.british) + (" hundred" if minute and int(hour) > 12 else "")
    return _clock(int(hour), minute, None, passage)


def _with_half(found: re.Match[str], passage: Passage, spoken: str) -> Said:
    """Add A M or P M, as a replacement of its own after a space; keep a full stop that ends the sentence."""
    half = _half(found["half"])
    zone = _ZONE_AHEAD.match(passage.text, found.end("half"))
    if found["half"].endswith(".") and not zone and passage.ends_sentence(found.end("half")):
        half += "."
    if found["gap"]:
        return [Reading(spoken, found.start(), found.start("gap")), Reading(half, *found.span("half"))]
    return f"{spoken} {half}"


def _days(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of days or months: Mon–Fri, Jan–Mar."""
    first, last = (_full_name(found[group]) for group in ("first", "last"))
    stop = "." if found[0].endswith(".") and passage.ends_sentence(found.end()) else ""
    return [
        Reading(f"{first} to ", *found.span("first")),
        Reading("", *found.span("to")),
        Reading(last + stop, *found.span("last")),
    ]


def _short_day(found: re.Match[str], passage: Passage) -> Said:
    """Expand a short day's name: can we move it to Wed? Mon thru Fri.

    Mon, Sat, Sun and Wed may be other words or names, so they need a neighbour that shows that they are days.
    """
    before, following = passage.word_before(found.start()).lower(), passage.word_after(found.end())
    sure = found[0] not in ("Mon", "Sat", "Sun", "Wed") and not following.istitle()  # Thu Nguyen
    sure = sure or before != "the" and _DAY_GOES_ON.match(passage.text, found.end()) is not None
    return DAYS[found[0][:3]] if sure or before in _BEFORE_DAY else None


def _plain_month(found: re.Match[str], passage: Passage) -> Said:
    """Expand a short month's name: in Dec; Jan may be a person, so it needs a word such as `in` before it."""
    before = passage.word_before(found.start()).lower()
    if found["month"] == "Jan" and before not in _BEFORE_JANUARY:
        return None
    ant = _ANT_BEHIND.search(passage.text[max(0, found.start() - 8) : found.start()])
    base = _BASE_NEAR.search(passage.text[max(0, found.start() - 12) : found.end() + 12])
    return None if ant or base else _NAMES[found["month"]]


def _spans_months(found: re.Match[str], passage: Passage) -> Said:
    """Replace the hyphen of a range of dates: June 5-July 10."""
    if not _DATE_BEHIND.search(passage.text, max(0, found.start() - 26), found.start()):
        return None
    return "to " if passage.before(found.start()).isspace() else " to "


def _until_now(found: re.Match[str], passage: Passage) -> Said:
    """Expand the start of a range that ends today: 2020–present."""
    return [Reading(f"{year(int(found['year']), passage.british)} to ", found.start(), found.end())]


def _zone(found: re.Match[str], passage: Passage) -> Said:
    """Expand a time zone with its offset: GMT-5, UTC+2."""
    sign = "plus" if found["sign"] == "+" else "minus"
    return f"{found['zone']} {sign} {cardinal(int(found['hours']), passage.british)}"


def _decades(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of decades: the '60s–'70s."""
    first, last = (decade(int(found[group]), passage.british) for group in ("first", "last"))
    return f"{first} to {last}"


def _day_name(found: re.Match[str], passage: Passage) -> Said:
    return DAYS[found[0]]


def _full_name(written: str) -> str:
    name = written.rstrip(".")
    return DAYS.get(name[:3]) or _NAMES.get(name, name)


def _decade(found: re.Match[str], passage: Passage) -> Said:
    """Expand a decade: 90s, 1980s; 30s after an equals sign is a duration."""
    number = int(found["number"])
    if passage.before(found.start()) in "=<>":
        return None  # timeout=30s
    # 20s to 90s, and 1100s or 1980s, but not 1000s.
    if number < 100 and (number < 20 or number % 10):
        return None
    if number >= 100 and (number % 10 or number == 1000):
        return None
    return decade(number, passage.british)


def _short_year(found: re.Match[str], passage: Passage) -> Said:
    """Expand a year or decade without its century: '99, '60s."""
    number = int(found["number"])
    if found["tens"]:
        return decade(number, passage.british)
    return ("oh " if number < 10 else "") + cardinal(number, passage.british)


def _years(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of years: 2019-2021, 1914–18."""
    first, last = int(found["first"]), found["last"]
    if len(last) == 4 and int(last) <= first:
        return None
    if len(last) == 2 and int(last) <= first % 100:
        return None
    spoken = year(int(last), passage.british) if len(last) == 4 else _short_year_words(last, passage)
    return f"{year(first, passage.british)} to {spoken}"


def _short_year_words(written: str, passage: Passage) -> str:
    return ("oh " if written[0] == "0" else "") + cardinal(int(written), passage.british)


def _plain_year(found: re.Match[str], passage: Passage) -> Said:
    """Expand four digits as a year, unless they count what follows."""
    number = int(found["year"])
    before = passage.word_before(found.start()).lower()
    if before in _BEFORE_NUMBER:
        return None
    following = passage.word_after(found.end())
    plural = following.islower() and following.endswith("s") and len(following) > 2 and following not in _NO_PLURALS
    # 1500 people, 2000 cars.
    counts = plural or following in _AFTER_NO_YEAR
    if before not in _BEFORE_YEAR and (counts or not 1100 <= number < 2100):
        return None
    if counts and before in ("the", "and", "around", "between", "by", "of", "from", "to", "until", "after"):
        return None
    return year(number, passage.british) if number >= 1000 else None


DIGIT_RULES: tuple[Rule, ...] = (
    rule(
        # on 2024-03-14 we -> on March fourteenth, twenty twenty-four we
        r"(?P<year>[12]\d{3})[-/.](?P<month>\d{2})[-/.](?P<day>\d{2})(?!\d)"
        r"(?P<clock>[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,6})?)?(?P<zone>Z)?)?",
        _iso,
    ),
    rule(
        # British: on 14/3/2024 we -> on the fourteenth of March, twenty twenty-four we
        r"(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?P=sign)"
        r"(?P<year>[12]\d{3}|(?<=[/])\d{2})(?![\d/]|\.\d)",
        _slashed,
    ),
    # from 3/18–3/22 we -> from March eighteenth to March twenty-second we
    rule(r"(?P<a>\d{1,2})/(?P<b>\d{1,2}) ?[-–—] ?(?P<c>\d{1,2})/(?P<d>\d{1,2})(?![\d/])", _dates),
    # on 3/14 we -> on March fourteenth we
    rule(r"(?P<first>\d{1,2})/(?P<second>\d{1,2})(?![\d/.]\d|\d|[=+])", _month_and_day),
    # in 2024-03 we -> in March twenty twenty-four we
    rule(r"(?P<year>(?:19|20)\d{2})-(?P<month>0[1-9])(?![-\d])", _year_and_month),
    rule(
        # open 5-7pm daily -> open five to seven P M daily
        r"(?P<from>\d{1,2}(?:[:.][0-5]\d)?) ?(?P<first_half>[apAP]\.?[mM]\.?)?(?: ?[-–—] ?)"
        r"(?P<to>\d{1,2}(?:[:.][0-5]\d)?)(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM]))(?![\w])",
        _hours,
    ),
    rule(
        # open 9:30–17:00 daily -> open nine thirty to seventeen hundred daily
        r"(?P<from>\d{1,2}:[0-5]\d)(?P<first_half>[apAP][mM])?(?: ?[-–—] ?)(?P<to>\d{1,2}:[0-5]\d)"
        r"(?![:\d])(?P<gap>)(?P<half>[apAP][mM]\b)?",
        _hours,
    ),
    rule(
        # at 7:05 p.m. it -> at seven oh five P M it
        r"(?P<hour>\d{1,2})(?P<sign>[:.])(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d)(?:\.\d{1,6})?)?"
        r"(?:(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM](?![\w]))))?(?![\d:]|,\d{3})",
        _time,
    ),
    # at 7pm it -> at seven P M it
    rule(r"(?P<hour>\d{1,2})(?P<gap>[ \u00a0])?(?P<half>[apAP](?:\.[mM]\.|[mM](?![\w])))", _hour),
    # on 14 Mar 2024 we -> on the fourteenth of March twenty twenty-four we
    rule(rf"(?P<days>{_DAY}{_TO_DAY})(?P<of> of | |-|\u00a0){_MONTH}(?:(?P<gap>,? |-){_YEAR})?", _day_first),
    rule(r"(?P<year>[12]\d{3}) ?[-–—] ?(?=(?:present|now|today)(?:[)\].,;]|\s*$|\n))", _until_now),
    # the 1980s were -> the nineteen eighties were
    rule(r"(?P<number>\d{2}|[12]\d{2}0)['’]?s\b", _decade),
    # from 2019-2021 we -> from twenty nineteen to twenty twenty-one we
    rule(r"(?P<first>[12]\d{3}) ?[-–—/] ?(?P<last>[12]\d{3}|\d{2})(?![\d\-–/]|,\d|\.\d)", _years),
    # in 1984 we -> in nineteen eighty-four we
    rule(r"(?P<year>[12]\d{3}|[1-9]\d{3})(?![\d\w]|,\d|\.\d)", _plain_year),
)
_DAY_NAME = "(?:" + "|".join(DAYS.values()) + "|Tues|Thurs?|" + "|".join(DAYS) + r")\.?"
_SPAN = r"(?P<first>{0})(?P<to> ?[-–—] ?)(?P<last>{0})(?!\w)"
_MONTH_NAME = "(?:" + "|".join(sorted(_NAMES, key=len, reverse=True)) + r")\.?"
QUOTE_RULES: tuple[Rule, ...] = (
    rule(r"['’‘](?P<first>[2-9]0)s ?[-–] ?['’‘]?(?P<last>[2-9]0)s\b", _decades),
    # since '99 we -> since ninety-nine we
    rule(r"['’‘](?P<number>\d{2})(?P<tens>s)?(?![\w'’])", _short_year),
)
LETTER_RULES: tuple[Rule, ...] = (
    # open Mon–Fri here -> open Monday to Friday here
    rule(_SPAN.format(_DAY_NAME), _days),
    rule(
        # Mon, 3pm -> Monday, three P M
        rf"(?:{'|'.join(DAYS)})(?=,? (?:\d{{1,2}}(?:[:–-]\d|(?:[ap]m|st|nd|rd|th)\b|[,.;)]|$)"
        rf"|(?:{'|'.join(_NAMES)})\b))",
        _day_name,
    ),
    rule(rf"(?:Tues|Thurs?|{'|'.join(DAYS)})(?![\w.'’-])", _short_day),
    # at GMT-5 now -> at GMT minus five now
    rule(r"(?P<zone>GMT|UTC) ?(?P<sign>[-−+])(?P<hours>\d{1,2})(?![\w:]|\.\d)", _zone),
    rule(_SPAN.format(_MONTH_NAME) + r"(?! \d{1,2}\b)", _days),
    # on March 3rd, 2024 we -> on March third, twenty twenty-four we
    rule(rf"{_MONTH} (?P<days>{_DAY}{_TO_DAY})(?:,? {_YEAR})?", _month_first),
    rule(rf"{_MONTH},? {_YEAR}", _month_and_year),
    # in Dec. we -> in December we
    rule(r"(?P<month>Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)(?P<dot>\.)(?![\w])", _month_alone),
    rule(r"(?P<month>Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)(?![\w.'’-])", _plain_month),
)
# from June 5-July 10 we -> from June fifth to July tenth we
TO_RULES: tuple[Rule, ...] = (rule(rf"[-–—] ?(?=(?:{'|'.join(_NAMES)})\b\.? \d)", _spans_months),)
