"""Expand quantities with a unit: 5 km, 60 mph, 20°C, 5'10", 100 Mbps, 5 ft², 50%.

A unit's name is singular for 1, after a hyphen and as an attribute (a 10 ft pole), else plural. British English writes
litre and metre. Units that are words or names of other things have conditions of their own: see _expand_quantity.
"""

import re

from tts.synth.readings.counts import is_named
from tts.synth.readings.numbers import INTEGER, NUMBER, amount, cardinal, fraction, plural, short
from tts.synth.readings.passage import Passage, Rule, Said, rule, words
from tts.synth.readings.reading import Reading

# Unit to its singular, or to singular|plural if the plural takes more than an s.
_LENGTHS = {"km": "kilometer", "m": "meter", "cm": "centimeter", "mm": "millimeter", "µm": "micrometer"}
_LENGTHS |= {
    "nm": "nanometer",
    "mi": "mile",
    "ft": "foot|feet",
    "in": "inch|inches",
    "yd": "yard",
    "yds": "yard",
}
_WEIGHTS = {"kg": "kilogram", "g": "gram", "mg": "milligram", "µg": "microgram", "mcg": "microgram"}
_WEIGHTS |= {"lb": "pound", "lbs": "pound", "oz": "ounce", "t": "ton", "kgs": "kilogram"}
_VOLUMES = {
    "L": "liter",
    "l": "liter",
    "mL": "milliliter",
    "ml": "milliliter",
    "cl": "centiliter",
    "dl": "deciliter",
}
_VOLUMES |= {
    "gal": "gallon",
    "pt": "point",
    "pts": "point",
    "qt": "quart",
    "tsp": "teaspoon",
    "tbsp": "tablespoon",
    "cc": "C C|C C",
    "dL": "deciliter",
    "uL": "microliter",
    "µL": "microliter",
}
_SPEEDS = {"mph": "mile per hour|miles per hour", "kph": "kilometer per hour|kilometers per hour"}
_SPEEDS |= {"kmh": "kilometer per hour|kilometers per hour", "rpm": "R P M|R P M", "fps": "frame per second"}
_SPEEDS |= {"fps": "frame per second|frames per second", "bpm": "beat per minute|beats per minute"}
_SPEEDS |= {"kn": "knot", "mpg": "mile per gallon|miles per gallon"}
_BYTES = {
    "KB": "kilobyte",
    "kB": "kilobyte",
    "MB": "megabyte",
    "GB": "gigabyte",
    "TB": "terabyte",
    "PB": "petabyte",
}
_BYTES |= {"KiB": "kibibyte", "MiB": "mebibyte", "GiB": "gibibyte", "TiB": "tebibyte"}
_BITS = {
    "kbps": "kilobit",
    "Kbps": "kilobit",
    "Mbps": "megabit",
    "Gbps": "gigabit",
    "bps": "bit",
    "MBps": "megabyte",
}
_RATES = {unit: f"{name} per second|{name}s per second" for unit, name in _BITS.items()}
_BITS_ALONE = {"Mbit": "megabit", "Gbit": "gigabit", "kbit": "kilobit", "Mb": "megabit", "Gb": "gigabit"}
_ELECTRIC = {"Hz": "hertz|hertz", "kHz": "kilohertz|kilohertz", "MHz": "megahertz|megahertz", "V": "volt"}
_ELECTRIC |= {"GHz": "gigahertz|gigahertz", "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt"}
_ELECTRIC |= {
    "kWh": "kilowatt hour",
    "Wh": "watt hour",
    "MWh": "megawatt hour",
    "mV": "millivolt",
    "kV": "kilovolt",
}
_ELECTRIC |= {
    "mA": "milliamp",
    "A": "amp",
    "mAh": "milliamp hour",
    "Ah": "amp hour",
    "Ω": "ohm",
    "kΩ": "kilohm",
}
_ELECTRIC |= {"TWh": "terawatt hour", "mW": "milliwatt", "F": "farad", "µF": "microfarad", "pF": "picofarad"}
_PHYSICAL = {
    "J": "joule",
    "kJ": "kilojoule",
    "cal": "calorie",
    "kcal": "kilocalorie",
    "Pa": "pascal",
    "N": "newton",
}
_PHYSICAL |= {
    "kPa": "kilopascal",
    "hPa": "hectopascal",
    "MPa": "megapascal",
    "psi": "P S I|P S I",
    "mol": "mole",
    "mmol": "millimole",
    "mEq": "milliequivalent",
    "IU": "international unit",
    "ng": "nanogram",
}
_PHYSICAL |= {
    "hp": "horsepower|horsepower",
    "dB": "decibel",
    "K": "kelvin|kelvin",
    "kN": "kilonewton",
    "Nm": "newton meter",
}
_PHYSICAL |= {"ppm": "part per million|parts per million", "ha": "hectare", "lm": "lumen", "lx": "lux|lux"}
_PHYSICAL |= {"sq ft": "square foot|square feet", "sq km": "square kilometer", "sq mi": "square mile"}
_PHYSICAL |= {
    "sq m": "square meter",
    "fl oz": "fluid ounce",
    "sqft": "square foot|square feet",
    "MP": "megapixel",
    "ly": "light year",
    "cu ft": "cubic foot|cubic feet",
    "sq in": "square inch|square inches",
    "mmHg": "millimeter of mercury|millimeters of mercury",
    "Mpc": "megaparsec",
    "kpc": "kiloparsec",
}
_PHYSICAL |= {name.replace(" ", ". "): said for name, said in _PHYSICAL.items() if name[:3] in ("sq ", "cu ", "fl ")}
_TIMES = {
    "s": "second",
    "sec": "second",
    "secs": "second",
    "ms": "millisecond",
    "µs": "microsecond",
    "ns": "nanosecond",
}
_TIMES |= {
    "min": "minute",
    "mins": "minute",
    "h": "hour",
    "hr": "hour",
    "hrs": "hour",
    "yr": "year",
    "yrs": "year",
}
_TIMES |= {"wk": "week", "wks": "week", "mo": "month", "mos": "month"}
_SCREEN = {"px": "pixel", "dpi": "D P I|D P I", "ppi": "P P I|P P I"}
_UNITS: dict[str, str] = _LENGTHS | _WEIGHTS | _VOLUMES | _SPEEDS | _BYTES | _RATES | _BITS_ALONE | _ELECTRIC
_UNITS |= _PHYSICAL | _TIMES | _SCREEN
# The micro sign U+00B5 and the Greek letter U+03BC look alike, and texts have either.
_UNITS |= {unit.replace("µ", "μ"): name for unit, name in _UNITS.items() if "µ" in unit}  # the sign and the letter

