"""Expand English abbreviations, without leaving a full stop that looks like the end of a sentence.

The full stop of an abbreviation is dropped, except where it ends the sentence too (`TextContext.ends_sentence`). Short
forms that are also words are expanded only in a context that decides: before a number, before or after a name.
"""

import re

from tts.synth.readings.counts import STREET
from tts.synth.readings.passage import Passage, Rule, Said, rule, table, words
from tts.synth.readings.roman import NUMBERED

# Expanded wherever they stand with a full stop. Keys in small letters; the first letter's case is restored.
_WITH_STOP = table("""
    mr Mister
    mrs Missus
    ms Miz
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
    atty Attorney
    asst Assistant
    assoc Associate
    rte Route
""")
# Expanded with or without a full stop, and in any case: none is a word itself.
_ALWAYS = table("""
    pls please
    plz please
    thx thanks
    tmrw tomorrow
    tmw tomorrow
    msg message
    msgs messages
    ppl people
    btwn between
    mtg meeting
    mtgs meetings
    mgr manager
    mgmt management
    mkt market
    acct account
    accts accounts
    qtr quarter
    wknd weekend
    pkg package
    pkgs packages
    bldgs buildings
    svc service
    svcs services
    hrs hours
    wks weeks
    yrs years
    utd United
    b-day birthday
    pcm per calendar month
    gr8 great
    l8r later
    l8 late
    b4 before
    attn attention
    m8 mate
    q/q quarter on quarter
    y/y year on year
    m/m month on month
""")
# Expanded after a town and a comma, or after a party's letter.
_STATES = table("""
    Ala Alabama
    Ariz Arizona
    Ark Arkansas
    Calif California
    Colo Colorado
    Conn Connecticut
    Del Delaware
    Fla Florida
    Ga Georgia
    Ill Illinois
    Ind Indiana
    Kan Kansas
    Ky Kentucky
    La Louisiana
    Mass Massachusetts
    Md Maryland
    Mich Michigan
    Minn Minnesota
    Miss Mississippi
    Mo Missouri
    Mont Montana
    Neb Nebraska
    Nev Nevada
    Okla Oklahoma
    Ore Oregon
    Pa Pennsylvania
    Tenn Tennessee
    Tex Texas
    Va Virginia
    Vt Vermont
    Wash Washington
    Wis Wisconsin
    Wyo Wyoming
""")
# Patterns named _X_BEFORE are searched in the text that ends at the match, within a fixed distance.
_PARTY_BEHIND = re.compile(r"\([DRI]-$")
_TOWN_BEHIND = re.compile(r"[A-Z][\w.'’-]{1,24}, $")
_DIRECTIONS = {"NW": "Northwest", "NE": "Northeast", "SW": "Southwest", "SE": "Southeast"}
_DIRECTIONS |= {"N": "North", "S": "South", "E": "East", "W": "West"}
_STREET_BEHIND = re.compile(rf"\b{STREET}\.? $")
_STREETS = {"St": "Street", "Rd": "Road", "Ave": "Avenue", "Blvd": "Boulevard", "Dr": "Drive", "Ln": "Lane"}
_STREETS |= {"Ct": "Court", "Pl": "Place", "Sq": "Square", "Ter": "Terrace"}
_HOUSE_BEHIND = re.compile(r"\d[A-Z]? (?:[NSEW]\.? )?(?:[A-Z][a-z]{1,20} ){1,3}$")
_RATE_BEHIND = re.compile(r"[\d%]\w{0,3} $")
_ORDINAL_BEHIND = re.compile(r"\d(?:st|nd|rd|th) $")
# Expanded with a first capital only, because they are other words in small letters, and not at a sentence's end.
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
    Rt Right
