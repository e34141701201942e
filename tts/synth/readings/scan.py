"""Going through a text once, asking the rules at each word, number and mark."""

import re
from collections.abc import Iterator, Sequence

from tts.synth.readings import (
    abbreviations,
    addresses,
    capitals,
    code,
    counts,
    dates,
    formulas,
    marks,
    markup,
    measures,
    money,
    roman,
)
from tts.synth.readings.clean import Clean, clean
from tts.synth.readings.passage import Passage, Rules
from tts.synth.readings.reading import Reading

# A word, a digit, a gap or a mark; bounded, because a rule may take less than a token.
_TOKEN = re.compile(r"[^\W\d_½-¾⅐-⅞Ͱ-Ͽ₀-₉]{1,64}(?:['’][^\W\d_]{1,64}){0,3}|\d|\s{1,256}|.", re.DOTALL)
_WORDS = re.compile(r"\s+|\S+")
# A short number that nothing but a mark follows: no rule but the plainest can want it.
_LONELY = re.compile(r"\d{1,3}(?=[,;?)](?!\d\d)|!(?! ?[=+*/×÷\d]))")
_PICTURE = re.compile("[\u203c-\U0001faff]|[\u00a9\u00ae#*0-9](?=[\ufe0f\u20e3])")
_MAIL_AHEAD = re.compile(r"@[A-Za-z0-9-]{1,63}\.")
# The same mark over and over is not read, other than the ones that have rules for that.
_REPEATED = re.compile(r"([^\w\s.,;:!?…。、\-–—=*_`#~+\"'])\1{2,}")
_WATCHED = abbreviations.WATCHED | roman.WATCHED | frozenset(map(str.lower, (*dates.DAYS, "Tues", "Thur", "Thurs")))
_VOWEL = re.compile(r"[aeiouyAEIOUYÀ-ɏ]|[^\x00-ɏ]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_AT_LETTER = Rules(
    *addresses.LETTER_RULES,
    *dates.LETTER_RULES,
    *abbreviations.LETTER_RULES,
    *code.LETTER_RULES_FIRST,
    *money.SIGN_RULES,
    *money.CODE_RULES,
    *measures.LETTER_RULES,
    *capitals.LETTER_RULES,
    *roman.LETTER_RULES,
    *code.LETTER_RULES,
)
_AT_DIGIT = Rules(
    *counts.DIGIT_RULES_FIRST,
    *addresses.DIGIT_RULES,
    *dates.DIGIT_RULES,
    *money.DIGIT_RULES,
    *measures.DIGIT_RULES,
    *code.DIGIT_RULES,
    *counts.DIGIT_RULES,
    *code.TRAILING_RULES,
)
_PLAIN_NUMBER = Rules(*counts.PLAIN_RULES)
_AT_POINT = Rules(*measures.DIGIT_RULES, *counts.PLAIN_RULES)
_AT_SIGN = {
    **dict.fromkeys("£€¥₹₩₽₿", Rules(*money.SIGN_RULES)),
    "$": Rules(*formulas.DOLLAR_RULES, *money.SIGN_RULES),
    "}": Rules(*formulas.RULES),
    **dict.fromkeys("-−–—", Rules(*dates.TO_RULES, *money.TO_RULES, *money.SIGN_RULES, *counts.MINUS_RULES)),
    **dict.fromkeys("'’‘", Rules(*dates.QUOTE_RULES)),
    **dict.fromkeys("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅑", Rules(*counts.VULGAR_RULES)),
    **{sign: Rules(*rules) for sign, rules in addresses.SIGN_RULES.items()},
    "\\": Rules(*addresses.SIGN_RULES["\\"], *formulas.RULES),
    "+": Rules(*counts.PLUS_RULES),
    "(": Rules(*counts.BRACKET_RULES),
    "_": Rules(*code.UNDERSCORED_RULES),
}
_ENGLISH_MARK = Rules(*marks.ENGLISH_RULES)
_MARK = Rules(*marks.RULES)
_MARKUP = Rules(*markup.RULES)
_LINE = Rules(*markup.LINE_RULES)
_SPACE = Rules(*markup.SPACE_RULES)
_LINE_STARTERS = frozenset("$`~-=*_|:#+•‣◦▪–>[")

_Found = tuple[Sequence[Reading], int] | None


def read(text: str, language: str = "a", *, emoji: bool = True) -> list[Reading]:
    """Say what is written, in order and without a gap: every character of `text` is in one reading.

    `language` is Kokoro's letter. American (a) and British (b) English are read in full; elsewhere markup,
    emoji and typographic Unicode are made plain. `emoji` names them; without it they are silent.
    """
    if not text:
        return []
    plain = clean(text, wide=language in "jz")
    passage = Passage(plain.text, language, emoji)
    return list(_merged(text, _written(plain, text, _scan(passage)))) or [Reading("", 0, len(text))]


def without_emoji(text: str) -> list[Reading]:
    """The text as it is written, with its emoji silent."""
    passage = Passage(text, "a", emoji=False)
    readings, at = [], 0
    for found in _PICTURE.finditer(text):
        silent = None if found.start() < at else _emoji(passage, found[0], found.start())
        if silent is not None:
            readings += [Reading(text[at : found.start()], at, found.start()), *silent[0]]
            at = silent[1]
    return [*readings, Reading(text[at:], at, len(text))]


