"""Run the blocks of one layer on a few threads, each with scratch memory of its own.

ThreadPool.parallel_for puts the blocks into one iterator; the calling thread and the pool's threads take the next
block each until none is left. Kernels are called through ctypes, which releases the interpreter's lock, so blocks run
in parallel. Cancellation is checked between blocks: a block takes milliseconds.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import Event
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from kokoro_server.core.errors import Cancelled

WorkBlock = TypeVar("WorkBlock")

FLOATS_PER_CACHE_LINE = 16
"""Floats in a cache line of 64 bytes."""


class Scratch:
    """Keep one thread's scratch memory from block to block: fresh pages cost more than the arithmetic done in them."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.float32]] = {}
        self._addresses: dict[str, int] = {}

    def address(self, name: str, size: int) -> int:
        """Return the address of at least `size` floats, aligned to a cache line.

        The memory keeps its contents until it has to grow: zeros at first, then whatever was written last. Addresses
        returned before for the same name may become invalid.
        """
        if name not in self._arrays or self._arrays[name].size < size + FLOATS_PER_CACHE_LINE:
            # numpy aligns to 16 bytes only: take a line more and start at the next multiple of 64.
            array = self._arrays[name] = np.zeros(size + FLOATS_PER_CACHE_LINE, np.float32)
            self._addresses[name] = array.ctypes.data + -array.ctypes.data % (4 * FLOATS_PER_CACHE_LINE)
        return self._addresses[name]


class ThreadPool:
    """Share blocks of work between the calling thread and `threads` - 1 others. One loop at a time."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.cancel_event = Event()
        self._scratch = Scratch()
        self._threads = [PoolThread() for _ in range(threads - 1)]

    def parallel_for(self, blocks: Iterable[WorkBlock], work: Callable[[WorkBlock, Scratch], None]) -> None:
        """Call `work(block, scratch)` for every block, in any order, and return when all calls have ended.

        Raises:
            Cancelled: If `cancel_event` is set before the last block has begun.
            BaseException: Whatever `work` raised first in this thread, or else in another.
        """
        remaining = list(blocks)
        # A list's iterator is safe to share: the interpreter's lock makes each `next` atomic.
        shared = iter(remaining)
        helpers = self._threads[: len(remaining) - 1]
        for helper in helpers:
            helper.submit(partial(self._drain, shared, work))
        try:
            self._drain(shared, work, self._scratch)
        finally:
            # Also when this thread's block failed: the arrays belong to the caller, and blocks still write to them.
            errors = [helper.wait() for helper in helpers]
        for error in filter(None, errors):
            raise error

    def _drain(self, shared: Iterator[WorkBlock], work: Callable[[WorkBlock, Scratch], None], scratch: Scratch) -> None:
        """Take and run blocks until none is left. Raises Cancelled once `cancel_event` is set."""
        for block in shared:
            if self.cancel_event.is_set():
                raise Cancelled
            work(block, scratch)

    def close(self) -> None:
        """Let the threads end. Blocks that are running finish first."""
        for helper in self._threads:
            helper.close()


class PoolThread:
    """Run submitted functions in one daemon thread with its own scratch memory.

    Two plain queues cost less than an executor's futures, which matters at hundreds of layers a second.
    """

    def __init__(self) -> None:
        self._functions: SimpleQueue[Callable[[Scratch], None] | None] = SimpleQueue()
        self._results: SimpleQueue[BaseException | None] = SimpleQueue()
        threading.Thread(target=self._serve, name="kernel", daemon=True).start()

    def submit(self, order: Callable[[Scratch], None]) -> None:
        """Submit a function. Each submit has to be followed by one wait."""
        self._functions.put(order)

    def wait(self) -> BaseException | None:
        """Wait until the submitted function ends, and return what it raised."""
        return self._results.get()

    def close(self) -> None:
        """Let the thread end after what was submitted."""
        self._functions.put(None)

    def _serve(self) -> None:
        scratch = Scratch()
        while order := self._functions.get():
            try:
                order(scratch)
            except BaseException as exc:  # the edge of the thread: parallel_for raises it in the caller's
                self._results.put(exc)
            else:
                self._results.put(None)