# Units only without a space before them, else words or labels: question 5 A, 5 in every 10.
_ATTACHED_ONLY = frozenset({"A", "N", "J", "F", "in", "pt", "t", "l", "ha", "mo", "cc", "MP"})
# Units that may be written with a full stop, which is dropped unless it ends the sentence.
_DOTTED = words("ft in yd lb lbs oz mi sec secs min mins hr hrs yr yrs gal pt qt tsp tbsp wk wks mo mos sq")
# Nouns that a quantity describes without an article, so that its unit is singular: 5 km run.
_HOLDERS = words("""
    bag bottle jar box tank can bar drive disk run race walk hike radius lens note bill jug pack roll wind winds gust
    gusts limit zone
""")
# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
_FRACTION_BEHIND = re.compile(r"(?P<whole>\d[ -])?(?:\d/\d{1,2}) $|(?P<whole2>\d)?[½⅓⅔¼¾⅛⅜⅝⅞] ?$")
_NAME_BEHIND = re.compile(r"[A-Z]-$")
_BEFORE_PLURALS = words(
    "the all these those two three four five six seven eight nine ten many some mid your my their our"
)
_SERIES = words("Boeing Airbus HTTP Porsche BMW Levi's Levis GE")
# Nouns before which 30s is a duration, not a plural.
_TIMED = words("""
    timer timeout timeouts delay delays rule wait video clip clips countdown lap laps limit interval window pause break
""")
# Nouns before which 5m is five million, unless a word of _BEFORE_LENGTH precedes.
_COUNTED_IN_MILLIONS = words("""
    people users jobs subscribers followers views viewers homes households customers downloads copies visitors workers
    barrels tonnes tons children voters Americans residents members players passengers
""")
_BEFORE_LENGTH = words("keep within after under every a radius of at stay")
# Words that make a temperature of a number and F or C, up to 50 characters before it and 30 after it.
_HEAT_NEAR = re.compile(
    r"\b(?:hot|cold|cool|warm|temps?|temperatures?|heat|heated|oven|degrees|below|above|outside|out|today|freez\w+"
    r"|weather|highs?|lows?|preheat\w*|bake\w*|thermostat|fever|boil\w*|water)\b",
    re.IGNORECASE,
)
_HOT_NAMES = words("""
    Highs High Lows Low Heat Preheat Bake Roast Cook At To From About Around It's Over Under Above Below The Nearly
    Almost Only Between And Temperatures Store Boil
""")
# Nouns after which a number and a letter are a label: Figure 3C.
_FIGURES = words("""
    figure figures fig figs table section annex schedule exhibit rule iphone class level grade row rows seats panel part
    lot form model
""")
_SIZED = words("pan baking rug rugs room bed sheet sheets photo photos print prints screen box frame paper tile tiles")
# Words before which `in` is a length: 5 in tall.
_SIZES = words("tall long wide high deep thick across")
_SPACED_ONLY = frozenset({"K"})
_ADJECTIVES = {"²": "square", "^2": "square", "2": "square", "³": "cubic", "^3": "cubic", "3": "cubic"}

