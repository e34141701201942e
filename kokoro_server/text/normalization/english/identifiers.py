"""Expand names as programs and products write them: snake_case, camelCase, foo(), C#, C++, MP3, COVID-19."""

import re

from kokoro_server.text.normalization.english.number_words import pluralize_number, spell_digits, spell_numeric_label
from kokoro_server.text.normalization.english.urls import expand_identifier
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import parse_words

# Capitals up to a word's first letter, a word, capitals, or digits: parseHTMLPage2 is parse, HTML, Page, 2.
_HUMP = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Prefixes of people's names, which have a hump without being code: McDonald, DeVito.
_NAME_PREFIXES = parse_words("Mc Mac De Di La Le Van Von O Fitz Du Da")
# Words and abbreviations without a vowel that are not spelled here.
_UNSPELLED_WORDS = parse_words("hmm shh psst pfft brr grr tsk nth st nd rd th zzz mm hm tv ps ms mr mrs dr vs phd")
_VOWEL = re.compile(r"[aeiouyà-ÿ]", re.IGNORECASE)
_UNSPLIT_NAMES = parse_words("WiFi LaTeX PhD")
_SPELLED_PARTS = parse_words("id ui ip io os ai api url uri uuid")
_KEY_NAMES = {"ctrl": "Control", "cmd": "Command", "alt": "Alt", "shift": "Shift", "del": "Delete", "esc": "Escape"}
_KEY_NAMES |= {"win": "Windows", "opt": "Option"}
_PLURAL_ACRONYM = re.compile(r"[A-Z]{2,20}s")
_ELEMENTS = "H He Li B C N O F Na Mg Al Si P S Cl K Ca Ti Cr Mn Fe Ni Cu Zn Br Ag Sn I Ba Au Hg Pb U"
_ELEMENT = "(?:" + "|".join(sorted(_ELEMENTS.split(), key=len, reverse=True)) + ")"
_SUBSCRIPT_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
# Formulas without a small letter or a subscript, which a code could be as well: CO2, H2SO4.
_PLAIN_FORMULA = re.compile(r"[A-Z]{2}\d{1,2}(?:[A-Z]{1,2}\d{1,2}){0,3}|(?:[A-Z]{1,2}\d{1,2}){1,4}[A-Z]{1,2}\d{0,2}")
_NOT_FORMULAS = parse_words("NaN CoS HoH PoC IoT SoC NoS")
_MIXED_PART = re.compile(r"[A-Za-z]+|\d+")


