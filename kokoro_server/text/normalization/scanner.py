"""Apply rules to a text in one pass, trying them at each word, digit, gap and mark.

1. `_TOKEN` reads one token at the current offset: a word, one digit, white space or one mark.
2. The token's first character selects the rule sets to try.
3. The first rule that does not decline replaces its match, and the scan goes on behind it. If all decline, the token is
   spoken as written.

The order of the rule sets is part of the grammar: a link is tried before a file name, a date before a fraction.
American and British English have all rules; other languages have the rules for markup, marks and emoji here, and rules
of their own for numbers and short forms, which run afterwards.
"""

import re
from collections.abc import Iterator, Sequence

from kokoro_server.core.languages import Language
from kokoro_server.text.aligned import AlignedText, Replacement
from kokoro_server.text.normalization import markdown, symbols
from kokoro_server.text.normalization.english import (
    abbreviations,
    all_caps,
    dates,
    identifiers,
    latex,
    money,
    numbers,
    roman,
    units,
    urls,
)
from kokoro_server.text.normalization.rules.context import RuleSet, TextContext
from kokoro_server.text.normalization.rules.numerals import FRACTION_SIGNS

# A word, a digit, a gap or a mark. Bounded, because a rule may match less than a token, which is then read again.
_TOKEN = re.compile(r"[^\W\d_½-¾⅐-⅞Ͱ-Ͽ₀-₉]{1,64}(?:['’][^\W\d_]{1,64}){0,3}|\d|\s{1,256}|.", re.DOTALL)
# The first character of an emoji, or a sign that a variation selector or a keycap turns into one.
_EMOJI_START = re.compile("[\u203c-\U0001faff]|[\u00a9\u00ae#*0-9](?=[\ufe0f\u20e3])")
# The same mark three times or more is not spoken; the marks in the class have rules of their own.
_REPEATED_MARK = re.compile(r"([^\w\s.,;:!?…。、\-–—=*_`#~+\"'])\1{2,}")
# Order matters in all these sets: the first rule that does not decline wins.
_LETTER_RULES = RuleSet(
    *urls.LETTER_RULES,
    *dates.LETTER_RULES,
    *abbreviations.LETTER_RULES,
    *identifiers.PRIORITY_LETTER_RULES,
    *money.SIGN_RULES,
    *money.CODE_RULES,
    *units.LETTER_RULES,
    *all_caps.LETTER_RULES,
    *roman.LETTER_RULES,
    *identifiers.LETTER_RULES,
)
_NUMBER_RULES = RuleSet(
    *numbers.PRIORITY_DIGIT_RULES,
    *urls.DIGIT_RULES,
    *dates.DIGIT_RULES,
    *money.DIGIT_RULES,
    *units.DIGIT_RULES,
    *identifiers.DIGIT_RULES,
    *numbers.DIGIT_RULES,
    *identifiers.TRAILING_RULES,
    *numbers.PLAIN_RULES,
)
# A point before a digit with no letter or digit before it: .5 mm, .325.
_DECIMAL_POINT_RULES = RuleSet(*units.DIGIT_RULES, *numbers.PLAIN_RULES)
_SIGN_RULES = {
    **dict.fromkeys("£€¥₹₩₽₿", RuleSet(*money.SIGN_RULES)),
    "$": RuleSet(*latex.DOLLAR_RULES, *money.SIGN_RULES),
    "}": RuleSet(*latex.LATEX_RULES),
    **dict.fromkeys("-−–—", RuleSet(*dates.TO_RULES, *money.TO_RULES, *money.SIGN_RULES, *numbers.MINUS_RULES)),
    **dict.fromkeys("'’‘", RuleSet(*dates.QUOTE_RULES)),
    **dict.fromkeys(FRACTION_SIGNS, RuleSet(*numbers.VULGAR_RULES)),
    **{sign: RuleSet(*rules) for sign, rules in urls.SIGN_RULES.items()},
    "\\": RuleSet(*urls.SIGN_RULES["\\"], *latex.LATEX_RULES),
    "+": RuleSet(*numbers.PLUS_RULES),
    "(": RuleSet(*numbers.BRACKET_RULES),
    "_": RuleSet(*identifiers.UNDERSCORED_RULES),
}
_ENGLISH_MARK_RULES = RuleSet(*symbols.ENGLISH_MARK_RULES)
_MARK_RULES = RuleSet(*symbols.MARK_RULES)
_MARKUP_RULES = RuleSet(*markdown.INLINE_MARKUP_RULES)
_LINE_START_RULES = RuleSet(*markdown.LINE_RULES)
_SPACE_RULES = RuleSet(*markdown.SPACE_RULES)

