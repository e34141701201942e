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

from kokoro_server.text.normalization import abbreviations, dates, money, roman
from kokoro_server.text.normalization import all_caps as capitals
from kokoro_server.text.normalization import identifiers as code
from kokoro_server.text.normalization import latex as formulas
from kokoro_server.text.normalization import markdown as markup
from kokoro_server.text.normalization import numbers as counts
from kokoro_server.text.normalization import symbols as marks
from kokoro_server.text.normalization import units as measures
from kokoro_server.text.normalization import urls as addresses
from kokoro_server.text.normalization.cleanup import CleanText, clean_text
from kokoro_server.text.normalization.context import RuleSet, TextContext
from kokoro_server.text.normalization.replacement import Replacement

# A word, a digit, a gap or a mark. Bounded, because a rule may match less than a token, which is then read again.
_TOKEN = re.compile(r"[^\W\d_½-¾⅐-⅞Ͱ-Ͽ₀-₉]{1,64}(?:['’][^\W\d_]{1,64}){0,3}|\d|\s{1,256}|.", re.DOTALL)
_WORDS = re.compile(r"\s+|\S+")
# A short number that nothing but a mark follows: only the plain number rules can match it.
_ISOLATED_NUMBER = re.compile(r"\d{1,3}(?=[,;?)](?!\d\d)|!(?! ?[=+*/×÷\d]))")
# The first character of an emoji, or a sign that a variation selector or a keycap turns into one.
_EMOJI_START = re.compile("[\u203c-\U0001faff]|[\u00a9\u00ae#*0-9](?=[\ufe0f\u20e3])")
_MAIL_AHEAD = re.compile(r"@[A-Za-z0-9-]{1,63}\.")
# The same mark three times or more is not spoken; the marks in the class have rules of their own.
_REPEATED_MARK = re.compile(r"([^\w\s.,;:!?…。、\-–—=*_`#~+\"'])\1{2,}")
# Words that a rule starts with although they look like any other word; each list stands beside its rules.
_TRIGGER_WORDS = (
    abbreviations.ABBREVIATION_TRIGGERS
    | roman.ROMAN_TRIGGERS
    | frozenset(map(str.lower, (*dates.DAY_NAMES, "Tues", "Thur", "Thurs")))
)
# Letters beyond Latin count as vowels: only Latin words without a vowel may be abbreviations.
_VOWEL = re.compile(r"[aeiouyAEIOUYÀ-ɏ]|[^\x00-ɏ]")
_MONTH_STEMS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# Order matters in all these sets: the first rule that does not decline wins.
_LETTER_RULES = RuleSet(
    *addresses.LETTER_RULES,
    *dates.LETTER_RULES,
    *abbreviations.LETTER_RULES,
    *code.PRIORITY_LETTER_RULES,
    *money.SIGN_RULES,
    *money.CODE_RULES,
    *measures.LETTER_RULES,
    *capitals.LETTER_RULES,
    *roman.LETTER_RULES,
    *code.LETTER_RULES,
)
_DIGIT_RULES = RuleSet(
    *counts.PRIORITY_DIGIT_RULES,
    *addresses.DIGIT_RULES,
    *dates.DIGIT_RULES,
    *money.DIGIT_RULES,
    *measures.DIGIT_RULES,
    *code.DIGIT_RULES,
    *counts.DIGIT_RULES,
    *code.TRAILING_RULES,
)
_PLAIN_NUMBER_RULES = RuleSet(*counts.PLAIN_RULES)
# A point before a digit with no letter or digit before it: .5 mm, .325.
_DECIMAL_POINT_RULES = RuleSet(*measures.DIGIT_RULES, *counts.PLAIN_RULES)
_SIGN_RULES = {
    **dict.fromkeys("£€¥₹₩₽₿", RuleSet(*money.SIGN_RULES)),
    "$": RuleSet(*formulas.DOLLAR_RULES, *money.SIGN_RULES),
    "}": RuleSet(*formulas.LATEX_RULES),
    **dict.fromkeys("-−–—", RuleSet(*dates.TO_RULES, *money.TO_RULES, *money.SIGN_RULES, *counts.MINUS_RULES)),
    **dict.fromkeys("'’‘", RuleSet(*dates.QUOTE_RULES)),
    **dict.fromkeys("½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞⅑", RuleSet(*counts.VULGAR_RULES)),
    **{sign: RuleSet(*rules) for sign, rules in addresses.SIGN_RULES.items()},
    "\\": RuleSet(*addresses.SIGN_RULES["\\"], *formulas.LATEX_RULES),
    "+": RuleSet(*counts.PLUS_RULES),
    "(": RuleSet(*counts.BRACKET_RULES),
    "_": RuleSet(*code.UNDERSCORED_RULES),
}
_ENGLISH_MARK_RULES = RuleSet(*marks.ENGLISH_MARK_RULES)
_MARK_RULES = RuleSet(*marks.MARK_RULES)
_MARKUP_RULES = RuleSet(*markup.INLINE_MARKUP_RULES)
_LINE_START_RULES = RuleSet(*markup.LINE_RULES)
_SPACE_RULES = RuleSet(*markup.SPACE_RULES)
# First characters of the rules in markup.LINE_RULES, which apply at the start of a line only.
_LINE_START_MARKS = frozenset("$`~-=*_|:#+•‣◦▪–>[")

