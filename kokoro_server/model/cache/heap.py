"""What a finished piece of work leaves behind: memory that is free, but that the C library keeps."""

import ctypes
import sys


def trim_heap() -> None:
    """Have glibc return what is free, wherever it lies: malloc_trim(3). Other C libraries do so, or can't be told."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
