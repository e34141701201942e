"""Expand quantities with a unit: 5 km, 60 mph, 20°C, 5'10", 100 Mbps, 5 ft², 50%.

A unit's name is singular for 1, after a hyphen and as an attribute (a 10 ft pole), else plural. British English writes
litre and metre. Units that are words or names of other things have conditions of their own: see _expand_quantity.
"""

import re

from kokoro_server.text.aligned import Replacement
from kokoro_server.text.normalization.english.number_words import (
    INTEGER,
    NUMBER,
    pluralize_number,
    spell_cardinal,
    spell_fraction,
    spell_number,
    spell_numeric_label,
)
from kokoro_server.text.normalization.english.numbers import is_numeric_label
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import load_tables, parse_words

_TABLES = load_tables(__name__)
_TIMES: dict[str, str] = _TABLES["times"]
_UNITS: dict[str, str | list[str]] = {unit: names for group in _TABLES.values() for unit, names in group.items()}
# sq. ft, fl. oz
_UNITS |= {unit.replace(" ", ". "): names for unit, names in _UNITS.items() if unit[:3] in ("sq ", "cu ", "fl ")}
# The micro sign U+00B5 and the Greek letter U+03BC look alike, and texts have either.
_UNITS |= {unit.replace("µ", "μ"): names for unit, names in _UNITS.items() if "µ" in unit}

# Units only without a space before them, else words or labels: question 5 A, 5 in every 10.
_ATTACHED_ONLY = frozenset({"A", "N", "J", "F", "in", "pt", "t", "l", "ha", "mo", "cc", "MP"})
# Units that may be written with a full stop, which is dropped unless it ends the sentence.
_DOTTED_UNITS = parse_words("ft in yd lb lbs oz mi sec secs min mins hr hrs yr yrs gal pt qt tsp tbsp wk wks mo mos sq")
# Nouns that a quantity describes without an article, so that its unit is singular: 5 km run.
_DESCRIBED_NOUNS = parse_words("""
    bag bottle jar box tank can bar drive disk run race walk hike radius lens note bill jug pack roll wind winds gust
    gusts limit zone
""")
# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
_FRACTION_BEFORE = re.compile(r"(?P<whole>\d[ -])?(?:\d/\d{1,2}) $|(?P<whole2>\d)?[½⅓⅔¼¾⅛⅜⅝⅞] ?$")
_NAME_BEFORE = re.compile(r"[A-Z]-$")
_BEFORE_PLURALS = parse_words(
    "the all these those two three four five six seven eight nine ten many some mid your my their our"
)
_SERIES_NAMES = parse_words("Boeing Airbus HTTP Porsche BMW Levi's Levis GE")
# Nouns before which 30s is a duration, not a plural.
_TIMED_NOUNS = parse_words("""
    timer timeout timeouts delay delays rule wait video clip clips countdown lap laps limit interval window pause break
""")
# Nouns before which 5m is five million, unless a word of _BEFORE_LENGTH precedes.
_MILLION_NOUNS = parse_words("""
    people users jobs subscribers followers views viewers homes households customers downloads copies visitors workers
    barrels tonnes tons children voters Americans residents members players passengers
""")
_BEFORE_LENGTH = parse_words("keep within after under every a radius of at stay")
# Words that make a temperature of a number and F or C, up to 50 characters before it and 30 after it.
_TEMPERATURE_NEAR = re.compile(
    r"\b(?:hot|cold|cool|warm|temps?|temperatures?|heat|heated|oven|degrees|below|above|outside|out|today|freez\w+"
    r"|weather|highs?|lows?|preheat\w*|bake\w*|thermostat|fever|boil\w*|water)\b",
    re.IGNORECASE,
)
_CAPITALIZED_BEFORE_TEMPERATURE = parse_words("""
    Highs High Lows Low Heat Preheat Bake Roast Cook At To From About Around It's Over Under Above Below The Nearly
    Almost Only Between And Temperatures Store Boil
""")
# Nouns after which a number and a letter are a label: Figure 3C.
_LABELED_NOUNS = parse_words("""
    figure figures fig figs table section annex schedule exhibit rule iphone class level grade row rows seats panel part
    lot form model
""")
_SIZED_NOUNS = parse_words(
    "pan baking rug rugs room bed sheet sheets photo photos print prints screen box frame paper tile tiles"
)
# Words before which `in` is a length: 5 in tall.
_DIMENSION_WORDS = parse_words("tall long wide high deep thick across")
_SPACED_ONLY = frozenset({"K"})
_POWER_ADJECTIVES = {"²": "square", "^2": "square", "2": "square", "³": "cubic", "^3": "cubic", "3": "cubic"}

