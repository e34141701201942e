"""Expand bare numbers: ordinals, ranges, scores, fractions, versions, telephone numbers and the like.

PRIORITY_DIGIT_RULES holds shapes that other modules' rules would misread (a house number, a set of scores); DIGIT_RULES
follows the rules for dates, money and units; PLAIN_RULES reads whatever number is left.
"""

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
# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
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
# Denominators that make a fraction; others are said `over`, but for 1 above.
_PARTS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 32, 64, 100})
# Nouns after which a number is a label.
_NAMED_BY_NUMBER = words("""
    room route highway flight bus channel gate platform suite apartment extension unit model area
    interstate i us apt runway highway boeing airbus code http error status exit seat row flat section chmod rtx gtx rx
    ryzen radeon
""")
_ROOM_BEFORE = re.compile(r"\b(?:[Rr]m|[Aa]pt|[Rr]te|[Hh]wy)\. $")
# Books whose chapter and verse are spoken without `to`: John 3:16.
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
    """Spell a telephone number in groups of digits."""
    groups = re.findall(r"\d+|[A-Z]+", found[0])
    zero = "oh" if passage.british else "zero"
    spoken = ", ".join(_telephone_group(group, zero) for group in groups)
    return f"plus {spoken}" if found[0].startswith("+") else spoken


def _telephone_group(group: str, zero: str) -> str:
    if group in ("800", "900"):
        return cardinal(int(group), False)
    return " ".join(group) if group.isalpha() and len(group) < 3 else digits(group, zero) or group.capitalize()


def _local_number(found: re.Match[str], passage: Passage) -> Said:
    """Spell a local telephone number: 555-1234; 250-1000 is a range."""
    return None if found["first"].endswith("00") or found["last"].endswith("000") else _telephone(found, passage)


def _emergency(found: re.Match[str], passage: Passage) -> Said:
    """Spell an emergency number after a verb such as `call`."""
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
    """Spell an IPv4 address with its prefix length and port; None if a part exceeds 255."""
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
    """Return whether somebody wins, loses or votes within 60 characters before the match."""
    return _CONTEST.search(passage.text, max(0, found.start() - 60), found.start()) is not None


def _score(found: re.Match[str], passage: Passage) -> Said:
    """Expand a score where somebody wins: 112-108; it is no range and no telephone number there."""
    if not _is_contest(found, passage):
        return None
    # British: beat them 2-0 -> two nil
    if passage.british and "0" in (found["first"], found["last"]):
        return " ".join("nil" if side == "0" else amount(side, True) for side in (found["first"], found["last"]))
    return f"{amount(found['first'], passage.british)} to {amount(found['last'], passage.british)}"


def _sets(found: re.Match[str], passage: Passage) -> Said:
    """Expand the sets of a match: 6-4, 3-6, 7-5.

    None if every pair rises, as the pairs of a list of ranges do.
    """
    pairs = [(int(first), int(last)) for first, last in _PAIR.findall(found[0])]
    if all(first <= last for first, last in pairs):
        return None
    return _PAIR.sub(lambda pair: f"{amount(pair[1], passage.british)} {amount(pair[2], passage.british)}", found[0])


def _wireless(found: re.Match[str], passage: Passage) -> Said:
    """Spell a wireless standard: 802.11ac."""
    return " ".join(["eight oh two point eleven", *found["letters"].upper()])


def _cups(found: re.Match[str], passage: Passage) -> Said:
    """Expand cups in a recipe: 3 c. flour."""
    return f"{amount(found['number'], passage.british)} cup{'' if found['number'] == '1' else 's'}"


