"""Hold activations: signals in memory with their channel statistics, and the buffers that they are written to.

Signals are arrays [time, channels] with SPARE_ROWS rows behind the last one, since kernels write whole blocks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kokoro_server.model.kernels.builder import BF16, F16, FLOAT, Target

Array = NDArray[np.float32]
Signal = NDArray[Any]  # float32, float16, or uint16 that hold bf16

# Rows that a kernel may write past the end. A group of tiles covers m * dilation rows, at most 6 * 5 = 30; a block of
# the GEMM microkernel at most 12, of AMX 32.
SPARE_ROWS = 64
FLOAT32 = np.dtype(np.float32)
LLVM_TYPES: dict[np.dtype[Any], Any] = {
    FLOAT32: FLOAT,
    np.dtype(np.float16): F16,
    np.dtype(np.uint16): BF16,
}
"""LLVM type of an array's elements, by dtype; numpy has no bf16, so uint16 holds its bits."""


def get_storage_dtype(target: Target) -> np.dtype[Any]:
    """Return the dtype of the generator's activations on this target."""
    return next(dtype for dtype, kind in LLVM_TYPES.items() if kind is target.storage_type)


def address_of(array: NDArray[Any]) -> int:
    """Return the address of an array's first element. The caller keeps the array alive."""
    return array.ctypes.data


@dataclass
class Activations:
    """Hold a signal [length + spare rows, channels] with its channel statistics over the first `length` rows.

    `sums` and `squares` [channels] are float64 sums of the values and of their squares, for the next normalization.
    """

    data: Signal
    length: int
    sums: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def from_block_sums(cls, data: Signal, length: int, sums: Array) -> "Activations":
        """Add up the sums and squares of blocks, [blocks, 2, channels], in float64."""
        total = sums.sum(0, dtype=np.float64)
        return cls(data, length, total[0], total[1])

    @property
    def values(self) -> Signal:
        """The signal [length, channels] without its spare rows: a view."""
        return self.data[: self.length]


class BufferArena:
    """Keep activation buffers by name from one utterance to the next, which saves the cost of fresh pages.

    A name has one buffer at a time: asking for it again returns the same memory. Not thread-safe.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, Signal] = {}

    def get_rows(self, name: str, length: int, channels: int, kind: np.dtype[Any] = FLOAT32) -> Signal:
        """Return an array [length + SPARE_ROWS, channels] with arbitrary contents."""
        size = (length + SPARE_ROWS) * channels
        array = self._arrays.get(name)
        if array is None or array.size < size or array.dtype != kind:
            self._arrays.pop(name, None)  # free the old one before the new one is allocated
            array = self._arrays[name] = np.zeros(size, kind)
        return array[:size].reshape(-1, channels)

    def trim(self, limit: int) -> None:
        """Free all buffers if they exceed `limit` bytes together: a long text must not hold its memory forever."""
        if sum(array.nbytes for array in self._arrays.values()) > limit:
            self._arrays.clear()
