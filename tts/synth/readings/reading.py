"""A stretch of written text and what is said for it, and the way back from the spoken text."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Reading:
    """`spoken` is said for the written characters `start` to `end`; it is empty for an unread mark.

    `whole` means that its characters are not those that are written, though there may be as many.
    """

    spoken: str
    start: int
    end: int
    whole: bool = False


def spoken_text(readings: Sequence[Reading]) -> str:
    """Join what is said."""
    return "".join(reading.spoken for reading in readings)


class SpokenText:
    """The spoken text as a whole, with the way from its characters back to the written ones."""

    def __init__(self, readings: Sequence[Reading]) -> None:
        self.text = spoken_text(readings)
        self._readings = [reading for reading in readings if reading.spoken]
        self._starts = [0, *accumulate(len(reading.spoken) for reading in self._readings)]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Find the written characters that the spoken ones `start` to `end` stand for.

        Inside a reading as long as what is written, the characters match one by one; any other reading
        stands for its whole stretch. An empty range, or one outside the text, raises ValueError.
        """
        if not 0 <= start < end <= len(self.text):
            raise ValueError(f"no characters {start} to {end} in a spoken text of {len(self.text)}")
        return self._written(start)[0], self._written(end - 1)[1]

    def _written(self, place: int) -> tuple[int, int]:
        number = bisect_right(self._starts, place) - 1
        reading = self._readings[number]
        if reading.whole or len(reading.spoken) != reading.end - reading.start:
            return reading.start, reading.end
        written = reading.start + place - self._starts[number]
        return written, written + 1
