"""English abbreviations said in full, without leaving a false end of a sentence."""

import re

from tts.synth.readings.passage import Passage, Rule, Said, rule, table, words

# Said so wherever they stand with their full stop.
_WITH_STOP = table("""
    mr Mister
    mrs Missus
    ms Ms
    messrs Messers
    prof Professor
    hon Honorable
    lt Lieutenant
    sgt Sergeant
    capt Captain
    cmdr Commander
    maj Major
    gov Governor
    sen Senator
    rep Representative
    pres President
    supt Superintendent
    jr Junior
    sr Senior
    esq Esquire
    ave Avenue
    blvd Boulevard
    rd Road
    ln Lane
    hwy Highway
    pkwy Parkway
    bldg Building
    vs versus
    v versus
    etc et cetera
    e.g for example
    i.e that is
    a.k.a A K A
    approx approximately
    dept department
    est established
    inc Incorporated
    ltd Limited
    corp Corporation
    bros Brothers
    assn Association
    univ University
    cf compare
    viz namely
    ca circa
    tel telephone
    ext extension
    misc miscellaneous
    govt government
    intl international
    incl including
    excl excluding
    feat featuring
    natl national
    mfg manufacturing
    max maximum
    min minimum
    avg average
    temp temperature
    qty quantity
    tues Tuesday
    thurs Thursday
    thur Thursday
    weds Wednesday
    wed Wednesday
    ph.d P H D
""")
# Only with a capital, because small letters make another word of them; and only before a name.
_TITLES = table("""
    Rev Reverend
    Gen General
    Col Colonel
    Adm Admiral
    Fr Father
    Mt Mount
    Ft Fort
    Pvt Private
    Cpl Corporal
    Insp Inspector
    Det Detective
    Amb Ambassador
    Mon Monday
    Fri Friday
    Thu Thursday
    Tue Tuesday
    Sat Saturday
    Sun Sunday
    Co Company
""")
_BEFORE_NUMBER = table("""
    no number
    nos numbers
    fig figure
    figs figures
    vol volume
    vols volumes
    ch chapter
    chap chapter
    sec section
    sect section
    art article
    eq equation
    p page
    pp pages
    pg page
    apt apartment
    ste suite
    rm room
    op opus
    ed edition
    c circa
    ver version
    par paragraph
    tab table
    ex example
""")
_WITHOUT_STOP = table("""
    vs versus
    aka A K A
    w/ with
    w/o without
    b/c because
    s/he he or she
    n/a N A
    and/or and or
    he/she he or she
    she/he she or he
    his/her his or her
    him/her him or her
    yes/no yes or no
    either/or either or
    e.g for example
    eg for example
    ie that is
    approx approximately
    Mr Mister
    Mrs Missus
    Dr Doctor
    Prof Professor
    Jr Junior
    Blvd Boulevard
    Ave Avenue
    Lt Lieutenant
    Sgt Sergeant
""")
_LIFE = {"b": "born", "d": "died"}
_FIXED_CASE = {"Ms", "Mr", "Mrs", "Dr", "Prof", "Jr", "Blvd", "Ave", "Lt", "Sgt"}
# Acronyms when in capitals, at the end of a sentence perhaps: EST.
_CAPITALS = words("EST MIN MAX SEN REP GOV TEMP AVG")
_NUMERAL = re.compile(r"[ \u00a0]?(?:[+#]?\d|(?!I\b)[IVXLC]{1,6}\b)")


def _restore(found: re.Match[str], passage: Passage, spoken: str) -> str:
    """Put back the full stop where it ends the sentence as well, and the capital of the first word."""
    stop = "." if found[0].endswith(".") and passage.ends_sentence(found.end()) else ""
    first = found[0][0]
    if first.islower() and not spoken[1:2].isspace():
        spoken = spoken[0].lower() + spoken[1:]
    elif first.isupper():
        spoken = spoken[0].upper() + spoken[1:]
    return spoken + stop


