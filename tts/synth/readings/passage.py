"""A text under the reader's eye, and the shape of the rules that read it."""

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import NamedTuple

from tts.speech.sentences import Strength, boundaries
from tts.synth.readings.reading import Reading

_WORD_BEFORE = re.compile(r"([^\W_]+(?:['’.-][^\W_]+)*)[ \u00a0\"'“‘(~≈#/-]{0,3}$")
_WORD_AFTER = re.compile(r"[ \u00a0]{1,2}([^\W\d_]+)")
_GAP = re.compile(r"[\"'”’»)\]*_]{0,4}(?P<space>\s*)")
_BEHIND = 40


def words(listed: str) -> frozenset[str]:
    """A set of words from a string."""
    return frozenset(listed.split())


_ARTICLES = words("a an another this that the one my your his her its our their every each")
_NO_NOUNS = words("""
    in for to from on at and or per of each a an the is was were are that he you i as by with into more
    less worth back out we they it if when but than then so now not which who after before a over under
    up down he she went per plus minus today yesterday tomorrow only i'd i'll because while during since
    until
""")


class Passage:
    """The text, and what rules ask about a place in it. Offsets are into `text`, which is already cleaned."""

    def __init__(self, text: str, language: str, emoji: bool) -> None:
        self.text = text
        self.language = language
        self.british = language == "b"
        self.emoji = emoji

    @cached_property
    def _strengths(self) -> dict[int, Strength]:
        return {boundary.end: boundary.strength for boundary in boundaries(self.text)}

    def strength(self, end: int) -> Strength:
        """How well the text could be cut at the white space that ends at `end`."""
        return self._strengths.get(end, Strength.LETTER)

    def ends_sentence(self, at: int) -> bool:
        """Whether a sentence ends with the character before `at`, so that its full stop must be kept."""
        gap = _GAP.match(self.text, at)
        if gap is None or (not gap["space"] and gap.end() < len(self.text)):
            return False
        return self.strength(gap.end()) >= Strength.SENTENCE or gap.end() == len(self.text)

    def word_before(self, at: int) -> str:
        """The word that stands before `at`, with no mark that ends a phrase between; or nothing."""
        found = _WORD_BEFORE.search(self.text, max(0, at - _BEHIND), at)
        return found[1] if found else ""

    def word_after(self, at: int) -> str:
        """The word that follows a space at `at`; or nothing."""
        found = _WORD_AFTER.match(self.text, at)
        return found[1] if found else ""

    def is_attribute(self, start: int, end: int) -> bool:
        """Whether a quantity stands between an article and a noun: `a $5 million deal`, `a 10 ft pole`."""
        following = self.word_after(end)
        article = self.word_before(start).lower() in _ARTICLES
        return article and following.islower() and following not in _NO_NOUNS

    def before(self, at: int) -> str:
        """The character before `at`; a line end at the start of the text."""
        return self.text[at - 1] if at else "\n"

    def after(self, at: int) -> str:
        """The character at `at`; a line end at the end of the text."""
        return self.text[at] if at < len(self.text) else "\n"

    def starts_line(self, at: int) -> bool:
        """Whether only blanks stand before `at` on its line."""
        return not self.text[max(0, self.text.rfind("\n", max(0, at - 12), at) + 1, at - 12) : at].strip()


Said = str | Sequence[Reading] | None


class Rule(NamedTuple):
    """A pattern to match at a place, and what to say for it: one reading for all of it, several, or none.

    A rule that returns None leaves the match to the rules after it. What several readings leave out is said
    as written. Every pattern is bounded in length, so that no text costs more than its length.
    """

    pattern: re.Pattern[str]
    say: Callable[[re.Match[str], Passage], Said]


def rule(pattern: str, say: Callable[[re.Match[str], Passage], Said], flags: int = 0) -> Rule:
    """Build a rule."""
    return Rule(re.compile(pattern, flags), say)


def nothing(found: re.Match[str], passage: Passage) -> Said:
    """A mark that is not read."""
    return ""


class Rules:
    """Rules to ask in turn, and one pattern that tells at once when none of them can match."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules
        self._any = re.compile("|".join(map(_unnamed, rules)))

    def said(self, passage: Passage, at: int) -> tuple[Sequence[Reading], int] | None:
        """What the first rule with something to say says, and where its match ends."""
        if self._any.match(passage.text, at) is None:
            return None
        for pattern, say in self._rules:
            found = pattern.match(passage.text, at)
            said = say(found, passage) if found and found.end() > at else None
            if found is None or said is None:
                continue
            return [Reading(said, at, found.end())] if isinstance(said, str) else said, found.end()
        return None


def _unnamed(rule: Rule) -> str:
    """A rule's pattern without the names of its groups, which may match a little more."""
    pattern = re.sub(r"\(\?P<\w+>", "(?:", rule.pattern.pattern)
    pattern = re.sub(r"\(\?P=\w+\)", ".", pattern)
    return f"(?{'i' if rule.pattern.flags & re.IGNORECASE else ''}:{pattern})"


def part(found: re.Match[str], group: str | int, spoken: str) -> Reading:
    """What is said for one group of a match."""
    return Reading(spoken, found.start(group), found.end(group))


def split(found: re.Match[str], *parts: tuple[str, str]) -> list[Reading]:
    """What is said for several groups of a match, leaving out the ones that did not take part."""
    return [part(found, group, spoken) for group, spoken in parts if found[group] is not None]


def table(listed: str) -> dict[str, str]:
    """A dictionary from lines of a key, a space and what is said for it."""
    return dict(line.split(maxsplit=1) for line in listed.strip().splitlines())
