"""Expand bare numbers: ordinals, ranges, scores, fractions, versions, telephone numbers and the like.

PRIORITY_DIGIT_RULES holds shapes that other modules' rules would misread (a house number, a set of scores); DIGIT_RULES
follows the rules for dates, money and units; PLAIN_RULES reads whatever number is left.
"""

import re

from kokoro_server.text.aligned import Replacement
from kokoro_server.text.normalization.english.number_words import (
    INTEGER,
    NUMBER,
    spell_cardinal,
    spell_digit_pairs,
    spell_digits,
    spell_fraction,
    spell_mixed_number,
    spell_number,
    spell_numeric_label,
    spell_ordinal,
)
from kokoro_server.text.normalization.rules.context import (
    Rule,
    RuleResult,
    TextContext,
    compile_rule,
    replace_group,
)
from kokoro_server.text.normalization.rules.numerals import FRACTION_SIGNS, parse_fraction_sign
from kokoro_server.text.tables import parse_words

# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
_CONTEST_BEFORE = re.compile(
    r"\b(?:wins?|won|beats?|beat|beating|lost|loses?|defeat(?:s|ed)?|leads?|led|trail(?:s|ed)?|score[ds]?|victory|drew|draws?|pass(?:ed)?|vote[ds]?|approved?|rejected|failed)\b"
    r"[^.!?\n]{0,40}$",
    re.IGNORECASE,
)
_CODE_BEFORE = re.compile(
    r"\b(?:OTP|PIN|[Pp]asscode|[Pp]assword|[Cc]ode|ID|[Aa]ccount|[Rr]eference|[Cc]onfirmation)(?: number)?"
    r"(?:,? is|:)? $"
)
_SCORE_PAIR = re.compile(r"(\d{1,2})[-–](\d{1,2})")
_TEXT_TO_BEFORE = re.compile(r"\b[Tt]ext (?:\w{1,20} )?to $")
# Denominators that make a fraction; others are said `over`, but for 1 above.
_DENOMINATORS = frozenset({2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 20, 32, 64, 100})
# Nouns after which a number is a label.
_LABELED_NOUNS = parse_words("""
    room route highway flight bus channel gate platform suite apartment extension unit model area
    interstate i us apt runway highway boeing airbus code http error status exit seat row flat section chmod rtx gtx rx
    ryzen radeon
""")
_ROOM_BEFORE = re.compile(r"\b(?:[Rr]m|[Aa]pt|[Rr]te|[Hh]wy)\. $")
# Books whose chapter and verse are spoken without `to`: John 3:16.
_SCRIPTURES = parse_words(
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
_POWER_NAMES = {"²": "squared", "³": "cubed", "^2": "squared", "^3": "cubed"}


def _spell_phone_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a telephone number in groups of digits."""
    groups = re.findall(r"\d+|[A-Z]+", match[0])
    zero = "oh" if context.is_british else "zero"
    spoken = ", ".join(_spell_phone_group(group, zero) for group in groups)
    return f"plus {spoken}" if match[0].startswith("+") else spoken


def _spell_phone_group(group: str, zero: str) -> str:
    if group in ("800", "900"):
        return spell_cardinal(int(group), False)
    return " ".join(group) if group.isalpha() and len(group) < 3 else spell_digits(group, zero) or group.capitalize()


def _spell_local_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a local telephone number: 555-1234; 250-1000 is a range."""
    return (
        None if match["first"].endswith("00") or match["last"].endswith("000") else _spell_phone_number(match, context)
    )


def _spell_emergency_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an emergency number after a verb such as `call`."""
    called = context.find_word_before(match.start()).lower() in (
        "call",
        "dial",
        "phone",
        "called",
        "calling",
        "to",
        "a",
    )
    return spell_digits(match[0]) if called else None


def _spell_ip_address(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an IPv4 address with its prefix length and port; None if a part exceeds 255."""
    parts = match[1].split(".")
    if any(int(number) > 255 for number in parts):
        return None
    spoken = " dot ".join(spell_numeric_label(number, False) for number in parts)
    bits = f" slash {spell_cardinal(int(match['bits']), False)}" if match["bits"] else ""
    port = f" port {spell_numeric_label(match['port'], False)}" if match["port"] else ""
    return spoken + bits + port


def _expand_dotted_version(match: re.Match[str], context: TextContext) -> RuleResult:
    spoken = " point ".join(spell_number(number, context.is_british) for number in match[0].split("."))
    return spoken


def _is_contest(match: re.Match[str], context: TextContext) -> bool:
    """Return whether somebody wins, loses or votes within 60 characters before the match."""
    return _CONTEST_BEFORE.search(context.text, max(0, match.start() - 60), match.start()) is not None


def _expand_score(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a score where somebody wins: 112-108; it is no range and no telephone number there."""
    if not _is_contest(match, context):
        return None
    # British: beat them 2-0 -> two nil
    if context.is_british and "0" in (match["first"], match["last"]):
        return " ".join("nil" if side == "0" else spell_number(side, True) for side in (match["first"], match["last"]))
    return f"{spell_number(match['first'], context.is_british)} to {spell_number(match['last'], context.is_british)}"


def _expand_sets(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand the sets of a match: 6-4, 3-6, 7-5.

    None if every pair rises, as the pairs of a list of ranges do.
    """
    pairs = [(int(first), int(last)) for first, last in _SCORE_PAIR.findall(match[0])]
    if all(first <= last for first, last in pairs):
        return None
    return _SCORE_PAIR.sub(
        lambda pair: f"{spell_number(pair[1], context.is_british)} {spell_number(pair[2], context.is_british)}",
        match[0],
    )


def _expand_wireless_standard(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a wireless standard: 802.11ac."""
    return " ".join(["eight oh two point eleven", *match["letters"].upper()])


def _expand_cups(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand cups in a recipe: 3 c. flour."""
    return f"{spell_number(match['number'], context.is_british)} cup{'' if match['number'] == '1' else 's'}"


def _expand_vulgar_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range that ends with a fraction sign: 1–1½ hours."""
    numerator, denominator = parse_fraction_sign(match["sign"])
    last = (
        spell_mixed_number(int(match["whole"]), numerator, denominator, context.is_british) if match["whole"] else None
    )
    last = last or spell_fraction(numerator, denominator, context.is_british)
    return f"{spell_number(match['first'], context.is_british)} to {last}"


def _spell_batting_average(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a batting average: a .325 batting average; he bats .300."""
    follows = context.find_word_after(match.end()) in ("batting", "hitter", "average", "slugging")
    if not follows and context.find_word_before(match.start()) not in (
        "bats",
        "batting",
        "batted",
        "hits",
        "hit",
        "hitting",
    ):
        return None
    return spell_numeric_label(match["number"], context.is_british)


def _expand_team_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a name such as 49ers."""
    name = spell_cardinal(int(match["number"]), context.is_british)
    return name + ("rs" if name.endswith("e") else "ers")


def _spell_spaced_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a number whose groups are spaced: 1 000 000 people."""
    following = context.find_word_after(match.end())
    if " 000" not in match[0] and not following.islower():
        return None
    return spell_number(match[0].replace(" ", ""), context.is_british)


def _spell_pointed_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a number whose groups have points between: 1.000.000.

    An address has no group of three zeros and none beyond 255.
    """
    groups = match[0].split(".")
    if not any(group == "000" or int(group) > 255 for group in groups):
        return None
    return spell_number("".join(groups), context.is_british)


def _expand_legal_clause(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a clause of a law: 401(k), 501(c)(3)."""
    parts = " ".join(spell_digits(part) or part.upper() for part in re.findall(r"\w+", match["parts"]))
    return f"{spell_numeric_label(match['number'], False)} {parts}"


def _spell_hex_address(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an IPv6 or MAC address sign by sign: 2001:db8::1, 00:1A:2B:3C:4D:5E."""
    if not re.search(r"[A-Fa-f]", match[0]) and "::" not in match[0]:
        return None
    return " ".join("colon" if sign == ":" else spell_digits(sign) or sign.upper() for sign in match[0])


def _spell_code(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a code digit by digit: Your OTP is 483920; meeting ID: 845 1234 5678."""
    if not _CODE_BEFORE.search(context.text, max(0, match.start() - 32), match.start()):
        return None
    return ", ".join(spell_digits(group) for group in match[0].split())


def _expand_extra_time(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a minute of extra time: in the 90+3' minute."""
    return f"{spell_number(match['first'], context.is_british)} plus {spell_number(match['last'], context.is_british)}"


def _expand_port_mapping(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a mapping of ports: 8080:80."""
    return f"{spell_numeric_label(match['first'], False)} to {spell_numeric_label(match['last'], False)}"


def _spell_hyphen_groups(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell groups of digits with hyphens, each by itself: 4-4-2, 978-0-306."""
    groups = re.split("[-–]", match[0])
    if all(len(group) < 3 and group[0] != "0" for group in groups):
        return " ".join(spell_cardinal(int(group), context.is_british) for group in groups)
    return ", ".join(spell_digits(group) for group in groups)


def _spell_card_number(match: re.Match[str], context: TextContext) -> RuleResult:
    return ", ".join(spell_digits(group) for group in match[0].split())


def _spell_long_number(match: re.Match[str], context: TextContext) -> RuleResult:
    return spell_digits(match[0])


def _expand_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range, a score, or a pair of equal or falling numbers."""
    first, last = match["first"], match["last"]
    if (scored := _expand_score(match, context)) is not None:
        return scored
    # 50-50: fifty fifty.
    if first == last:
        return f"{spell_number(first, context.is_british)} {spell_number(last, context.is_british)}"
    # A falling pair of codes, as 747-400.
    if len(first) > 2 and len(first) == len(last) and first > last and first.isdecimal():
        return f"{spell_numeric_label(first, context.is_british)} {spell_numeric_label(last, context.is_british)}"
    return f"{spell_number(first, context.is_british)} to {spell_number(last, context.is_british)}"


def is_numeric_label(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a number is a label, as in exit 24B or room 12A."""
    return context.find_word_before(match.start()).lower() in _LABELED_NOUNS


def _expand_hundreds(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand hundreds and thousands of things: 100s, 1,000s, 10,000s."""
    names = {2: "hundreds", 3: "thousands", 4: "tens of thousands", 5: "hundreds of thousands", 6: "millions"}
    return names.get(match["noughts"].count("0"))


def _expand_ratio(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a ratio, or a chapter and a verse without `to`."""
    to = "" if context.find_word_before(match.start()).lower() in _SCRIPTURES else "to "
    first, last = (
        spell_cardinal(int(match["first"]), context.is_british),
        spell_number(match["last"], context.is_british),
    )
    return f"{first} {to}{last}"


def _expand_verses(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a chapter and a range of verses: John 3:16-17."""
    if context.find_word_before(match.start()).lower() not in _SCRIPTURES:
        return None
    chapter, first, last = (
        spell_cardinal(int(match[group]), context.is_british) for group in ("chapter", "first", "last")
    )
    return f"{chapter} {first} to {last}"


def _expand_ordinal(match: re.Match[str], context: TextContext) -> RuleResult:
    return spell_ordinal(int(match["number"].replace(",", "")), context.is_british)


def _expand_ordinal_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of ordinals: 5th–7th."""
    first, last = (spell_ordinal(int(match[group]), context.is_british) for group in ("first", "last"))
    return f"{first} to {last}"


def _expand_rating(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a rating: 4.5/5 stars."""
    return f"{spell_number(match['number'], context.is_british)} out of {spell_number(match['of'], context.is_british)}"


def _expand_fraction(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a fraction, a date such as 9/11, a share such as 50/50, or a rating."""
    numerator, denominator = int(match["above"]), int(match["below"])
    if (numerator, denominator) == (24, 7):
        return "twenty-four seven"
    # 9/11 and 7-Eleven as Americans say them.
    if (numerator, denominator) in ((9, 11), (7, 11)) and not context.is_british:
        return f"{spell_cardinal(numerator, False)} eleven"
    # 6/8 time.
    if context.find_word_after(match.end()) == "time" and denominator in (2, 4, 8, 16):
        return f"{spell_cardinal(numerator, False)} {spell_cardinal(denominator, False)}"
    # a 1/2 cup -> a half cup
    if (
        numerator == 1
        and denominator in (2, 3, 4, 8)
        and context.find_word_before(match.start()).lower() in ("a", "an")
    ):
        return spell_fraction(numerator, denominator, False).removeprefix("one ")
    # 20/20, 50/50, 60/40.
    if (numerator == denominator and numerator > 10) or numerator + denominator == 100:
        return f"{spell_cardinal(numerator, context.is_british)} {spell_cardinal(denominator, context.is_british)}"
    # 5/5, 8/10.
    if numerator == denominator or (denominator == 10 and numerator > 1):
        return (
            f"{spell_cardinal(numerator, context.is_british)} out of {spell_cardinal(denominator, context.is_british)}"
        )
    if denominator in _DENOMINATORS or (numerator == 1 and denominator > 1):
        return spell_fraction(numerator, denominator, context.is_british)
    return f"{spell_number(match['above'], context.is_british)} over {spell_number(match['below'], context.is_british)}"


def _expand_mixed_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a whole number and a fraction: 3 1/2."""
    whole, numerator, denominator = (int(match[group]) for group in ("whole", "above", "below"))
    if denominator not in _DENOMINATORS or numerator >= denominator:
        return None
    article = spell_mixed_number(whole, numerator, denominator, context.is_british)
    number, _, rest = article.partition(" and ")
    # A long number keeps its offsets as one unit.
    if whole > 99:
        return article
    return [Replacement(number, *match.span("whole")), Replacement(f"and {rest}", match.start("above"), match.end())]


def _expand_vulgar_fraction(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a fraction sign, with a whole number before it or without."""
    numerator, denominator = parse_fraction_sign(match["sign"])
    if match["whole"]:
        return spell_mixed_number(int(match["whole"]), numerator, denominator, context.is_british)
    if context.get_char_at(match.end()) == "-" and denominator in (2, 4) and numerator == 1:
        return spell_fraction(numerator, denominator, context.is_british).removeprefix("one ")
    return spell_fraction(numerator, denominator, context.is_british)


def _expand_magnitude(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a magnitude: 5M users, 2.5bn people; 12B alone is a name, 5k a run."""
    if is_numeric_label(match, context):
        return None
    if match[0] == "401k":
        return "four oh one K"
    # A run of 5k, a screen of 4k.
    if match["magnitude"] == "k" and "." not in match["number"] and len(match["number"]) < 3 and not match["noun"]:
        return None
    if match["magnitude"] != "k" and len(match["magnitude"]) == 1 and "." not in match["number"] and not match["noun"]:
        return None
    return f"{spell_number(match['number'], context.is_british)} {_MAGNITUDES[match['magnitude']]}"


def _expand_at_least(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{spell_number(match['number'], context.is_british)} plus"


def _expand_number_power(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{spell_number(match['number'], context.is_british)} {_POWER_NAMES[match['power']]}"


def _expand_scientific(match: re.Match[str], context: TextContext) -> RuleResult:
    sign = "minus " if match["sign"] in ("-", "−") else ""
    power = spell_number(match["power"], context.is_british)
    return f"{spell_number(match['number'], context.is_british)} times ten to the {sign}{power}"


def _spell_hexadecimal(match: re.Match[str], context: TextContext) -> RuleResult:
    letters = " ".join(spell_digits(sign) or sign.upper() for sign in match["digits"])
    return f"zero X {letters}"


def _spell_label(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a number that is a label: room 305, route 66, a ZIP code.

    Labels of three digits or more are spelled in two parts.
    """
    before = context.find_word_before(match.start())
    # Text HELP to 88022.
    if len(match[0]) > 4 and _TEXT_TO_BEFORE.search(context.text, max(0, match.start() - 30), match.start()):
        return spell_digits(match[0], "oh")
    # In 410 AD.
    if len(match[0]) == 3 and (before in _ERAS or context.find_word_after(match.end()) in _ERAS):
        return spell_numeric_label(match[0], context.is_british)
    if len(match[0]) == 5 and context.text[max(0, match.start() - 2) : match.start()] == ", ":
        return spell_digits(match[0]) if context.find_word_after(match.end()).istitle() else None  # 75004 Paris
    # Springfield, IL 62704.
    if len(match[0]) == 5 and len(before) == 2 and before.isupper():
        return spell_digits(match[0], "oh")
    named = is_numeric_label(match, context) or _ROOM_BEFORE.search(
        context.text, max(0, match.start() - 5), match.start()
    )
    if not named or len(match[0]) < 3:
        return None
    if len(match[0]) == 4 and match[0][0] != "0":
        return spell_digit_pairs(int(match[0]))
    return spell_numeric_label(match[0], context.is_british)


def _expand_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a number; set apart the letters that follow at once."""
    return spell_number(match[0], context.is_british) + (" " if context.get_char_at(match.end()).isalpha() else "")


def _expand_house_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a house number before a street's name: 123 N. Main St."""
    number = spell_numeric_label(match["number"], context.is_british)
    if not match["side"]:
        return [replace_group(match, "number", number)]
    return [
        Replacement(number, *match.span("number")),
        Replacement(_COMPASS[match["side"].rstrip(".")], *match.span("side")),
    ]


def _expand_digits_and_letters(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand digits with letters behind: 3D, 5G, 4K; the letters are spelled one by one."""
    return f"{spell_numeric_label(match['number'], context.is_british)} {' '.join(match['letters'].upper())}"


def _expand_minus(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `minus` before a number, unless a word or a number stands right before the sign."""
    before = context.get_char_before(match.start())
    if before.isalnum() or before in ")]\"'%.,-–/_°":
        return None
    following = context.get_char_at(match.end())
    return "minus " if following.isdigit() or following in ".$£€" else None


_ERAS = parse_words("AD BC BCE CE A.D B.C")
_COMPASS = {"N": "North", "S": "South", "E": "East", "W": "West"}
STREET_SUFFIX = (
    r"(?:Street|Avenue|Road|Boulevard|Drive|Lane|Court|Place|Parkway|Highway|Terrace|Square|Way"
    r"|St|Ave|Rd|Blvd|Dr|Ln|Ct|Pl|Pkwy|Hwy|Sq)\b"
)
PRIORITY_DIGIT_RULES: tuple[Rule, ...] = (
    compile_rule(
        # at 123 Main Street now -> at one twenty-three Main Street now
        rf"(?P<number>\d{{1,5}}) (?:(?P<side>[NSEW]\.?) )?(?=(?:[A-Z][a-z]{{1,20}}\.? ){{1,3}}{STREET_SUFFIX})",
        _expand_house_number,
    ),
    # Before dates and ratios, which would take the first two groups.
    compile_rule(
        r"(?:[0-9a-fA-F]{1,4}:){1,7}(?::(?:[0-9a-fA-F]{1,4}:){0,6})?[0-9a-fA-F]{1,4}(?![\w:])", _spell_hex_address
    ),
    compile_rule(
        # won 6-4, 3-6, 7-5 -> won six four, three six, seven five
        r"\d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?(?:, \d{1,2}[-–]\d{1,2}(?: \(\d{1,2}[-–]\d{1,2}\))?){1,4}"
        r"(?![\w–-])",
        _expand_sets,
    ),
    compile_rule(r"\d{3,4}(?: \d{3,4}){1,3}(?![\d.,-]\d|\d| \d)|\d{4,12}(?![\w]|[.,-]\d)", _spell_code),
    # John 3:16-17 says -> John three sixteen to seventeen says
    compile_rule(r"(?P<chapter>\d{1,3}):(?P<first>\d{1,3}) ?[-–] ?(?P<last>\d{1,3})(?![\w:])", _expand_verses),
    # map 8080:80 now -> map eighty eighty to eighty now
    compile_rule(r"(?P<first>\d{4,5}):(?P<last>\d{2,5})(?![\w:])", _expand_port_mapping),
    compile_rule(r"(?P<first>\d{2,3})\+(?P<last>\d{1,2})['’′](?!\d)", _expand_extra_time),
    compile_rule(r"2(?:moro|morrow)\b", lambda match, context: "tomorrow"),
    compile_rule(r"2nite\b", lambda match, context: "tonight"),
    compile_rule(r"802\.11(?P<letters>[a-z]{0,2})(?!\w)", _expand_wireless_standard),
    compile_rule(r"(?P<number>\d{1,2}) c\.(?= [a-z])", _expand_cups),
    # 1 000 000 people -> one million people
    compile_rule(r"[1-9]\d{0,2}(?: \d{3}){2,4}(?![\d.,-]\d|\d| \d)", _spell_spaced_number),
    # my 401(k) plan -> my four oh one K plan
    compile_rule(r"(?P<number>\d{3})(?P<parts>\([a-z]\)(?:\(\d\))?)(?!\w)", _expand_legal_clause),
    compile_rule(r"[1-9]\d{0,2}(?:\.\d{3}){2,4}(?![\w]|[.,]\d)", _spell_pointed_number),
    compile_rule(
        r"(?P<number>\d{1,4})!(?= ?[=+*/×÷])",
        lambda match, context: f"{spell_number(match['number'], False)} factorial",
    ),
    compile_rule(
        r"(?P<first>\d{1,2}):(?P<last>\d{1,2})(?= (?:aspect|ratio|monitor|display|screen|video|format|image)s?\b)",
        lambda match, context: _expand_ratio(match, context),
    ),
    # won 112-108 there -> won one hundred twelve to one hundred eight there
    compile_rule(r"(?P<first>\d{2,3})[-–](?P<last>\d{1,3})(?![\w–-]| ?[=+%°]|\.\d)", _expand_score),
    compile_rule(r"(?P<number>\d{2})ers\b", _expand_team_number),
    compile_rule(r"007(?![\w.,-]\d|\w)", lambda match, context: "double oh seven"),
    compile_rule(r"24/7/365(?![/\w])", lambda match, context: "twenty-four seven three sixty-five"),
    compile_rule(r"\d{16,}", _spell_long_number),
    # seen 1,000s of them -> seen thousands of them
    compile_rule(r"1(?P<noughts>0{2,3}|0{0,2},000(?:,000)?)s\b", _expand_hundreds),
    # at 0x1F now -> at zero X one F now
    compile_rule(r"0[xX](?P<digits>[0-9a-fA-F]{1,16})\b", _spell_hexadecimal),
    # at 10.0.0.1:80 now -> at ten dot zero dot zero dot one port eighty now
    compile_rule(
        r"(\d{1,3}(?:\.\d{1,3}){3})(?:/(?P<bits>\d{1,2})\b)?(?::(?P<port>\d{1,5})\b)?(?![\d.]\d)", _spell_ip_address
    ),
    # Telephone numbers: North American, toll-free with letters, local, British.
    compile_rule(r"(?:1[-. ])?(?:\(\d{3}\) ?|[2-9]\d{2}[-. ])\d{3}[-.]\d{4}(?![-\d])", _spell_phone_number),
    compile_rule(r"1-[89]\d\d-(?:\d{3}-\d{4}|[A-Z]{3,9}(?:-[A-Z\d]{2,9})?|\d{3}-[A-Z]{4})\b", _spell_phone_number),
    compile_rule(r"(?P<first>[2-9]\d{2})-(?P<last>\d{4})(?![-\d/])", _spell_local_number),
    compile_rule(r"0\d{4} \d{6}(?!\d)", _spell_phone_number),
    compile_rule(r"0\d{2,4} \d{3,4} \d{3,4}(?: \d{2,4})?(?!\d)", _spell_phone_number),
    # A card's number.
    compile_rule(r"\d{4}(?: \d{4}){2,3}(?!\d)", _spell_card_number),
    # call 911 now -> call nine one one now
    compile_rule(r"(?:911|999|112|411|311)(?![\d\w,-]|\.\d)", _spell_emergency_number),
    compile_rule(
        r"\d{1,5}(?:[-–]\d{1,7}){2,5}(?![\d\w])(?! ?=)",
        lambda match, context: _spell_hyphen_groups_unless_date(match, context),
    ),
)
# In two tables: before other rules for digits, and for a number that a mark follows.
_LABEL_RULE = compile_rule(r"\d{3,6}(?!\w|[,.:/-]\d)", _spell_label)
DIGIT_RULES: tuple[Rule, ...] = (
    # about 1.5e-3 mm -> one point five times ten to the minus three
    compile_rule(r"(?P<number>\d(?:\.\d{1,12})?)[eE](?P<sign>[-+−]?)(?P<power>\d{1,3})\b", _expand_scientific),
    # use 3.11.4 now -> use three point eleven point four now
    compile_rule(r"\d{1,6}(?:\.\d{1,6}){2,4}(?!\d)", _expand_dotted_version),
    compile_rule(
        r"(?P<first>\d{1,3})(?:st|nd|rd|th) ?[-–] ?(?P<last>\d{1,3})(?:st|nd|rd|th)(?!\w)", _expand_ordinal_range
    ),
    # the 21st day -> the twenty-first day
    compile_rule(rf"(?P<number>{INTEGER})(?:st|nd|rd|th|ST|ND|RD|TH)(?![a-zA-Z])", _expand_ordinal),
    # need 3 1/2 cups -> need three and a half cups
    compile_rule(
        r"(?P<whole>\d{1,3})[ \u00a0-](?P<above>\d{1,2})[/⁄](?P<below>\d{1,3})(?![\d/]|\.\d)", _expand_mixed_number
    ),
    compile_rule(
        rf"(?P<first>\d{{1,3}}) ?[-–] ?(?P<whole>\d{{1,3}})? ?(?P<sign>[{FRACTION_SIGNS}])", _expand_vulgar_range
    ),
    compile_rule(rf"(?P<whole>\d{{1,6}})? ?(?P<sign>[{FRACTION_SIGNS}])", _expand_vulgar_fraction),
    # got 4.5/5 stars -> got four point five out of five stars
    compile_rule(r"(?P<number>\d\.\d)/(?P<of>5|10)(?![\d/.])", _expand_rating),
    # need 3/4 of it -> need three quarters of it
    compile_rule(
        r"(?P<above>\d{1,3})[/⁄](?P<below>[1-9]\d{0,3})(?:(?:th|rd|nd)s?\b)?(?![\d/]|\.\d| ?[=+*])", _expand_fraction
    ),
    # odds of 3:1 now -> odds of three to one now
    compile_rule(rf"(?P<first>\d{{1,3}}):(?P<last>{INTEGER})(?![\d:])", _expand_ratio),
    # take 5-10 of them -> take five to ten of them
    compile_rule(rf"(?P<first>{NUMBER})(?:-|–|—| – )(?P<last>{NUMBER})(?![\w]|[-–]\d| ?[=+*])", _expand_range),
    # has 5M users -> has five million users
    compile_rule(rf"(?P<number>{NUMBER})(?P<magnitude>[MBTk]|bn|mn)(?![\w])(?=(?P<noun> [a-z])?)", _expand_magnitude),
    # has 50+ rooms -> has fifty plus rooms
    compile_rule(rf"(?P<number>{NUMBER})\+(?![\w+=]| ?\d)", _expand_at_least),
    compile_rule(rf"(?P<number>{NUMBER})(?P<power>[²³](?![⁰¹²³⁴-⁹])|\^[23](?!\d))", _expand_number_power),
    _LABEL_RULE,
    # on 5G now -> on five G now
    compile_rule(r"(?P<number>\d{1,4})(?P<letters>[A-Z]{1,4}|[pix])(?![\w])", _expand_digits_and_letters),
)
PLAIN_RULES: tuple[Rule, ...] = (
    compile_rule(r"\.(?P<number>\d{3})(?!\w)", _spell_batting_average),
    _LABEL_RULE,
    compile_rule(NUMBER, _expand_number),
    compile_rule(r"\d+", _spell_long_number),
)
PLUS_RULES: tuple[Rule, ...] = (
    compile_rule(r"\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{2,5}(?:[ .-]?\d{2,5}){1,4}(?!\d)", _spell_phone_number),
)
BRACKET_RULES: tuple[Rule, ...] = (compile_rule(r"\(\d{3}\)[ .-]?\d{3}[-. ]\d{4}(?!\d)", _spell_phone_number),)
MINUS_RULES: tuple[Rule, ...] = (compile_rule(r"[-−–](?=[.$£€]?\d)", _expand_minus),)
VULGAR_RULES: tuple[Rule, ...] = (compile_rule(rf"(?P<whole>)(?P<sign>[{FRACTION_SIGNS}])", _expand_vulgar_fraction),)
_DATE_LIKE = re.compile(r"[12]\d{3}-\d\d-\d\d|\d{1,2}-\d{1,2}-[12]\d{3}")


def _spell_hyphen_groups_unless_date(match: re.Match[str], context: TextContext) -> RuleResult:
    return None if _DATE_LIKE.fullmatch(match[0]) else _spell_hyphen_groups(match, context)