# The longest unit first, so that `mm` is not read as `m`.
_UNIT = "|".join(sorted(map(re.escape, _UNITS), key=len, reverse=True))
_TO = rf"(?:(?P<dash> ?[-–—] ?)(?P<to>{NUMBER}))?"
_QUANTITY = rf"(?P<number>{NUMBER}){_TO}(?P<gap>[ \u00a0-]?)"
_PER = rf"(?:/(?P<per>{_UNIT}|day|week|month|year|hour|minute|second|person|capita)(?P<per_power>[²³23])?)?"
_DEGREES = r"(?P<sign>°|º|degrees? ?)[ \u00a0]?(?P<scale>[CFK])(?![\w])"
_SCALES = {"C": "Celsius", "F": "Fahrenheit", "K": "Kelvin"}
_SIDES = {"N": "north", "S": "south", "E": "east", "W": "west"}


def _name(unit: str, many: bool, british: bool) -> str:
    """Return a unit's name, singular or plural, in American or British spelling."""
    one, _, others = _UNITS[unit].partition("|")
    name = (others or one + "s") if many else one
    if british:
        # Kilometre, litre.
        name = re.sub(r"(met|lit)er", r"\1re", name)
    return name


def _count(found: re.Match[str], british: bool) -> str:
    """Spell the number of a quantity, or its range."""
    first = amount(found["number"], british)
    return f"{first} to {amount(found['to'], british)}" if found["to"] else first


def _is_many(found: re.Match[str], passage: Passage) -> bool:
    """Return whether a unit is plural: 0 to 1 kilometers, but one kilometer, a five-kilometer run, a ten foot pole."""
    held = passage.word_after(found.end()) in _HOLDERS
    if found["gap"] == "-" or held or passage.is_attribute(found.start(), found.end()):
        return False
    return found["number"] != "1" or found["to"] is not None


def _unit_words(found: re.Match[str], passage: Passage) -> str:
    """Return the words for a unit with its power and what it is per."""
    name = _name(found["unit"], _is_many(found, passage), passage.british)
    power = _ADJECTIVES.get(found["power"] or "")
    spoken = f"{power} {name}" if power else name
    if found["per"]:
        spoken += f" per {_per_words(found, passage)}"
    return spoken


def _per_words(found: re.Match[str], passage: Passage) -> str:
    """Return the words for what a quantity is per: hour, square meter, second squared."""
    unit, power = found["per"], _ADJECTIVES.get(found["per_power"] or "")
    name = _name(unit, False, passage.british) if unit in _UNITS else unit
    if not power:
        return name
    return f"{name} squared" if unit in _TIMES else f"{power} {name}"


def _fraction_of(found: re.Match[str], passage: Passage) -> Said:
    """Expand a unit after a fraction: 3/4 tsp., 2½ hrs."""
    before = _FRACTION_BEHIND.search(passage.text, max(0, found.start() - 12), found.start())
    if before is None:
        return None
    stop = "." if found[0].endswith(".") and passage.ends_sentence(found.end()) else ""
    return _name(found["unit"], (before["whole"] or before["whole2"]) is not None, passage.british) + stop


