"""Replace Roman numerals by words: Henry VIII, World War II, Chapter IV, the XIX century.

The word before decides: a ruler's name takes an ordinal, a noun such as `chapter` a cardinal. Without such a word,
only a valid numeral of three letters or more that is no word or acronym counts.
"""

import re

from kokoro_server.text.normalization.english.number_words import spell_cardinal, spell_ordinal, spell_year
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.normalization.rules.numerals import ROMAN_NUMERAL, parse_roman
from kokoro_server.text.tables import parse_words

_VALID_NUMERAL = re.compile(ROMAN_NUMERAL)
_RULER_NAMES = parse_words("""
    henry louis elizabeth george charles edward james john paul pius benedict philip richard william
    napoleon alexander catherine peter nicholas leo gregory innocent frederick wilhelm ivan clement
    urban ramses rameses ptolemy ferdinand francis christian gustav haakon harald juan carlos felipe
    alfonso boniface xerxes darius cyrus mary margaret wenceslas otto franz joseph leopold albert
    umberto victor emmanuel mehmed suleiman murad selim baldwin kamehameha
""")
NUMBERED_NOUNS = parse_words("""
    chapter part act type phase book volume section article level class title grade stage scene figure
    table mark schedule unit appendix bowl war psalm canto episode season step vol fig sec ch no number
    tier category group region zone factor quadrant lesson verse week round game schedule amendment
    exhibit annex option plan
""")
# Valid numerals that are words, sizes or acronyms.
_NOT_NUMERALS = parse_words(
    "MIX CD DC MD MC CV ID CIV DIV MM XL LI DI XXL CC MI DL LCD CM DM CL DVI XXX LLC MIX VI LC MCM DIM MILD"
)
_KIND_NOUNS = parse_words("phase type level stage grade tier category region zone title schedule factor mark class")
"""Nouns after which a lone I is a number whatever follows; after others it may be a pronoun: "the book I read"."""
# Words after `type I` and the like in small letters: `type I diabetes`.
_AFTER_KIND = parse_words("""
    diabetes error errors trial trials study studies cancer trauma disease collagen interferon supernova clinical
    hypersensitivity superconductor superconductors railroad railroads and or to
""")
# Words after a lone I with which the sentence goes on: `Chapter I of`, `Part I begins`.
_CONTINUATIONS = parse_words("""
    of in is was and or to for has had will begins ends opens shows covers deals by from with at on as the
""")
_LETTERED_NOUNS = parse_words("option plan group number unit type zone")
"""Nouns after which a lone X or V may be a letter too."""
_RULER_TITLES = parse_words("king queen prince pope emperor tsar czar sultan duke pharaoh")
_ABBREVIATION_BEFORE = re.compile(r"\b(?:[Vv]ol|[Cc]h|[Ss]ec|[Aa]rt|[Ff]ig|[Pp]t|[Nn]o|[Bb]k|[Pp]p?)\. $")
_ITEM_END = re.compile(r"\. {1,4}[A-Z]")
_CENTURIES = parse_words("century centuries dynasty")


