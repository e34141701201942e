"""Find the places where a text may be split, each with a strength from letter to paragraph.

`find_boundaries` works for every language alike, on characters alone and in linear time:

1. Each run of white space is a candidate. Two line ends make a paragraph; one makes a sentence after a heading or
   before a list item, a clause in verse, and a word where a paragraph is merely wrapped.
2. Otherwise the punctuation before the gap decides. A full stop ends a sentence unless it belongs to an abbreviation,
   an initial, a unit or a list number; what the next word is decides the ambiguous ones ("Inc. announced", "Inc. The").
3. Scripts without spaces are split after their own punctuation, and between letters as a last resort.
4. Runs of over 80 characters without a boundary (keys, URLs) are split between letters.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from kokoro_server.text.tables import load_tables, parse_words


class Strength(IntEnum):
    """Rank the places to split at; higher is better."""

    LETTER = 0
    WORD = 1
    PHRASE = 2
    CLAUSE = 3
    SENTENCE = 4
    PARAGRAPH = 5


@dataclass(frozen=True, slots=True)
class Boundary:
    """Mark a place to split at, by the end offset of the text before it, which includes the white space there."""

    end: int
    strength: Strength


# Characters before and after a gap that the rules examine: longer than any abbreviation, yet bounded.
_LOOK_BEHIND = 48
_LOOK_AHEAD = 32
# A run without a boundary (a key, a URL, random letters) is split when it is longer than this.
_MAX_UNBROKEN_RUN = 80

_STOPS = ".!?…‼⁇⁈⁉؟۔।॥。｡！？．"
_WIDE_STOPS = "。｡！？।॥"
_PAUSES = ",;:،؛、，；：､"
_WIDE_PAUSES = "、，；：､"
_CLOSERS = "\"'”’»›)]}」』）】》〉］｝*_`~"
_OPENERS = "\"'“‘„«‹([{「『（【《〈［｛¿¡*_`~—–-"
_DASHES = ("—", "–", "-", "--", "---", "―")


# The lists are explained where they stand, beside this module.
_WORDS = load_tables(__name__)
_TITLES = parse_words(_WORDS["titles"])
_RANKS = parse_words(_WORDS["ranks"])
_NEVER_LAST = parse_words(_WORDS["never_last"])
_BEFORE_NUMBER = parse_words(_WORDS["before_number"])
_SHORT_WORDS = parse_words(_WORDS["short_words"])
_UNITS = parse_words(_WORDS["units"])
_AMBIGUOUS = parse_words(_WORDS["ambiguous"])
_AMBIGUOUS_LOWER_CASE = parse_words(_WORDS["ambiguous_lower_case"])
_OPENS_PHRASE = parse_words(_WORDS["opens_phrase"])
_OFTEN_LAST = parse_words(_WORDS["often_last"])
_AFTER_TIME = parse_words(_WORDS["after_time"])
_STARTERS = parse_words(_WORDS["starters"])
_LETTERED = parse_words(_WORDS["lettered"])
# Names that end with a mark.
_NAMES_WITH_MARK = frozenset({"Yahoo", "Jeopardy"})

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
_MAX_VERSE_LINE = 50

_WIDE = r"\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9d\U00020000-\U0002fa1f"
# In scripts without spaces: stops, pauses and letters without a space after them. In all: dashes between two words.
_UNSPACED = re.compile(
    rf"(?P<stop>(?:[{_WIDE_STOPS}][{re.escape(_STOPS)}]{{0,8}}[{re.escape(_CLOSERS)}]{{0,8}}"
    rf"|(?<=[{_WIDE}])[.?!…]{{1,6}}[」』）]?)(?=[^\sA-Za-z0-9]))"
    rf"|(?P<pause>[{_WIDE_PAUSES}][」』）]?)(?=\S)"
    r"|(?<=\w)(?P<dash>—|--)(?=\w)"
    rf"|(?P<letter>[{_WIDE}])(?=[{_WIDE}])"
)
# Small kana, the long-vowel mark and iteration marks: no line begins with one.
_NEVER_LINE_START = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮーゝゞヽヾ々〻")


def find_boundaries(text: str) -> list[Boundary]:
    """Return the places where a text may be split, in order; the last is the end of the text.

    Ends are offsets into `text`, strictly ascending; every character, white space too, belongs to one piece. An empty
    text gives an empty list. The time is linear in the length.
    """
    if not text:
        return []
    places = _find_spaced_boundaries(text) | _find_unspaced_boundaries(text)
    places.pop(0, None)
    places[len(text)] = Strength.PARAGRAPH
    return list(_split_long_runs(text, sorted(places.items())))


def _find_spaced_boundaries(text: str) -> dict[int, Strength]:
    """Return the strength by end offset of the boundaries at white space."""
    places = {}
    for gap in _GAP.finditer(text):
        if gap.start() == 0:
            continue
        strength = _classify_gap(text, gap.start(), gap.end())
        if strength is not None:
            places[gap.end()] = strength
    return places


def _classify_gap(text: str, start: int, end: int) -> Strength | None:
    """Classify the white space `text[start:end]`; None if a mark on one side belongs to the word on the other."""
    behind, ahead = text[max(0, start - _LOOK_BEHIND) : start], text[end : end + _LOOK_AHEAD]
    lines = _count_line_ends(text[start:end])
    if lines > 1:
        return Strength.PARAGRAPH
    if lines:
        return max(_classify_punctuation(behind, ahead) or Strength.WORD, _classify_line_end(text, start, ahead))
    return _classify_punctuation(behind, ahead)


def _count_line_ends(gap: str) -> int:
    """Count line ends; paragraph separators and form feeds count twice."""
    return gap.count("\n") + 2 * gap.count("\u2029") + gap.count("\u2028") + 2 * gap.count("\f")


def _classify_line_end(text: str, start: int, ahead: str) -> Strength:
    """Classify a line end: a list item or a heading ends here, a wrapped line continues, and verse pauses."""
    line_start = text.rfind("\n", max(0, start - 200), start) + 1
    line = text[line_start:start]
    if _LINE_ITEM.match(ahead) or _HEADING.search("\n" + line):
        return Strength.SENTENCE
    wrapped = len(line) > _MAX_VERSE_LINE or ahead[:1].islower()
    return Strength.WORD if wrapped else Strength.CLAUSE


def _classify_punctuation(behind: str, ahead: str) -> Strength | None:
    """Classify a gap by the characters around it, ignoring line ends; None if the text must not be split there."""
    if behind[-1].isdigit() and _THOUSANDS_AHEAD.match(ahead):
        return None  # a space between thousands: 10 000
    if behind[-1].isalnum() and ahead[:1].isalnum():
        word = _WORD.match(ahead)
        return Strength.PHRASE if word and word[0].lower() in _OPENS_PHRASE else Strength.WORD
    if _starts_with_trailing_mark(ahead) or _ends_with_opener(behind):
        return None
    stop = _STOP_AT_END.search(behind)
    if stop:
        return _classify_stop(behind[: stop.start()], stop[1], stop[2], ahead)
    if _PAUSE_AT_END.search(behind):
        # No pause in a date: July 4, 1776.
        date = _DATE_COMMA.search(behind) and _YEAR.match(ahead)
        return Strength.WORD if date else Strength.CLAUSE
    return _classify_dash_or_bracket(behind, ahead)


def _starts_with_trailing_mark(ahead: str) -> bool:
    """Return whether a mark after the gap belongs to the words before it: French ! ? : ; » after a space, or a dash."""
    first, _, _ = ahead.partition(" ")
    return first.rstrip() in _DASHES or (first[:1] in ("!", "?", ":", ";", "»", "›") and not first[1:2].isalnum())


def _ends_with_opener(behind: str) -> bool:
    """Return whether the token before a gap opens what follows: a lone « or ¿, or a list's dash at the line start."""
    token = _get_last_token(behind)
    if token in ("«", "‹", "¿", "¡"):
        return True
    line = behind.rpartition("\n")[2]
    return line.strip() == token and (token in _DASHES or token in ("*", "+", "•", "#", "##", "###", ">"))


