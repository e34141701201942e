"""Record the peak memory of the targets while they are measured."""

import threading
from collections.abc import Sequence

from benchmarks.processes import MemoryUse, sum_memory
from benchmarks.servers import BenchmarkTarget

SAMPLE_PERIOD = 0.25  # seconds between samples; hexgrad's command holds its peak for seconds


class MemoryWatch:
    """Record each target's peak memory on a thread while the context is open."""

    def __init__(self, targets: Sequence[BenchmarkTarget]) -> None:
        self.peaks = {speaker.name: MemoryUse() for speaker in targets}
        self._targets = targets
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._sample_memory, name="memory", daemon=True)

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join()

    def _sample_memory(self) -> None:
        while not self._closed.wait(SAMPLE_PERIOD):
            for speaker in self._targets:
                now = sum_memory(speaker.list_processes())
                self.peaks[speaker.name] = self.peaks[speaker.name].max_with(now)