# The longest unit first, so that `mm` is not read as `m`.
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_TO = rf"(?:(?P<dash> ?[-–—] ?)(?P<to>{NUMBER}))?"
_QUANTITY = rf"(?P<number>{NUMBER}){_TO}(?P<gap>[ \u00a0-]?)"
_PER = rf"(?:/(?P<per>{_UNIT}|day|week|month|year|hour|minute|second|person|capita)(?P<per_power>[²³23])?)?"
_DEGREES = r"(?P<sign>°|º|degrees? ?)[ \u00a0]?(?P<scale>[CFK])(?![\w])"
_SCALES = {"C": "Celsius", "F": "Fahrenheit", "K": "Kelvin"}
_DIRECTIONS = {"N": "north", "S": "south", "E": "east", "W": "west"}


def _name_unit(unit: str, many: bool, british: bool) -> str:
    """Return a unit's name, singular or plural, in American or British spelling."""
    names = _UNITS[unit]
    one, others = (names, names + "s") if isinstance(names, str) else names
    name = others if many else one
    if british:
        # Kilometre, litre.
        name = re.sub(r"(met|lit)er", r"\1re", name)
    return name


def _spell_quantity_number(match: re.Match[str], british: bool) -> str:
    """Spell the number of a quantity, or its range."""
    first = spell_number(match["number"], british)
    return f"{first} to {spell_number(match['to'], british)}" if match["to"] else first


