"""Normalize a text in one pass, trying the rules at each word, digit, gap and mark.

1. `clean_text` replaces typographic Unicode by plain characters and keeps the way back to the source.
2. `_TOKEN` reads one token at the current offset: a word, one digit, white space or one mark.
3. The token's first character selects the rule sets to try. Most words skip them, because no rule can match there:
   `_may_match_rule` decides it, so the trigger lists that it reads must include every word that a rule starts with.
4. The first rule that does not decline replaces its match, and the scan goes on behind it. If all decline, the token is
   spoken as written.
5. Offsets are mapped back to the source, gaps are filled with the text as written, and unchanged neighbours are merged.

The order of the rule sets is part of the grammar: a link is tried before a file name, a date before a fraction.
American and British English have all rules; other languages have the rules for markup, marks and emoji only, because
their phonemizers read numbers themselves.
"""

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

# A word, a digit, a gap or a mark. Bounded, because a rule may match less than a token, which is then read again.
_TOKEN = re.compile(r"[^\W\d_½-¾⅐-⅞Ͱ-Ͽ₀-₉]{1,64}(?:['’][^\W\d_]{1,64}){0,3}|\d|\s{1,256}|.", re.DOTALL)
_WORDS = re.compile(r"\s+|\S+")
# A short number that nothing but a mark follows: only the plain number rules can match it.
_LONELY = re.compile(r"\d{1,3}(?=[,;?)](?!\d\d)|!(?! ?[=+*/×÷\d]))")
# The first character of an emoji, or a sign that a variation selector or a keycap turns into one.
_PICTURE = re.compile("[\u203c-\U0001faff]|[\u00a9\u00ae#*0-9](?=[\ufe0f\u20e3])")
_MAIL_AHEAD = re.compile(r"@[A-Za-z0-9-]{1,63}\.")
# The same mark three times or more is not spoken; the marks in the class have rules of their own.
_REPEATED = re.compile(r"([^\w\s.,;:!?…。、\-–—=*_`#~+\"'])\1{2,}")
# Words that a rule starts with although they look like any other word; each list stands beside its rules.
_WATCHED = abbreviations.WATCHED | roman.WATCHED | frozenset(map(str.lower, (*dates.DAYS, "Tues", "Thur", "Thurs")))
# Letters beyond Latin count as vowels: only Latin words without a vowel may be abbreviations.
_VOWEL = re.compile(r"[aeiouyAEIOUYÀ-ɏ]|[^\x00-ɏ]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Order matters in all these sets: the first rule that does not decline wins.
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
# A point before a digit with no letter or digit before it: .5 mm, .325.
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
# First characters of the rules in markup.LINE_RULES, which apply at the start of a line only.
_LINE_STARTERS = frozenset("$`~-=*_|:#+•‣◦▪–>[")

_Found = tuple[Sequence[Reading], int] | None


def read(text: str, language: str = "a", *, emoji: bool = True) -> list[Reading]:
    """Replace what is written by what is spoken.

    The replacements are in order and leave no gap: every character of `text` is in exactly one of them. The time is
    linear in the length of `text`.

    Args:
        text: The source text.
        language: Kokoro's letter. American (`a`) and British (`b`) English are normalized in full; in other languages
            only markup, emoji and typographic Unicode are.
        emoji: Whether to name emoji; otherwise they are silent.

    Returns:
        The replacements; an empty list for an empty text.
    """
    if not text:
        return []
    plain = clean(text, wide=language in "jz")
    passage = Passage(plain.text, language, emoji)
    return list(_merged(text, _written(plain, text, _scan(passage)))) or [Reading("", 0, len(text))]


def without_emoji(text: str) -> list[Reading]:
    """Return a text as written, as replacements in which its emoji are silent."""
    passage = Passage(text, "a", emoji=False)
    readings, at = [], 0
    for match in _PICTURE.finditer(text):
        silent = None if match.start() < at else _emoji(passage, match[0], match.start())
        if silent is not None:
            readings += [Reading(text[at : match.start()], at, match.start()), *silent[0]]
            at = silent[1]
    return [*readings, Reading(text[at:], at, len(text))]


def _scan(passage: Passage) -> Iterator[Reading]:
    """Yield the replacements of the rules; what lies between them is spoken as written."""
    at, text = 0, passage.text
    english = passage.language in "ab"
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        end = token.end()
        result = _say(passage, token, english)
        if result is not None:
            readings, end = result
            yield from readings
        at = end


def _say(passage: Passage, token: re.Match[str], english: bool) -> _Found:
    """Try the rules for the kind of a token; return None if it is spoken as written."""
    first, at = token[0][0], token.start()
    if first.isspace():
        breaks = "\n" in token[0] or passage.after(token.end()) == "|"
        return _SPACE.said(passage, at) if breaks else None
    if first.isdecimal():
        return _emoji(passage, first, at) or (_number_said(passage, at) if english else None)
    # Greek letters are marks here: μ and π have names.
    if first.isalpha() and not "\u0370" <= first <= "\u03ff":
        special = english and _is_special(token[0], passage, token.end())
        return _AT_LETTER.said(passage, at) if special else None
    return _mark_said(passage, first, at, english)


def _number_said(passage: Passage, at: int) -> _Found:
    """Try the rules for a digit, and the plain ones only for a short number that a mark follows."""
    result = None if _LONELY.match(passage.text, at) else _AT_DIGIT.said(passage, at)
    return result or _PLAIN_NUMBER.said(passage, at)


def _is_special(word: str, passage: Passage, end: int) -> bool:
    """Return whether a rule may match a word; none does for most: small letters, a vowel, a plain end."""
    after = passage.after(end)
    # An e-mail address, whatever the word is like.
    if after == "@":
        return _MAIL_AHEAD.match(passage.text, end) is not None
    # A mark that a rule may join to the word; an apostrophe before a space is a closing quote.
    if after in code.FOLLOWED_BY and (after != "'" or not passage.after(end + 1).isspace()):
        return after != "." or _dot_matters(word, passage, end)
    # Acronyms, camelCase, single letters.
    if not word[1:].islower() and len(word) > 1 or len(word) == 1:
        return True
    # Month names, and abbreviations without a vowel: btw, html.
    if word[:3] in _MONTHS or not _VOWEL.search(word):
        return True
    return word.lower() in _WATCHED or after in "-–+" and _goes_on(word, passage, end)


def _dot_matters(word: str, passage: Passage, end: int) -> bool:
    """Return whether the full stop after a word may belong to a rule."""
    following = passage.after(end + 1)
    return (
        not following.isspace()
        or word[:3] in _MONTHS
        or word.lower() in abbreviations.WITH_STOP
        or len(word) < 4
        or not word[1:].islower()
    )


def _goes_on(word: str, passage: Passage, end: int) -> bool:
    """Return whether a word and what follows its hyphen or plus may be one match: COVID-19, Mon–Fri, Ctrl+C."""
    return passage.after(end + 1).isdecimal() or word[:3] in dates.DAYS or word.lower() in code.KEYS


def _mark_said(passage: Passage, first: str, at: int, english: bool) -> _Found:
    """Try the rules for a mark: line starts, LaTeX, markup, English signs, any language, emoji."""
    # The most common marks have rules only where a second mark follows.
    if first in ",!?'\"’”“" and not _doubled(passage, at) and first not in _AT_SIGN:
        return None
    # $$ belongs to LaTeX.
    if passage.after(at + 1) == first and first != "$" and (repeated := _REPEATED.match(passage.text, at)):
        return _emoji(passage, first, at) or ([Reading("", at, repeated.end())], repeated.end())
    if first in _LINE_STARTERS and passage.starts_line(at):
        result = _LINE.said(passage, at)
        if result:
            return result
    result = _AT_SIGN[first].said(passage, at) if english and first in "\\}" else None
    result = result or (_MARKUP.said(passage, at) if first in "<&![]\\" else None)
    if result is None and english:
        result = _english_mark(passage, first, at)
    return result or _MARK.said(passage, at) or _emoji(passage, first, at)


def _doubled(passage: Passage, at: int) -> bool:
    """Return whether the mark after `at` makes one with the mark at `at`: ?!, !=, ![."""
    return passage.after(at + 1) in ",!?[="


def _english_mark(passage: Passage, first: str, at: int) -> _Found:
    """Try the English rules for a mark."""
    result = _AT_SIGN[first].said(passage, at) if first in _AT_SIGN else None
    if result is None and first == "." and passage.after(at + 1).isdecimal() and not passage.before(at).isalnum():
        result = _AT_POINT.said(passage, at)
    if result is None and (first not in ".,;:!?()'\"" or passage.after(at + 1) == "="):
        # Emoji before signs: some are both, and only the heart's name comes from the table of signs.
        result = _emoji(passage, first, at) if first > "\u2122" and first != "♥" else None
        result = result or _ENGLISH_MARK.said(passage, at)
    return result


def _emoji(passage: Passage, first: str, at: int) -> _Found:
    """Replace an emoji at `at` and its repeats."""
    if first < "\u203c" and passage.after(at + 1) not in "\ufe0f\u20e3":
        return None
    emoji = marks.emoji_at(passage, at)
    return ([Reading(emoji[0], at, emoji[1])], emoji[1]) if emoji else None


def _written(plain: Clean, text: str, readings: Iterator[Reading]) -> Iterator[Reading]:
    """Map offsets in the plain text to offsets in the source, and fill the gaps with the text as written."""
    last = 0
    for reading in readings:
        yield from _as_written(plain, text, last, reading.start)
        yield Reading(reading.spoken, *plain.written(reading.start, reading.end))
        last = reading.end
    yield from _as_written(plain, text, last, len(plain.text))


def _as_written(plain: Clean, text: str, start: int, end: int) -> Iterator[Reading]:
    """Yield a stretch as it is; word by word where it differs from the source, to keep offsets precise."""
    if start >= end:
        return
    # Characters map one to one if nothing was replaced in the stretch.
    written = plain.written(start, end)
    if text[slice(*written)] == plain.text[start:end]:
        yield Reading(plain.text[start:end], *written)
        return
    for word in _WORDS.finditer(plain.text, start, end):
        yield Reading(word[0], *plain.written(*word.span()))


def _merged(text: str, readings: Iterator[Reading]) -> Iterator[Reading]:
    """Join neighbours that are spoken as written."""
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