_RuleMatch = tuple[Sequence[Replacement], int] | None


def scan(text: AlignedText, language: Language, emoji: bool) -> AlignedText:
    """Apply the rules of a language, at each token the first that does not decline.

    The time is linear in the length of the text.

    Args:
        text: The text, in plain characters: see `clean_text`.
        language: American and British English have all rules; other languages have those for markup, marks and emoji.
        emoji: Whether to name emoji; otherwise they are silent.
    """
    return text.replace(_apply_rules(TextContext(text.text, language, emoji)))


def replace_emoji(text: AlignedText, language: Language, *, emoji: bool) -> AlignedText:
    """Name the emoji of a text in its language, or drop them, and change nothing else."""
    return text.replace(_find_emoji(TextContext(text.text, language, emoji)))


def _find_emoji(context: TextContext) -> Iterator[Replacement]:
    """Yield a replacement for each emoji of a text."""
    at = 0
    for match in _EMOJI_START.finditer(context.text):
        result = None if match.start() < at else _replace_emoji(context, match[0], match.start())
        if result is not None:
            yield from result[0]
            at = result[1]


def _apply_rules(context: TextContext) -> Iterator[Replacement]:
    """Yield the replacements of the rules; what lies between them is spoken as written."""
    at, text = 0, context.text
    english = context.language.is_english
    while at < len(text):
        token = _TOKEN.match(text, at)
        assert token is not None
        end = token.end()
        result = _apply_to_token(context, token, english)
        if result is not None:
            replacements, end = result
            yield from replacements
        at = end


def _apply_to_token(context: TextContext, token: re.Match[str], english: bool) -> _RuleMatch:
    """Try the rules for the kind of a token; return None if it is spoken as written."""
    first, at = token[0][0], token.start()
    if first.isspace():
        breaks = "\n" in token[0] or context.get_char_at(token.end()) == "|"
        return _SPACE_RULES.apply(context, at) if breaks else None
    if first.isdecimal():
        return _replace_emoji(context, first, at) or (_NUMBER_RULES.apply(context, at) if english else None)
    # Greek letters are marks here: μ and π have names.
    if first.isalpha() and not "\u0370" <= first <= "\u03ff":
        return _LETTER_RULES.apply(context, at) if english else None
    return _apply_to_mark(context, first, at, english)


def _apply_to_mark(context: TextContext, first: str, at: int, english: bool) -> _RuleMatch:
    """Try the rules for a mark: line starts, LaTeX, markup, English signs, any language, emoji."""
    # $$ belongs to LaTeX.
    if context.get_char_at(at + 1) == first and first != "$" and (repeated := _REPEATED_MARK.match(context.text, at)):
        return _replace_emoji(context, first, at) or ([Replacement("", at, repeated.end())], repeated.end())
    if context.starts_line(at):
        result = _LINE_START_RULES.apply(context, at)
        if result:
            return result
    result = _SIGN_RULES[first].apply(context, at) if english and first in "\\}" else None
    result = result or (_MARKUP_RULES.apply(context, at) if first in "<&![]\\" else None)
    if result is None and english:
        result = _apply_to_english_mark(context, first, at)
    return result or _MARK_RULES.apply(context, at) or _replace_emoji(context, first, at)


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
    emoji = symbols.match_emoji(context, at)
    return ([Replacement(emoji[0], at, emoji[1])], emoji[1]) if emoji else None
