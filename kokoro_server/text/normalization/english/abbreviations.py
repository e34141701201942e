"""Expand English abbreviations, without leaving a full stop that looks like the end of a sentence.

The full stop of an abbreviation is dropped, except where it ends the sentence too (`TextContext.ends_sentence`). Short
forms that are also words are expanded only in a context that decides: before a number, before or after a name.
"""

import re

from kokoro_server.text.normalization.english.numbers import STREET_SUFFIX
from kokoro_server.text.normalization.english.roman import NUMBERED_NOUNS
from kokoro_server.text.normalization.rules.context import (
    Rule,
    RuleResult,
    TextContext,
    compile_rule,
)
from kokoro_server.text.tables import load_tables, parse_words

_TABLES = load_tables(__name__)
_DOTTED: dict[str, str] = _TABLES["dotted"]
_SHORT_FORMS: dict[str, str] = _TABLES["short_forms"]
_STATES: dict[str, str] = _TABLES["states"]
_DIRECTIONS: dict[str, str] = _TABLES["directions"]
_STREET_SUFFIXES: dict[str, str] = _TABLES["street_suffixes"]
_TITLES: dict[str, str] = _TABLES["titles"]
_BEFORE_NUMBER: dict[str, str] = _TABLES["before_number"]
_UNDOTTED: dict[str, str] = _TABLES["undotted"]
_COUNTING_NOUNS: dict[str, str] = _TABLES["counting_nouns"]
# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
_PARTY_BEFORE = re.compile(r"\([DRI]-$")
_TOWN_BEFORE = re.compile(r"[A-Z][\w.'’-]{1,24}, $")
_STREET_BEFORE = re.compile(rf"\b{STREET_SUFFIX}\.? $")
_HOUSE_NUMBER_BEFORE = re.compile(r"\d[A-Z]? (?:[NSEW]\.? )?(?:[A-Z][a-z]{1,20} ){1,3}$")
_RATE_BEFORE = re.compile(r"[\d%]\w{0,3} $")
_ORDINAL_BEFORE = re.compile(r"\d(?:st|nd|rd|th) $")
# Spelled forms; in capitals, the phonemizer spells them anyway.
_SPELLED_FORMS = parse_words("idk imo imho omg afaik iirc omw irl afk")
# (b. 1950), (d. 2001).
_LIFE_DATES = {"b": "born", "d": "died"}
_CASE_SENSITIVE = {key for key in _UNDOTTED if key.istitle() and key.isalpha()} - {"Approx"}
# Capitalized words that are no names, so that the form before them is no title: Rev Share, Col Width.
_NOT_NAMES = parse_words("""
    Share Per Up Width Name Index Services Service Contracts Shutdown Award Awards Growth Du Count Type Values Website
    Data
""")
_AFTER_NAMES = {"Jr", "Sr", "Ave", "Blvd"}
# Acronyms in capitals, which may end a sentence: EST.
_CAPITAL_ACRONYMS = parse_words("EST MIN MAX SEN REP GOV TEMP AVG")
# A number behind the abbreviation: 5, +5, #5, (5, IV; a lone I is rather the pronoun.
_NUMBER_AHEAD = re.compile(r"[ \u00a0]{0,2}\(?(?:[+#]?\d|(?!I\b)[IVXLC]{1,6}\b)")


def _restore_case_and_stop(match: re.Match[str], context: TextContext, spoken: str) -> str:
    """Restore the first letter's case and the full stop that also ends the sentence."""
    stop = "." if match[0].endswith(".") and context.ends_sentence(match.end()) else ""
    first = match[0][0]
    if first.islower() and not spoken[1:2].isspace():
        spoken = spoken[0].lower() + spoken[1:]
    elif first.isupper():
        spoken = spoken[0].upper() + spoken[1:]
    return spoken + stop


