"""Carry what every layer runs on: compiled kernels, a thread pool, and buffers."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import Target
from kokoro_server.model.kernels.library import KernelLibrary
from kokoro_server.model.kernels.norm import name_statistics
from kokoro_server.model.kernels.thread_pool import Scratch, ThreadPool
from kokoro_server.model.native.activations import LLVM_TYPES, Activations, BufferArena, Signal, address_of

ROWS_MEASURED = 512  # rows in a block of statistics


@dataclass(frozen=True)
class KernelContext:
    """Hold the compiled kernels, the threads that run them, and the buffers that they write, for one utterance."""

    library: KernelLibrary
    pool: ThreadPool
    arena: BufferArena

    @property
    def target(self) -> Target:
        """What the kernels are compiled for."""
        return self.library.target

    def call(self, kernel: str, *arguments: NDArray[Any] | int) -> None:
        """Call a kernel in this thread; it takes the addresses of arrays."""
        self.library[kernel](*(address_of(a) if isinstance(a, np.ndarray) else a for a in arguments))

    def with_stats(self, data: Signal, length: int, added: Signal | None = None) -> Activations:
        """Compute the channel statistics of the first `length` rows.

        Args:
            data: Activations [rows, channels] of any storage type; columns of a wider array will do.
            length: Rows to take.
            added: Array with the shape, dtype and strides of `data`, which is added to it in place first.

        Raises:
            Cancelled: If the thread pool is cancelled.
        """
        channels, pitch = data.shape[1], data.strides[0] // data.itemsize
        starts = range(0, length, ROWS_MEASURED)
        sums = np.zeros((len(starts), 2, channels), np.float32)
        x, y, measures = address_of(data), address_of(data if added is None else added), address_of(sums)
        function = self.library[name_statistics(added is not None, LLVM_TYPES[data.dtype])]

        def work(block: tuple[int, int], scratch: Scratch) -> None:
            number, start = block
            # Block number's statistics are [2, channels] floats: its sums, then its squares.
            offset, block_sums = data.strides[0] * start, measures + 8 * channels * number
            rows = min(ROWS_MEASURED, length - start)
            function(x + offset, y + offset, block_sums, block_sums + 4 * channels, rows, channels, pitch)

        self.pool.parallel_for(enumerate(starts), work)
        return Activations.from_block_sums(data, length, sums)