_RuleMatch = tuple[Sequence[Replacement], int] | None


def normalize(text: str, language: str = "a", *, emoji: bool = True) -> list[Replacement]:
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
    plain = clean_text(text, keep_wide=language in "jz")
    passage = TextContext(plain.text, language, emoji)
    return list(_merge_unchanged(text, _map_to_source(plain, text, _apply_rules(passage)))) or [
        Replacement("", 0, len(text))
    ]


def drop_emoji(text: str) -> list[Replacement]:
    """Return a text as written, as replacements in which its emoji are silent."""
    passage = TextContext(text, "a", emoji=False)
    readings, at = [], 0
    for match in _EMOJI_START.finditer(text):
        silent = None if match.start() < at else _replace_emoji(passage, match[0], match.start())
        if silent is not None:
            readings += [Replacement(text[at : match.start()], at, match.start()), *silent[0]]
            at = silent[1]
    return [*readings, Replacement(text[at:], at, len(text))]


def _apply_rules(context: TextContext) -> Iterator[Replacement]:
    """Yield the replacements of the rules; what lies between them is spoken as written."""
    at, text = 0, context.text
    english = context.language in "ab"
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        end = token.end()
        result = _apply_to_token(context, token, english)
        if result is not None:
            readings, end = result
            yield from readings
        at = end


def _apply_to_token(context: TextContext, token: re.Match[str], english: bool) -> _RuleMatch:
    """Try the rules for the kind of a token; return None if it is spoken as written."""
    first, at = token[0][0], token.start()
    if first.isspace():
        breaks = "\n" in token[0] or context.get_char_at(token.end()) == "|"
        return _SPACE_RULES.apply(context, at) if breaks else None
    if first.isdecimal():
        return _replace_emoji(context, first, at) or (_apply_to_number(context, at) if english else None)
    # Greek letters are marks here: μ and π have names.
    if first.isalpha() and not "\u0370" <= first <= "\u03ff":
        special = english and _may_match_rule(token[0], context, token.end())
        return _LETTER_RULES.apply(context, at) if special else None
    return _apply_to_mark(context, first, at, english)


def _apply_to_number(context: TextContext, at: int) -> _RuleMatch:
    """Try the rules for a digit, and the plain ones only for a short number that a mark follows."""
    result = None if _ISOLATED_NUMBER.match(context.text, at) else _DIGIT_RULES.apply(context, at)
    return result or _PLAIN_NUMBER_RULES.apply(context, at)


def _may_match_rule(word: str, context: TextContext, end: int) -> bool:
    """Return whether a rule may match a word; none does for most: small letters, a vowel, a plain end."""
    after = context.get_char_at(end)
    # An e-mail address, whatever the word is like.
    if after == "@":
        return _MAIL_AHEAD.match(context.text, end) is not None
    # A mark that a rule may join to the word; an apostrophe before a space is a closing quote.
    if after in code.TRIGGER_MARKS and (after != "'" or not context.get_char_at(end + 1).isspace()):
        return after != "." or _is_dot_significant(word, context, end)
    # Acronyms, camelCase, single letters.
    if not word[1:].islower() and len(word) > 1 or len(word) == 1:
        return True
    # Month names, and abbreviations without a vowel: btw, html.
    if word[:3] in _MONTH_STEMS or not _VOWEL.search(word):
        return True
    return word.lower() in _TRIGGER_WORDS or after in "-–+" and _is_joined_to_next(word, context, end)


def _is_dot_significant(word: str, context: TextContext, end: int) -> bool:
    """Return whether the full stop after a word may belong to a rule."""
    following = context.get_char_at(end + 1)
    return (
        not following.isspace()
        or word[:3] in _MONTH_STEMS
        or word.lower() in abbreviations.DOTTED_FORMS
        or len(word) < 4
        or not word[1:].islower()
    )


