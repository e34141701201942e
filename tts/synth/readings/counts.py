"""Bare numbers: ordinals, ranges, scores, fractions, versions, telephone numbers and the like."""

import re

from tts.synth.readings.numbers import (
    INTEGER,
    NUMBER,
    amount,
    cardinal,
    digits,
    fraction,
    mixed,
    ordinal,
    short,
    year_or_pair,
)
from tts.synth.readings.passage import Passage, Rule, Said, rule, words
from tts.synth.readings.reading import Reading

_VULGAR = {
    "½": (1, 2),
    "⅓": (1, 3),
    "⅔": (2, 3),
    "¼": (1, 4),
    "¾": (3, 4),
    "⅕": (1, 5),
    "⅖": (2, 5),
    "⅗": (3, 5),
}
_VULGAR |= {
    "⅘": (4, 5),
    "⅙": (1, 6),
    "⅚": (5, 6),
    "⅛": (1, 8),
    "⅜": (3, 8),
    "⅝": (5, 8),
    "⅞": (7, 8),
    "⅑": (1, 9),
}
_FRACTION_SIGNS = "".join(_VULGAR)
_PARTS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 32, 64, 100})
_NAMED_BY_NUMBER = words("""
    room route highway flight bus channel gate platform suite apartment extension unit model area
    interstate i us apt boeing airbus code
""")
_ROOM_BEFORE = re.compile(r"\b(?:[Rr]m|[Aa]pt|[Rr]te|[Hh]wy)\. $")
_SCRIPTURES = words("psalm psalms john matthew mark luke acts romans genesis exodus proverbs isaiah job surah")
_MAGNITUDES = {
    "M": "million",
    "B": "billion",
    "bn": "billion",
    "mn": "million",
    "T": "trillion",
    "m": "million",
}
_SQUARES = {"²": "squared", "³": "cubed", "^2": "squared", "^3": "cubed"}


def _telephone(found: re.Match[str], passage: Passage) -> Said:
    groups = re.findall(r"\d+|[A-Z]+", found[0])
    zero = "oh" if passage.british else "zero"
    spoken = ", ".join(_telephone_group(group, zero) for group in groups)
    return f"plus {spoken}" if found[0].startswith("+") else spoken


def _telephone_group(group: str, zero: str) -> str:
    if group in ("800", "900"):
        return cardinal(int(group), False)
    return " ".join(group) if group.isalpha() and len(group) < 3 else digits(group, zero) or group.capitalize()


def _local_number(found: re.Match[str], passage: Passage) -> Said:
    """555-1234, but 250-1000 is a range."""
    return None if found["first"].endswith("00") or found["last"].endswith("000") else _telephone(found, passage)


def _emergency(found: re.Match[str], passage: Passage) -> Said:
    called = passage.word_before(found.start()).lower() in (
        "call",
        "dial",
        "phone",
        "called",
        "calling",
        "to",
        "a",
    )
    return digits(found[0]) if called else None


def _address(found: re.Match[str], passage: Passage) -> Said:
    parts = found[1].split(".")
    if any(int(number) > 255 for number in parts):
        return None
    spoken = " dot ".join(short(number, False) for number in parts)
    bits = f" slash {cardinal(int(found['bits']), False)}" if found["bits"] else ""
    port = f" port {short(found['port'], False)}" if found["port"] else ""
    return spoken + bits + port


def _version(found: re.Match[str], passage: Passage) -> Said:
    spoken = " point ".join(amount(number, passage.british) for number in found[0].split("."))
    return spoken


def _hyphened_digits(found: re.Match[str], passage: Passage) -> Said:
    """4-4-2, 978-0-306: groups of digits, each said by itself."""
    groups = re.split("[-–]", found[0])
    if all(len(group) < 3 and group[0] != "0" for group in groups):
        return " ".join(cardinal(int(group), passage.british) for group in groups)
    return ", ".join(digits(group) for group in groups)


def _card_number(found: re.Match[str], passage: Passage) -> Said:
    return ", ".join(digits(group) for group in found[0].split())


def _long_run(found: re.Match[str], passage: Passage) -> Said:
    return digits(found[0])


def _range(found: re.Match[str], passage: Passage) -> Said:
    first, last = found["first"], found["last"]
    if first == last:
        return f"{amount(first, passage.british)} {amount(last, passage.british)}"
    if len(first) > 2 and len(first) == len(last) and first > last and first.isdecimal():
        return f"{short(first, passage.british)} {short(last, passage.british)}"
    return f"{amount(first, passage.british)} to {amount(last, passage.british)}"


def _hundreds(found: re.Match[str], passage: Passage) -> Said:
    """100s, 1,000s, 10,000s of things."""
    names = {2: "hundreds", 3: "thousands", 4: "tens of thousands", 5: "hundreds of thousands", 6: "millions"}
    return names.get(found["noughts"].count("0"))


