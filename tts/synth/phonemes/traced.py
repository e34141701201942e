"""Text that remembers, through rewriting, which characters of the original every character came from."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tts.synth.phonemes.spoken import Spoken

# A character with the marks that belong to it, so that NFKC may join them.
_CLUSTER = re.compile(r".[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*", re.DOTALL)


@dataclass(frozen=True)
class Traced:
    """`text`, and for each of its characters the half-open span of the original that it stands for."""

    text: str
    spans: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, text: str) -> "Traced":
        return cls(text, tuple((n, n + 1) for n in range(len(text))))

    def sub(self, pattern: re.Pattern[str], replace: Callable[[re.Match[str]], str], group: str | int = 0) -> "Traced":
        """Like `pattern.sub(replace, text)`: what replaces a match, or a group of it, stands for all of that."""
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
        return Traced("".join(parts) + self.text[done:], (*spans, *self.spans[done:]))

    def nfkc(self) -> "Traced":
        """Full-width, ligature and other compatibility characters as the plain ones that they stand for."""
        return self.sub(_CLUSTER, lambda found: unicodedata.normalize("NFKC", found[0]))

    def back(self, spoken: Sequence[Spoken]) -> list[Spoken]:
        """`spoken` of this text as spoken of the original; words of one original word become one."""
        out: list[Spoken] = []
        for word in spoken:
            if word.start == word.end:
                continue
            start, end = self.spans[word.start][0], self.spans[word.end - 1][1]
            if out and start < out[-1].end:
                last = out.pop()
                out.append(Spoken(last.phonemes + word.phonemes, last.start, max(end, last.end)))
            else:
                out.append(Spoken(word.phonemes, start, end))
        return out