def _is_joined_to_next(word: str, context: TextContext, end: int) -> bool:
    """Return whether a word and what follows its hyphen or plus may be one match: COVID-19, Mon–Fri, Ctrl+C."""
    return context.get_char_at(end + 1).isdecimal() or word[:3] in dates.DAY_NAMES or word.lower() in code.KEY_NAMES


def _apply_to_mark(context: TextContext, first: str, at: int, english: bool) -> _RuleMatch:
    """Try the rules for a mark: line starts, LaTeX, markup, English signs, any language, emoji."""
    # The most common marks have rules only where a second mark follows.
    if first in ",!?'\"’”“" and not _starts_longer_mark(context, at) and first not in _SIGN_RULES:
        return None
    # $$ belongs to LaTeX.
    if context.get_char_at(at + 1) == first and first != "$" and (repeated := _REPEATED_MARK.match(context.text, at)):
        return _replace_emoji(context, first, at) or ([Replacement("", at, repeated.end())], repeated.end())
    if first in _LINE_START_MARKS and context.starts_line(at):
        result = _LINE_START_RULES.apply(context, at)
        if result:
            return result
    result = _SIGN_RULES[first].apply(context, at) if english and first in "\\}" else None
    result = result or (_MARKUP_RULES.apply(context, at) if first in "<&![]\\" else None)
    if result is None and english:
        result = _apply_to_english_mark(context, first, at)
    return result or _MARK_RULES.apply(context, at) or _replace_emoji(context, first, at)


def _starts_longer_mark(context: TextContext, at: int) -> bool:
    """Return whether the mark after `at` makes one with the mark at `at`: ?!, !=, ![."""
    return context.get_char_at(at + 1) in ",!?[="


def _apply_to_english_mark(context: TextContext, first: str, at: int) -> _RuleMatch:
    """Try the English rules for a mark."""
    result = _SIGN_RULES[first].apply(context, at) if first in _SIGN_RULES else None
    if (
        result is None
        and first == "."
        and context.get_char_at(at + 1).isdecimal()
        and not context.get_char_before(at).isalnum()
    ):
        result = _DECIMAL_POINT_RULES.apply(context, at)
    if result is None and (first not in ".,;:!?()'\"" or context.get_char_at(at + 1) == "="):
        # Emoji before signs: some are both, and only the heart's name comes from the table of signs.
        result = _replace_emoji(context, first, at) if first > "\u2122" and first != "♥" else None
        result = result or _ENGLISH_MARK_RULES.apply(context, at)
    return result


def _replace_emoji(context: TextContext, first: str, at: int) -> _RuleMatch:
    """Replace an emoji at `at` and its repeats."""
    if first < "\u203c" and context.get_char_at(at + 1) not in "\ufe0f\u20e3":
        return None
    emoji = marks.match_emoji(context, at)
    return ([Replacement(emoji[0], at, emoji[1])], emoji[1]) if emoji else None


def _map_to_source(plain: CleanText, text: str, replacements: Iterator[Replacement]) -> Iterator[Replacement]:
    """Map offsets in the plain text to offsets in the source, and fill the gaps with the text as written."""
    last = 0
    for reading in replacements:
        yield from _copy_unchanged(plain, text, last, reading.start)
        yield Replacement(reading.spoken, *plain.map_to_source(reading.start, reading.end))
        last = reading.end
    yield from _copy_unchanged(plain, text, last, len(plain.text))


def _copy_unchanged(plain: CleanText, text: str, start: int, end: int) -> Iterator[Replacement]:
    """Yield a stretch as it is; word by word where it differs from the source, to keep offsets precise."""
    if start >= end:
        return
    # Characters map one to one if nothing was replaced in the stretch.
    written = plain.map_to_source(start, end)
    if text[slice(*written)] == plain.text[start:end]:
        yield Replacement(plain.text[start:end], *written)
        return
    for word in _WORDS.finditer(plain.text, start, end):
        yield Replacement(word[0], *plain.map_to_source(*word.span()))


def _merge_unchanged(text: str, replacements: Iterator[Replacement]) -> Iterator[Replacement]:
    """Join neighbours that are spoken as written."""
    held: Replacement | None = None
    for reading in replacements:
        as_written = reading.spoken == text[reading.start : reading.end]
        if held and as_written:
            held = Replacement(held.spoken + reading.spoken, held.start, reading.end)
            continue
        if held:
            yield held
        held = reading if as_written else None
        if not as_written:
            yield reading
    if held:
        yield held