def _ratio(found: re.Match[str], passage: Passage) -> Said:
    to = "" if passage.word_before(found.start()).lower() in _SCRIPTURES else "to "
    first, last = (
        cardinal(int(found["first"]), passage.british),
        cardinal(int(found["last"]), passage.british),
    )
    return f"{first} {to}{last}"


def _ordinal(found: re.Match[str], passage: Passage) -> Said:
    return ordinal(int(found["number"].replace(",", "")), passage.british)


def _fraction(found: re.Match[str], passage: Passage) -> Said:
    above, below = int(found["above"]), int(found["below"])
    if (above, below) == (24, 7):
        return "twenty-four seven"
    if (above, below) in ((9, 11), (7, 11)) and not passage.british:
        return f"{cardinal(above, False)} eleven"
    if passage.word_after(found.end()) == "time" and below in (2, 4, 8, 16):
        return f"{cardinal(above, False)} {cardinal(below, False)}"
    if above == 1 and below in (2, 3, 4, 8) and passage.word_before(found.start()).lower() in ("a", "an"):
        return fraction(above, below, False).removeprefix("one ")
    if (above == below and above > 10) or above + below == 100:
        return f"{cardinal(above, passage.british)} {cardinal(below, passage.british)}"
    if above == below or (below == 10 and above > 1):
        return f"{cardinal(above, passage.british)} out of {cardinal(below, passage.british)}"
    if below in _PARTS or (above == 1 and below > 1):
        return fraction(above, below, passage.british)
    return f"{amount(found['above'], passage.british)} over {amount(found['below'], passage.british)}"


def _mixed(found: re.Match[str], passage: Passage) -> Said:
    whole, above, below = (int(found[group]) for group in ("whole", "above", "below"))
    if below not in _PARTS or above >= below:
        return None
    article = mixed(whole, above, below, passage.british)
    number, _, rest = article.partition(" and ")
    if whole > 99:
        return article
    return [Reading(number, *found.span("whole")), Reading(f"and {rest}", found.start("above"), found.end())]


def _vulgar(found: re.Match[str], passage: Passage) -> Said:
    above, below = _VULGAR[found["sign"]]
    if found["whole"]:
        return mixed(int(found["whole"]), above, below, passage.british)
    return fraction(above, below, passage.british)


def _many(found: re.Match[str], passage: Passage) -> Said:
    """5M users, 2.5bn people; but 12B alone is a name."""
    if len(found["magnitude"]) == 1 and "." not in found["number"] and not found["noun"]:
        return None
    return f"{amount(found['number'], passage.british)} {_MAGNITUDES[found['magnitude']]}"


def _over(found: re.Match[str], passage: Passage) -> Said:
    return f"{amount(found['number'], passage.british)} plus"


def _powered(found: re.Match[str], passage: Passage) -> Said:
    return f"{amount(found['number'], passage.british)} {_SQUARES[found['power']]}"


def _scientific(found: re.Match[str], passage: Passage) -> Said:
    sign = "minus " if found["sign"] in ("-", "−") else ""
    power = amount(found["power"], passage.british)
    return f"{amount(found['number'], passage.british)} times ten to the {sign}{power}"


def _hexadecimal(found: re.Match[str], passage: Passage) -> Said:
    letters = " ".join(digits(sign) or sign.upper() for sign in found["digits"])
    return f"zero X {letters}"


def _numbered(found: re.Match[str], passage: Passage) -> Said:
    """Room 305 and route 66 are names, said in two parts when they are long, and so is a ZIP code."""
    before = passage.word_before(found.start())
    if len(found[0]) == 5 and len(before) == 2 and before.isupper():
        return digits(found[0], "oh")
    named = before.lower() in _NAMED_BY_NUMBER or _ROOM_BEFORE.search(
        passage.text, max(0, found.start() - 5), found.start()
    )
    if not named or len(found[0]) < 3:
        return None
    if len(found[0]) == 4 and found[0][0] != "0":
        return year_or_pair(int(found[0]))
    return short(found[0], passage.british)


def _number(found: re.Match[str], passage: Passage) -> Said:
    return amount(found[0], passage.british)


def _mix(found: re.Match[str], passage: Passage) -> Said:
    """A digit with letters behind: 3D, 5G, 4K, 2nd-hand aside; the letters are said one by one."""
    return f"{short(found['number'], passage.british)} {' '.join(found['letters'].upper())}"


def _negative(found: re.Match[str], passage: Passage) -> Said:
    """A minus before a number, unless a word or a number stands right before it."""
    before = passage.before(found.start())
    if before.isalnum() or before in ")]\"'%.,-–/_°":
        return None
    following = passage.after(found.end())
    return "minus " if following.isdigit() or following in ".$£€" else None