def _quantity(found: re.Match[str], passage: Passage) -> Said:
    """Expand a number with a unit, unless the unit is rather a word, a name or a label."""
    unit, gap = found["unit"], found["gap"]
    dot = found["dot"] or ""
    if unit in _SIDES and gap and dot and (unit == "N" or passage.after(found.end() + 1).isdecimal()):
        return None  # Highway 101 N., 12 W. 34th St.
    if len(unit) == 1 and not gap and _NAME_BEHIND.search(passage.text, max(0, found.start() - 3), found.start()):
        return None  # F-35A
    if unit == "s" and not gap and _is_plural(found, passage):
        return plural(short(found["number"], passage.british))
    # 5m people -> five million people
    crowd = unit == "m" and not gap and passage.word_after(found.end()) in _COUNTED_IN_MILLIONS
    if crowd and passage.word_before(found.start()).lower() not in _BEFORE_LENGTH:
        return f"{_count(found, passage.british)} million"
    sized = unit == "in" and passage.word_after(found.end()) in _SIZES
    if not gap and len(unit) == 1 and is_named(found, passage):
        return None
    # A farad otherwise.
    if unit == "F" and not gap and not found["per"]:
        return _heat(found, passage)
    if unit in _ATTACHED_ONLY and gap and not (dot or found["power"] or found["per"] or sized):
        return None
    # Fewer than 1000 bps are basis points, more are bits per second.
    if unit == "bps" and found["number"].isdecimal() and int(found["number"]) < 1000:
        return f"{_count(found, passage.british)} basis point{'s' if _is_many(found, passage) else ''}"
    if (not gap or gap == "-") and unit in _SPACED_ONLY:
        return None
    # A hyphen that goes on: 5-m-long is left to other rules.
    if gap == "-" and not (passage.after(found.end()).isspace() or passage.after(found.end()) in "),"):
        return None
    spoken = _unit_words(found, passage)
    # A unit that takes no full stop itself ends its sentence with it.
    keeps_stop = dot and (unit.split()[-1] not in _DOTTED or passage.ends_sentence(found.end()))
    spoken += "." if keeps_stop else ""
    count = _count(found, passage.british)
    if gap and gap != "-":
        return [
            Reading(count, found.start(), found.start("gap")),
            Reading(spoken, found.start("unit"), found.end()),
        ]
    return f"{count}{gap or ' '}{spoken}"


def _is_plural(found: re.Match[str], passage: Passage) -> bool:
    """Return whether an s makes a plural instead of seconds: the 1s and 0s, two 6s, Boeing 747s."""
    before = passage.word_before(found.start())
    series = before == "and" and re.search(r"\ds and $", passage.text[max(0, found.start() - 7) : found.start()])
    named = before in _SERIES and len(found["number"]) > 2
    if passage.word_after(found.end()).lower() in _TIMED:
        return False
    return found["number"].isdecimal() and bool(series or named or before.lower() in _BEFORE_PLURALS)


def _heat(found: re.Match[str], passage: Passage) -> Said:
    """Expand a temperature without a degree sign: 350F, 25C outside; 14F is a person, 24C a seat, 47C a part."""
    before = passage.word_before(found.start())
    if before[:1].isupper() and before not in _HOT_NAMES or before.lower() in _FIGURES:
        return None
    if passage.before(found.start()) in "-−–" and passage.before(found.start() - 1).isalnum():
        return None  # 767-300F, seats 10-12F
    # Three digits or a minus need no word nearby: 350F, -5C.
    hot = len(found["number"].partition(".")[0]) == 3 or passage.before(found.start()) in "-−"
    if not hot and not _HEAT_NEAR.search(passage.text[max(0, found.start() - 50) : found.end() + 30]):
        return None
    return f"{_count(found, passage.british)} degrees {_SCALES[found['unit']]}{found['dot'] or ''}"


def _celsius(found: re.Match[str], passage: Passage) -> Said:
    """Expand degrees Celsius with a space or without: 25C outside, Preheat to 180 C."""
    return None if is_named(found, passage) else _heat(found, passage)


def _temperature(found: re.Match[str], passage: Passage) -> Said:
    many = found["number"] != "1" or found["to"]
    return f"{_count(found, passage.british)} degree{'s' if many else ''} {_SCALES[found['scale']]}"


def _degrees(found: re.Match[str], passage: Passage) -> Said:
    many = (found["number"] != "1" or found["to"]) and not passage.is_attribute(*found.span())
    side = f" {_SIDES[found['side']]}" if found["side"] else ""
    return f"{_count(found, passage.british)} degree{'s' if many else ''}{side}"


def _position(found: re.Match[str], passage: Passage) -> Said:
    """Expand a coordinate: 40° 26' 46" N."""
    parts = [
        f"{amount(found[part].lstrip('0') or '0', passage.british)} {part}"
        for part in ("degrees", "minutes", "seconds")
        if found[part]
    ]
    return f"{' '.join(parts)} {_SIDES[found['side']]}"


def _percent(found: re.Match[str], passage: Passage) -> Said:
    return _count(found, passage.british) + (" per mille" if found["sign"] == "‰" else " percent")


