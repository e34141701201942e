"""The threads that share one convolution: each takes the next block until none is left."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Block = TypeVar("Block")

LINE = 16  # floats in a cache line of 64 bytes


class Cancelled(Exception):
    """The work was given up because somebody asked for it."""


class Scratch:
    """Memory that one thread reuses from block to block: fresh pages cost more than the sums done in them."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.float32]] = {}
        self._addresses: dict[str, int] = {}

    def address(self, name: str, size: int) -> int:
        """Where `size` floats are, from a cache line's start; they hold whatever was there, zeros at first."""
        if name not in self._arrays or self._arrays[name].size < size + LINE:
            array = self._arrays[name] = np.zeros(size + LINE, np.float32)
            self._addresses[name] = array.ctypes.data + -array.ctypes.data % (4 * LINE)
        return self._addresses[name]


class Crew:
    """The calling thread and its helpers."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._scratches = [Scratch() for _ in range(threads)]
        self._helpers = ThreadPoolExecutor(threads - 1, "kernel") if threads > 1 else None
        self.cancelled = Event()

    def each(self, blocks: Iterable[Block], work: Callable[[Block, Scratch], None]) -> None:
        """Do all blocks; raises Cancelled between two of them once `cancelled` is set."""
        shared = iter(list(blocks))
        futures = []
        if self._helpers is not None:
            futures = [self._helpers.submit(self._drain, shared, work, s) for s in self._scratches[1:]]
        try:
            self._drain(shared, work, self._scratches[0])
        finally:
            for future in futures:
                future.result()

    def _drain(self, shared: Iterator[Block], work: Callable[[Block, Scratch], None], scratch: Scratch) -> None:
        for block in shared:
            if self.cancelled.is_set():
                raise Cancelled
            work(block, scratch)

    def close(self) -> None:
        if self._helpers is not None:
            self._helpers.shutdown()
