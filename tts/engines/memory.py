"""How the C library of a process keeps freed memory: in few places, and large blocks not at all."""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
"""Names of mallopt(3)."""
ARENAS = 2
"""Heaps that all threads share; by default each of many threads gets one, and keeps its largest answer's worth."""
LARGE = 256 * 1024
"""Bytes from which a block is a mapping of its own, which goes back to the system: an utterance's samples are. By
default glibc keeps such in its heaps once one was freed, up to 32 MB, between smaller ones that pin them."""
LARGE_FOR_THE_NETWORK = 4 * 1024 * 1024
"""The same where the network runs: with LARGE it was a tenth slower, for fresh pages at every utterance."""
TOP = 1024 * 1024
"""Free bytes at the end of a heap that it keeps, unless `large` is more."""


def keep_little(large: int = LARGE) -> None:
    """Have freed blocks of so many bytes go back to the system. Only glibc needs to be told."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, large), (M_TRIM_THRESHOLD, max(TOP, large))):
            mallopt(name, value)