def _vulgar_range(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range that ends with a fraction sign: 1–1½ hours."""
    numerator, denominator = _VULGAR[found["sign"]]
    last = mixed(int(found["whole"]), numerator, denominator, passage.british) if found["whole"] else None
    last = last or fraction(numerator, denominator, passage.british)
    return f"{amount(found['first'], passage.british)} to {last}"


def _average(found: re.Match[str], passage: Passage) -> Said:
    """Spell a batting average: a .325 batting average; he bats .300."""
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
    """Spell a name such as 49ers."""
    name = cardinal(int(found["number"]), passage.british)
    return name + ("rs" if name.endswith("e") else "ers")


def _spaced_thousands(found: re.Match[str], passage: Passage) -> Said:
    """Spell a number whose groups are spaced: 1 000 000 people."""
    following = passage.word_after(found.end())
    if " 000" not in found[0] and not following.islower():
        return None
    return amount(found[0].replace(" ", ""), passage.british)


def _pointed_thousands(found: re.Match[str], passage: Passage) -> Said:
    """Spell a number whose groups have points between: 1.000.000.

    An address has no group of three zeros and none beyond 255.
    """
    groups = found[0].split(".")
    if not any(group == "000" or int(group) > 255 for group in groups):
        return None
    return amount("".join(groups), passage.british)


def _clause(found: re.Match[str], passage: Passage) -> Said:
    """Spell a clause of a law: 401(k), 501(c)(3)."""
    parts = " ".join(digits(part) or part.upper() for part in re.findall(r"\w+", found["parts"]))
    return f"{short(found['number'], False)} {parts}"


def _group_address(found: re.Match[str], passage: Passage) -> Said:
    """Spell an IPv6 or MAC address sign by sign: 2001:db8::1, 00:1A:2B:3C:4D:5E."""
    if not re.search(r"[A-Fa-f]", found[0]) and "::" not in found[0]:
        return None
    return " ".join("colon" if sign == ":" else digits(sign) or sign.upper() for sign in found[0])


def _code(found: re.Match[str], passage: Passage) -> Said:
    """Spell a code digit by digit: Your OTP is 483920; meeting ID: 845 1234 5678."""
    if not _CODE_BEHIND.search(passage.text, max(0, found.start() - 32), found.start()):
        return None
    return ", ".join(digits(group) for group in found[0].split())


def _extra_time(found: re.Match[str], passage: Passage) -> Said:
    """Expand a minute of extra time: in the 90+3' minute."""
    return f"{amount(found['first'], passage.british)} plus {amount(found['last'], passage.british)}"


def _ports(found: re.Match[str], passage: Passage) -> Said:
    """Expand a mapping of ports: 8080:80."""
    return f"{short(found['first'], False)} to {short(found['last'], False)}"


def _hyphened_digits(found: re.Match[str], passage: Passage) -> Said:
    """Spell groups of digits with hyphens, each by itself: 4-4-2, 978-0-306."""
    groups = re.split("[-–]", found[0])
    if all(len(group) < 3 and group[0] != "0" for group in groups):
        return " ".join(cardinal(int(group), passage.british) for group in groups)
    return ", ".join(digits(group) for group in groups)


def _card_number(found: re.Match[str], passage: Passage) -> Said:
    return ", ".join(digits(group) for group in found[0].split())


def _long_run(found: re.Match[str], passage: Passage) -> Said:
    return digits(found[0])


def _range(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range, a score, or a pair of equal or falling numbers."""
    first, last = found["first"], found["last"]
    if (scored := _score(found, passage)) is not None:
        return scored
    # 50-50: fifty fifty.
    if first == last:
        return f"{amount(first, passage.british)} {amount(last, passage.british)}"
    # A falling pair of codes, as 747-400.
    if len(first) > 2 and len(first) == len(last) and first > last and first.isdecimal():
        return f"{short(first, passage.british)} {short(last, passage.british)}"
    return f"{amount(first, passage.british)} to {amount(last, passage.british)}"


def is_named(found: re.Match[str], passage: Passage) -> bool:
    """Return whether a number is a label, as in exit 24B or room 12A."""
    return passage.word_before(found.start()).lower() in _NAMED_BY_NUMBER


def _hundreds(found: re.Match[str], passage: Passage) -> Said:
    """Expand hundreds and thousands of things: 100s, 1,000s, 10,000s."""
    names = {2: "hundreds", 3: "thousands", 4: "tens of thousands", 5: "hundreds of thousands", 6: "millions"}
    return names.get(found["noughts"].count("0"))


def _ratio(found: re.Match[str], passage: Passage) -> Said:
    """Expand a ratio, or a chapter and a verse without `to`."""
    to = "" if passage.word_before(found.start()).lower() in _SCRIPTURES else "to "
    first, last = (
        cardinal(int(found["first"]), passage.british),
        amount(found["last"], passage.british),
    )
    return f"{first} {to}{last}"


def _verses(found: re.Match[str], passage: Passage) -> Said:
    """Expand a chapter and a range of verses: John 3:16-17."""
    if passage.word_before(found.start()).lower() not in _SCRIPTURES:
        return None
    chapter, first, last = (cardinal(int(found[group]), passage.british) for group in ("chapter", "first", "last"))
    return f"{chapter} {first} to {last}"


def _ordinal(found: re.Match[str], passage: Passage) -> Said:
    return ordinal(int(found["number"].replace(",", "")), passage.british)


def _ordinals(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of ordinals: 5th–7th."""
    first, last = (ordinal(int(found[group]), passage.british) for group in ("first", "last"))
    return f"{first} to {last}"


def _rated(found: re.Match[str], passage: Passage) -> Said:
    """Expand a rating: 4.5/5 stars."""
    return f"{amount(found['number'], passage.british)} out of {amount(found['of'], passage.british)}"


def _fraction(found: re.Match[str], passage: Passage) -> Said:
    """Expand a fraction, a date such as 9/11, a share such as 50/50, or a rating."""
    numerator, denominator = int(found["above"]), int(found["below"])
    if (numerator, denominator) == (24, 7):
        return "twenty-four seven"
    # 9/11 and 7-Eleven as Americans say them.
    if (numerator, denominator) in ((9, 11), (7, 11)) and not passage.british:
        return f"{cardinal(numerator, False)} eleven"
    # 6/8 time.
    if passage.word_after(found.end()) == "time" and denominator in (2, 4, 8, 16):
        return f"{cardinal(numerator, False)} {cardinal(denominator, False)}"
    # a 1/2 cup -> a half cup
    if numerator == 1 and denominator in (2, 3, 4, 8) and passage.word_before(found.start()).lower() in ("a", "an"):
        return fraction(numerator, denominator, False).removeprefix("one ")
    # 20/20, 50/50, 60/40.
    if (numerator == denominator and numerator > 10) or numerator + denominator == 100:
        return f"{cardinal(numerator, passage.british)} {cardinal(denominator, passage.british)}"
    # 5/5, 8/10.
    if numerator == denominator or (denominator == 10 and numerator > 1):
        return f"{cardinal(numerator, passage.british)} out of {cardinal(denominator, passage.british)}"
    if denominator in _PARTS or (numerator == 1 and denominator > 1):
        return fraction(numerator, denominator, passage.british)
    return f"{amount(found['above'], passage.british)} over {amount(found['below'], passage.british)}"


def _mixed(found: re.Match[str], passage: Passage) -> Said:
    """Expand a whole number and a fraction: 3 1/2."""
    whole, numerator, denominator = (int(found[group]) for group in ("whole", "above", "below"))
    if denominator not in _PARTS or numerator >= denominator:
        return None
    article = mixed(whole, numerator, denominator, passage.british)
    number, _, rest = article.partition(" and ")
    # A long number keeps its offsets as one unit.
    if whole > 99:
        return article
    return [Reading(number, *found.span("whole")), Reading(f"and {rest}", found.start("above"), found.end())]


def _vulgar(found: re.Match[str], passage: Passage) -> Said:
    """Expand a fraction sign, with a whole number before it or without."""
    numerator, denominator = _VULGAR[found["sign"]]
    if found["whole"]:
        return mixed(int(found["whole"]), numerator, denominator, passage.british)
    if passage.after(found.end()) == "-" and denominator in (2, 4) and numerator == 1:
        return fraction(numerator, denominator, passage.british).removeprefix("one ")
    return fraction(numerator, denominator, passage.british)


def _many(found: re.Match[str], passage: Passage) -> Said:
    """Expand a magnitude: 5M users, 2.5bn people; 12B alone is a name, 5k a run."""
    if is_named(found, passage):
        return None
    if found[0] == "401k":
        return "four oh one K"
    # A run of 5k, a screen of 4k.
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
    """Spell a number that is a label: room 305, route 66, a ZIP code.

    Labels of three digits or more are spelled in two parts.
    """
    before = passage.word_before(found.start())
    # Text HELP to 88022.
    if len(found[0]) > 4 and _TEXT_TO.search(passage.text, max(0, found.start() - 30), found.start()):
        return digits(found[0], "oh")
    # In 410 AD.
    if len(found[0]) == 3 and (before in _ERAS or passage.word_after(found.end()) in _ERAS):
        return short(found[0], passage.british)
    if len(found[0]) == 5 and passage.text[max(0, found.start() - 2) : found.start()] == ", ":
        return digits(found[0]) if passage.word_after(found.end()).istitle() else None  # 75004 Paris
    # Springfield, IL 62704.
    if len(found[0]) == 5 and len(before) == 2 and before.isupper():
        return digits(found[0], "oh")
    named = is_named(found, passage) or _ROOM_BEFORE.search(passage.text, max(0, found.start() - 5), found.start())
    if not named or len(found[0]) < 3:
        return None
    if len(found[0]) == 4 and found[0][0] != "0":
        return year_or_pair(int(found[0]))
    return short(found[0], passage.british)


def _number(found: re.Match[str], passage: Passage) -> Said:
    """Spell a number; set apart the letters that follow at once."""
    return amount(found[0], passage.british) + (" " if passage.after(found.end()).isalpha() else "")


def _house(found: re.Match[str], passage: Passage) -> Said:
    """Spell a house number before a street's name: 123 N. Main St."""
    number = short(found["number"], passage.british)
    if not found["side"]:
        return [part(found, "number", number)]
    return [
        Reading(number, *found.span("number")),
        Reading(_COMPASS[found["side"].rstrip(".")], *found.span("side")),
    ]


def _mix(found: re.Match[str], passage: Passage) -> Said:
    """Expand digits with letters behind: 3D, 5G, 4K; the letters are spelled one by one."""
    return f"{short(found['number'], passage.british)} {' '.join(found['letters'].upper())}"


def _negative(found: re.Match[str], passage: Passage) -> Said:
    """Say `minus` before a number, unless a word or a number stands right before the sign."""
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
        # at 123 Main Street now -> at one twenty-three Main Street now
        rf"(?P<number>\d{{1,5}}) (?:(?P<side>[NSEW]\.?) )?(?=(?:[A-Z][a-z]{{1,20}}\.? ){{1,3}}{STREET})",
        _house,
    ),
    # Before dates and ratios, which would take the first two groups.
    rule(r"(?:[0-9a-fA-F]{1,4}:){1,7}(?::(?:[0-9a-fA-F]{1,4}:){0,6})?[0-9a-fA-F]{1,4}(?![\w:])", _group_address),
    rule(
        # won 6-4, 3-6, 7-5 -> won six four, three six, seven five
        r"\d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?(?:, \d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?){1,4}"
        r"(?![\w–-])",
        _sets,
    ),
    rule(r"\d{3,4}(?: \d{3,4}){1,3}(?![\d.,-]\d|\d| \d)|\d{4,12}(?![\w]|[.,-]\d)", _code),
    # John 3:16-17 says -> John three sixteen to seventeen says
    rule(r"(?P<chapter>\d{1,3}):(?P<first>\d{1,3}) ?[-–] ?(?P<last>\d{1,3})(?![\w:])", _verses),
    # map 8080:80 now -> map eighty eighty to eighty now
    rule(r"(?P<first>\d{4,5}):(?P<last>\d{2,5})(?![\w:])", _ports),
    rule(r"(?P<first>\d{2,3})\+(?P<last>\d{1,2})['’′](?!\d)", _extra_time),
    rule(r"2(?:moro|morrow)\b", lambda match, context: "tomorrow"),
    rule(r"2nite\b", lambda match, context: "tonight"),
    rule(r"802\.11(?P<letters>[a-z]{0,2})(?!\w)", _wireless),
    rule(r"(?P<number>\d{1,2}) c\.(?= [a-z])", _cups),
    # 1 000 000 people -> one million people
    rule(r"[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d|\d| \d)", _spaced_thousands),
    # my 401(k) plan -> my four oh one K plan
    rule(r"(?P<number>\d{3})(?P<parts>\([a-z]\)(?:\(\d\))?)(?!\w)", _clause),
    rule(r"[1-9]\d{0,2}(?:\.\d{3}){2,4}(?![\w]|[.,]\d)", _pointed_thousands),
    rule(r"(?P<number>\d{1,4})!(?= ?[=+*/×÷])", lambda match, context: f"{amount(match['number'], False)} factorial"),
    rule(
        r"(?P<first>\d{1,2}):(?P<last>\d{1,2})(?= (?:aspect|ratio|monitor|display|screen|video|format|image)s?\b)",
        lambda match, context: _ratio(match, context),
    ),
    # won 112-108 there -> won one hundred twelve to one hundred eight there
    rule(r"(?P<first>\d{2,3})[-–](?P<last>\d{1,3})(?![\w–-]| ?[=+%°]|\.\d)", _score),
    rule(r"(?P<number>\d{2})ers\b", _forty_niners),
    rule(r"007(?![\w.,-]\d|\w)", lambda match, context: "double oh seven"),
    rule(r"24/7/365(?![/\w])", lambda match, context: "twenty-four seven three sixty-five"),
    rule(r"\d{16,}", _long_run),
    # seen 1,000s of them -> seen thousands of them
    rule(r"1(?P<noughts>0{2,3}|0{0,2},000(?:,000)?)s\b", _hundreds),
    # at 0x1F now -> at zero X one F now
    rule(r"0[xX](?P<digits>[0-9a-fA-F]{1,16})\b", _hexadecimal),
    # at 10.0.0.1:80 now -> at ten dot zero dot zero dot one port eighty now
    rule(r"(\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<bits>\d{1,2})\b)?(?::(?P<port>\d{1,5})\b)?(?![\d.]\d)", _address),
    # Telephone numbers: North American, toll-free with letters, local, British.
    rule(r"(?:1[-. ])?(?:\(\d{3}\) ?|[2-9]\d{2}[-. ])\d{3}[-.]\d{4}(?![-\d])", _telephone),
    rule(r"1-[89]\d\d-(?:\d{3}-\d{4}|[A-Z]{3,9}(?:-[A-Z\d]{2,9})?|\d{3}-[A-Z]{4})\b", _telephone),
    rule(r"(?P<first>[2-9]\d{2})-(?P<last>\d{4})(?![-\d/])", _local_number),
    rule(r"0\d{4} \d{6}(?!\d)", _telephone),
    rule(r"0\d{2,4} \d{3,4} \d{3,4}(?: \d{2,4})?(?!\d)", _telephone),
    # A card's number.
    rule(r"\d{4}(?: \d{4}){2,3}(?!\d)", _card_number),
    # call 911 now -> call nine one one now
    rule(r"(?:911|999|112|411|311)(?![\d\w,-]|\.\d)", _emergency),
    rule(r"\d{1,5}(?:[-–]\d{1,7}){2,5}(?![\d\w])(?! ?=)", lambda match, context: _unless_date(match, context)),
)
# In two tables: before other rules for digits, and for a number that a mark follows.
_NAMED = rule(r"\d{3,6}(?!\w|[,.:/-]\d)", _numbered)
DIGIT_RULES: tuple[Rule, ...] = (
    # about 1.5e-3 mm -> one point five times ten to the minus three
    rule(r"(?P<number>\d(?:\.\d{1,12})?)[eE](?P<sign>[-+−]?)(?P<power>\d{1,3})\b", _scientific),
    # use 3.11.4 now -> use three point eleven point four now
    rule(r"\d{1,6}(?:\.\d{1,6}){2,4}(?!\d)", _version),
    rule(r"(?P<first>\d{1,3})(?:st|nd|rd|th) ?[-–] ?(?P<last>\d{1,3})(?:st|nd|rd|th)(?!\w)", _ordinals),
    # the 21st day -> the twenty-first day
    rule(rf"(?P<number>{INTEGER})(?:st|nd|rd|th|ST|ND|RD|TH)(?![a-zA-Z])", _ordinal),
    # need 3 1/2 cups -> need three and a half cups
    rule(r"(?P<whole>\d{1,3})[ \u00a0-](?P<above>\d{1,2})[/⁄](?P<below>\d{1,3})(?![\d/]|\.\d)", _mixed),
    rule(rf"(?P<first>\d{{1,3}}) ?[-–] ?(?P<whole>\d{{1,3}})? ?(?P<sign>[{_FRACTION_SIGNS}])", _vulgar_range),
    rule(rf"(?P<whole>\d{{1,6}})? ?(?P<sign>[{_FRACTION_SIGNS}])", _vulgar),
    # got 4.5/5 stars -> got four point five out of five stars
    rule(r"(?P<number>\d\.\d)/(?P<of>5|10)(?![\d/.])", _rated),
    # need 3/4 of it -> need three quarters of it
    rule(r"(?P<above>\d{1,3})[/⁄](?P<below>[1-9]\d{0,3})(?:(?:th|rd|nd)s?\b)?(?![\d/]|\.\d| ?[=+*])", _fraction),
    # odds of 3:1 now -> odds of three to one now
    rule(rf"(?P<first>\d{{1,3}}):(?P<last>{INTEGER})(?![\d:])", _ratio),
    # take 5-10 of them -> take five to ten of them
    rule(rf"(?P<first>{NUMBER})(?:-|–|—| – )(?P<last>{NUMBER})(?![\w]|[-–]\d| ?[=+*])", _range),
    # has 5M users -> has five million users
    rule(rf"(?P<number>{NUMBER})(?P<magnitude>[MBTk]|bn|mn)(?![\w])(?=(?P<noun> [a-z])?)", _many),
    # has 50+ rooms -> has fifty plus rooms
    rule(rf"(?P<number>{NUMBER})\+(?![\w+=]| ?\d)", _over),
    rule(rf"(?P<number>{NUMBER})(?P<power>[²³](?![⁰¹²³⁴-⁹])|\^[23](?!\d))", _powered),
    _NAMED,
    # on 5G now -> on five G now
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
