"""Decide when several utterances of one request may be synthesized at once.

One utterance on all cores has the lowest latency; several at once, one core each, have the highest throughput. So a
request starts with one utterance at a time, and prefetches as soon as the client's playback buffer outlasts the work:

- pace of work: wall time since the start, divided by the characters synthesized so far (s a character, all cores);
- pace of audio: seconds of audio received, divided by the same characters;
- buffer: audio received minus wall time since the first chunk, when playback is assumed to start.

With n utterances at once each runs n times slower. The next n may start together if each, at that pace, is complete
before the buffer, extended by the audio of those before it, runs empty.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import accumulate

from kokoro_server.audio.samples import Chunk
from kokoro_server.text.chunking import Utterance


class PrefetchPolicy:
    """Track the playback buffer of one request, from construction on. Not thread-safe.

    Args:
        utterances: The utterances of the request, in order.
        clock: Return the time in seconds; replaced in tests.
    """

    def __init__(self, utterances: Sequence[Utterance], clock: Callable[[], float] = time.monotonic) -> None:
        self._lengths = [len(utterance.text) for utterance in utterances]
        self._cumulative_lengths = [0, *accumulate(self._lengths)]
        self._clock = clock
        self._started_at = clock()
        self._playback_started_at = 0.0
        self._started_count = 0
        self._audio_seconds = 0.0

    @property
    def started_utterances(self) -> int:
        """Return how many utterances have audio so far, counting one that is not complete."""
        return self._started_count

    def record_chunk(self, index: int, chunk: Chunk) -> None:
        """Record a chunk of the utterance with that index, counted from 0."""
        if not self._started_count:
            self._playback_started_at = self._clock()
        self._started_count = index + 1
        self._audio_seconds += chunk.seconds

    def can_prefetch(self, workers: int) -> bool:
        """Return whether the next `workers` utterances, sharing the cores, would each be complete in time.

        Assumes that a character costs as much time and yields as much audio as those before. False before the first
        chunk.
        """
        characters = self._cumulative_lengths[self._started_count]  # in the utterances that have audio
        if not characters:
            return False
        now = self._clock()
        work = workers * (now - self._started_at) / characters
        sound = self._audio_seconds / characters
        left = self._audio_seconds - (now - self._playback_started_at)  # seconds of audio not played yet
        for length in self._lengths[self._started_count : self._started_count + workers]:
            if length * work > left:  # it would be complete only after the buffer has run empty
                return False
            left += length * sound
        return True
