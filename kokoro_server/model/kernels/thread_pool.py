"""The threads that share one convolution: each takes the next block until none is left."""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kokoro_server.core.errors import Cancelled

Block = TypeVar("Block")

LINE = 16  # floats in a cache line of 64 bytes


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
    """The calling thread and its mates."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.cancelled = Event()
        self._scratch = Scratch()
        self._mates = [Mate() for _ in range(threads - 1)]

    def each(self, blocks: Iterable[Block], work: Callable[[Block, Scratch], None]) -> None:
        """Do all blocks; raises Cancelled between two of them once `cancelled` is set."""
        waiting = list(blocks)
        shared = iter(waiting)
        called = self._mates[: len(waiting) - 1]
        for mate in called:
            mate.begin(partial(self._drain, shared, work))
        try:
            self._drain(shared, work, self._scratch)
        finally:
            errors = [mate.end() for mate in called]
        for error in filter(None, errors):
            raise error

    def _drain(self, shared: Iterator[Block], work: Callable[[Block, Scratch], None], scratch: Scratch) -> None:
        for block in shared:
            if self.cancelled.is_set():
                raise Cancelled
            work(block, scratch)

    def close(self) -> None:
        for mate in self._mates:
            mate.close()


class Mate:
    """One thread with its scratch. It waits in plain queues: hundreds of layers a second make a pool's futures dear."""

    def __init__(self) -> None:
        self._orders: SimpleQueue[Callable[[Scratch], None] | None] = SimpleQueue()
        self._ends: SimpleQueue[BaseException | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="kernel", daemon=True).start()

    def begin(self, order: Callable[[Scratch], None]) -> None:
        self._orders.put(order)

    def end(self) -> BaseException | None:
        """Wait for the order's end: what it raised, if anything."""
        return self._ends.get()

    def close(self) -> None:
        self._orders.put(None)

    def _serve(self) -> None:
        scratch = Scratch()
        while order := self._orders.get():
            try:
                order(scratch)
            except BaseException as exc:  # the thread's edge: who gave the order raises it
                self._ends.put(exc)
            else:
                self._ends.put(None)
