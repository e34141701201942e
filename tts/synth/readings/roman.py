"""Replace Roman numerals by words: Henry VIII, World War II, Chapter IV, the XIX century.

The word before decides: a ruler's name takes an ordinal, a noun such as `chapter` a cardinal. Without such a word,
only a valid numeral of three letters or more that is no word or acronym counts.
"""

import re

from tts.synth.readings.numbers import cardinal, ordinal, year
from tts.synth.readings.passage import Passage, Rule, Said, rule, words

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_VALID = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_RULERS = words("""
    henry louis elizabeth george charles edward james john paul pius benedict philip richard william
    napoleon alexander catherine peter nicholas leo gregory innocent frederick wilhelm ivan clement
    urban ramses rameses ptolemy ferdinand francis christian gustav haakon harald juan carlos felipe
    alfonso boniface xerxes darius cyrus mary margaret wenceslas otto franz joseph leopold albert
    umberto victor emmanuel mehmed suleiman murad selim baldwin kamehameha
""")
NUMBERED = words("""
    chapter part act type phase book volume section article level class title grade stage scene figure
    table mark schedule unit appendix bowl war psalm canto episode season step vol fig sec ch no number
    tier category group region zone factor quadrant lesson verse week round game schedule amendment
    exhibit annex option plan
""")
# Valid numerals that are words, sizes or acronyms.
_WORDS = words("MIX CD DC MD MC CV ID CIV DIV MM XL LI DI XXL CC MI DL LCD CM DM CL DVI XXX LLC MIX VI LC MCM DIM MILD")
_KINDS = words("phase type level stage grade tier category region zone title schedule factor mark class")
"""Nouns after which a lone I is a number whatever follows; after others it may be a pronoun: "the book I read"."""
# Words after `type I` and the like in small letters: `type I diabetes`.
_OF_KINDS = words("""
    diabetes error errors trial trials study studies cancer trauma disease collagen interferon supernova clinical
    hypersensitivity superconductor superconductors railroad railroads and or to
""")
# Words after a lone I with which the sentence goes on: `Chapter I of`, `Part I begins`.
_GOES_ON = words("""
    of in is was and or to for has had will begins ends opens shows covers deals by from with at on as the
""")
_LETTERS_TOO = words("option plan group number unit type zone")
"""Nouns after which a lone X or V may be a letter too."""
_RULES_BY = words("king queen prince pope emperor tsar czar sultan duke pharaoh")
_SHORT_BEFORE = re.compile(r"\b(?:[Vv]ol|[Cc]h|[Ss]ec|[Aa]rt|[Ff]ig|[Pp]t|[Nn]o|[Bb]k|[Pp]p?)\. $")
_ITEM_END = re.compile(r"\. {1,4}[A-Z]")
_CENTURIES = words("century centuries dynasty")


def _value(numeral: str) -> int:
    """Return the value of a numeral, whose letters may stand in any order."""
    # A letter before a greater one is subtracted: XIV = 10 - 1 + 5.
    values = [_VALUES[letter] for letter in numeral]
    following = [*values[1:], 0]
    return sum(-one if one < other else one for one, other in zip(values, following, strict=True))


def _numeral(found: re.Match[str], passage: Passage) -> Said:
    """Replace a numeral in capitals."""
    numeral = found["numeral"]
    if passage.starts_line(found.start()) and _ITEM_END.match(passage.text, found.end()):
        # The number of a list item.
        return cardinal(_value(numeral), passage.british) if _VALID.fullmatch(numeral) else None
    if not _VALID.fullmatch(numeral):
        return None
    number, before = _value(numeral), passage.word_before(found.start())
    if numeral == "I" or numeral in "CDLM" and passage.after(found.end()) != ".":
        return None  # a pronoun or a letter
    if _SHORT_BEFORE.search(passage.text, max(0, found.start() - 6), found.start()):
        return cardinal(number, passage.british)
    spaced = passage.before(found.start()) in " \u00a0"
    spoken = _after(before, numeral, number, passage) if spaced and before else None
    if spoken is None and passage.word_after(found.end()).lower() in _CENTURIES:
        spoken = ordinal(number, passage.british)
    sure = len(numeral) > 3 or not set(numeral) & set("LCDM")  # CLI and LIV are acronyms as well
    if spoken is None and len(numeral) > 2 and sure and numeral not in _WORDS:
        spoken = year(number, passage.british) if 1100 <= number < 2100 else cardinal(number, passage.british)
    return spoken and spoken + (found["possessive"] or "")


