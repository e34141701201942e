"""Rewrite text while keeping, for every character, the span of the original text that it stands for.

Text normalization changes lengths ("5 km" becomes "5 kilómetros"), while word times and captions refer to the text as
sent. Each `sub` therefore carries the spans along: unchanged characters keep theirs, and every character of a
replacement gets the span of the whole match. After phonemization, `restore_spans` maps words back and merges those
that come from the same original characters.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kokoro_server.text.g2p.phoneme_words import PhonemeWord

# A character with its combining marks, so that NFKC can compose them: か + U+3099 -> が.
_CLUSTER = re.compile(r".[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*", re.DOTALL)


@dataclass(frozen=True)
class AlignedText:
    """Hold rewritten text and, for each of its characters, the half-open span of the original that it stands for."""

    text: str
    spans: tuple[tuple[int, int], ...]

    @classmethod
    def from_text(cls, text: str) -> "AlignedText":
        """Wrap an original text: each character stands for itself."""
        return cls(text, tuple((n, n + 1) for n in range(len(text))))

    def sub(
        self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], group: str | int = 0
    ) -> "AlignedText":
        """Replace every match of `pattern`, or one group of it, by what `replace` returns for the match.

        All characters of a replacement stand for the whole span of the match or group. An empty group is left alone.
        """
        parts: list[str] = []
        spans: list[tuple[int, int]] = []
        done = 0
        for found in pattern.finditer(self.text):
            new = replace(found)
            start, end = found.span(group)
            if new == found[group] or start == end:
                continue
            parts += self.text[done:start], new
            spans += self.spans[done:start]
            spans += [(self.spans[start][0], self.spans[end - 1][1])] * len(new)
            done = end
        return AlignedText("".join(parts) + self.text[done:], (*spans, *self.spans[done:]))

    def to_nfkc(self) -> "AlignedText":
        """Normalize to NFKC: full-width, ligature and other compatibility characters become plain ones."""
        return self.sub(_CLUSTER, lambda found: unicodedata.normalize("NFKC", found[0]))

    def restore_spans(self, spoken: Sequence[PhonemeWord]) -> list[PhonemeWord]:
        """Return `spoken`, whose spans refer to this text, with spans of the original.

        Words whose original spans overlap (the words of one replacement) are merged; words with empty spans are
        dropped.
        """
        out: list[PhonemeWord] = []
        for word in spoken:
            if word.start == word.end:
                continue
            start, end = self.spans[word.start][0], self.spans[word.end - 1][1]
            if out and start < out[-1].end:
                last = out.pop()
                out.append(PhonemeWord(last.phonemes + word.phonemes, last.start, max(end, last.end)))
            else:
                out.append(PhonemeWord(word.phonemes, start, end))
        return out
