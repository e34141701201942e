"""Where a text may be cut, and how well: after a paragraph, sentence, clause, phrase, word or, at worst, letter."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum


class Strength(IntEnum):
    """How good a place to cut is; a higher one is the better."""

    LETTER = 0
    WORD = 1
    PHRASE = 2
    CLAUSE = 3
    SENTENCE = 4
    PARAGRAPH = 5


@dataclass(frozen=True, slots=True)
class Boundary:
    """A place to cut: the piece before it is `text[:end]`, the white space after it included."""

    end: int
    strength: Strength


# How far back and ahead of a gap the rules look: longer than any abbreviation, yet bounded.
_BEHIND = 48
_AHEAD = 32
# A run without a gap (a key, a URL, a cat on the keyboard) may be cut when it is longer than this.
_LONGEST_RUN = 80

_STOPS = ".!?…‼⁇⁈⁉؟۔।॥。｡！？．"
_WIDE_STOPS = "。｡！？।॥"
_PAUSES = ",;:،؛、，；：､"
_WIDE_PAUSES = "、，；：､"
_CLOSERS = "\"'”’»›)]}」』）】》〉］｝*_`~"
_OPENERS = "\"'“‘„«‹([{「『（【《〈［｛¿¡*_`~—–-"
_DASHES = ("—", "–", "-", "--", "---", "―")


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Abbreviations are listed in small letters, without their last full stop.
_TITLES = _words("""
    rt mr mrs ms mx dr drs prof messrs mme mlle sr sra srta dra profa dña sig sigg dott avv exmo exma ilmo
    ilma egr spett.le gent.ma gent.mo gent.le gral lic arq mgr v.le p.zza dott.ssa prof.ssa sig.ra dr.ssa sres ctra
    डॉ डा श्री प्रो पं कु सु मो नं
""")
# Titles that are words too ("one more rep."): only with a capital.
_RANKS = _words(
    "rev hon gen col lt sgt capt cmdr maj adm gov sen rep pres supt cpl pvt pfc insp det fr atty asst amb "
    "ing ste sta sto ud uds vd on mons eng"
)
_NEVER_LAST = _words("e.g i.e vs v cf cfr viz approx ca incl excl aka av p.ex p.es p.ej कि.मी मि.ली कि.ग्रा से.मी स्व सं")
_BEFORE_NUMBER = _words("""
    no nos nr fig figs p pp pg vol vols ch chap sec sect art arts eq ex op cap par pág págs pag pagg núm apto séc
    num n tel tél ext ed tab rm apt est c approx para paras fl arr dep ver rs rte hwy
""")
_SHORT_WORDS = _words(
    "temp avg max min misc govt qty intl natl tel approx mtg mtgs msg msgs mgr mgmt acct qtr pkg svc utd"
)
# Units that take a full stop behind a number: 12 in. long.
_UNITS = _words("ft in yd lb lbs oz mi sq fl sec secs min mins hr hrs yr yrs gal qt tsp tbsp wk wks mos cu")
_AMBIGUOUS = _words("""
    st mt ft inc ltd co corp jr bros llc dept est ave blvd rd ln hwy pkwy bldg univ assn jan feb mar apr
    jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun al esq ret avda ltda
    cía cia ee uu ss ala ariz ark calif colo conn fla kan mass md mich minn mont neb nev okla ore tenn tex va vt
    wash wis wyo
""")
# Of those, the ones that are no words in small letters.
_AMBIGUOUS_IN_SMALL = _words("st inc ltd corp dept al jr blvd ave")
# Who must break inside a clause does it before one of these: conjunctions, and prepositions that are no particles.
_OPENS_PHRASE = _words("""
    and but or because although though while when where which who whose before after behind beside near under across
    outside inside below above along around between among through during until since without within against toward
    towards into from with
    y pero porque aunque mientras cuando donde con sobre entre desde hasta para por según
    et mais ou car quand où qui avec sans sous entre depuis pour par dans chez vers pendant
    ed ma oppure perché mentre quando dove con senza sopra sotto tra fra verso durante
    mas porque enquanto onde com sem até sob
""")
# These do end sentences, unless a day, a month or a time zone goes on with the time of day.
_OFTEN_LAST = _words("etc a.m p.m ecc a.c d.c b.c a.d j.-c")
_AFTER_TIME = _words("""
    monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun january
    february march april may june july august september october november december jan feb mar apr jun
    jul aug sep sept oct nov dec est edt cst cdt mst mdt pst pdt gmt utc cet bst eastern central
    mountain pacific
