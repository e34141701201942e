"""Return free heap memory to the operating system."""

import ctypes
import sys


def trim_heap() -> None:
    """Make glibc return free pages to the system: malloc_trim(3). Does nothing with other C libraries."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
