"""Represent normalized text as replacements of source spans, and map spoken characters back to the source."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Replacement:
    """Replace the source characters from `start` up to `end`, excluded, by `spoken`.

    Attributes:
        spoken: The text that is spoken; empty for a mark that is not.
        start: Offset of the first source character.
        end: Offset behind the last source character.
        is_atomic: Whether `spoken` corresponds to the span as a whole only, although both may have the same length.
    """

    spoken: str
    start: int
    end: int
    is_atomic: bool = False


def join_spoken(replacements: Sequence[Replacement]) -> str:
    """Join the spoken text of replacements."""
    return "".join(reading.spoken for reading in replacements)


class NormalizedText:
    """Hold the spoken text as a whole and map its characters back to the source.

    Immutable after construction, so that threads may share it. A look-up takes O(log n) for n replacements.
    """

    def __init__(self, replacements: Sequence[Replacement]) -> None:
        self.text = join_spoken(replacements)
        self._replacements = [reading for reading in replacements if reading.spoken]
        # _starts[i]: the offset in `text` where replacement i starts. The last item is the length of `text`.
        self._starts = [0, *accumulate(len(reading.spoken) for reading in self._replacements)]

    def find_source_span(self, start: int, end: int) -> tuple[int, int]:
        """Return the source span that the spoken characters from `start` up to `end` stand for.

        Inside a replacement that is as long as its source span and not atomic, characters map one to one. Any other
        replacement stands for its whole span.

        Raises:
            ValueError: The range is empty or lies outside the spoken text.
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"no characters {start} to {end} in a spoken text of {len(self.text)}")
        return self._find_source(start)[0], self._find_source(end - 1)[1]

    def _find_source(self, offset: int) -> tuple[int, int]:
        number = bisect_right(self._starts, offset) - 1
        reading = self._replacements[number]
        if reading.is_atomic or len(reading.spoken) != reading.end - reading.start:
            return reading.start, reading.end
        written = reading.start + offset - self._starts[number]
        return written, written + 1