def _classify_dash_or_bracket(behind: str, ahead: str) -> Strength:
    clause = _get_last_token(behind) in _DASHES or behind[-1] in ")]）—" or ahead[:1] in "([（"
    return Strength.CLAUSE if clause else Strength.WORD


def _classify_stop(before: str, mark: str, closers: str, ahead: str) -> Strength:
    """Classify a gap after `mark`, one or more sentence stops, and `closers`, the closing quotes or brackets."""
    opening = ahead.lstrip(_OPENERS)
    word = _get_next_word(opening)
    if mark[-1] in _WIDE_STOPS:
        return Strength.SENTENCE
    if mark == "." and not closers.strip("*_`"):
        return _classify_full_stop(before, ahead, word)
    if mark == "." and _is_abbreviation(_get_last_token(before)) and word not in _STARTERS:
        return Strength.WORD
    if _continues_sentence(word, mark) or _get_last_token(before) in _NAMES_WITH_MARK:
        return Strength.CLAUSE
    return Strength.SENTENCE


def _continues_sentence(word: str, mark: str) -> bool:
    """Return whether the sentence goes on after its stop: `"Stop!" he said`, `Well... I think`."""
    trailing_off = "…" in mark or ".." in mark
    return word[:1].islower() or (trailing_off and word.partition("'")[0] == "I")


def _classify_full_stop(before: str, ahead: str, word: str) -> Strength:
    """Classify a gap after one full stop; the first rule that applies to the token before it decides.

    `ahead` is the text after the gap, `word` its first word without opening marks.
    """
    token = _get_last_token(before)
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
    if word[:1].isupper() and len(word) > 1 and _is_label_or_street(before, token):
        return Strength.SENTENCE
    if _is_abbreviation(token):
        return Strength.SENTENCE if word in _STARTERS else Strength.WORD
    return Strength.SENTENCE


