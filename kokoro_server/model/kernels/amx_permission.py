"""Whether this process may use the CPU's tile registers: Linux gives them to those who ask.

See https://docs.kernel.org/arch/x86/xstate.html. Other systems are not asked: there the vector registers do.
"""

import ctypes
import sys

ARCH_PRCTL = 158  # the system call's number on x86-64
REQUEST = 0x1023  # ARCH_REQ_XCOMP_PERM
TILE_DATA = 18  # XFEATURE_XTILEDATA


def may_use_tiles() -> bool:
    """Ask for the tile registers, for all threads of this process."""
    if not sys.platform.startswith("linux"):
        return False
    refused: int = ctypes.CDLL(None).syscall(ARCH_PRCTL, REQUEST, TILE_DATA)
    return refused == 0
