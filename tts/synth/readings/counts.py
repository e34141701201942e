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
from tts.synth.readings.passage import Passage, Rule, Said, part, rule, words
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
_CONTEST = re.compile(
    r"\b(?:wins?|won|beats?|beat|beating|lost|loses?|defeat(?:s|ed)?|leads?|led|trail(?:s|ed)?|score[ds]?|victory|drew|draws?|pass(?:ed)?|vote[ds]?|approved?|rejected|failed)\b"
    r"[^.!?\n]{0,40}$",
    re.IGNORECASE,
)
_CODE_BEHIND = re.compile(
    r"\b(?:OTP|PIN|[Pp]asscode|[Pp]assword|[Cc]ode|ID|[Aa]ccount|[Rr]eference|[Cc]onfirmation)(?: number)?"
    r"(?:,? is|:)? $"
)
_PAIR = re.compile(r"(\d{1,2})[-–](\d{1,2})")
_TEXT_TO = re.compile(r"\b[Tt]ext (?:\w{1,20} )?to $")
_PARTS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 32, 64, 100})
_NAMED_BY_NUMBER = words("""
    room route highway flight bus channel gate platform suite apartment extension unit model area
    interstate i us apt runway highway boeing airbus code http error status exit seat row flat section chmod rtx gtx rx
    ryzen radeon
""")
_ROOM_BEFORE = re.compile(r"\b(?:[Rr]m|[Aa]pt|[Rr]te|[Hh]wy)\. $")
_SCRIPTURES = words(
    "quran hebrews corinthians timothy samuel kings chronicles peter james revelation psalm psalms john matthew mark "
    "luke acts romans genesis exodus proverbs isaiah job surah"
)
_MAGNITUDES = {
    "M": "million",
    "B": "billion",
    "bn": "billion",
    "mn": "million",
    "T": "trillion",
    "m": "million",
    "k": "thousand",
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


def _is_contest(found: re.Match[str], passage: Passage) -> bool:
    """Whether somebody wins or loses right before."""
    return _CONTEST.search(passage.text, max(0, found.start() - 60), found.start()) is not None


def _score(found: re.Match[str], passage: Passage) -> Said:
    """112-108, a score where somebody wins: not a range, nor a telephone number."""
    if not _is_contest(found, passage):
        return None
    if passage.british and "0" in (found["first"], found["last"]):
        return " ".join("nil" if side == "0" else amount(side, True) for side in (found["first"], found["last"]))
    return f"{amount(found['first'], passage.british)} to {amount(found['last'], passage.british)}"


def _sets(found: re.Match[str], passage: Passage) -> Said:
    """6-4, 3-6, 7-5: the sets of a match, when one of them falls, as no range does."""
    pairs = [(int(first), int(last)) for first, last in _PAIR.findall(found[0])]
    if all(first <= last for first, last in pairs):
        return None
    return _PAIR.sub(lambda pair: f"{amount(pair[1], passage.british)} {amount(pair[2], passage.british)}", found[0])


def _wireless(found: re.Match[str], passage: Passage) -> Said:
    return " ".join(["eight oh two point eleven", *found["letters"].upper()])


def _cups(found: re.Match[str], passage: Passage) -> Said:
    """3 c. flour, in a recipe."""
    return f"{amount(found['number'], passage.british)} cup{'' if found['number'] == '1' else 's'}"


def _vulgar_range(found: re.Match[str], passage: Passage) -> Said:
    """1–1½ hours."""
    above, below = _VULGAR[found["sign"]]
    last = mixed(int(found["whole"]), above, below, passage.british) if found["whole"] else None
    last = last or fraction(above, below, passage.british)
    return f"{amount(found['first'], passage.british)} to {last}"


def _average(found: re.Match[str], passage: Passage) -> Said:
    """A .325 batting average; he bats .300."""
    follows = passage.word_after(found.end()) in ("batting", "hitter", "average", "slugging")
    if not follows and passage.word_before(found.start()) not in (
        "bats",
        "batting",
        "batted",
        "hits",
        "hit",
        "hitting",
    ):
        return None
    return short(found["number"], passage.british)


def _forty_niners(found: re.Match[str], passage: Passage) -> Said:
    name = cardinal(int(found["number"]), passage.british)
    return name + ("rs" if name.endswith("e") else "ers")


def _spaced_thousands(found: re.Match[str], passage: Passage) -> Said:
    """1 000 000 people."""
    following = passage.word_after(found.end())
    if " 000" not in found[0] and not following.islower():
        return None
    return amount(found[0].replace(" ", ""), passage.british)


def _pointed_thousands(found: re.Match[str], passage: Passage) -> Said:
    """1.000.000, which is no address: a group of noughts, or one beyond 255."""
    groups = found[0].split(".")
    if not any(group == "000" or int(group) > 255 for group in groups):
        return None
    return amount("".join(groups), passage.british)


def _clause(found: re.Match[str], passage: Passage) -> Said:
    """401(k), 501(c)(3)."""
    parts = " ".join(digits(part) or part.upper() for part in re.findall(r"\w+", found["parts"]))
    return f"{short(found['number'], False)} {parts}"


def _group_address(found: re.Match[str], passage: Passage) -> Said:
    """2001:db8::1, 00:1A:2B:3C:4D:5E: sign by sign."""
    if not re.search(r"[A-Fa-f]", found[0]) and "::" not in found[0]:
        return None
    return " ".join("colon" if sign == ":" else digits(sign) or sign.upper() for sign in found[0])


def _code(found: re.Match[str], passage: Passage) -> Said:
    """Your OTP is 483920, meeting ID: 845 1234 5678."""
    if not _CODE_BEHIND.search(passage.text, max(0, found.start() - 32), found.start()):
        return None
    return ", ".join(digits(group) for group in found[0].split())


def _extra_time(found: re.Match[str], passage: Passage) -> Said:
    """In the 90+3' minute."""
    return f"{amount(found['first'], passage.british)} plus {amount(found['last'], passage.british)}"


def _ports(found: re.Match[str], passage: Passage) -> Said:
    """8080:80."""
    return f"{short(found['first'], False)} to {short(found['last'], False)}"


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
    if (scored := _score(found, passage)) is not None:
        return scored
    if first == last:
        return f"{amount(first, passage.british)} {amount(last, passage.british)}"
    if len(first) > 2 and len(first) == len(last) and first > last and first.isdecimal():
        return f"{short(first, passage.british)} {short(last, passage.british)}"
    return f"{amount(first, passage.british)} to {amount(last, passage.british)}"


def is_named(found: re.Match[str], passage: Passage) -> bool:
    """Whether the number is a name, as in exit 24B or room 12A."""
    return passage.word_before(found.start()).lower() in _NAMED_BY_NUMBER


def _hundreds(found: re.Match[str], passage: Passage) -> Said:
    """100s, 1,000s, 10,000s of things."""
    names = {2: "hundreds", 3: "thousands", 4: "tens of thousands", 5: "hundreds of thousands", 6: "millions"}
    return names.get(found["noughts"].count("0"))


def _ratio(found: re.Match[str], passage: Passage) -> Said:
    to = "" if passage.word_before(found.start()).lower() in _SCRIPTURES else "to "
    first, last = (
        cardinal(int(found["first"]), passage.british),
        amount(found["last"], passage.british),
    )
    return f"{first} {to}{last}"


def _verses(found: re.Match[str], passage: Passage) -> Said:
    """John 3:16-17."""
    if passage.word_before(found.start()).lower() not in _SCRIPTURES:
        return None
    chapter, first, last = (cardinal(int(found[group]), passage.british) for group in ("chapter", "first", "last"))
    return f"{chapter} {first} to {last}"


def _ordinal(found: re.Match[str], passage: Passage) -> Said:
    return ordinal(int(found["number"].replace(",", "")), passage.british)


def _ordinals(found: re.Match[str], passage: Passage) -> Said:
    """5th–7th."""
    first, last = (ordinal(int(found[group]), passage.british) for group in ("first", "last"))
    return f"{first} to {last}"


def _rated(found: re.Match[str], passage: Passage) -> Said:
    """4.5/5 stars."""
    return f"{amount(found['number'], passage.british)} out of {amount(found['of'], passage.british)}"


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
    if passage.after(found.end()) == "-" and below in (2, 4) and above == 1:
        return fraction(above, below, passage.british).removeprefix("one ")
    return fraction(above, below, passage.british)


def _many(found: re.Match[str], passage: Passage) -> Said:
    """5M users, 2.5bn people; but 12B alone is a name, and 5k is a run."""
    if is_named(found, passage):
        return None
    if found[0] == "401k":
        return "four oh one K"
    if found["magnitude"] == "k" and "." not in found["number"] and len(found["number"]) < 3 and not found["noun"]:
        return None
    if found["magnitude"] != "k" and len(found["magnitude"]) == 1 and "." not in found["number"] and not found["noun"]:
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
    if len(found[0]) > 4 and _TEXT_TO.search(passage.text, max(0, found.start() - 30), found.start()):
        return digits(found[0], "oh")
    if len(found[0]) == 3 and (before in _ERAS or passage.word_after(found.end()) in _ERAS):
        return short(found[0], passage.british)
    if len(found[0]) == 5 and passage.text[max(0, found.start() - 2) : found.start()] == ", ":
        return digits(found[0]) if passage.word_after(found.end()).istitle() else None  # 75004 Paris
    if len(found[0]) == 5 and len(before) == 2 and before.isupper():
        return digits(found[0], "oh")
    named = is_named(found, passage) or _ROOM_BEFORE.search(passage.text, max(0, found.start() - 5), found.start())
    if not named or len(found[0]) < 3:
        return None
    if len(found[0]) == 4 and found[0][0] != "0":
        return year_or_pair(int(found[0]))
    return short(found[0], passage.british)


def _number(found: re.Match[str], passage: Passage) -> Said:
    """A number as it is; what is glued to it is a word of its own."""
    return amount(found[0], passage.british) + (" " if passage.after(found.end()).isalpha() else "")


def _house(found: re.Match[str], passage: Passage) -> Said:
    """123 N. Main St."""
    number = short(found["number"], passage.british)
    if not found["side"]:
        return [part(found, "number", number)]
    return [
        Reading(number, *found.span("number")),
        Reading(_COMPASS[found["side"].rstrip(".")], *found.span("side")),
    ]


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


_ERAS = words("AD BC BCE CE A.D B.C")
_COMPASS = {"N": "North", "S": "South", "E": "East", "W": "West"}
STREET = (
    r"(?:Street|Avenue|Road|Boulevard|Drive|Lane|Court|Place|Parkway|Highway|Terrace|Square|Way"
    r"|St|Ave|Rd|Blvd|Dr|Ln|Ct|Pl|Pkwy|Hwy|Sq)\b"
)
DIGIT_RULES_FIRST: tuple[Rule, ...] = (
    rule(
        rf"(?P<number>\d{{1,5}}) (?:(?P<side>[NSEW]\.?) )?(?=(?:[A-Z][a-z]{{1,20}}\.? ){{1,3}}{STREET})",
        _house,
    ),
    rule(r"(?:[0-9a-fA-F]{1,4}:){1,7}(?::(?:[0-9a-fA-F]{1,4}:){0,6})?[0-9a-fA-F]{1,4}(?![\w:])", _group_address),
    rule(
        r"\d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?(?:, \d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?){1,4}"
        r"(?![\w–-])",
        _sets,
    ),
    rule(r"\d{3,4}(?: \d{3,4}){1,3}(?![\d.,-]\d|\d| \d)|\d{4,12}(?![\w]|[.,-]\d)", _code),
    rule(r"(?P<chapter>\d{1,3}):(?P<first>\d{1,3}) ?[-–] ?(?P<last>\d{1,3})(?![\w:])", _verses),
    rule(r"(?P<first>\d{4,5}):(?P<last>\d{2,5})(?![\w:])", _ports),
    rule(r"(?P<first>\d{2,3})\+(?P<last>\d{1,2})['’′](?!\d)", _extra_time),
    rule(r"2(?:moro|morrow)\b", lambda found, passage: "tomorrow"),
    rule(r"2nite\b", lambda found, passage: "tonight"),
    rule(r"802\.11(?P<letters>[a-z]{0,2})(?!\w)", _wireless),
    rule(r"(?P<number>\d{1,2}) c\.(?= [a-z])", _cups),
    rule(r"[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d|\d| \d)", _spaced_thousands),
    rule(r"(?P<number>\d{3})(?P<parts>\([a-z]\)(?:\(\d\))?)(?!\w)", _clause),
    rule(r"[1-9]\d{0,2}(?:\.\d{3}){2,4}(?![\w]|[.,]\d)", _pointed_thousands),
    rule(r"(?P<number>\d{1,4})!(?= ?[=+*/×÷])", lambda found, passage: f"{amount(found['number'], False)} factorial"),
    rule(
        r"(?P<first>\d{1,2}):(?P<last>\d{1,2})(?= (?:aspect|ratio|monitor|display|screen|video|format|image)s?\b)",
        lambda found, passage: _ratio(found, passage),
    ),
    rule(r"(?P<first>\d{2,3})[-–](?P<last>\d{1,3})(?![\w–-]| ?[=+%°]|\.\d)", _score),
    rule(r"(?P<number>\d{2})ers\b", _forty_niners),
    rule(r"007(?![\w.,-]\d|\w)", lambda found, passage: "double oh seven"),
    rule(r"24/7/365(?![/\w])", lambda found, passage: "twenty-four seven three sixty-five"),
    rule(r"\d{16,}", _long_run),
    rule(r"1(?P<noughts>0{2,3}|0{0,2},000(?:,000)?)s\b", _hundreds),
    rule(r"0[xX](?P<digits>[0-9a-fA-F]{1,16})\b", _hexadecimal),
    rule(r"(\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<bits>\d{1,2})\b)?(?::(?P<port>\d{1,5})\b)?(?![\d.]\d)", _address),
    rule(r"(?:1[-. ])?(?:\(\d{3}\) ?|[2-9]\d{2}[-. ])\d{3}[-.]\d{4}(?![-\d])", _telephone),
    rule(r"1-[89]\d\d-(?:\d{3}-\d{4}|[A-Z]{3,9}(?:-[A-Z\d]{2,9})?|\d{3}-[A-Z]{4})\b", _telephone),
    rule(r"(?P<first>[2-9]\d{2})-(?P<last>\d{4})(?![-\d/])", _local_number),
    rule(r"0\d{4} \d{6}(?!\d)", _telephone),
    rule(r"0\d{2,4} \d{3,4} \d{3,4}(?: \d{2,4})?(?!\d)", _telephone),
    rule(r"\d{4}(?: \d{4}){2,3}(?!\d)", _card_number),
    rule(r"(?:911|999|112|411|311)(?![\d\w,-]|\.\d)", _emergency),
    rule(r"\d{1,5}(?:[-–]\d{1,7}){2,5}(?![\d\w])(?! ?=)", lambda found, passage: _unless_date(found, passage)),
)
_NAMED = rule(r"\d{3,6}(?!\w|[,.:/-]\d)", _numbered)
DIGIT_RULES: tuple[Rule, ...] = (
    rule(r"(?P<number>\d(?:\.\d{1,12})?)[eE](?P<sign>[-+−]?)(?P<power>\d{1,3})\b", _scientific),
    rule(r"\d{1,6}(?:\.\d{1,6}){2,4}(?!\d)", _version),
    rule(r"(?P<first>\d{1,3})(?:st|nd|rd|th) ?[-–] ?(?P<last>\d{1,3})(?:st|nd|rd|th)(?!\w)", _ordinals),
    rule(rf"(?P<number>{INTEGER})(?:st|nd|rd|th|ST|ND|RD|TH)(?![a-zA-Z])", _ordinal),
    rule(r"(?P<whole>\d{1,3})[ \u00a0-](?P<above>\d{1,2})[/⁄](?P<below>\d{1,3})(?![\d/]|\.\d)", _mixed),
    rule(rf"(?P<first>\d{{1,3}}) ?[-–] ?(?P<whole>\d{{1,3}})? ?(?P<sign>[{_FRACTION_SIGNS}])", _vulgar_range),
    rule(rf"(?P<whole>\d{{1,6}})? ?(?P<sign>[{_FRACTION_SIGNS}])", _vulgar),
    rule(r"(?P<number>\d\.\d)/(?P<of>5|10)(?![\d/.])", _rated),
    rule(r"(?P<above>\d{1,3})[/⁄](?P<below>[1-9]\d{0,3})(?:(?:th|rd|nd)s?\b)?(?![\d/]|\.\d| ?[=+*])", _fraction),
    rule(rf"(?P<first>\d{{1,3}}):(?P<last>{INTEGER})(?![\d:])", _ratio),
    rule(rf"(?P<first>{NUMBER})(?:-|–|—| – )(?P<last>{NUMBER})(?![\w]|[-–]\d| ?[=+*])", _range),
    rule(rf"(?P<number>{NUMBER})(?P<magnitude>[MBTk]|bn|mn)(?![\w])(?=(?P<noun> [a-z])?)", _many),
    rule(rf"(?P<number>{NUMBER})\+(?![\w+=]| ?\d)", _over),
    rule(rf"(?P<number>{NUMBER})(?P<power>[²³](?![⁰¹²³⁴-⁹])|\^[23](?!\d))", _powered),
    _NAMED,
    rule(r"(?P<number>\d{1,4})(?P<letters>[A-Z]{1,4}|[pix])(?![\w])", _mix),
)
PLAIN_RULES: tuple[Rule, ...] = (
    rule(r"\.(?P<number>\d{3})(?!\w)", _average),
    _NAMED,
    rule(NUMBER, _number),
    rule(r"\d+", _long_run),
)
PLUS_RULES: tuple[Rule, ...] = (
    rule(r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,5}(?:[ .-]?\d{2,5}){1,4}(?!\d)", _telephone),
)
BRACKET_RULES: tuple[Rule, ...] = (rule(r"\(\d{3}\)[ .-]?\d{3}[-. ]\d{4}(?!\d)", _telephone),)
MINUS_RULES: tuple[Rule, ...] = (rule(r"[-−–](?=[.$£€]?\d)", _negative),)
VULGAR_RULES: tuple[Rule, ...] = (rule(rf"(?P<whole>)(?P<sign>[{_FRACTION_SIGNS}])", _vulgar),)
_DATE_LIKE = re.compile(r"[12]\d{3}-\d\d-\d\d|\d{1,2}-\d{1,2}-[12]\d{3}")


def _unless_date(found: re.Match[str], passage: Passage) -> Said:
    return None if _DATE_LIKE.fullmatch(found[0]) else _hyphened_digits(found, passage)
