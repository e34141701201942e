"""What the layers under test run on; each module has a `library` of its own."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kokoro_server.model.kernels.library import KernelLibrary
from kokoro_server.model.kernels.thread_pool import ThreadPool
from kokoro_server.model.native.activations import BufferArena
from kokoro_server.model.native.kernel_context import KernelContext


@contextmanager
def open_context(library: KernelLibrary, threads: int) -> Iterator[KernelContext]:
    pool = ThreadPool(threads)
    try:
        yield KernelContext(library, pool, BufferArena())
    finally:
        pool.close()


@pytest.fixture
def context(library: KernelLibrary) -> Iterator[KernelContext]:
    """With two threads."""
    with open_context(library, 2) as opened:
        yield opened


@pytest.fixture
def serial_context(library: KernelLibrary) -> Iterator[KernelContext]:
    """With the calling thread alone."""
    with open_context(library, 1) as opened:
        yield opened