def _is_many(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a unit is plural: 0 to 1 kilometers, but one kilometer, a five-kilometer run, a ten foot pole."""
    held = context.find_word_after(match.end()) in _DESCRIBED_NOUNS
    if match["gap"] == "-" or held or context.is_attributive(match.start(), match.end()):
        return False
    return match["number"] != "1" or match["to"] is not None


def _spell_unit(match: re.Match[str], context: TextContext) -> str:
    """Return the words for a unit with its power and what it is per."""
    name = _name_unit(match["unit"], _is_many(match, context), context.is_british)
    power = _POWER_ADJECTIVES.get(match["power"] or "")
    spoken = f"{power} {name}" if power else name
    if match["per"]:
        spoken += f" per {_spell_per(match, context)}"
    return spoken


def _spell_per(match: re.Match[str], context: TextContext) -> str:
    """Return the words for what a quantity is per: hour, square meter, second squared."""
    unit, power = match["per"], _POWER_ADJECTIVES.get(match["per_power"] or "")
    name = _name_unit(unit, False, context.is_british) if unit in _UNITS else unit
    if not power:
        return name
    return f"{name} squared" if unit in _TIMES else f"{power} {name}"


def _expand_unit_after_fraction(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a unit after a fraction: 3/4 tsp., 2½ hrs."""
    before = _FRACTION_BEFORE.search(context.text, max(0, match.start() - 12), match.start())
    if before is None:
        return None
    stop = "." if match[0].endswith(".") and context.ends_sentence(match.end()) else ""
    return _name_unit(match["unit"], (before["whole"] or before["whole2"]) is not None, context.is_british) + stop


def _expand_quantity(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a number with a unit, unless the unit is rather a word, a name or a label."""
    unit, gap = match["unit"], match["gap"]
    dot = match["dot"] or ""
    if unit in _DIRECTIONS and gap and dot and (unit == "N" or context.get_char_at(match.end() + 1).isdecimal()):
        return None  # Highway 101 N., 12 W. 34th St.
    if len(unit) == 1 and not gap and _NAME_BEFORE.search(context.text, max(0, match.start() - 3), match.start()):
        return None  # F-35A
    if unit == "s" and not gap and _is_plural(match, context):
        return pluralize_number(spell_numeric_label(match["number"], context.is_british))
    # 5m people -> five million people
    crowd = unit == "m" and not gap and context.find_word_after(match.end()) in _MILLION_NOUNS
    if crowd and context.find_word_before(match.start()).lower() not in _BEFORE_LENGTH:
        return f"{_spell_quantity_number(match, context.is_british)} million"
    sized = unit == "in" and context.find_word_after(match.end()) in _DIMENSION_WORDS
    if not gap and len(unit) == 1 and is_numeric_label(match, context):
        return None
    # A farad otherwise.
    if unit == "F" and not gap and not match["per"]:
        return _expand_bare_temperature(match, context)
    if unit in _ATTACHED_ONLY and gap and not (dot or match["power"] or match["per"] or sized):
        return None
    # Fewer than 1000 bps are basis points, more are bits per second.
    if unit == "bps" and match["number"].isdecimal() and int(match["number"]) < 1000:
        return (
            f"{_spell_quantity_number(match, context.is_british)} basis point{'s' if _is_many(match, context) else ''}"
        )
    if (not gap or gap == "-") and unit in _SPACED_ONLY:
        return None
    # A hyphen that goes on: 5-m-long is left to other rules.
    if gap == "-" and not (context.get_char_at(match.end()).isspace() or context.get_char_at(match.end()) in "),"):
        return None
    spoken = _spell_unit(match, context)
    # A unit that takes no full stop itself ends its sentence with it.
    keeps_stop = dot and (unit.split()[-1] not in _DOTTED_UNITS or context.ends_sentence(match.end()))
    spoken += "." if keeps_stop else ""
    count = _spell_quantity_number(match, context.is_british)
    if gap and gap != "-":
        return [
            Replacement(count, match.start(), match.start("gap")),
            Replacement(spoken, match.start("unit"), match.end()),
        ]
    return f"{count}{gap or ' '}{spoken}"


def _is_plural(match: re.Match[str], context: TextContext) -> bool:
    """Return whether an s makes a plural instead of seconds: the 1s and 0s, two 6s, Boeing 747s."""
    before = context.find_word_before(match.start())
    series = before == "and" and re.search(r"\ds and $", context.text[max(0, match.start() - 7) : match.start()])
    named = before in _SERIES_NAMES and len(match["number"]) > 2
    if context.find_word_after(match.end()).lower() in _TIMED_NOUNS:
        return False
    return match["number"].isdecimal() and bool(series or named or before.lower() in _BEFORE_PLURALS)


def _expand_bare_temperature(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a temperature without a degree sign: 350F, 25C outside; 14F is a person, 24C a seat, 47C a part."""
    before = context.find_word_before(match.start())
    if (before[:1].isupper() and before not in _CAPITALIZED_BEFORE_TEMPERATURE) or before.lower() in _LABELED_NOUNS:
        return None
    if context.get_char_before(match.start()) in "-−–" and context.get_char_before(match.start() - 1).isalnum():
        return None  # 767-300F, seats 10-12F
    # Three digits or a minus need no word nearby: 350F, -5C.
    hot = len(match["number"].partition(".")[0]) == 3 or context.get_char_before(match.start()) in "-−"
    if not hot and not _TEMPERATURE_NEAR.search(context.text[max(0, match.start() - 50) : match.end() + 30]):
        return None
    return f"{_spell_quantity_number(match, context.is_british)} degrees {_SCALES[match['unit']]}{match['dot'] or ''}"


def _expand_bare_celsius(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand degrees Celsius with a space or without: 25C outside, Preheat to 180 C."""
    return None if is_numeric_label(match, context) else _expand_bare_temperature(match, context)


def _expand_temperature(match: re.Match[str], context: TextContext) -> RuleResult:
    many = match["number"] != "1" or match["to"]
    return f"{_spell_quantity_number(match, context.is_british)} degree{'s' if many else ''} {_SCALES[match['scale']]}"


def _expand_degrees(match: re.Match[str], context: TextContext) -> RuleResult:
    many = (match["number"] != "1" or match["to"]) and not context.is_attributive(*match.span())
    side = f" {_DIRECTIONS[match['side']]}" if match["side"] else ""
    return f"{_spell_quantity_number(match, context.is_british)} degree{'s' if many else ''}{side}"


def _expand_coordinate(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a coordinate: 40° 26' 46" N."""
    parts = [
        f"{spell_number(match[part].lstrip('0') or '0', context.is_british)} {part}"
        for part in ("degrees", "minutes", "seconds")
        if match[part]
    ]
    return f"{' '.join(parts)} {_DIRECTIONS[match['side']]}"


def _expand_percent(match: re.Match[str], context: TextContext) -> RuleResult:
    return _spell_quantity_number(match, context.is_british) + (" per mille" if match["sign"] == "‰" else " percent")


def _expand_duration(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a duration: 2h 15m, 5m 30s."""
    units = {"h": "hour", "m": "minute", "s": "second"}
    replacements = []
    for number in _DURATION_PART.finditer(match[0]):
        name = units[number[2]] + ("" if number[1] == "1" else "s")
        start = match.start() + number.start()
        replacements.append(
            Replacement(f"{spell_number(number[1], context.is_british)} {name}", start, start + len(number[0]))
        )
    return replacements


def _expand_height(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a person's height: 5'10."""
    return f"{spell_number(match['feet'], context.is_british)} foot {spell_number(match['inches'], context.is_british)}"


def _expand_inches(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand inches or feet after a number, unless the quote closes a quotation."""
    # An odd number of quotes within 300 characters before: the quote closes a quotation.
    opened = context.text.count('"', max(0, match.start() - 300), match.start()) % 2
    if opened and match["mark"] == '"':
        return None
    following = context.find_word_after(match.end())
    labelled = _LABEL_AHEAD.match(context.text, match.end()) is not None
    if match["mark"] == '"' and not (following.islower() or labelled or context.get_char_at(match.end()) in " x×,.)\n"):
        return None
    attribute = context.is_attributive(*match.span()) or labelled
    one = "foot" if match["mark"] in "'′" else "inch"
    many = "feet" if one == "foot" else "inches"
    return f"{spell_number(match['number'], context.is_british)} {one if attribute or match['number'] == '1' else many}"


def _expand_size_in_inches(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a size in inches: a 9"x13" pan."""
    return _spell_size(match, context, "inch", "inches")


def _expand_size_in_feet(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a size in feet: a 10'x12' rug."""
    return _spell_size(match, context, "foot", "feet")


def _spell_size(match: re.Match[str], context: TextContext, one: str, many: str) -> str:
    """Spell two sides and their unit."""
    sides = f"{spell_number(match['number'], context.is_british)} by {spell_number(match['to'], context.is_british)}"
    attribute = context.is_attributive(*match.span()) or context.find_word_after(match.end()) in _SIZED_NOUNS
    return f"{sides} {one if attribute else many}"


def _expand_inch_fraction(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a fraction of an inch: a 3/8" drill bit."""
    return f"{spell_fraction(int(match['above']), int(match['below']), context.is_british)} inch"


def _is_screen_size(match: re.Match[str]) -> bool:
    """Return whether both sides have three digits or more, as a screen's in pixels."""
    return all(len(match[group]) > 2 and match[group].isdecimal() for group in ("number", "to"))


def _expand_dimensions(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand two or three sides, with a unit or without; 6 x 330ml cans are a pack."""
    british = context.is_british
    # 6 x 330ml cans -> six three hundred thirty milliliter cans
    packs = match["glued"] and not match["third"] and re.match(r"\d{1,2} x ", match[0])
    if packs and context.find_word_after(match.end()).islower():
        count, size = spell_number(match["number"], british), spell_number(match["to"], british)
        return f"{count} {size} {_name_unit(match['glued'], False, british)}"
    say = spell_numeric_label if _is_screen_size(match) else spell_number
    spoken = f"{say(match['number'], british)} by {say(match['to'], british)}"
    spoken += f" by {spell_number(match['third'], british)}" if match["third"] else ""
    unit = match["unit"] or match["glued"]
    return f"{spoken} {_name_unit(unit, True, british)}" if unit else spoken


def _expand_times(match: re.Match[str], context: TextContext) -> RuleResult:
    per = f" per {match['per']}" if match["per"] else ""
    return f"{spell_number(match['number'], context.is_british)} times{per}"


def _expand_bare_unit(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a unit per another one without a number: km/h."""
    per = _name_unit(match["per"], False, context.is_british)
    return f"{_name_unit(match['unit'], True, context.is_british)} per {per}"


def _expand_dimensional(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{spell_cardinal(int(match['number']), context.is_british)} D"


_LABEL_AHEAD = re.compile(r" (?:\d{1,2}K )?[A-Z]{2,8}\b")
_DURATION_PART = re.compile(r"(\d{1,3}) ?([hms])")
DIGIT_RULES: tuple[Rule, ...] = (
    # took 2h 15m today -> took two hours fifteen minutes today
    compile_rule(r"\d{1,3} ?h \d{1,2} ?m(?: \d{1,2} ?s)?\b|\d{1,3} ?m \d{1,2} ?s\b", _expand_duration),
    compile_rule(
        # at 40° 26′ N here -> at forty degrees twenty-six minutes north here
        r"(?P<degrees>\d{1,3})° ?(?P<minutes>\d{1,2})['′] ?"
        rf"(?:(?P<seconds>{NUMBER})[\"″] ?)?(?P<side>[NSEW])\b",
        _expand_coordinate,
    ),
    # at 20°C now -> at twenty degrees Celsius now
    compile_rule(rf"(?P<number>{NUMBER}){_TO} ?{_DEGREES}", _expand_temperature),
    # turn 90° left -> turn ninety degrees left
    compile_rule(rf"(?P<number>{NUMBER}){_TO} ?°(?: ?(?P<side>[NSEW]\b))?", _expand_degrees),
    # about 5–10% off -> about five to ten percent off
    compile_rule(rf"(?P<number>{NUMBER})%?{_TO}[ \u00a0]?(?P<sign>[%‰])", _expand_percent),
    # is 5'10" tall -> is five foot ten tall
    compile_rule(r"(?P<feet>[1-9])['’′] ?(?P<inches>1[01]|\d(?:\.5)?)(?:[\"”″]|''|(?=[\s,.;)]|$))", _expand_height),
    # a 9"x13" pan -> a nine by thirteen inch pan
    compile_rule(rf"(?P<number>{NUMBER})[\"”″] ?[x×] ?(?P<to>{NUMBER})(?P<mark>[\"”″]?)(?!\w)", _expand_size_in_inches),
    compile_rule(rf"(?P<number>{NUMBER})['’′] ?[x×] ?(?P<to>{NUMBER})(?P<mark>['’′]?)(?!\w)", _expand_size_in_feet),
    # a 3/8" bit -> a three eighths inch bit
    compile_rule(r"(?P<above>\d{1,2})/(?P<below>2|4|8|16|32)[\"”″](?![\w])", _expand_inch_fraction),
    compile_rule(rf"(?P<number>{NUMBER})(?P<mark>[\"”″'′])(?![\w])", _expand_inches),
    compile_rule(
        # at 1920x1080 now -> at nineteen twenty by ten eighty now
        rf"(?P<number>{NUMBER})(?: ?[x×] ?)(?P<to>{NUMBER})"
        rf"(?: ?[x×] ?(?P<third>{NUMBER}))?(?:(?P<glued>{_UNIT})| (?P<unit>{_UNIT}))?(?![\w=⁰-⁹²³^'])(?! ?[=+])",
        lambda match, context: (
            None if " × " in match[0] and not (match["unit"] or match["glued"]) else _expand_dimensions(match, context)
        ),
    ),
    compile_rule(
        rf"(?P<number>{NUMBER})[x×](?=\d)(?!10[⁰-⁹²³^])",
        lambda match, context: spell_number(match["number"], context.is_british) + " by ",
    ),
    # ran 3x/week now -> ran three times per week now
    compile_rule(rf"(?P<number>{NUMBER})[x×X](?:/(?P<per>day|week|month|year))?(?![\w]| ?[-+=−] ?\w)", _expand_times),
    compile_rule(
        # at 5 m/s² here -> at five meters per second squared here
        rf"{_QUANTITY}(?P<unit>{_UNIT})(?P<power>[²³]|\^[23]|(?<=[mtn])[23])?(?:\.(?=/))?{_PER}"
        r"(?P<dot>\.(?!\w))?(?![\w'])",
        _expand_quantity,
    ),
    # heat to 180 C now -> heat to one hundred eighty degrees Celsius now
    compile_rule(rf"(?P<number>{NUMBER}){_TO} ?(?P<unit>C)(?P<dot>\.(?!\w))?(?![\w'/])", _expand_bare_celsius),
    compile_rule(rf"(?P<number>{INTEGER})[dD]\b", _expand_dimensional),
)
LETTER_RULES: tuple[Rule, ...] = (
    compile_rule(r"mmHg(?!\w)", lambda match, context: _name_unit(match[0], True, context.is_british)),
    # add 3/4 tsp of -> add three quarters teaspoon of
    compile_rule(
        r"(?P<unit>tsp|tbsp|oz|lbs?|in|ft|mi|cm|mm|km|kg|hrs?|min|yd|pt|qt|gal)\b\.?(?!\w)", _expand_unit_after_fraction
    ),
    # in km/h here -> in kilometers per hour here
    compile_rule(
        r"(?P<unit>km|m|MB|GB|kB|Mbit|Gbit|ft|mi|kg|mg)/(?P<per>h|hr|s|sec|min|L|ml)(?![\w/])", _expand_bare_unit
    ),
)
