"""How the server's C library keeps freed memory: in few places, and large blocks not at all."""

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
TOP = 1024 * 1024
"""Free bytes at the end of a heap that it keeps."""


def give_back_freed_memory() -> None:
    """Have what an answer took go back to the system after it. Other C libraries than glibc do so, or can't be told."""
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for name, value in ((M_ARENA_MAX, ARENAS), (M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, TOP)):
            mallopt(name, value)