def _expand_numeral(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace a numeral in capitals."""
    numeral = match["numeral"]
    if context.starts_line(match.start()) and _ITEM_END.match(context.text, match.end()):
        # The number of a list item.
        return spell_cardinal(parse_roman(numeral), context.is_british) if _VALID_NUMERAL.fullmatch(numeral) else None
    if not _VALID_NUMERAL.fullmatch(numeral):
        return None
    number, before = parse_roman(numeral), context.find_word_before(match.start())
    if numeral == "I" or (numeral in "CDLM" and context.get_char_at(match.end()) != "."):
        return None  # a pronoun or a letter
    if _ABBREVIATION_BEFORE.search(context.text, max(0, match.start() - 6), match.start()):
        return spell_cardinal(number, context.is_british)
    spaced = context.get_char_before(match.start()) in " \u00a0"
    spoken = _spell_after_word(before, numeral, number, context) if spaced and before else None
    if spoken is None and context.find_word_after(match.end()).lower() in _CENTURIES:
        spoken = spell_ordinal(number, context.is_british)
    sure = len(numeral) > 3 or not set(numeral) & set("LCDM")  # CLI and LIV are acronyms as well
    if spoken is None and len(numeral) > 2 and sure and numeral not in _NOT_NUMERALS:
        spoken = (
            spell_year(number, context.is_british)
            if 1100 <= number < 2100
            else spell_cardinal(number, context.is_british)
        )
    return spoken and spoken + (match["possessive"] or "")


def _spell_after_word(before: str, numeral: str, number: int, context: TextContext) -> str | None:
    """Spell a number by the word before its numeral; None if that word calls for no number."""
    if before.lower() in NUMBERED_NOUNS:
        letter = len(numeral) == 1 and (before.lower() in _LETTERED_NOUNS or numeral in "CDLM")
        return None if letter else spell_cardinal(number, context.is_british)
    if before in ("iPhone", "macOS", "iOS", "OS"):
        return spell_cardinal(number, context.is_british)
    if not before[0].isupper():
        return None
    # Henry VIII was -> Henry the eighth was
    if before.lower() in _RULER_NAMES and number < 40:
        return f"the {spell_ordinal(number, context.is_british)}"
    if len(numeral) < 2 or numeral in _NOT_NUMERALS - {"VI"} or number > 60 or before.isupper():
        return None
    return spell_cardinal(number, context.is_british)


_EVENT_BEFORE = re.compile(r"\b(?:World War|WORLD WAR|Super Bowl) $")
_PART_NOUNS = _KIND_NOUNS | parse_words(
    "chapter part act book volume section article figure table appendix canto annex exhibit quadrant"
)
_NOT_VERBS = parse_words(
    "always perhaps sometimes thus focus discuss guess miss pass possess kiss address express process access"
)


def _expand_lone_i(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace a lone I that is a number.

    `Elizabeth I` is a ruler only at the end of a phrase or before a verb, and `the book I read` has no number.
    """
    before = context.find_word_before(match.start())
    after = context.find_word_after(match.end())
    if context.starts_line(match.start()) and _ITEM_END.match(context.text, match.end()):
        return "one"
    spaced = context.get_char_before(match.start()) in " \u00a0"
    if _EVENT_BEFORE.search(context.text, max(0, match.start() - 11), match.start()):
        return "one"
    if spaced and before.lower() in NUMBERED_NOUNS:
        kind = before.lower() in _KIND_NOUNS
        if before.lower() in _PART_NOUNS:
            ends = not after and context.get_char_at(match.end()) in ",.;:)\n"
            is_verb = after[-1:] == "s" and after.islower() and after not in _NOT_VERBS and len(after) > 2
            # A Type I error, an Act I scene.
            article = re.search(r"\b[Aa]n? \w+ $", context.text[max(0, match.start() - 20) : match.start()])
            if ends or is_verb or after == "of" or (kind and article):
                return "one"
        if before.islower():
            return "one" if kind and after in _AFTER_KIND else None
        return "one" if not after.islower() or kind or after in _CONTINUATIONS else None
    if _ABBREVIATION_BEFORE.search(context.text, max(0, match.start() - 6), match.start()):
        return "one" if not after.islower() or after in _CONTINUATIONS else None
    ruler = before[:1].isupper() and before.lower() in _RULER_NAMES
    ends = context.get_char_at(match.end()) in ",.;)" or after in (
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


def _expand_lowercase(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace a numeral in small letters: Act III, scene ii; p. xiv."""
    numeral, before = match[0].upper(), context.find_word_before(match.start())
    named = before.lower() in NUMBERED_NOUNS | {"page", "pages"}
    short_form = _ABBREVIATION_BEFORE.search(context.text, max(0, match.start() - 6), match.start())
    if not (named or short_form) or not _VALID_NUMERAL.fullmatch(numeral):
        return None
    return spell_cardinal(parse_roman(numeral), context.is_british)


LETTER_RULES: tuple[Rule, ...] = (
    # Act III, scene ii, ends -> Act three, scene two, ends
    compile_rule(r"[ivxl]{1,8}(?![\w'’./-])", _expand_lowercase),
    # Elizabeth I was -> Elizabeth the first was
    compile_rule(r"I(?=[\s,.;:)]|$)", _expand_lone_i),
    # World War II ended -> World War two ended
    compile_rule(r"(?P<numeral>[IVXLCDM]{1,15})(?P<possessive>['’]s)?(?![\w'’.&/-]\w|\w)", _expand_numeral),
)