""")
# Words that open a sentence, and hardly ever follow an abbreviation inside one with a capital.
_STARTERS = _words("""
    The This That These Those There Then Thus They Their He She His Her Hers It Its We Our You Your I
    I'm I'll I've I'd My But And Or So Yet For If In On At As An By To From With When While Where What
    Who Why How After Before Although Because Since However Meanwhile Now Once Some Many Most All Both
    Each Every No Not One Is Are Was Were Do Does Did Have Has Had Can Could Will Would Should Let Let's
    It's He's She's That's There's They're We're You're Don't Yes Also Even Another Other Only Perhaps
    Maybe Please Here Today Yesterday Tomorrow El Los Las Un Una Unos Es En Pero Y Si Cuando Como Este
    Esta Esto Se Su Ella Ellos Yo Nosotros Le Les Une Des Il Ils Elle Elles Nous Vous Je C'est Ce Cette
    Ces Mais Et Dans Pour Quand Lo Gli Uno Io Noi Ma Nel Nella Questo Questa Per Con Os Um Uma Ele Ela
    Eles Nós Mas Não Em Na Eu
""")
# Words that a letter belongs to, which may end a sentence: Option C. Then
_LETTERED = _words(
    "option part group plan class grade vitamin hepatitis figure table appendix section exhibit team row"
)
_NOT_THE_END = frozenset({"Yahoo", "Jeopardy"})

_GAP = re.compile(r"\s+")
_STOP_AT_END = re.compile(
    rf"([{re.escape(_STOPS)}]{{1,40}})"
    rf"([{re.escape(_CLOSERS)}]{{0,8}}(?:[ \u00a0\u202f][»›]|\[\d{{1,3}}\])?)$"
)
_PAUSE_AT_END = re.compile(rf"[{re.escape(_PAUSES)}][{re.escape(_CLOSERS)}]{{0,8}}$")
_DOTTED = re.compile(r"(?:[^\W\d_]{1,2}\.){1,6}[^\W\d_]{1,3}")
_WORD = re.compile(r"\w{1,16}")
_DATE_COMMA = re.compile(r"\d{1,2}(?:st|nd|rd|th)?,$")
_YEAR = re.compile(r"[12]\d{3}\b")
_LINE_ITEM = re.compile(r"(?:[-*+•‣◦▪–—]|\d{1,3}[.)]|[A-Za-z][.)]|#{1,6}|>)[ \t]|\|")
_HEADING = re.compile(r"(?:^|\n)[ \t]{0,3}#{1,6}[ \t][^\n]*$")
_NUMERAL = re.compile(r"[+#(]?\d|(?!I\b)[IVXLC]{1,6}\b")
_THOUSANDS_AHEAD = re.compile(r"\d{3}(?!\w)")
_CENTURY = re.compile(r"[IVX]{1,6}\b")
_SPACED_PART = re.compile(r"[A-ZÇm]\.")
_SHORT_LINE = 50

_WIDE = r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0002fa1f"
# Marks that no space follows, in scripts without spaces; dashes between two words; letters of those scripts.
_UNSPACED = re.compile(
    rf"(?P<stop>(?:[{_WIDE_STOPS}][{re.escape(_STOPS)}]{{0,8}}[{re.escape(_CLOSERS)}]{{0,8}}"
    rf"|(?<=[{_WIDE}])[.?!…]{{1,6}}[」』）]?)(?=[^\sA-Za-z0-9]))"
    rf"|(?P<pause>[{_WIDE_PAUSES}][」』）]?)(?=\S)"
    r"|(?<=\w)(?P<dash>—|--)(?=\w)"
    rf"|(?P<letter>[{_WIDE}])(?=[{_WIDE}])"
)
_KINSOKU = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮーゝゞヽヾ々〻")


def boundaries(text: str) -> list[Boundary]:
    """List the places where a text may be cut, in order; the last is the end of the text.

    Ends are offsets into `text`, ascending and unlike; cutting at any of them loses nothing.
    Works on the letters alone, for every language alike, in time linear in the length.
    """
    if not text:
        return []
    places = _spaced(text) | _unspaced(text)
    places.pop(0, None)
    places[len(text)] = Strength.PARAGRAPH
    return list(_with_long_runs_cut(text, sorted(places.items())))


def _spaced(text: str) -> dict[int, Strength]:
    places = {}
    for gap in _GAP.finditer(text):
        if gap.start() == 0:
            continue
        strength = _at_gap(text, gap.start(), gap.end())
        if strength is not None:
            places[gap.end()] = strength
    return places


def _at_gap(text: str, start: int, end: int) -> Strength | None:
    """Judge the white space `text[start:end]`; None where a mark belongs to the word before or after it."""
    behind, ahead = text[max(0, start - _BEHIND) : start], text[end : end + _AHEAD]
    lines = _line_ends(text[start:end])
    if lines > 1:
        return Strength.PARAGRAPH
    if lines:
        return max(_at_marks(behind, ahead) or Strength.WORD, _at_line_end(text, start, ahead))
    return _at_marks(behind, ahead)


def _line_ends(gap: str) -> int:
    return gap.count("\n") + 2 * gap.count("\u2029") + gap.count("\u2028") + 2 * gap.count("\f")


def _at_line_end(text: str, start: int, ahead: str) -> Strength:
    """A list's item or a heading ends with its line; a wrapped line does not, and verse pauses."""
    line_start = text.rfind("\n", max(0, start - 200), start) + 1
    line = text[line_start:start]
    if _LINE_ITEM.match(ahead) or _HEADING.search("\n" + line):
        return Strength.SENTENCE
    wrapped = len(line) > _SHORT_LINE or ahead[:1].islower()
    return Strength.WORD if wrapped else Strength.CLAUSE


