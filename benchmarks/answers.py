"""One answer of a server: when its sound came, and whether that is the sound of speech."""

from dataclasses import dataclass

import numpy as np

from tests.listening.sound import AUDIBLE, Sound, is_silent, silence_at_ends

PACE = (0.25, 0.6)  # seconds a word between the silent ends; beyond it words are missing or it is not speech


class NoAnswer(Exception):
    """A server gave no sound; the message says what it gave instead."""


@dataclass(frozen=True)
class Answer:
    """A whole answer; its arrivals are (seconds since the request was sent, bytes of sound there by then)."""

    sound: Sound
    arrivals: tuple[tuple[float, int], ...]

    @property
    def first(self) -> float:
        """Seconds to the first byte of sound."""
        return self.arrivals[0][0]

    @property
    def total(self) -> float:
        """Seconds to the last byte."""
        return self.arrivals[-1][0]

    @property
    def first_audible(self) -> float:
        """Seconds until a sample that can be heard had come: a server may begin with silence."""
        audible = np.flatnonzero(np.abs(self.sound.samples) > AUDIBLE)
        needed = 2 * int(audible[0]) + 2 if len(audible) else 0
        return next((at for at, there in self.arrivals if there >= needed), self.total)

    @property
    def stall(self) -> float:
        """Seconds that a player which starts at the first byte would have to wait later on."""
        heard = [there / (2 * self.sound.rate) for _, there in self.arrivals]
        late = [at - self.first - before for (at, _), before in zip(self.arrivals[1:], heard, strict=False)]
        return max([0.0, *late])


def doubt(sound: Sound, words: int) -> str:
    """Why this cannot be speech of so many words; empty when it can."""
    if is_silent(sound):
        return "silent"
    pace = (sound.seconds - sum(silence_at_ends(sound))) / words
    if not PACE[0] <= pace <= PACE[1]:
        return f"{pace:.2f} s a word, expected {PACE[0]} to {PACE[1]}"
    return ""
