"""Expand names as programs and products write them: snake_case, camelCase, foo(), C#, C++, MP3, COVID-19."""

import re

from tts.synth.readings.addresses import spell
from tts.synth.readings.numbers import digits, plural, short
from tts.synth.readings.passage import Passage, Rule, Said, rule, words

# Capitals up to a word's first letter, a word, capitals, or digits: parseHTMLPage2 is parse, HTML, Page, 2.
_HUMP = re.compile(r"[A-Z]{2,}(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
# Prefixes of people's names, which have a hump without being code: McDonald, DeVito.
_NAME_PREFIXES = words("Mc Mac De Di La Le Van Von O Fitz Du Da")
# Words and abbreviations without a vowel that are not spelled here.
_SPOKEN_LOWER = words("hmm shh psst pfft brr grr tsk nth st nd rd th zzz mm hm tv ps ms mr mrs dr vs phd")
_VOWEL = re.compile(r"[aeiouyà-ÿ]", re.IGNORECASE)
_SAID_WHOLE = words("WiFi LaTeX PhD")
_SPELLED = words("id ui ip io os ai api url uri uuid")
KEYS = {"ctrl": "Control", "cmd": "Command", "alt": "Alt", "shift": "Shift", "del": "Delete", "esc": "Escape"}
KEYS |= {"win": "Windows", "opt": "Option"}
_PLURAL_ACRONYM = re.compile(r"[A-Z]{2,20}s")
_ELEMENTS = "H He Li B C N O F Na Mg Al Si P S Cl K Ca Ti Cr Mn Fe Ni Cu Zn Br Ag Sn I Ba Au Hg Pb U"
_ELEMENT = "(?:" + "|".join(sorted(_ELEMENTS.split(), key=len, reverse=True)) + ")"
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
# Formulas without a small letter or a subscript, which a code could be as well: CO2, H2SO4.
_PLAIN_FORMULA = re.compile(r"[A-Z]{2}\d{1,2}(?:[A-Z]{1,2}\d{1,2}){0,3}|(?:[A-Z]{1,2}\d{1,2}){1,4}[A-Z]{1,2}\d{0,2}")
_NO_FORMULAS = words("NaN CoS HoH PoC IoT SoC NoS")
_MIXED_PART = re.compile(r"[A-Za-z]+|\d+")


def _sharp(found: re.Match[str], passage: Passage) -> Said:
    return f"{found[0][0]} {'sharp' if found[0][1] in '#♯' else 'flat'}{found['minor'] and ' minor' or ''}"


def _plus_plus(found: re.Match[str], passage: Passage) -> Said:
    name = found[0][:-2]
    return f"{name.upper() if len(name) == 1 else name} plus plus"


def _keys(found: re.Match[str], passage: Passage) -> Said:
    """Expand a combination of keys: Ctrl+Alt+Del."""
    names = [KEYS.get(key.lower(), key.upper() if len(key) == 1 else key) for key in found[0].split("+")]
    spoken = " plus ".join(names)
    return spoken if found[0][0].isupper() else spoken[0].lower() + spoken[1:]


def _graded(found: re.Match[str], passage: Passage) -> Said:
    return f"{found[0][0]} {'plus' if found[0][1] == '+' else 'minus'}"


def _snake(found: re.Match[str], passage: Passage) -> Said:
    """Split a name in snake_case."""
    return " ".join(map(_camel_words, found["name"].strip("_").split("_")))


def _camel_words(written: str) -> str:
    return " ".join(digits_or_word(part) for part in _HUMP.findall(written)) or written


def digits_or_word(part: str) -> str:
    """Spell a number as a label, and letters without a vowel one by one."""
    if part.isdecimal():
        return short(part, False)
    if len(part) == 1:
        return part.upper()
    if part.lower() in _SPELLED:
        return " ".join(part.upper())
    return part if _VOWEL.search(part) or part.isupper() else " ".join(part.upper())


def _camel(found: re.Match[str], passage: Passage) -> Said:
    """Split a name in camelCase; leave names of people (McDonald) and plural acronyms (CPUs) as they are."""
    humps = _HUMP.findall(found[0])
    if len(humps) < 2 or _PLURAL_ACRONYM.fullmatch(found[0]):
        return None
    if max(map(len, humps)) < 3:
        return None
    if humps[0] in _NAME_PREFIXES or found[0] in _SAID_WHOLE or min(map(len, humps)) < 2 or "".join(humps) != found[0]:
        return None
    return " ".join(" ".join(hump.upper()) if hump == "Id" else hump for hump in humps)


def _call(found: re.Match[str], passage: Passage) -> Said:
    names = found["name"].split(".")
    return " dot ".join(_snake_words(name) for name in names)


def _snake_words(name: str) -> str:
    return " ".join(_camel_words(part) for part in name.strip("_").split("_"))


def _attribute(found: re.Match[str], passage: Passage) -> Said:
    """Spell a dotted name with an underscore or a hump: self.max_len, os.pathSep."""
    return spell(found[0]) if "_" in found[0] or re.search("[a-z][A-Z]", found[0]) else None


def _mixed(found: re.Match[str], passage: Passage) -> Said:
    """Expand letters and digits in one word: MP3, COVID-19, H2O; letters as they are, numbers as labels."""
    parts = _MIXED_PART.findall(found[0])
    # A serial number or a hash: sign by sign.
    if len(parts) > 5 or max(len(part) for part in parts) > 12:
        return " ".join(digits(sign) or sign.upper() for sign in found[0] if sign.isalnum())
    return " ".join(digits_or_word(part) for part in parts)


def _formula(found: re.Match[str], passage: Passage) -> Said:
    """Spell a chemical formula: NaCl, CO₂, CaCO₃; letters one by one, numbers as numbers."""
    written = found[0].translate(_LOWERED)
    marked = written != found[0] or re.search("[A-Z][a-z]", written) or _PLAIN_FORMULA.fullmatch(written)
    if written in _NO_FORMULAS or not marked:
        return None
    parts = re.findall(r"[A-Za-z]|\d+", written)
    return " ".join(short(part, False) if part.isdecimal() else part.upper() for part in parts)


def _lowered(found: re.Match[str], passage: Passage) -> Said:
    """Expand a name with a subscript: log₁₀, x₁."""
    name = found["name"].upper() if len(found["name"]) == 1 else found["name"]
    return f"{name} {short(found['number'].translate(_LOWERED), False)}"


def _series(found: re.Match[str], passage: Passage) -> Said:
    """Expand a range of labels with the same letter: Q1–Q3."""
    first, last = (f"{found['letters']} {short(found[group], False)}" for group in ("first", "last"))
    return f"{first} to {last}"


def _isotope(found: re.Match[str], passage: Passage) -> Said:
    """Expand a name with a number of three digits: Uranium-235, Boeing-747."""
    number = found["number"]
    # The rules for digits spell a round number the same way: Boeing-700.
    return None if int(number) % 100 == 0 else f"{found['name']} {short(number, False)}"


def _models(found: re.Match[str], passage: Passage) -> Said:
    """Expand the plural of a model's name: F-150s, A-10s."""
    return f"{found['letters']} {plural(short(found['number'], False))}"


def _trailing(found: re.Match[str], passage: Passage) -> Said:
    return f"{short(found['number'], passage.british)} {digits_or_word(found['letters'])}"


def _version(found: re.Match[str], passage: Passage) -> Said:
    """Expand a version: v1.2.3-beta; a capital V before one number is left as it is."""
    numbers = found["numbers"].split(".")
    if len(numbers) == 1 and found[0][0] == "V":
        return None
    rest = found["rest"]
    spoken = "version " + " point ".join(
        short(number, False) if len(number) < 4 else digits(number) for number in numbers
    )
    return spoken + (f" {spell(rest[1:].replace('.', ''))}" if rest else "")


def _consonants(found: re.Match[str], passage: Passage) -> Said:
    """Spell letters without a vowel one by one: btw, html."""
    word = found[0]
    if word in _SPOKEN_LOWER or len(set(word)) == 1:
        return None
    return " ".join(word.upper())


def _plural(found: re.Match[str], passage: Passage) -> Said:
    """Join a word and its optional plural: item(s)."""
    return found["word"] + found["plural"]


def _powered(found: re.Match[str], passage: Passage) -> Said:
    """Expand a power of one or two letters: x², cm^3."""
    power = found["power"].lstrip("^")
    names = {"²": "squared", "2": "squared", "³": "cubed", "3": "cubed", "ⁿ": "to the N", "n": "to the N"}
    name = found["name"] if _VOWEL.search(found["name"]) else " ".join(found["name"].upper())
    name = found["name"].upper() if len(found["name"]) == 1 else name
    return f"{name} {names.get(power) or 'to the power of ' + digits(power)}"


def _joined(found: re.Match[str], passage: Passage) -> Said:
    """Expand an ampersand between capitals: AT&T, R&B, Q&A."""
    return found[0].replace("&", " and ")


def _capitals_slashed(found: re.Match[str], passage: Passage) -> Said:
    """Replace slashes between capitals: TCP/IP, AC/DC, I/O, S/M/L."""
    return found[0].replace("/", ", " if found[0].count("/") > 1 else " ")


LETTER_RULES_FIRST: tuple[Rule, ...] = (
    # press Ctrl+C now -> press Control plus C now
    rule(r"(?:[Cc]trl|CTRL|[Cc]md|[Aa]lt|[Ss]hift|[Ww]in|[Oo]pt)(?:\+\w{1,6}){1,3}", _keys),
    rule(r"WWI{1,2}(?!\w)", lambda match, context: "World War " + ("two" if match[0] == "WWII" else "one")),
    # in C# now -> in C sharp now
    rule(r"[A-GJ][#♯♭](?P<minor>m)?(?![\w])", _sharp),
    # in C++ now -> in C plus plus now
    rule(r"(?:[A-Za-z]|Notepad|notepad|[gG])\+\+(?![\w])", _plus_plus),
    # an A+ grade -> an A plus grade
    rule(r"[A-F](?:\+|[-−](?=[\s,.;)]|$))(?![\w+=]| ?\d)", _graded),
    rule(r"(?:[A-Z]{1,4}&[A-Z]{1,4})(?![\w])", _joined),
    rule(r"[A-Z]{1,4}(?:/[A-Z]{1,4}){1,6}(?![\w/])", _capitals_slashed),
    rule(r"IPv(?P<number>[46])(?!\w)", lambda match, context: f"I P version {digits(match['number'])}"),
    # in Q1–Q3 now -> in Q one to Q three now
    rule(r"(?P<letters>[A-Z])(?P<first>\d{1,3}) ?[-–] ?(?P=letters)(?P<last>\d{1,3})(?!\w)", _series),
    rule(r"pKa(?!\w)", lambda match, context: "P K A"),
    rule(r"(?P<name>[A-Za-z])--(?=[\s;,)]|$)", lambda match, context: f"{match['name'].upper()} minus minus"),
    rule(r"TODO(?!\w)", lambda match, context: "to do"),
    rule(r"[HX]\.(?P<number>26\d)(?!\w)", lambda match, context: f"{match[0][0]} {short(match['number'], False)}"),
    # the NaCl here -> the N A C L here
    rule(rf"(?:{_ELEMENT}[\d₀-₉]{{0,3}}){{2,10}}(?!\w)", _formula),
    rule(r"(?P<name>[A-Za-z]{1,12})(?P<number>[₀-₉]{1,6})(?!\w)", _lowered),
    rule(r"(?P<name>[A-Z][a-z]{2,12})-(?P<number>\d{3})(?![\w.,-]\d|\w)", _isotope),
    rule(r"(?P<letters>[A-Z]{1,4})-(?P<number>\d{1,4})s(?!\w)", _models),
    rule(
        r"[vV](?P<numbers>\d{1,6}(?:\.\d{1,6}){0,4})(?P<rest>-(?:alpha|beta|rc|dev)(?:\.?\d{1,3})?)?(?![\w])",
        _version,
    ),
    # call os.walk() now -> call O S dot walk now
    rule(r"(?P<name>_{0,2}[A-Za-z]\w{0,60}(?:\.[A-Za-z_]\w{0,60}){0,6})\(\)", _call),
    # the max_len here -> the max len here
    rule(r"(?P<name>_{0,2}[A-Za-z][A-Za-z0-9]{0,40}(?:_{1,2}[A-Za-z0-9]{1,40}){1,12}_{0,2})(?!\w)", _snake),
    rule(r"[A-Za-z_]\w{0,60}(?:\.[A-Za-z_]\w{0,60}){1,6}(?!\w)", _attribute),
    rule(r"(?P<word>[a-z]{2,30})\((?P<plural>e?s)\)", _plural),
    rule(r"(?P<name>[A-Za-z]{1,2})(?P<power>[²³ⁿ]|\^[\dn])(?!\w)", _powered),
)
# The rules for names that may start with an underscore, which the scanner sees as a mark.
UNDERSCORED_RULES = tuple(one for one in LETTER_RULES_FIRST if one.say in (_call, _snake))
LETTER_RULES: tuple[Rule, ...] = (
    # the fooBar here -> the foo Bar here
    rule(r"[a-z]{0,20}(?:[A-Z][a-z]{0,20}){1,20}(?![\w])", _camel),
    # an MP3 file -> an MP three file
    rule(r"[A-Z]{1,8}-\d{1,4}(?![\ws])|[A-Za-z]{1,20}\d{1,12}(?:[A-Za-z]{1,12}+\d{0,12}+){0,6}+(?!\w)", _mixed),
    rule(r"[bcdfghjklmnpqrstvwxz]{2,6}(?![\w'’])", _consonants),
)
DIGIT_RULES: tuple[Rule, ...] = (
    # the 3D4 key -> the three D four key
    rule(r"(?=\d{1,6}[A-Za-z]{1,6}\d)(?!\d{1,4}[xX]\d)(?:\d{1,12}[A-Za-z]{1,12}){1,20}\d{0,12}(?!\w)", _mixed),
)
TRAILING_RULES: tuple[Rule, ...] = (rule(r"(?P<number>\d{1,12})(?P<letters>[A-Za-z]{1,20})(?!\w)", _trailing),)
# Characters after a word that rules above start with. scan shows a word in small letters with a vowel to the rules only
# if one of them follows: a new rule that joins another mark to a word needs its mark here.
FOLLOWED_BY = frozenset("$#♯+&/(_.0123456789@:²³ⁿ₀₁₂₃₄₅₆₇₈₉^\\'’")