""")
# Expanded before a number or a Roman numeral, with a full stop: p. 5, Vol. II.
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
    para paragraph
    paras paragraphs
    fl floor
    arr arrives
    dep departs
    tab table
    ex example
""")
# Expanded without a full stop. Keys with a first capital only before or after a name: see _CASE_SENSITIVE.
_WITHOUT_STOP = table("""
    vs versus
    aka A K A
    w/ with
    w/o without
    b/c because
    s/he he or she
    c/o care of
    idk I D K
    imo I M O
    imho I M H O
    omg O M G
    omw O M W
    irl I R L
    afk A F K
    afaik A F A I K
    iirc I I R C
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
    Ms Miz
    Dr Doctor
    Prof Professor
    Jr Junior
    Sr Senior
    Blvd Boulevard
    Ave Avenue
    Lt Lieutenant
    Sgt Sergeant
    Rev Reverend
    Capt Captain
    Col Colonel
    Maj Major
    Cpl Corporal
    Pvt Private
    Gov Governor
    Sen Senator
    Mt Mount
    Ft Fort
""")
# Expanded before a number, with a first capital or without one, and without a full stop.
_COUNTING = table("""
    ch chapter
    pg page
    apt apartment
    hwy highway
    rte route
    vol volume
    fig figure
    sec section
""")
# Spelled forms; in capitals, the phonemizer spells them anyway.
_LETTERED = words("idk imo imho omg afaik iirc omw irl afk")
# (b. 1950), (d. 2001).
_LIFE = {"b": "born", "d": "died"}
_FIXED_CASE = {key for key in _WITHOUT_STOP if key.istitle() and key.isalpha()} - {"Approx"}
# Capitalized words that are no names, so that the form before them is no title: Rev Share, Col Width.
_NO_NAMES = words("""
    Share Per Up Width Name Index Services Service Contracts Shutdown Award Awards Growth Du Count Type Values Website
    Data
""")
_BEHIND_NAMES = {"Jr", "Sr", "Ave", "Blvd"}
# Acronyms in capitals, which may end a sentence: EST.
_CAPITALS = words("EST MIN MAX SEN REP GOV TEMP AVG")
# A number behind the abbreviation: 5, +5, #5, (5, IV; a lone I is rather the pronoun.
_NUMERAL = re.compile(r"[ \u00a0]{0,2}\(?(?:[+#]?\d|(?!I\b)[IVXLC]{1,6}\b)")


def _restore(found: re.Match[str], passage: Passage, spoken: str) -> str:
    """Restore the first letter's case and the full stop that also ends the sentence."""
    stop = "." if found[0].endswith(".") and passage.ends_sentence(found.end()) else ""
    first = found[0][0]
    if first.islower() and not spoken[1:2].isspace():
        spoken = spoken[0].lower() + spoken[1:]
    elif first.isupper():
        spoken = spoken[0].upper() + spoken[1:]
    return spoken + stop


def _with_stop(found: re.Match[str], passage: Passage) -> Said:
    """Expand an abbreviation with a full stop: titles, nouns before numbers, other forms."""
    written = found["name"]
    key = written.lower()
    before_number = _NUMERAL.match(passage.text, found.end()) is not None
    # MS. and ms. are a manuscript and milliseconds.
    if key == "ms" and written != "Ms":
        return None
    if key in ("b", "d"):
        return _LIFE[key] if before_number and passage.before(found.start()) == "(" else None
    # On the 5th fl.
    if key == "fl" and _ORDINAL_BEHIND.search(passage.text, max(0, found.start() - 4), found.start()):
        return _restore(found, passage, _BEFORE_NUMBER[key])
    if key in _BEFORE_NUMBER and before_number:
        return _restore(found, passage, _BEFORE_NUMBER[key])
    if written in ("St", "Dr"):
        return _saint_or_street(found, passage)
    # Act V. is a numeral.
    if written == "V" and passage.word_before(found.start()).lower() in NUMBERED:
        return None
    if written in _TITLES and not passage.ends_sentence(found.end()):
        return _TITLES[written]
    if written.isupper() and written in _CAPITALS:
        return None
    # A v. B, but 3 v. good ones.
    if key not in _WITH_STOP or (key == "v" and passage.word_after(found.end()).islower()):
        return None
    if _is_a_word(written, found, passage):
        return None
    return _restore(found, passage, _WITH_STOP[key])


def _is_a_word(written: str, found: re.Match[str], passage: Passage) -> bool:
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
    return shaky and passage.ends_sentence(found.end())


def _saint_or_street(found: re.Match[str], passage: Passage) -> Said:
    """Expand `St.` or `Dr.` by its neighbours.

    Saint and Doctor stand before a name, Street and Drive after one.
    """
    saint, street = ("Saint", "Street") if found["name"] == "St" else ("Doctor", "Drive")
    before, following = passage.word_before(found.start()), passage.word_after(found.end())
    named = before[:1].isupper() and passage.before(found.start()) == " " and passage.text[found.start() - 2].isalpha()
    # After an ordinal, too: 42nd St.
    named = named or re.fullmatch(r"\d+(?:st|nd|rd|th)", before) is not None
    ends = passage.ends_sentence(found.end())
    if ends or (named and not following[:1].isupper()):
        return street + ("." if ends else "")
    return saint if following[:1].isupper() or not named else street