def _duration(found: re.Match[str], passage: Passage) -> Said:
    """Expand a duration: 2h 15m, 5m 30s."""
    units = {"h": "hour", "m": "minute", "s": "second"}
    replacements = []
    for number in _DURATION_PART.finditer(found[0]):
        name = units[number[2]] + ("" if number[1] == "1" else "s")
        start = found.start() + number.start()
        replacements.append(Reading(f"{amount(number[1], passage.british)} {name}", start, start + len(number[0])))
    return replacements


def _height(found: re.Match[str], passage: Passage) -> Said:
    """Expand a person's height: 5'10."""
    return f"{amount(found['feet'], passage.british)} foot {amount(found['inches'], passage.british)}"


def _inches(found: re.Match[str], passage: Passage) -> Said:
    """Expand inches or feet after a number, unless the quote closes a quotation."""
    # An odd number of quotes within 300 characters before: the quote closes a quotation.
    opened = passage.text.count('"', max(0, found.start() - 300), found.start()) % 2
    if opened and found["mark"] == '"':
        return None
    following = passage.word_after(found.end())
    labelled = _LABEL.match(passage.text, found.end()) is not None
    if found["mark"] == '"' and not (following.islower() or labelled or passage.after(found.end()) in " x×,.)\n"):
        return None
    attribute = passage.is_attribute(*found.span()) or labelled
    one = "foot" if found["mark"] in "'′" else "inch"
    many = "feet" if one == "foot" else "inches"
    return f"{amount(found['number'], passage.british)} {one if attribute or found['number'] == '1' else many}"


def _by_inches(found: re.Match[str], passage: Passage) -> Said:
    """Expand a size in inches: a 9"x13" pan."""
    return _sized(found, passage, "inch", "inches")


def _by_feet(found: re.Match[str], passage: Passage) -> Said:
    """Expand a size in feet: a 10'x12' rug."""
    return _sized(found, passage, "foot", "feet")


def _sized(found: re.Match[str], passage: Passage, one: str, many: str) -> str:
    """Spell two sides and their unit."""
    sides = f"{amount(found['number'], passage.british)} by {amount(found['to'], passage.british)}"
    attribute = passage.is_attribute(*found.span()) or passage.word_after(found.end()) in _SIZED
    return f"{sides} {one if attribute else many}"


def _part_of_inch(found: re.Match[str], passage: Passage) -> Said:
    """Expand a fraction of an inch: a 3/8" drill bit."""
    return f"{fraction(int(found['above']), int(found['below']), passage.british)} inch"


def _is_screen(found: re.Match[str]) -> bool:
    """Return whether both sides have three digits or more, as a screen's in pixels."""
    return all(len(found[group]) > 2 and found[group].isdecimal() for group in ("number", "to"))


def _dimensions(found: re.Match[str], passage: Passage) -> Said:
    """Expand two or three sides, with a unit or without; 6 x 330ml cans are a pack."""
    british = passage.british
    # 6 x 330ml cans -> six three hundred thirty milliliter cans
    packs = found["glued"] and not found["third"] and re.match(r"\d{1,2} x ", found[0])
    if packs and passage.word_after(found.end()).islower():
        count, size = amount(found["number"], british), amount(found["to"], british)
        return f"{count} {size} {_name(found['glued'], False, british)}"
    say = short if _is_screen(found) else amount
    spoken = f"{say(found['number'], british)} by {say(found['to'], british)}"
    spoken += f" by {amount(found['third'], british)}" if found["third"] else ""
    unit = found["unit"] or found["glued"]
    return f"{spoken} {_name(unit, True, british)}" if unit else spoken


def _times(found: re.Match[str], passage: Passage) -> Said:
    per = f" per {found['per']}" if found["per"] else ""
    return f"{amount(found['number'], passage.british)} times{per}"


def _bare_unit(found: re.Match[str], passage: Passage) -> Said:
    """Expand a unit per another one without a number: km/h."""
    per = _name(found["per"], False, passage.british)
    return f"{_name(found['unit'], True, passage.british)} per {per}"


def _sound_levels(found: re.Match[str], passage: Passage) -> Said:
    return f"{cardinal(int(found['number']), passage.british)} D"