def _at_marks(behind: str, ahead: str) -> Strength | None:
    if behind[-1].isdigit() and _THOUSANDS_AHEAD.match(ahead):
        return None  # 10 000
    if behind[-1].isalnum() and ahead[:1].isalnum():
        word = _WORD.match(ahead)
        return Strength.PHRASE if word and word[0].lower() in _OPENS_PHRASE else Strength.WORD
    if _starts_with_mark(ahead) or _is_opener(behind):
        return None
    stop = _STOP_AT_END.search(behind)
    if stop:
        return _at_stop(behind[: stop.start()], stop[1], stop[2], ahead)
    if _PAUSE_AT_END.search(behind):
        date = _DATE_COMMA.search(behind) and _YEAR.match(ahead)
        return Strength.WORD if date else Strength.CLAUSE
    return _at_dash_or_bracket(behind, ahead)


def _starts_with_mark(ahead: str) -> bool:
    """French sets ! ? : ; » off with a space, and a dash between spaces ends the words before it."""
    first, _, _ = ahead.partition(" ")
    return first.rstrip() in _DASHES or first[:1] in ("!", "?", ":", ";", "»", "›") and not first[1:2].isalnum()


def _is_opener(behind: str) -> bool:
    """A mark that stands alone before a gap and opens what follows: « or a list's dash."""
    token = _last_token(behind)
    if token in ("«", "‹", "¿", "¡"):
        return True
    line = behind.rpartition("\n")[2]
    return line.strip() == token and (token in _DASHES or token in ("*", "+", "•", "#", "##", "###", ">"))


def _at_dash_or_bracket(behind: str, ahead: str) -> Strength:
    clause = _last_token(behind) in _DASHES or behind[-1] in ")]）—" or ahead[:1] in "([（"
    return Strength.CLAUSE if clause else Strength.WORD


def _at_stop(before: str, mark: str, closers: str, ahead: str) -> Strength:
    """Judge a gap after full stops, question marks and the like, with the closing quotes that follow them."""
    opening = ahead.lstrip(_OPENERS)
    word = _next_word(opening)
    if mark[-1] in _WIDE_STOPS:
        return Strength.SENTENCE
    if mark == "." and not closers.strip("*_`"):
        return _at_full_stop(before, ahead, word)
    if mark == "." and _is_abbreviation(_last_token(before)) and word not in _STARTERS:
        return Strength.WORD
    if _goes_on(word, mark) or _last_token(before) in _NOT_THE_END:
        return Strength.CLAUSE
    return Strength.SENTENCE


def _goes_on(word: str, mark: str) -> bool:
    """`"Stop!" he said` goes on after the mark, and so does `Well... I think`."""
    trailing_off = "…" in mark or ".." in mark
    return word[:1].islower() or (trailing_off and word.partition("'")[0] == "I")


def _at_full_stop(before: str, ahead: str, word: str) -> Strength:
    token = _last_token(before)
    folded = token.casefold()
    if folded == "s" and _CENTURY.match(ahead):
        return Strength.WORD  # s. XX
    if len(token) == 1 and token.islower() and _SPACED_PART.match(ahead):
        return Strength.WORD  # a. C., p. m.
    if _is_title(token) or folded in _NEVER_LAST or _is_list_marker(before, token):
        return Strength.WORD
    if folded in _BEFORE_NUMBER and _NUMERAL.match(ahead):
        return Strength.WORD
    if _is_unit(before, token) and (word[:1].islower() or word[:1].isdigit()):
        return Strength.WORD
    if folded in _OFTEN_LAST:
        goes_on = not word[:1].isupper() or word.casefold().rstrip(".") in _AFTER_TIME
        return Strength.WORD if goes_on else Strength.SENTENCE
    if word[:1].isupper() and len(word) > 1 and _is_whole(before, token):
        return Strength.SENTENCE
    if _is_abbreviation(token):
        return Strength.SENTENCE if word in _STARTERS else Strength.WORD
    return Strength.SENTENCE


