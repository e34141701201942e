"""Define what normalization rules see and how they are built: TextContext, Rule, RuleSet.

A rule is a regular expression and an action. RuleSet.apply tries its rules in order at one offset of the cleaned text:

1. One pattern that joins the patterns of all rules tells whether any of them can match; at most offsets none can.
2. Each rule's own pattern is matched at the offset; its action gets the match and the context.
3. The first action that returns something other than None wins. None leaves the match to the rules after it.

A string replaces the whole match, and "" drops it. A sequence of replacements covers parts of the match; the parts
between them are spoken as written. Every pattern is bounded in length, so that the time is linear in the text.
"""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from kokoro_server.core.languages import Language
from kokoro_server.text.aligned import Replacement
from kokoro_server.text.segmentation import Strength, find_boundaries
from kokoro_server.text.tables import parse_words

# The word, and up to three blanks, opening marks or signs between it and the offset.
_WORD_BEFORE = re.compile(r"([^\W_]+(?:['’.-][^\W_]+)*)[ \u00a0\"'“‘(~≈#/-]{0,3}$")
_WORD_AFTER = re.compile(r"[ \u00a0]{1,2}([^\W\d_]+)")
# Closing marks and white space between a full stop and the next sentence.
_SENTENCE_GAP = re.compile(r"[\"'”’»)\]*_]{0,4}(?P<space>\s*)")
# Characters that the search for the word before an offset looks back at most.
_MAX_LOOKBEHIND = 40


# Words before a quantity, and words after it that are no nouns: see is_attributive.
_ARTICLES = parse_words("a an another this that the one my your his her its our their every each")
_NOT_NOUNS = parse_words("""
    in for to from on at and or per of each a an the is was were are that he you i as by with into more
    less worth back out we they it if when but than then so now not which who after before a over under
    up down he she went per plus minus today yesterday tomorrow only i'd i'll because while during since
    until
""")


class TextContext:
    """Answer the questions of rules about the text around an offset.

    Offsets count the characters of `text`, the cleaned text. One object serves one call of `normalize`.

    Attributes:
        text: The cleaned text.
        language: The language of the text.
        is_british: Whether the language is British English.
        names_emoji: Whether emoji are spoken by their names; otherwise they are silent.
    """

    def __init__(self, text: str, language: Language, emoji: bool) -> None:
        self.text = text
        self.language = language
        self.is_british = language is Language.BRITISH_ENGLISH
        self.names_emoji = emoji

    @cached_property
    def _boundary_strengths(self) -> dict[int, Strength]:
        return {boundary.end: boundary.strength for boundary in find_boundaries(self.text)}

    def get_boundary_strength(self, gap_end: int) -> Strength:
        """Return the strength of the boundary whose white space ends at `end`; LETTER if there is no boundary."""
        return self._boundary_strengths.get(gap_end, Strength.LETTER)

    def ends_sentence(self, at: int) -> bool:
        """Return whether a sentence ends right before `at`, so that its full stop must be kept."""
        gap = _SENTENCE_GAP.match(self.text, at)
        # Without white space behind, the text goes on in the same word: "3.5", "U.S.-led".
        if gap is None or (not gap["space"] and gap.end() < len(self.text)):
            return False
        return self.get_boundary_strength(gap.end()) >= Strength.SENTENCE or gap.end() == len(self.text)

    def find_word_before(self, at: int) -> str:
        """Return the word before `at`, or "" if punctuation that ends a phrase stands between.

        Looks back 40 characters at most.
        """
        match = _WORD_BEFORE.search(self.text, max(0, at - _MAX_LOOKBEHIND), at)
        return match[1] if match else ""

    def find_word_after(self, at: int) -> str:
        """Return the letters that follow one or two spaces at `at`, or "" without any."""
        match = _WORD_AFTER.match(self.text, at)
        return match[1] if match else ""

    def is_attributive(self, start: int, end: int) -> bool:
        """Return whether a quantity stands between an article and a noun.

        Its unit is then singular: `a $5 million deal`, `a 10 ft pole`.
        """
        following = self.find_word_after(end)
        article = self.find_word_before(start).lower() in _ARTICLES
        return article and following.islower() and following not in _NOT_NOUNS

    def get_char_before(self, at: int) -> str:
        """Return the character before `at`, or a line feed at the start of the text."""
        return self.text[at - 1] if at else "\n"

    def get_char_at(self, at: int) -> str:
        """Return the character at `at`, or a line feed at the end of the text."""
        return self.text[at] if at < len(self.text) else "\n"

    def starts_line(self, at: int) -> bool:
        """Return whether only blanks stand before `at` on its line.

        Looks back 12 characters at most.
        """
        return not self.text[max(0, self.text.rfind("\n", max(0, at - 12), at) + 1, at - 12) : at].strip()


RuleResult = str | Sequence[Replacement] | None
"""Result of an action: text for the whole match, replacements of parts of it, or None to decline."""


class Rule(NamedTuple):
    """Pair a pattern with the action that replaces its match.

    The action gets the match and the context. It returns the spoken text for the whole match, replacements for parts of
    it, or None to leave the match to the rules after it.
    """

    pattern: re.Pattern[str]
    action: Callable[[re.Match[str], TextContext], RuleResult]


def compile_rule(pattern: str, action: Callable[[re.Match[str], TextContext], RuleResult], flags: int = 0) -> Rule:
    """Compile a rule from a regular expression and an action.

    `flags` is 0 or re.IGNORECASE: the joined pattern of RuleSet keeps no other flag.
    """
    return Rule(re.compile(pattern, flags), action)


def drop_match(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop a mark that is not spoken."""
    return ""


class RuleSet:
    """Try rules in order at an offset, once one joined pattern has shown that any of them can match."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules
        # Most offsets match no rule: one alternation of all patterns rejects them in a single call.
        self._any_pattern = re.compile("|".join(map(_drop_group_names, rules)))

    def apply(self, context: TextContext, at: int) -> tuple[Sequence[Replacement], int] | None:
        """Return the replacements of the first rule that does not decline, and the offset where its match ends.

        Returns None if every rule declines. An empty match counts as no match.
        """
        if self._any_pattern.match(context.text, at) is None:
            return None
        for pattern, action in self._rules:
            match = pattern.match(context.text, at)
            # A rule that matches nothing would leave the scanner at the same offset for ever.
            result = action(match, context) if match and match.end() > at else None
            if match is None or result is None:
                continue
            return [Replacement(result, at, match.end())] if isinstance(result, str) else result, match.end()
        return None


def _drop_group_names(rule: Rule) -> str:
    """Return a rule's pattern without the names of its groups, so that patterns can be joined."""
    # Rules use the same names of groups, and one expression may define a name once only.
    pattern = re.sub(r"\(\?P<\w+>", "(?:", rule.pattern.pattern)
    # A back reference becomes any character: each one refers to a group of one character, and the joined
    # pattern may match more than the rule, but never less.
    pattern = re.sub(r"\(\?P=\w+\)", ".", pattern)
    return f"(?{'i' if rule.pattern.flags & re.IGNORECASE else ''}:{pattern})"


def replace_group(match: re.Match[str], group: str | int, spoken: str) -> Replacement:
    """Return the replacement of one group of a match."""
    return Replacement(spoken, match.start(group), match.end(group))


def replace_groups(match: re.Match[str], *parts: tuple[str, str]) -> list[Replacement]:
    """Return the replacements of several groups of a match, without the groups that did not take part."""
    return [replace_group(match, group, spoken) for group, spoken in parts if match[group] is not None]