_LABEL = re.compile(r" (?:\d{1,2}K )?[A-Z]{2,8}\b")
_DURATION_PART = re.compile(r"(\d{1,3}) ?([hms])")
DIGIT_RULES: tuple[Rule, ...] = (
    # took 2h 15m today -> took two hours fifteen minutes today
    rule(r"\d{1,3} ?h \d{1,2} ?m(?: \d{1,2} ?s)?\b|\d{1,3} ?m \d{1,2} ?s\b", _duration),
    rule(
        # at 40° 26′ N here -> at forty degrees twenty-six minutes north here
        r"(?P<degrees>\d{1,3})° ?(?P<minutes>\d{1,2})['′] ?"
        rf"(?:(?P<seconds>{NUMBER})[\"″] ?)?(?P<side>[NSEW])\b",
        _position,
    ),
    # at 20°C now -> at twenty degrees Celsius now
    rule(rf"(?P<number>{NUMBER}){_TO} ?{_DEGREES}", _temperature),
    # turn 90° left -> turn ninety degrees left
    rule(rf"(?P<number>{NUMBER}){_TO} ?°(?: ?(?P<side>[NSEW]\b))?", _degrees),
    # about 5–10% off -> about five to ten percent off
    rule(rf"(?P<number>{NUMBER})%?{_TO}[ \u00a0]?(?P<sign>[%‰])", _percent),
    # is 5'10" tall -> is five foot ten tall
    rule(r"(?P<feet>[1-9])['’′] ?(?P<inches>1[01]|\d(?:\.5)?)(?:[\"”″]|''|(?=[\s,.;)]|$))", _height),
    # a 9"x13" pan -> a nine by thirteen inch pan
    rule(rf"(?P<number>{NUMBER})[\"”″] ?[x×] ?(?P<to>{NUMBER})(?P<mark>[\"”″]?)(?!\w)", _by_inches),
    rule(rf"(?P<number>{NUMBER})['’′] ?[x×] ?(?P<to>{NUMBER})(?P<mark>['’′]?)(?!\w)", _by_feet),
    # a 3/8" bit -> a three eighths inch bit
    rule(r"(?P<above>\d{1,2})/(?P<below>2|4|8|16|32)[\"”″](?![\w])", _part_of_inch),
    rule(rf"(?P<number>{NUMBER})(?P<mark>[\"”″'′])(?![\w])", _inches),
    rule(
        # at 1920x1080 now -> at nineteen twenty by ten eighty now
        rf"(?P<number>{NUMBER})(?: ?[x×] ?)(?P<to>{NUMBER})"
        rf"(?: ?[x×] ?(?P<third>{NUMBER}))?(?:(?P<glued>{_UNIT})| (?P<unit>{_UNIT}))?(?![\w=⁰-⁹²³^'])(?! ?[=+])",
        lambda match, context: (
            None if " × " in match[0] and not (match["unit"] or match["glued"]) else _dimensions(match, context)
        ),
    ),
    rule(
        rf"(?P<number>{NUMBER})[x×](?=\d)(?!10[⁰-⁹²³^])",
        lambda match, context: amount(match["number"], context.british) + " by ",
    ),
    # ran 3x/week now -> ran three times per week now
    rule(rf"(?P<number>{NUMBER})[x×X](?:/(?P<per>day|week|month|year))?(?![\w]| ?[-+=−] ?\w)", _times),
    rule(
        # at 5 m/s² here -> at five meters per second squared here
        rf"{_QUANTITY}(?P<unit>{_UNIT})(?P<power>[²³]|\^[23]|(?<=[mtn])[23])?(?:\.(?=/))?{_PER}"
        r"(?P<dot>\.(?!\w))?(?![\w'])",
        _quantity,
    ),
    # heat to 180 C now -> heat to one hundred eighty degrees Celsius now
    rule(rf"(?P<number>{NUMBER}){_TO} ?(?P<unit>C)(?P<dot>\.(?!\w))?(?![\w'/])", _celsius),
    rule(rf"(?P<number>{INTEGER})[dD]\b", _sound_levels),
)
LETTER_RULES: tuple[Rule, ...] = (
    rule(r"mmHg(?!\w)", lambda match, context: _name(match[0], True, context.british)),
    # add 3/4 tsp of -> add three quarters teaspoon of
    rule(r"(?P<unit>tsp|tbsp|oz|lbs?|in|ft|mi|cm|mm|km|kg|hrs?|min|yd|pt|qt|gal)\b\.?(?!\w)", _fraction_of),
    # in km/h here -> in kilometers per hour here
    rule(r"(?P<unit>km|m|MB|GB|kB|Mbit|Gbit|ft|mi|kg|mg)/(?P<per>h|hr|s|sec|min|L|ml)(?![\w/])", _bare_unit),
)