def _scan(passage: Passage) -> Iterator[Reading]:
    """Yield what the rules say; what stands between is said as written."""
    at, text = 0, passage.text
    english = passage.language in "ab"
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        end = token.end()
        said = _say(passage, token, english)
        if said is not None:
            readings, end = said
            yield from readings
        at = end


def _say(passage: Passage, token: re.Match[str], english: bool) -> _Found:
    first, at = token[0][0], token.start()
    if first.isspace():
        breaks = "\n" in token[0] or passage.after(token.end()) == "|"
        return _SPACE.said(passage, at) if breaks else None
    if first.isdecimal():
        return _emoji(passage, first, at) or (_number_said(passage, at) if english else None)
    if first.isalpha() and not "\u0370" <= first <= "\u03ff":
        special = english and _is_special(token[0], passage, token.end())
        return _AT_LETTER.said(passage, at) if special else None
    return _mark_said(passage, first, at, english)


def _number_said(passage: Passage, at: int) -> _Found:
    said = None if _LONELY.match(passage.text, at) else _AT_DIGIT.said(passage, at)
    return said or _PLAIN_NUMBER.said(passage, at)


def _is_special(word: str, passage: Passage, end: int) -> bool:
    """Whether a word may need a rule; most, in small letters and with a vowel and a plain end, do not."""
    after = passage.after(end)
    if after == "@":
        return _MAIL_AHEAD.match(passage.text, end) is not None
    if after in code.FOLLOWED_BY and (after != "'" or not passage.after(end + 1).isspace()):
        return after != "." or _dot_matters(word, passage, end)
    if not word[1:].islower() and len(word) > 1 or len(word) == 1:
        return True
    if word[:3] in _MONTHS or not _VOWEL.search(word):
        return True
    return word.lower() in _WATCHED or after in "-–+" and _goes_on(word, passage, end)


def _dot_matters(word: str, passage: Passage, end: int) -> bool:
    following = passage.after(end + 1)
    return (
        not following.isspace()
        or word[:3] in _MONTHS
        or word.lower() in abbreviations.WITH_STOP
        or len(word) < 4
        or not word[1:].islower()
    )


def _goes_on(word: str, passage: Passage, end: int) -> bool:
    return passage.after(end + 1).isdecimal() or word[:3] in dates.DAYS or word.lower() in code.KEYS


def _mark_said(passage: Passage, first: str, at: int, english: bool) -> _Found:
    if first in ",!?'\"’”“" and not _doubled(passage, at) and first not in _AT_SIGN:
        return None
    if passage.after(at + 1) == first and first != "$" and (repeated := _REPEATED.match(passage.text, at)):
        return _emoji(passage, first, at) or ([Reading("", at, repeated.end())], repeated.end())
    if first in _LINE_STARTERS and passage.starts_line(at):
        said = _LINE.said(passage, at)
        if said:
            return said
    said = _AT_SIGN[first].said(passage, at) if english and first in "\\}" else None
    said = said or (_MARKUP.said(passage, at) if first in "<&![]\\" else None)
    if said is None and english:
        said = _english_mark(passage, first, at)
    return said or _MARK.said(passage, at) or _emoji(passage, first, at)


def _doubled(passage: Passage, at: int) -> bool:
    return passage.after(at + 1) in ",!?[="


def _english_mark(passage: Passage, first: str, at: int) -> _Found:
    said = _AT_SIGN[first].said(passage, at) if first in _AT_SIGN else None
    if said is None and first == "." and passage.after(at + 1).isdecimal() and not passage.before(at).isalnum():
        said = _AT_POINT.said(passage, at)
    if said is None and (first not in ".,;:!?()'\"" or passage.after(at + 1) == "="):
        said = _emoji(passage, first, at) if first > "\u2122" and first != "♥" else None
        said = said or _ENGLISH_MARK.said(passage, at)
    return said


def _emoji(passage: Passage, first: str, at: int) -> _Found:
    if first < "\u203c" and passage.after(at + 1) not in "\ufe0f\u20e3":
        return None
    found = marks.emoji_at(passage, at)
    return ([Reading(found[0], at, found[1])], found[1]) if found else None


def _written(plain: Clean, text: str, readings: Iterator[Reading]) -> Iterator[Reading]:
    """Turn offsets into the plain text to offsets into the written one, and fill the gaps as written."""
    last = 0
    for reading in readings:
        yield from _as_written(plain, text, last, reading.start)
        yield Reading(reading.spoken, *plain.written(reading.start, reading.end))
        last = reading.end
    yield from _as_written(plain, text, last, len(plain.text))


def _as_written(plain: Clean, text: str, start: int, end: int) -> Iterator[Reading]:
    """Say a stretch as it is, word by word where it was made plain."""
    if start >= end:
        return
    written = plain.written(start, end)
    if text[slice(*written)] == plain.text[start:end]:
        yield Reading(plain.text[start:end], *written)
        return
    for word in _WORDS.finditer(plain.text, start, end):
        yield Reading(word[0], *plain.written(*word.span()))


def _merged(text: str, readings: Iterator[Reading]) -> Iterator[Reading]:
    """Join neighbours that are said as written."""
    held: Reading | None = None
    for reading in readings:
        as_written = reading.spoken == text[reading.start : reading.end]
        if held and as_written:
            held = Reading(held.spoken + reading.spoken, held.start, reading.end)
            continue
        if held:
            yield held
        held = reading if as_written else None
        if not as_written:
            yield reading
    if held:
        yield held
