"""Request permission to use the AMX tile registers, which Linux grants per process on demand.

See https://docs.kernel.org/arch/x86/xstate.html. On other systems the kernels use vector registers.
"""

import ctypes
import sys

ARCH_PRCTL = 158  # the system call's number on x86-64
REQUEST = 0x1023  # ARCH_REQ_XCOMP_PERM
TILE_DATA = 18  # XFEATURE_XTILEDATA


def may_use_tiles() -> bool:
    """Request the tile registers for all threads of this process; return whether they were granted. May be repeated."""
    if not sys.platform.startswith("linux"):
        return False
    # Without the request the first tile instruction ends the process by SIGILL. An old kernel, or one on another CPU,
    # returns an error: EINVAL or EOPNOTSUPP.
    refused: int = ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST, TILE_DATA)
    return refused == 0
