"""How far the making of a request's sound is ahead of its listener, and whether that lets several utterances be made at
once: each alone is there sooner, together they are cheaper."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate

from tts.speech.audio import Chunk
from tts.speech.text import Utterance


class Headway:
    """A request under way, from now on; the listener is taken to hear its sound from the first of it without a stop."""

    def __init__(self, utterances: Sequence[Utterance], clock: Callable[[], float] = time.monotonic) -> None:
        self._lengths = [len(utterance.text) for utterance in utterances]
        self._written = [0, *accumulate(self._lengths)]
        self._clock = clock
        self._start = clock()
        self._heard_from = 0.0
        self._begun = 0
        self._sound = 0.0

    @property
    def begun(self) -> int:
        """Of how many utterances there is sound."""
        return self._begun

    def came(self, number: int, chunk: Chunk) -> None:
        """Sound of the utterance of that number, from 0, is there."""
        if not self._begun:
            self._heard_from = self._clock()
        self._begun = number + 1
        self._sound += chunk.seconds

    def suffices(self, workers: int) -> bool:
        """Whether the next utterances, as many as `workers` that share the cores, would each be there in time.

        A character takes as long and sounds as long as those before it; of workers that share the cores, each has its
        share of that pace.
        """
        characters = self._written[self._begun]
        if not characters:
            return False
        now = self._clock()
        work = workers * (now - self._start) / characters
        sound = self._sound / characters
        left = self._sound - (now - self._heard_from)
        for length in self._lengths[self._begun : self._begun + workers]:
            if length * work > left:
                return False
            left += length * sound
        return True
