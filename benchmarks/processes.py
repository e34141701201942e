"""List process trees, measure their memory and CPU time, and stop them."""

import contextlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil

STOP_TIMEOUT = 20.0  # seconds that a server may take to exit after SIGTERM


@dataclass(frozen=True)
class MemoryUse:
    """Hold memory in bytes: rss counts shared pages once per process, pss divides them (Linux only, else 0)."""

    rss: int = 0
    pss: int = 0

    def max_with(self, other: "MemoryUse") -> "MemoryUse":
        """Return the maximum of both, field by field."""
        return MemoryUse(max(self.rss, other.rss), max(self.pss, other.pss))


def list_process_tree(pid: int) -> list[psutil.Process]:
    """Return a process and its descendants; empty once it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def sum_memory(processes: Iterable[psutil.Process]) -> MemoryUse:
    """Sum the memory that the processes hold now; one that has ended counts 0."""
    rss = pss = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            rss, pss = rss + full.rss, pss + getattr(full, "pss", 0)
    return MemoryUse(rss, pss)


def sum_cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Sum the CPU seconds of the processes and of their ended children."""
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def stop_process_tree(child: "subprocess.Popen[Any]") -> None:
    """Stop a child and its descendants: SIGTERM to the child, SIGKILL to all that are left after STOP_TIMEOUT."""
    family = list_process_tree(child.pid) if child.poll() is None else []
    if family:
        child.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_TIMEOUT)
    for process in left:
        process.kill()
    child.wait()
