"""Record the peak memory of the targets while they are measured."""

import threading
from collections.abc import Sequence

from benchmarks.processes import Memory, memory_of
from benchmarks.servers import Speaker

PERIOD = 0.25  # seconds between samples; hexgrad's command holds its peak for seconds


class Watch:
    """Record each target's peak memory on a thread while the context is open."""

    def __init__(self, speakers: Sequence[Speaker]) -> None:
        self.peaks = {speaker.name: Memory() for speaker in speakers}
        self._speakers = speakers
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="memory", daemon=True)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _look_on(self) -> None:
        while not self._closed.wait(PERIOD):
            for speaker in self._speakers:
                now = memory_of(speaker.processes())
                self.peaks[speaker.name] = self.peaks[speaker.name].peak(now)
