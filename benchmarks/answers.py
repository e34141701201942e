"""Time one answer of a server, and check that its audio can be speech of the text."""

from dataclasses import dataclass

import numpy as np

from benchmarks.sound import AUDIBLE, Sound, is_silent, silence_at_ends

PACE_RANGE = (0.25, 0.6)  # seconds per word without silent ends; outside it words are missing or it is not speech


class NoAudioError(Exception):
    """Raised when a server returned no audio; the message says what it returned."""


@dataclass(frozen=True)
class TimedAnswer:
    """Hold a complete answer; `arrivals` are (seconds since the request was sent, bytes of audio received so far)."""

    sound: Sound
    arrivals: tuple[tuple[float, int], ...]

    @property
    def first_byte(self) -> float:
        """Return the seconds until the first byte of audio."""
        return self.arrivals[0][0]

    @property
    def total(self) -> float:
        """Return the seconds until the last byte."""
        return self.arrivals[-1][0]

    @property
    def first_audible(self) -> float:
        """Return the seconds until the first audible sample arrived: a server may begin with silence."""
        audible = np.flatnonzero(np.abs(self.sound.samples) > AUDIBLE)
        needed = 2 * int(audible[0]) + 2 if len(audible) else 0
        return next((at for at, there in self.arrivals if there >= needed), self.total)

    @property
    def longest_underrun(self) -> float:
        """Return the longest underrun in seconds of a player that starts at the first byte."""
        heard = [there / (2 * self.sound.rate) for _, there in self.arrivals]
        late = [at - self.first_byte - before for (at, _), before in zip(self.arrivals[1:], heard, strict=False)]
        return max([0.0, *late])


def find_speech_problem(sound: Sound, words: int) -> str:
    """Return why this audio cannot be speech of so many words; empty when it can."""
    if is_silent(sound):
        return "silent"
    pace = (sound.seconds - sum(silence_at_ends(sound))) / words
    if not PACE_RANGE[0] <= pace <= PACE_RANGE[1]:
        return f"{pace:.2f} s a word, expected {PACE_RANGE[0]} to {PACE_RANGE[1]}"
    return ""