def _after(before: str, numeral: str, number: int, passage: Passage) -> str | None:
    """Spell a number by the word before its numeral; None if that word calls for no number."""
    if before.lower() in NUMBERED:
        letter = len(numeral) == 1 and (before.lower() in _LETTERS_TOO or numeral in "CDLM")
        return None if letter else cardinal(number, passage.british)
    if before in ("iPhone", "macOS", "iOS", "OS"):
        return cardinal(number, passage.british)
    if not before[0].isupper():
        return None
    # Henry VIII was -> Henry the eighth was
    if before.lower() in _RULERS and number < 40:
        return f"the {ordinal(number, passage.british)}"
    if len(numeral) < 2 or numeral in _WORDS - {"VI"} or number > 60 or before.isupper():
        return None
    return cardinal(number, passage.british)


_EVENTS = re.compile(r"\b(?:World War|WORLD WAR|Super Bowl) $")
_PARTS = _KINDS | words(
    "chapter part act book volume section article figure table appendix canto annex exhibit quadrant"
)
_NO_VERBS = words(
    "always perhaps sometimes thus focus discuss guess miss pass possess kiss address express process access"
)


def _first(found: re.Match[str], passage: Passage) -> Said:
    """Replace a lone I that is a number.

    `Elizabeth I` is a ruler only at the end of a phrase or before a verb, and `the book I read` has no number.
    """
    before = passage.word_before(found.start())
    after = passage.word_after(found.end())
    if passage.starts_line(found.start()) and _ITEM_END.match(passage.text, found.end()):
        return "one"
    spaced = passage.before(found.start()) in " \u00a0"
    if _EVENTS.search(passage.text, max(0, found.start() - 11), found.start()):
        return "one"
    if spaced and before.lower() in NUMBERED:
        kind = before.lower() in _KINDS
        if before.lower() in _PARTS:
            ends = not after and passage.after(found.end()) in ",.;:)\n"
            is_verb = after[-1:] == "s" and after.islower() and after not in _NO_VERBS and len(after) > 2
            # A Type I error, an Act I scene.
            article = re.search(r"\b[Aa]n? \w+ $", passage.text[max(0, found.start() - 20) : found.start()])
            if ends or is_verb or after == "of" or kind and article:
                return "one"
        if before.islower():
            return "one" if kind and after in _OF_KINDS else None
        return "one" if not after.islower() or kind or after in _GOES_ON else None
    if _SHORT_BEFORE.search(passage.text, max(0, found.start() - 6), found.start()):
        return "one" if not after.islower() or after in _GOES_ON else None
    ruler = before[:1].isupper() and before.lower() in _RULERS
    ends = passage.after(found.end()) in ",.;)" or after in (
        "of",
        "was",
        "ruled",
        "reigned",
        "died",
        "and",
        "became",
        "had",
    )
    return "the first" if ruler and ends else None


def _small(found: re.Match[str], passage: Passage) -> Said:
    """Replace a numeral in small letters: Act III, scene ii; p. xiv."""
    numeral, before = found[0].upper(), passage.word_before(found.start())
    named = before.lower() in NUMBERED | {"page", "pages"}
    short_form = _SHORT_BEFORE.search(passage.text, max(0, found.start() - 6), found.start())
    if not (named or short_form) or not _VALID.fullmatch(numeral):
        return None
    return cardinal(_value(numeral), passage.british)


WATCHED = words("ii iii iv vi vii viii ix xi xii xiii xiv xvi xvii xviii xix")
LETTER_RULES: tuple[Rule, ...] = (
    # Act III, scene ii, ends -> Act three, scene two, ends
    rule(r"[ivxl]{1,8}(?![\w'’./-])", _small),
    # Elizabeth I was -> Elizabeth the first was
    rule(r"I(?=[\s,.;:)]|$)", _first),
    # World War II ended -> World War two ended
    rule(r"(?P<numeral>[IVXLCDM]{1,15})(?P<possessive>['’]s)?(?![\w'’.&/-]\w|\w)", _numeral),
)