def _with_stop(found: re.Match[str], passage: Passage) -> Said:
    written = found["name"]
    key = written.lower()
    before_number = _NUMERAL.match(passage.text, found.end()) is not None
    if key in ("b", "d"):
        return _LIFE[key] if before_number and passage.before(found.start()) == "(" else None
    if key in _BEFORE_NUMBER and before_number:
        return _restore(found, passage, _BEFORE_NUMBER[key])
    if written in ("St", "Dr"):
        return _saint_or_street(found, passage)
    if written in _TITLES and not passage.ends_sentence(found.end()):
        return _TITLES[written]
    if written.isupper() and written in _CAPITALS:
        return None
    if key not in _WITH_STOP or (key == "v" and passage.word_after(found.end()).islower()):
        return None
    if _is_a_word(written, found, passage):
        return None
    return _restore(found, passage, _WITH_STOP[key])


def _is_a_word(written: str, found: re.Match[str], passage: Passage) -> bool:
    """`one more rep.`, `the max.` and `an ave.` in small letters at the end of a sentence are words."""
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
    return shaky and passage.ends_sentence(found.end())


def _saint_or_street(found: re.Match[str], passage: Passage) -> Said:
    """Saint and Doctor stand before a name, Street and Drive behind one."""
    saint, street = ("Saint", "Street") if found["name"] == "St" else ("Doctor", "Drive")
    before, following = passage.word_before(found.start()), passage.word_after(found.end())
    named = before[:1].isupper() and passage.before(found.start()) == " " and passage.text[found.start() - 2].isalpha()
    named = named or re.fullmatch(r"\d+(?:st|nd|rd|th)", before) is not None
    ends = passage.ends_sentence(found.end())
    if ends or (named and not following[:1].isupper()):
        return street + ("." if ends else "")
    return saint if following[:1].isupper() or not named else street


def _dotted(found: re.Match[str], passage: Passage) -> Said:
    """U.S., a.m., B.A.: the letters, with the last full stop only where it ends the sentence."""
    if found[0].lower() in ("e.g.", "i.e."):
        return None
    letters = " ".join(letter.upper() for letter in found[0] if letter.isalpha())
    ends = found[0].endswith(".") and passage.ends_sentence(found.end())
    return letters + ("." if ends else "")


def _initial(found: re.Match[str], passage: Passage) -> Said:
    return None if passage.ends_sentence(found.end()) else found[0][0]


def _without_stop(found: re.Match[str], passage: Passage) -> Said:
    written = found[0].rstrip(".")
    if written in _FIXED_CASE:
        return _WITHOUT_STOP[written] if passage.word_after(found.end())[:1].isupper() else None
    if written in ("ie", "eg", "aka", "vs") or "/" in written or "." in written or written == "approx":
        spoken = _WITHOUT_STOP.get(written) or _WITHOUT_STOP.get(written.lower())
        return spoken and _restore(found, passage, spoken)
    return None


_NAMES = sorted({*_WITH_STOP, *map(str.lower, _TITLES), *_BEFORE_NUMBER, *_LIFE, "st", "dr"}, key=len, reverse=True)
_OTHERS = sorted((*_WITHOUT_STOP, "N/A", "He/she", "He/She", "And/or", "S/he"), key=len, reverse=True)
LETTER_RULES: tuple[Rule, ...] = (
    rule(rf"(?P<name>{'|'.join(map(re.escape, _NAMES))})\.(?![\w])", _with_stop, re.IGNORECASE),
    rule(r"(?:[A-Za-z]\.){2,8}(?![\w])|(?:[A-Z]\.){1,7}[A-Z](?![\w.])", _dotted),
    rule(r"[A-HJ-Z]\.(?=\s?[A-Z])(?![A-Z]{2})", _initial),
    rule(rf"(?:{'|'.join(map(re.escape, _OTHERS))})(?![\w/'’-])", _without_stop, re.IGNORECASE),
)
# Words in small letters that the rules above must see although they look like any other word.
WATCHED = words("vs aka eg ie approx w b s n and he she his him yes either e i")
WITH_STOP = frozenset(_NAMES)