def _expand_sharp_or_flat(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{match[0][0]} {'sharp' if match[0][1] in '#♯' else 'flat'}{(match['minor'] and ' minor') or ''}"


def _expand_plus_plus(match: re.Match[str], context: TextContext) -> RuleResult:
    name = match[0][:-2]
    return f"{name.upper() if len(name) == 1 else name} plus plus"


def _expand_key_combination(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a combination of keys: Ctrl+Alt+Del."""
    names = [_KEY_NAMES.get(key.lower(), key.upper() if len(key) == 1 else key) for key in match[0].split("+")]
    spoken = " plus ".join(names)
    return spoken if match[0][0].isupper() else spoken[0].lower() + spoken[1:]


def _expand_grade(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{match[0][0]} {'plus' if match[0][1] == '+' else 'minus'}"


def _expand_snake_case(match: re.Match[str], context: TextContext) -> RuleResult:
    """Split a name in snake_case."""
    return " ".join(map(_split_camel_case, match["name"].strip("_").split("_")))


def _split_camel_case(written: str) -> str:
    return " ".join(expand_name_part(part) for part in _HUMP.findall(written)) or written


def expand_name_part(part: str) -> str:
    """Spell a number as a label, and letters without a vowel one by one."""
    if part.isdecimal():
        return spell_numeric_label(part, False)
    if len(part) == 1:
        return part.upper()
    if part.lower() in _SPELLED_PARTS:
        return " ".join(part.upper())
    return part if _VOWEL.search(part) or part.isupper() else " ".join(part.upper())


def _expand_camel_case(match: re.Match[str], context: TextContext) -> RuleResult:
    """Split a name in camelCase; leave names of people (McDonald) and plural acronyms (CPUs) as they are."""
    humps = _HUMP.findall(match[0])
    if len(humps) < 2 or _PLURAL_ACRONYM.fullmatch(match[0]):
        return None
    if max(map(len, humps)) < 3:
        return None
    if (
        humps[0] in _NAME_PREFIXES
        or match[0] in _UNSPLIT_NAMES
        or min(map(len, humps)) < 2
        or "".join(humps) != match[0]
    ):
        return None
    return " ".join(" ".join(hump.upper()) if hump == "Id" else hump for hump in humps)


def _expand_call(match: re.Match[str], context: TextContext) -> RuleResult:
    names = match["name"].split(".")
    return " dot ".join(_split_snake_case(name) for name in names)


def _split_snake_case(name: str) -> str:
    return " ".join(_split_camel_case(part) for part in name.strip("_").split("_"))


def _expand_dotted_name(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a dotted name with an underscore or a hump: self.max_len, os.pathSep."""
    return expand_identifier(match[0]) if "_" in match[0] or re.search("[a-z][A-Z]", match[0]) else None


def _expand_alphanumeric(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand letters and digits in one word: MP3, COVID-19, H2O; letters as they are, numbers as labels."""
    parts = _MIXED_PART.findall(match[0])
    # A serial number or a hash: sign by sign.
    if len(parts) > 5 or max(len(part) for part in parts) > 12:
        return " ".join(spell_digits(sign) or sign.upper() for sign in match[0] if sign.isalnum())
    return " ".join(expand_name_part(part) for part in parts)


def _spell_formula(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a chemical formula: NaCl, CO₂, CaCO₃; letters one by one, numbers as numbers."""
    written = match[0].translate(_SUBSCRIPT_DIGITS)
    marked = written != match[0] or re.search("[A-Z][a-z]", written) or _PLAIN_FORMULA.fullmatch(written)
    if written in _NOT_FORMULAS or not marked:
        return None
    parts = re.findall(r"[A-Za-z]|\d+", written)
    return " ".join(spell_numeric_label(part, False) if part.isdecimal() else part.upper() for part in parts)


def _expand_subscript(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a name with a subscript: log₁₀, x₁."""
    name = match["name"].upper() if len(match["name"]) == 1 else match["name"]
    return f"{name} {spell_numeric_label(match['number'].translate(_SUBSCRIPT_DIGITS), False)}"


def _expand_label_range(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a range of labels with the same letter: Q1–Q3."""
    first, last = (f"{match['letters']} {spell_numeric_label(match[group], False)}" for group in ("first", "last"))
    return f"{first} to {last}"


def _expand_numbered_name(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a name with a number of three digits: Uranium-235, Boeing-747."""
    number = match["number"]
    # The rules for digits spell a round number the same way: Boeing-700.
    return None if int(number) % 100 == 0 else f"{match['name']} {spell_numeric_label(number, False)}"


def _pluralize_model(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand the plural of a model's name: F-150s, A-10s."""
    return f"{match['letters']} {pluralize_number(spell_numeric_label(match['number'], False))}"


def _expand_trailing_letters(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"{spell_numeric_label(match['number'], context.is_british)} {expand_name_part(match['letters'])}"


def _expand_version(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a version: v1.2.3-beta; a capital V before one number is left as it is."""
    numbers = match["numbers"].split(".")
    if len(numbers) == 1 and match[0][0] == "V":
        return None
    rest = match["rest"]
    spoken = "version " + " point ".join(
        spell_numeric_label(number, False) if len(number) < 4 else spell_digits(number) for number in numbers
    )
    return spoken + (f" {expand_identifier(rest[1:].replace('.', ''))}" if rest else "")


def _spell_consonants(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell letters without a vowel one by one: btw, html."""
    word = match[0]
    if word in _UNSPELLED_WORDS or len(set(word)) == 1:
        return None
    return " ".join(word.upper())


def _join_plural(match: re.Match[str], context: TextContext) -> RuleResult:
    """Join a word and its optional plural: item(s)."""
    return match["word"] + match["plural"]


def _expand_name_power(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a power of one or two letters: x², cm^3."""
    power = match["power"].lstrip("^")
    names = {"²": "squared", "2": "squared", "³": "cubed", "3": "cubed", "ⁿ": "to the N", "n": "to the N"}
    name = match["name"] if _VOWEL.search(match["name"]) else " ".join(match["name"].upper())
    name = match["name"].upper() if len(match["name"]) == 1 else name
    return f"{name} {names.get(power) or 'to the power of ' + spell_digits(power)}"


def _expand_ampersand(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand an ampersand between capitals: AT&T, R&B, Q&A."""
    return match[0].replace("&", " and ")


def _expand_slashes(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace slashes between capitals: TCP/IP, AC/DC, I/O, S/M/L."""
    return match[0].replace("/", ", " if match[0].count("/") > 1 else " ")


PRIORITY_LETTER_RULES: tuple[Rule, ...] = (
    # press Ctrl+C now -> press Control plus C now
    compile_rule(r"(?:[Cc]trl|CTRL|[Cc]md|[Aa]lt|[Ss]hift|[Ww]in|[Oo]pt)(?:\+\w{1,6}){1,3}", _expand_key_combination),
    compile_rule(r"WWI{1,2}(?!\w)", lambda match, context: "World War " + ("two" if match[0] == "WWII" else "one")),
    # in C# now -> in C sharp now
    compile_rule(r"[A-GJ][#♯♭](?P<minor>m)?(?![\w])", _expand_sharp_or_flat),
    # in C++ now -> in C plus plus now
    compile_rule(r"(?:[A-Za-z]|Notepad|notepad|[gG])\+\+(?![\w])", _expand_plus_plus),
    # an A+ grade -> an A plus grade
    compile_rule(r"[A-F](?:\+|[-−](?=[\s,.;)]|$))(?![\w+=]| ?\d)", _expand_grade),
    compile_rule(r"(?:[A-Z]{1,4}&[A-Z]{1,4})(?![\w])", _expand_ampersand),
    compile_rule(r"[A-Z]{1,4}(?:/[A-Z]{1,4}){1,6}(?![\w/])", _expand_slashes),
    compile_rule(r"IPv(?P<number>[46])(?!\w)", lambda match, context: f"I P version {spell_digits(match['number'])}"),
    # in Q1–Q3 now -> in Q one to Q three now
    compile_rule(
        r"(?P<letters>[A-Z])(?P<first>\d{1,3}) ?[-–] ?(?P=letters)(?P<last>\d{1,3})(?!\w)", _expand_label_range
    ),
    compile_rule(r"pKa(?!\w)", lambda match, context: "P K A"),
    compile_rule(r"(?P<name>[A-Za-z])--(?=[\s;,)]|$)", lambda match, context: f"{match['name'].upper()} minus minus"),
    compile_rule(r"TODO(?!\w)", lambda match, context: "to do"),
    compile_rule(
        r"[HX]\.(?P<number>26\d)(?!\w)",
        lambda match, context: f"{match[0][0]} {spell_numeric_label(match['number'], False)}",
    ),
    # the NaCl here -> the N A C L here
    compile_rule(rf"(?:{_ELEMENT}[\d₀-₉]{{0,3}}){{2,10}}(?!\w)", _spell_formula),
    compile_rule(r"(?P<name>[A-Za-z]{1,12})(?P<number>[₀-₉]{1,6})(?!\w)", _expand_subscript),
    compile_rule(r"(?P<name>[A-Z][a-z]{2,12})-(?P<number>\d{3})(?![\w.,-]\d|\w)", _expand_numbered_name),
    compile_rule(r"(?P<letters>[A-Z]{1,4})-(?P<number>\d{1,4})s(?!\w)", _pluralize_model),
    compile_rule(
        r"[vV](?P<numbers>\d{1,6}(?:\.\d{1,6}){0,4})(?P<rest>-(?:alpha|beta|rc|dev)(?:\.?\d{1,3})?)?(?![\w])",
        _expand_version,
    ),
    # call os.walk() now -> call O S dot walk now
    compile_rule(r"(?P<name>_{0,2}[A-Za-z]\w{0,60}(?:\.[A-Za-z_]\w{0,60}){0,6})\(\)", _expand_call),
    # the max_len here -> the max len here
    compile_rule(
        r"(?P<name>_{0,2}[A-Za-z][A-Za-z0-9]{0,40}(?:_{1,2}[A-Za-z0-9]{1,40}){1,12}_{0,2})(?!\w)", _expand_snake_case
    ),
    compile_rule(r"[A-Za-z_]\w{0,60}(?:\.[A-Za-z_]\w{0,60}){1,6}(?!\w)", _expand_dotted_name),
    compile_rule(r"(?P<word>[a-z]{2,30})\((?P<plural>e?s)\)", _join_plural),
    compile_rule(r"(?P<name>[A-Za-z]{1,2})(?P<power>\^[\dn])(?!\w)", _expand_name_power),
    # A name of two small letters has no vowel here: the raised number of at³ is that of a note.
    compile_rule(
        r"(?P<name>[A-Za-z][A-Z]?|[b-df-hj-np-tv-xzB-DF-HJ-NP-TV-XZ]{2})(?P<power>[²³ⁿ])(?!\w)", _expand_name_power
    ),
)
# The rules for names that may start with an underscore, which the scanner sees as a mark.
UNDERSCORED_RULES = tuple(one for one in PRIORITY_LETTER_RULES if one.action in (_expand_call, _expand_snake_case))
LETTER_RULES: tuple[Rule, ...] = (
    # the fooBar here -> the foo Bar here
    compile_rule(r"[a-z]{0,20}(?:[A-Z][a-z]{0,20}){1,20}(?![\w])", _expand_camel_case),
    # an MP3 file -> an MP three file
    compile_rule(
        r"[A-Z]{1,8}-\d{1,4}(?![\ws])|[A-Za-z]{1,20}\d{1,12}(?:[A-Za-z]{1,12}+\d{0,12}+){0,6}+(?!\w)",
        _expand_alphanumeric,
    ),
    compile_rule(r"[bcdfghjklmnpqrstvwxz]{2,6}(?![\w'’])", _spell_consonants),
)
DIGIT_RULES: tuple[Rule, ...] = (
    # the 3D4 key -> the three D four key
    compile_rule(
        r"(?=\d{1,6}[A-Za-z]{1,6}\d)(?!\d{1,4}[xX]\d)(?:\d{1,12}[A-Za-z]{1,12}){1,20}\d{0,12}(?!\w)",
        _expand_alphanumeric,
    ),
)
TRAILING_RULES: tuple[Rule, ...] = (
    compile_rule(r"(?P<number>\d{1,12})(?P<letters>[A-Za-z]{1,20})(?!\w)", _expand_trailing_letters),
)
