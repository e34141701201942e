"""Process trees: who is in one, what memory and CPU time it uses, and how it is ended."""

import contextlib
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psutil

STOP_TIMEOUT = 20.0  # seconds that a server gets to end by itself


@dataclass(frozen=True)
class Memory:
    """Bytes: rss counts shared pages once for each process, pss shares them out (Linux only, else 0)."""

    rss: int = 0
    pss: int = 0

    def peak(self, other: "Memory") -> "Memory":
        return Memory(max(self.rss, other.rss), max(self.pss, other.pss))


def tree(pid: int) -> list[psutil.Process]:
    """A process and its descendants; none once it has ended."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def memory_of(processes: Iterable[psutil.Process]) -> Memory:
    """What they hold now; one that has just ended holds nothing."""
    rss = pss = 0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            full = process.memory_full_info()
            rss, pss = rss + full.rss, pss + getattr(full, "pss", 0)
    return Memory(rss, pss)


def cpu_of(processes: Iterable[psutil.Process]) -> float:
    """Seconds of CPU time that they and their ended children have used."""
    seconds = 0.0
    for process in processes:
        with contextlib.suppress(psutil.Error):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def stop(child: "subprocess.Popen[Any]") -> None:
    """End a child and whatever it started: asked first, then killed."""
    family = tree(child.pid) if child.poll() is None else []
    if family:
        child.terminate()
    _, left = psutil.wait_procs(family, timeout=STOP_TIMEOUT)
    for process in left:
        process.kill()
    child.wait()
