"""Tune malloc so that freed memory returns to the system: few arenas, and large blocks as separate mappings."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Parameter numbers of mallopt(3), from glibc's malloc.h."""
MAX_ARENAS = 2
"""Number of arenas that all threads share. By default each of many threads gets one, which retains the memory of its
largest response."""
MMAP_THRESHOLD = 256 * 1024
"""Bytes from which a block is a mapping of its own, which free() returns to the system; the samples of an utterance are
larger. By default glibc raises this threshold up to 32 MB once such a block was freed, and small blocks then pin the
arena."""
NETWORK_MMAP_THRESHOLD = 4 * 1024 * 1024
"""MMAP_THRESHOLD in the process that runs the network: 256 KiB made it 10 % slower, because every utterance then faults
in fresh pages."""
TRIM_THRESHOLD = 1024 * 1024
"""Free bytes that an arena may retain at its end, unless `mmap_threshold` is more."""


def tune_malloc(mmap_threshold: int = MMAP_THRESHOLD) -> None:
    """Return freed blocks of at least `mmap_threshold` bytes to the system. Does nothing without glibc."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in (
            (M_ARENA_MAX, MAX_ARENAS),
            (M_MMAP_THRESHOLD, mmap_threshold),
            (M_TRIM_THRESHOLD, max(TRIM_THRESHOLD, mmap_threshold)),
        ):
            mallopt(name, value)