def _dotted(found: re.Match[str], passage: Passage) -> Said:
    """Spell an initialism by its letters: U.S., a.m., B.A.; keep the last full stop only if it ends the sentence."""
    if found[0].lower() in ("e.g.", "i.e."):
        return None
    letters = " ".join(letter.upper() for letter in found[0] if letter.isalpha())
    ends = found[0].endswith(".") and passage.ends_sentence(found.end())
    return letters + ("." if ends else "")


def _always(found: re.Match[str], passage: Passage) -> Said:
    """Expand a form in small letters or with a first capital; HRS and HRs are something else."""
    name = found["name"]
    if name not in (name.lower(), name.capitalize()) and name != "ATTN":
        return None
    return _restore(found, passage, _ALWAYS[found["name"].lower()])


def _state(found: re.Match[str], passage: Passage) -> Said:
    """Expand a state's name: Fort Lauderdale, Fla.; Senator Warren (D-Mass.)."""
    start = found.start()
    party = _PARTY_BEHIND.search(passage.text, max(0, start - 3), start)
    if not party and not _TOWN_BEHIND.search(passage.text, max(0, start - 28), start):
        return None
    return _restore(found, passage, _STATES[found["state"]])


def _direction(found: re.Match[str], passage: Passage) -> Said:
    """Expand a direction after a street's name: Pennsylvania Avenue NW."""
    start = found.start()
    behind = _STREET_BEHIND.search(passage.text, max(0, start - 12), start)
    return _DIRECTIONS[found[0]] if behind else None


def _yearly(found: re.Match[str], passage: Passage) -> Said:
    """Expand `p.a.` after a rate: 2% p.a.; a P.A. is a person."""
    behind = _RATE_BEHIND.search(passage.text, max(0, found.start() - 5), found.start())
    return _restore(found, passage, "per annum") if behind else None


def _street(found: re.Match[str], passage: Passage) -> Said:
    """Expand a street's suffix after a house number, with or without its full stop: 10 Downing St."""
    behind = _HOUSE_BEHIND.search(passage.text, max(0, found.start() - 70), found.start())
    return _restore(found, passage, _STREETS[found[0].rstrip(".")]) if behind else None


_ON_STREETS = words("Journal Station Bridge Bank Market Theatre Theater School Week")
_STREET_NAMES = words("Wall Main High Bond Liverpool Church Oxford Fleet Downing")


def _plain_street(found: re.Match[str], passage: Passage) -> Said:
    """Expand `St` without a full stop: he lives on Main St and works on 42nd St.

    Saint stands before a name, Street after one.
    """
    before, following = passage.word_before(found.start()), passage.word_after(found.end())
    # Main St Station, Wall St closes.
    if following in _ON_STREETS or before in _STREET_NAMES:
        return "Street"
    ordinal = re.fullmatch(r"\d+(?:st|nd|rd|th)", before) is not None
    named = before[:1].isupper() and before[1:].islower() and passage.before(found.start()) == " " and before != "The"
    if following[:1].isupper() and not ordinal:
        return "Saint" if passage.after(found.end()) == " " else None
    return "Street" if named or ordinal else None


def _counting(found: re.Match[str], passage: Passage) -> Said:
    """Expand a noun before a number: apt 5, Ch 3."""
    if found[0].isupper() or passage.word_before(found.start()).lower() in ("a", "the", "sudo"):
        return None
    spoken = _COUNTING[found[0].lower()]
    return spoken.capitalize() if found[0][0].isupper() else spoken


def _compass(found: re.Match[str], passage: Passage) -> Said:
    """Expand the initial of a direction before a street's name: 123 N. Main Street."""
    return _DIRECTIONS[found["side"]]


def _initial(found: re.Match[str], passage: Passage) -> Said:
    """Drop the full stop of a person's initial, unless it ends the sentence."""
    if passage.word_before(found.start()).lower() in NUMBERED:
        return None  # "Chapter X. Then": a numeral
    return None if passage.ends_sentence(found.end()) else found[0][0]