DIGIT_RULES_FIRST: tuple[Rule, ...] = (
    rule(r"\d{16,}", _long_run),
    rule(r"1(?P<noughts>0{2,3}|0{0,2},000(?:,000)?)s\b", _hundreds),
    rule(r"0[xX](?P<digits>[0-9a-fA-F]{1,16})\b", _hexadecimal),
    rule(r"(\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<bits>\d{1,2})\b)?(?::(?P<port>\d{1,5})\b)?(?![\d.]\d)", _address),
    rule(r"(?:1[-. ])?(?:\(\d{3}\) ?|[2-9]\d{2}[-. ])\d{3}[-.]\d{4}(?![-\d])", _telephone),
    rule(r"1-[89]\d\d-(?:\d{3}-\d{4}|[A-Z]{3,9}(?:-[A-Z\d]{2,9})?|\d{3}-[A-Z]{4})\b", _telephone),
    rule(r"(?P<first>[2-9]\d{2})-(?P<last>\d{4})(?![-\d/])", _local_number),
    rule(r"0\d{2,4} \d{3,4} \d{3,4}(?: \d{2,4})?(?!\d)", _telephone),
    rule(r"\d{4}(?: \d{4}){2,3}(?!\d)", _card_number),
    rule(r"(?:911|999|112|411|311)(?![\d\w,-]|\.\d)", _emergency),
    rule(r"\d{1,5}(?:[-–]\d{1,7}){2,5}(?![\d\w])(?! ?=)", lambda found, passage: _unless_date(found, passage)),
)
_NAMED = rule(r"\d{3,5}(?!\w|[,.:/-]\d)", _numbered)
DIGIT_RULES: tuple[Rule, ...] = (
    rule(r"(?P<number>\d(?:\.\d{1,12})?)[eE](?P<sign>[-+−]?)(?P<power>\d{1,3})\b", _scientific),
    rule(r"\d{1,6}(?:\.\d{1,6}){2,4}(?!\d)", _version),
    rule(rf"(?P<number>{INTEGER})(?:st|nd|rd|th|ST|ND|RD|TH)(?![a-zA-Z])", _ordinal),
    rule(r"(?P<whole>\d{1,3})[ \u00a0-](?P<above>\d{1,2})[/⁄](?P<below>\d{1,3})(?![\d/]|\.\d)", _mixed),
    rule(rf"(?P<whole>\d{{1,6}})? ?(?P<sign>[{_FRACTION_SIGNS}])", _vulgar),
    rule(r"(?P<above>\d{1,3})[/⁄](?P<below>[1-9]\d{0,3})(?![\d/]|\.\d| ?[=+*])", _fraction),
    rule(r"(?P<first>\d{1,3}):(?P<last>\d{1,3})(?![\d:])", _ratio),
    rule(rf"(?P<first>{NUMBER})(?:-|–|—| – )(?P<last>{NUMBER})(?![\w]|[-–]\d| ?[=+*])", _range),
    rule(rf"(?P<number>{NUMBER})(?P<magnitude>[MBT]|bn|mn)(?![\w])(?=(?P<noun> [a-z])?)", _many),
    rule(rf"(?P<number>{NUMBER})\+(?![\w+=]| ?\d)", _over),
    rule(rf"(?P<number>{NUMBER})(?P<power>[²³]|\^[23](?!\d))", _powered),
    _NAMED,
    rule(r"(?P<number>\d{1,4})(?P<letters>[A-Z]{1,4}|[pix])(?![\w])", _mix),
)
PLAIN_RULES: tuple[Rule, ...] = (_NAMED, rule(NUMBER, _number), rule(r"\d+", _long_run))
PLUS_RULES: tuple[Rule, ...] = (
    rule(r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,5}(?:[ .-]?\d{2,5}){1,4}(?!\d)", _telephone),
)
BRACKET_RULES: tuple[Rule, ...] = (rule(r"\(\d{3}\)[ .-]?\d{3}[-. ]\d{4}(?!\d)", _telephone),)
MINUS_RULES: tuple[Rule, ...] = (rule(r"[-−–](?=[.$£€]?\d)", _negative),)
VULGAR_RULES: tuple[Rule, ...] = (rule(rf"(?P<whole>)(?P<sign>[{_FRACTION_SIGNS}])", _vulgar),)
_DATE_LIKE = re.compile(r"[12]\d{3}-\d\d-\d\d|\d{1,2}-\d{1,2}-[12]\d{3}")


def _unless_date(found: re.Match[str], passage: Passage) -> Said:
    return None if _DATE_LIKE.fullmatch(found[0]) else _hyphened_digits(found, passage)