def _is_whole(before: str, token: str) -> bool:
    """What looks like an initial or a saint, but is Group D or 5th St."""
    ahead = _last_token(before[: -len(token)])
    if token == "St":
        if re.search(r"\b(?:the|a|an|this|his|her|its|our|their|my|your|every|each) \S+ St$", before, re.IGNORECASE):
            return False  # his 20th St. Patrick's Day
        return re.fullmatch(r"\d+(?:st|nd|rd|th)", ahead) is not None
    return len(token) == 1 and token.isupper() and ahead.lower() in _LETTERED


def _is_unit(before: str, token: str) -> bool:
    """A unit behind a number, or a short word such as temp. that the sentence goes on after."""
    unit = token.lstrip("0123456789.,-½¼¾⅓⅔")
    ahead = before[: -len(token)].rstrip()
    counted = unit != token or ahead[-1:].isnumeric() or ahead.endswith((" fl.", " sq.", " cu."))
    return token.lower() in _SHORT_WORDS or (unit in _UNITS and counted)


def _is_title(token: str) -> bool:
    folded = token.casefold()
    return folded in _TITLES or (folded in _RANKS and not token.islower())


def _is_abbreviation(token: str) -> bool:
    """An initial, a dotted one, or a known one; short words in small letters (sat, sun, no) are words."""
    if len(token) == 1:
        return token.isupper() and token != "I"
    folded = token.casefold()
    if _DOTTED.fullmatch(token) or _is_title(token) or folded in _NEVER_LAST or folded in _OFTEN_LAST:
        return True
    return folded in (_AMBIGUOUS_IN_SMALL if token.islower() else _AMBIGUOUS)


def _is_list_marker(before: str, token: str) -> bool:
    line = before.rpartition("\n")[2]
    return line.strip() == token and len(before) < _BEHIND and (token.isdigit() or len(token) == 1)


def _last_token(behind: str) -> str:
    parts = behind.rsplit(maxsplit=1)
    return parts[-1].lstrip(_OPENERS) or parts[-1] if parts else ""


def _next_word(ahead: str) -> str:
    parts = ahead.split(maxsplit=1)
    return parts[0].rstrip(",;:!?…\"'”’)").replace("’", "'") if parts else ""


def _unspaced(text: str) -> dict[int, Strength]:
    places: dict[int, Strength] = {}
    for found in _UNSPACED.finditer(text):
        strength = _at_unspaced(text, found)
        if strength is not None:
            places[found.end()] = strength
    return places


def _at_unspaced(text: str, found: re.Match[str]) -> Strength | None:
    following = text[found.end()]
    if found.lastgroup == "stop":
        # 「行く。」と言った: the sentence goes on after the quotation.
        quoted = found[0][-1] in "」』" and following in "とってなは"
        trails_off = found[0][0] == "…"
        return Strength.CLAUSE if quoted or trails_off or following in _CLOSERS + _STOPS else Strength.SENTENCE
    if found.lastgroup == "letter":
        return _between_letters(found[0], following)
    return Strength.CLAUSE


def _between_letters(letter: str, following: str) -> Strength | None:
    """Japanese words tend to begin where hiragana gives way to others; no line begins with a small kana."""
    if following in _KINSOKU:
        return None
    new_word = _is_hiragana(letter) and not _is_hiragana(following)
    return Strength.WORD if new_word else Strength.LETTER


def _is_hiragana(letter: str) -> bool:
    return "\u3040" <= letter <= "\u309f"


def _with_long_runs_cut(text: str, places: list[tuple[int, Strength]]) -> Iterator[Boundary]:
    last = 0
    for end, strength in places:
        while end - last > _LONGEST_RUN:
            last = _letter_start(text, last + _LONGEST_RUN, end)
            if last < end:
                yield Boundary(last, Strength.LETTER)
        yield Boundary(end, strength)
        last = end


def _letter_start(text: str, place: int, end: int) -> int:
    """Step over marks that combine with the letter before them."""
    while place < end and (unicodedata.category(text[place])[0] == "M" or text[place] in "\u200d\ufe0f"):
        place += 1
    return place
