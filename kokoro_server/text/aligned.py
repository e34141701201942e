"""Keep rewritten text aligned with the text that it was made from.

Normalization changes lengths ("5 km" becomes "five kilometers"), while word times and captions refer to the text as
sent. An AlignedText therefore holds, for every character, the span of the original text that it stands for, and every
step that rewrites text takes one AlignedText and returns another:

- an unchanged character keeps its span;
- every character of a replacement gets the span of all that it replaces, without white space at its ends;
- a dropped character leaves nothing, so that its span belongs to nobody.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Span = tuple[int, int]
"""Half-open range of characters."""

# A character with its combining marks, so that NFKC can compose them: か + U+3099 -> が.
_CLUSTER = re.compile(r".[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replace the characters of a text from `start` up to `end`, excluded, by `spoken`; by nothing if that is empty."""

    spoken: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class AlignedText:
    """Hold a text and, for each of its characters, the span of the original text that it stands for.

    Spans are in the order of the text: neither their starts nor their ends decrease. Immutable, so that threads may
    share it.
    """

    text: str
    spans: tuple[Span, ...]

    @classmethod
    def from_text(cls, text: str, start: int = 0) -> AlignedText:
        """Align a part of the original text with itself; `start` is the offset of its first character there."""
        return cls(text, tuple((at, at + 1) for at in range(start, start + len(text))))

    @classmethod
    def from_replacement(cls, text: str, start: int, end: int) -> AlignedText:
        """Align a text with the span of the original that it replaces as a whole."""
        return cls(text, ((start, end),) * len(text))

    @classmethod
    def join(cls, parts: Iterable[AlignedText]) -> AlignedText:
        """Concatenate parts, whose spans must be in order."""
        listed = list(parts)
        return cls("".join(part.text for part in listed), tuple(span for part in listed for span in part.spans))

    def cut(self, start: int, end: int) -> AlignedText:
        """Return the characters from `start` up to `end`, excluded."""
        return AlignedText(self.text[start:end], self.spans[start:end])

    def find_source_span(self, start: int, end: int) -> Span:
        """Return the span of the original that the characters from `start` up to `end` stand for.

        Raises:
            ValueError: The range is empty or lies outside the text.
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"no characters {start} to {end} in a spoken text of {len(self.text)}")
        return self.spans[start][0], self.spans[end - 1][1]

    def replace(self, replacements: Iterable[Replacement]) -> AlignedText:
        """Apply replacements, which must be in order and not overlap.

        A replacement by the same characters changes nothing, their spans included.
        """
        parts: list[str] = []
        spans: list[Span] = []
        done = 0
        for replacement in replacements:
            start, end, new = replacement.start, replacement.end, replacement.spoken
            if start == end or new == self.text[start:end]:
                continue
            parts += self.text[done:start], new
            spans += self.spans[done:start]
            spans += [self._find_replaced_span(start, end)] * len(new)
            done = end
        return AlignedText("".join(parts) + self.text[done:], (*spans, *self.spans[done:])) if done else self

    def _find_replaced_span(self, start: int, end: int) -> Span:
        """Return the source span of the characters from `start` up to `end`, without white space at its ends."""
        replaced = self.text[start:end]
        first, last = end - len(replaced.lstrip()), start + len(replaced.rstrip())
        return self.find_source_span(first, last) if first < last else self.find_source_span(start, end)

    def sub(
        self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], group: str | int = 0
    ) -> AlignedText:
        """Replace every match of `pattern`, or one group of it, by what `replace` returns for the match.

        An empty match or group is left alone.
        """
        return self.replace(Replacement(replace(found), *found.span(group)) for found in pattern.finditer(self.text))

    def translate(self, table: dict[int, int]) -> AlignedText:
        """Replace characters one by one by `table`, as `str.translate` does; each keeps its span."""
        return AlignedText(self.text.translate(table), self.spans)

    def to_nfkc(self) -> AlignedText:
        """Normalize to NFKC: full-width, ligature and other compatibility characters become plain ones."""
        if unicodedata.is_normalized("NFKC", self.text):
            return self
        return self.sub(_CLUSTER, lambda found: unicodedata.normalize("NFKC", found[0]))