def _is_label_or_street(before: str, token: str) -> bool:
    """Return whether a token that looks like an initial or a saint ends the sentence: Group D. / 5th St."""
    ahead = _get_last_token(before[: -len(token)])
    if token == "St":
        if re.search(r"\b(?:the|a|an|this|his|her|its|our|their|my|your|every|each) \S+ St$", before, re.IGNORECASE):
            return False  # a saint after all: his 20th St. Patrick's Day
        return re.fullmatch(r"\d+(?:st|nd|rd|th)", ahead) is not None
    return len(token) == 1 and token.isupper() and ahead.lower() in _LETTERED


def _is_unit(before: str, token: str) -> bool:
    """Return whether a token is a unit after a number (12 in.), or a shortened word such as temp."""
    unit = token.lstrip("0123456789.,-½¼¾⅓⅔")
    ahead = before[: -len(token)].rstrip()
    counted = unit != token or ahead[-1:].isnumeric() or ahead.endswith((" fl.", " sq.", " cu."))
    return token.lower() in _SHORT_WORDS or (unit in _UNITS and counted)


def _is_title(token: str) -> bool:
    """Return whether a token is a title; those that are also words need a capital."""
    folded = token.casefold()
    return folded in _TITLES or (folded in _RANKS and not token.islower())


def _is_abbreviation(token: str) -> bool:
    """Return whether a token is an initial, a dotted or a known abbreviation; lower-case sat, sun and no are words."""
    if len(token) == 1:
        return token.isupper() and token != "I"
    folded = token.casefold()
    if _DOTTED.fullmatch(token) or _is_title(token) or folded in _NEVER_LAST or folded in _OFTEN_LAST:
        return True
    return folded in (_AMBIGUOUS_LOWER_CASE if token.islower() else _AMBIGUOUS)


def _is_list_marker(before: str, token: str) -> bool:
    """Return whether a token numbers a list item: `1.` or `a.` alone at the start of a line."""
    line = before.rpartition("\n")[2]
    return line.strip() == token and len(before) < _LOOK_BEHIND and (token.isdigit() or len(token) == 1)


def _get_last_token(behind: str) -> str:
    """Return the last white-space separated token, without opening marks."""
    parts = behind.rsplit(maxsplit=1)
    return parts[-1].lstrip(_OPENERS) or parts[-1] if parts else ""


def _get_next_word(ahead: str) -> str:
    """Return the first word without closing marks; apostrophes become straight."""
    parts = ahead.split(maxsplit=1)
    return parts[0].rstrip(",;:!?…\"'”’)").replace("’", "'") if parts else ""


def _find_unspaced_boundaries(text: str) -> dict[int, Strength]:
    """Return the strength by end offset of the boundaries without white space."""
    places: dict[int, Strength] = {}
    for found in _UNSPACED.finditer(text):
        strength = _classify_unspaced(text, found)
        if strength is not None:
            places[found.end()] = strength
    return places


def _classify_unspaced(text: str, found: re.Match[str]) -> Strength | None:
    """Classify a match of _UNSPACED by the name of its group and the character that follows it."""
    following = text[found.end()]
    if found.lastgroup == "stop":
        # 「行く。」と言った: a particle after the quotation continues the sentence.
        quoted = found[0][-1] in "」』" and following in "とってなは"
        trails_off = found[0][0] == "…"
        return Strength.CLAUSE if quoted or trails_off or following in _CLOSERS + _STOPS else Strength.SENTENCE
    if found.lastgroup == "letter":
        return _classify_letters(found[0], following)
    return Strength.CLAUSE


def _classify_letters(letter: str, following: str) -> Strength | None:
    """Classify the place between two letters: a Japanese word tends to begin where hiragana ends."""
    if following in _NEVER_LINE_START:
        return None
    new_word = _is_hiragana(letter) and not _is_hiragana(following)
    return Strength.WORD if new_word else Strength.LETTER


def _is_hiragana(letter: str) -> bool:
    return "\u3040" <= letter <= "\u309f"


def _split_long_runs(text: str, places: list[tuple[int, Strength]]) -> Iterator[Boundary]:
    """Yield the boundaries, with one after every _MAX_UNBROKEN_RUN characters where there would be none."""
    last = 0
    for end, strength in places:
        while end - last > _MAX_UNBROKEN_RUN:
            last = _skip_combining_marks(text, last + _MAX_UNBROKEN_RUN, end)
            if last < end:
                yield Boundary(last, Strength.LETTER)
        yield Boundary(end, strength)
        last = end


def _skip_combining_marks(text: str, place: int, end: int) -> int:
    """Return the first offset from `place` up to `end` that is not a mark combining with the letter before it."""
    while place < end and (unicodedata.category(text[place])[0] == "M" or text[place] in "\u200d\ufe0f"):
        place += 1
    return place