def _without_stop(found: re.Match[str], passage: Passage) -> Said:
    """Expand a form without a full stop, if its neighbours show that it is one."""
    written = found[0].rstrip(".")
    if written.isupper() and written.lower() in _LETTERED:
        return None
    if written in _FIXED_CASE:
        before, following = passage.word_before(found.start()), passage.word_after(found.end())
        spaced = passage.before(found.start()) == " "
        behind = spaced and written in _BEHIND_NAMES and (before[:1].isupper() or before[:1].isdigit())
        # 10 Ft, 500 Sq Ft.
        if written == "Ft" and (before[:1].isdigit() or before == "Sq"):
            return "feet"
        named = spaced and before[:1].isupper()
        ahead = following[:1].isupper() and len(following) > 1 and following not in _NO_NAMES
        ahead = ahead and not (named and written in ("Jr", "Sr"))
        return _WITHOUT_STOP[written] if (behind or ahead) and following != "Maria" else None
    if (
        written.lower() in ("ie", "eg", "aka", "vs", *_LETTERED)
        or "/" in written
        or "." in written
        or written == "approx"
    ):
        spoken = _WITHOUT_STOP.get(written) or _WITHOUT_STOP.get(written.lower())
        return spoken and _restore(found, passage, spoken)
    return None


# The longest form first, so that `vols.` is not read as `vol`.
_NAMES = sorted({*_WITH_STOP, *map(str.lower, _TITLES), *_BEFORE_NUMBER, *_LIFE, "st", "dr"}, key=len, reverse=True)
_OTHERS = sorted((*_WITHOUT_STOP, "N/A", "He/she", "He/She", "And/or", "S/he"), key=len, reverse=True)
LETTER_RULES: tuple[Rule, ...] = (
    # the msgs came thx -> the messages came thanks
    rule(rf"(?P<name>{'|'.join(map(re.escape, _ALWAYS))})\b\.?(?![\w'’])", _always, re.IGNORECASE),
    # in Tampa, Fla. today -> in Tampa, Florida today
    rule(rf"(?P<state>{'|'.join(_STATES)})\.(?!\w)", _state),
    # at 10 Downing St, London -> at ten Downing Street, London
    rule(r"(?:St|Rd|Ave|Blvd|Dr|Ln)(?=,|\s?$|\n| (?:NW|NE|SW|SE)\b)", _street),
    rule(r"(?:Ct|Pl|Sq|Ter)\.?(?![\w])", _street),
    # 2% p.a. on it -> two percent per annum on it
    rule(r"p\.a\.(?!\w)", _yearly),
    # Pennsylvania Avenue NW is -> Pennsylvania Avenue Northwest is
    rule(r"(?:NW|NE|SW|SE|[NSEW])(?![\w.'’-])", _direction),
    rule(rf"(?P<side>[NSEW])\.(?= (?:(?:[A-Z][a-z]{{1,20}} ){{1,3}}|\d{{1,3}}(?:st|nd|rd|th) ){STREET})", _compass),
    # on Main St and -> on Main Street and
    rule(r"St(?![\w.'’-])", _plain_street),
    # in apt 5 now -> in apartment five now
    rule(rf"(?:{'|'.join(_COUNTING)})(?= #?\d)", _counting, re.IGNORECASE),
    rule(r"TL;DR(?!\w)", lambda match, context: "T L D R"),
    # Dr. Lee, p. 5, etc. -> Doctor Lee, page five, et cetera
    rule(rf"(?P<name>{'|'.join(map(re.escape, _NAMES))})\.(?![\w])", _with_stop, re.IGNORECASE),
    # the U.S. team -> the U S team
    rule(r"(?:[A-Za-z]\.){2,8}(?![\w])|(?:[A-Z]\.){1,7}[A-Z](?![\w.])", _dotted),
    # vitamin D. helps me -> vitamin D helps me
    rule(r"[A-HJ-Z]\.(?= [a-z]{4,20}(?![\w]))", _initial),
    # John F. Kennedy -> John F Kennedy
    rule(r"[A-HJ-Z]\.(?=\s?[A-Z])(?![A-Z]{2})", _initial),
    # ranked No 5 in -> ranked Number five in
    rule(r"No(?= \d{1,3}(?: [A-Z]|[.,;)]| (?:in|seed|spot|ranked)\b))", lambda match, context: "Number"),
    # Dr Lee w/o me -> Doctor Lee without me
    rule(rf"(?:{'|'.join(map(re.escape, _OTHERS))})(?![\w/'’-])", _without_stop, re.IGNORECASE),
)
# Words that look like any other word, and that scan must nevertheless show to the rules above: every rule whose first
# word has a vowel and small letters needs its word here.
WATCHED = words(
    "tl rte hwy pg apt vol fig sec ch ave rev capt prof col maj gov sen utd idk imo imho omg afaik iirc omw irl afk no "
    "vs aka eg ie approx w b s n and he she his him yes either e i"
)
WITH_STOP = frozenset((*_NAMES, *_ALWAYS, *map(str.lower, _STATES)))