def _expand_dotted(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand an abbreviation with a full stop: titles, nouns before numbers, other forms."""
    written = match["name"]
    key = written.lower()
    before_number = _NUMBER_AHEAD.match(context.text, match.end()) is not None
    # MS. and ms. are a manuscript and milliseconds.
    if key == "ms" and written != "Ms":
        return None
    if key in ("b", "d"):
        return _LIFE_DATES[key] if before_number and context.get_char_before(match.start()) == "(" else None
    # On the 5th fl.
    if key == "fl" and _ORDINAL_BEFORE.search(context.text, max(0, match.start() - 4), match.start()):
        return _restore_case_and_stop(match, context, _BEFORE_NUMBER[key])
    if key in _BEFORE_NUMBER and before_number:
        return _restore_case_and_stop(match, context, _BEFORE_NUMBER[key])
    if written in ("St", "Dr"):
        return _expand_st_or_dr(match, context)
    # Act V. is a numeral.
    if written == "V" and context.find_word_before(match.start()).lower() in NUMBERED_NOUNS:
        return None
    if written in _TITLES and not context.ends_sentence(match.end()):
        return _TITLES[written]
    if written.isupper() and written in _CAPITAL_ACRONYMS:
        return None
    # A v. B, but 3 v. good ones.
    if key not in _DOTTED or (key == "v" and context.find_word_after(match.end()).islower()):
        return None
    if _is_plain_word(written, match, context):
        return None
    return _restore_case_and_stop(match, context, _DOTTED[key])


def _is_plain_word(written: str, match: re.Match[str], context: TextContext) -> bool:
    """Return whether a form is a word at the end of a sentence: "one more rep.", "the max.", in small letters."""
    shaky = written.islower() and written in (
        "rep",
        "hon",
        "max",
        "temp",
        "gov",
        "min",
        "wed",
        "pres",
        "sen",
        "ca",
        "v",
        "ext",
        "est",
    )
    return shaky and context.ends_sentence(match.end())


def _expand_st_or_dr(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand `St.` or `Dr.` by its neighbours.

    Saint and Doctor stand before a name, Street and Drive after one.
    """
    saint, street = ("Saint", "Street") if match["name"] == "St" else ("Doctor", "Drive")
    before, following = context.find_word_before(match.start()), context.find_word_after(match.end())
    named = (
        before[:1].isupper()
        and context.get_char_before(match.start()) == " "
        and context.text[match.start() - 2].isalpha()
    )
    # After an ordinal, too: 42nd St.
    named = named or re.fullmatch(r"\d+(?:st|nd|rd|th)", before) is not None
    ends = context.ends_sentence(match.end())
    if ends or (named and not following[:1].isupper()):
        return street + ("." if ends else "")
    return saint if following[:1].isupper() or not named else street


def _spell_initialism(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an initialism by its letters: U.S., a.m., B.A.; keep the last full stop only if it ends the sentence."""
    if match[0].lower() in ("e.g.", "i.e."):
        return None
    letters = " ".join(letter.upper() for letter in match[0] if letter.isalpha())
    ends = match[0].endswith(".") and context.ends_sentence(match.end())
    return letters + ("." if ends else "")


def _expand_short_form(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a form in small letters or with a first capital; HRS and HRs are something else."""
    name = match["name"]
    if name not in (name.lower(), name.capitalize()) and name != "ATTN":
        return None
    return _restore_case_and_stop(match, context, _SHORT_FORMS[match["name"].lower()])


def _expand_state(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a state's name: Fort Lauderdale, Fla.; Senator Warren (D-Mass.)."""
    start = match.start()
    party = _PARTY_BEFORE.search(context.text, max(0, start - 3), start)
    if not party and not _TOWN_BEFORE.search(context.text, max(0, start - 28), start):
        return None
    return _restore_case_and_stop(match, context, _STATES[match["state"]])


def _expand_direction(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a direction after a street's name: Pennsylvania Avenue NW."""
    start = match.start()
    behind = _STREET_BEFORE.search(context.text, max(0, start - 12), start)
    return _DIRECTIONS[match[0]] if behind else None


def _expand_per_annum(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand `p.a.` after a rate: 2% p.a.; a P.A. is a person."""
    behind = _RATE_BEFORE.search(context.text, max(0, match.start() - 5), match.start())
    return _restore_case_and_stop(match, context, "per annum") if behind else None


def _expand_street_suffix(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a street's suffix after a house number, with or without its full stop: 10 Downing St."""
    behind = _HOUSE_NUMBER_BEFORE.search(context.text, max(0, match.start() - 70), match.start())
    return _restore_case_and_stop(match, context, _STREET_SUFFIXES[match[0].rstrip(".")]) if behind else None


_AFTER_STREET = parse_words("Journal Station Bridge Bank Market Theatre Theater School Week")
_STREET_NAMES = parse_words("Wall Main High Bond Liverpool Church Oxford Fleet Downing")


def _expand_undotted_st(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand `St` without a full stop: he lives on Main St and works on 42nd St.

    Saint stands before a name, Street after one.
    """
    before, following = context.find_word_before(match.start()), context.find_word_after(match.end())
    # Main St Station, Wall St closes.
    if following in _AFTER_STREET or before in _STREET_NAMES:
        return "Street"
    ordinal = re.fullmatch(r"\d+(?:st|nd|rd|th)", before) is not None
    named = (
        before[:1].isupper()
        and before[1:].islower()
        and context.get_char_before(match.start()) == " "
        and before != "The"
    )
    if following[:1].isupper() and not ordinal:
        return "Saint" if context.get_char_at(match.end()) == " " else None
    return "Street" if named or ordinal else None


def _expand_counting_noun(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a noun before a number: apt 5, Ch 3."""
    if match[0].isupper() or context.find_word_before(match.start()).lower() in ("a", "the", "sudo"):
        return None
    spoken = _COUNTING_NOUNS[match[0].lower()]
    return spoken.capitalize() if match[0][0].isupper() else spoken


def _expand_compass_initial(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand the initial of a direction before a street's name: 123 N. Main Street."""
    return _DIRECTIONS[match["side"]]


def _drop_initial_stop(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop the full stop of a person's initial, unless it ends the sentence."""
    if context.find_word_before(match.start()).lower() in NUMBERED_NOUNS:
        return None  # "Chapter X. Then": a numeral
    return None if context.ends_sentence(match.end()) else match[0][0]


def _expand_undotted(match: re.Match[str], context: TextContext) -> RuleResult:
    """Expand a form without a full stop, if its neighbours show that it is one."""
    written = match[0].rstrip(".")
    if written.isupper() and written.lower() in _SPELLED_FORMS:
        return None
    if written in _CASE_SENSITIVE:
        before, following = context.find_word_before(match.start()), context.find_word_after(match.end())
        spaced = context.get_char_before(match.start()) == " "
        behind = spaced and written in _AFTER_NAMES and (before[:1].isupper() or before[:1].isdigit())
        # 10 Ft, 500 Sq Ft.
        if written == "Ft" and (before[:1].isdigit() or before == "Sq"):
            return "feet"
        named = spaced and before[:1].isupper()
        ahead = following[:1].isupper() and len(following) > 1 and following not in _NOT_NAMES
        ahead = ahead and not (named and written in ("Jr", "Sr"))
        return _UNDOTTED[written] if (behind or ahead) and following != "Maria" else None
    if (
        written.lower() in ("ie", "eg", "aka", "vs", *_SPELLED_FORMS)
        or "/" in written
        or "." in written
        or written == "approx"
    ):
        spoken = _UNDOTTED.get(written) or _UNDOTTED.get(written.lower())
        return spoken and _restore_case_and_stop(match, context, spoken)
    return None


# The longest form first, so that `vols.` is not read as `vol`.
_DOTTED_NAMES = sorted(
    {*_DOTTED, *map(str.lower, _TITLES), *_BEFORE_NUMBER, *_LIFE_DATES, "st", "dr"}, key=len, reverse=True
)
_UNDOTTED_NAMES = sorted((*_UNDOTTED, "N/A", "He/she", "He/She", "And/or", "S/he"), key=len, reverse=True)
LETTER_RULES: tuple[Rule, ...] = (
    # the msgs came thx -> the messages came thanks
    compile_rule(
        rf"(?P<name>{'|'.join(map(re.escape, _SHORT_FORMS))})\b\.?(?![\w'’])", _expand_short_form, re.IGNORECASE
    ),
    # in Tampa, Fla. today -> in Tampa, Florida today
    compile_rule(rf"(?P<state>{'|'.join(_STATES)})\.(?!\w)", _expand_state),
    # at 10 Downing St, London -> at ten Downing Street, London
    compile_rule(r"(?:St|Rd|Ave|Blvd|Dr|Ln)(?=,|\s?$|\n| (?:NW|NE|SW|SE)\b)", _expand_street_suffix),
    compile_rule(r"(?:Ct|Pl|Sq|Ter)\.?(?![\w])", _expand_street_suffix),
    # 2% p.a. on it -> two percent per annum on it
    compile_rule(r"p\.a\.(?!\w)", _expand_per_annum),
    # Pennsylvania Avenue NW is -> Pennsylvania Avenue Northwest is
    compile_rule(r"(?:NW|NE|SW|SE|[NSEW])(?![\w.'’-])", _expand_direction),
    compile_rule(
        rf"(?P<side>[NSEW])\.(?= (?:(?:[A-Z][a-z]{{1,20}} ){{1,3}}|\d{{1,3}}(?:st|nd|rd|th) ){STREET_SUFFIX})",
        _expand_compass_initial,
    ),
    # on Main St and -> on Main Street and
    compile_rule(r"St(?![\w.'’-])", _expand_undotted_st),
    # in apt 5 now -> in apartment five now
    compile_rule(rf"(?:{'|'.join(_COUNTING_NOUNS)})(?= #?\d)", _expand_counting_noun, re.IGNORECASE),
    compile_rule(r"TL;DR(?!\w)", lambda match, context: "T L D R"),
    # Dr. Lee, p. 5, etc. -> Doctor Lee, page five, et cetera
    compile_rule(rf"(?P<name>{'|'.join(map(re.escape, _DOTTED_NAMES))})\.(?![\w])", _expand_dotted, re.IGNORECASE),
    # the U.S. team -> the U S team
    compile_rule(r"(?:[A-Za-z]\.){2,8}(?![\w])|(?:[A-Z]\.){1,7}[A-Z](?![\w.])", _spell_initialism),
    # vitamin D. helps me -> vitamin D helps me
    compile_rule(r"[A-HJ-Z]\.(?= [a-z]{4,20}(?![\w]))", _drop_initial_stop),
    # John F. Kennedy -> John F Kennedy
    compile_rule(r"[A-HJ-Z]\.(?=\s?[A-Z])(?![A-Z]{2})", _drop_initial_stop),
    # ranked No 5 in -> ranked Number five in
    compile_rule(r"No(?= \d{1,3}(?: [A-Z]|[.,;)]| (?:in|seed|spot|ranked)\b))", lambda match, context: "Number"),
    # Dr Lee w/o me -> Doctor Lee without me
    compile_rule(rf"(?:{'|'.join(map(re.escape, _UNDOTTED_NAMES))})(?![\w/'’-])", _expand_undotted, re.IGNORECASE),
)
