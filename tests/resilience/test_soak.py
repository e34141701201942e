"""Long days: what a server holds does not grow with what it has done."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.waiting import until
from tests.fakes.running import Running, running
from tests.resilience.soak import MEGABYTE, day, held, mixed

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="memory that is shared with nobody, as Linux counts it"),
    pytest.mark.serial,
]

WARM = 800
"""Requests after which everything has been in use once: encoders, a thread for each client, the longest text."""
CLIENTS = 8
FLAT = 1.03
CACHE_MB = 20
LOGS = 5_000_000
"""Bytes that the databases' write-ahead logs may take beside what the cache counts as its own."""
NOISE = 1_500_000
"""Bytes that the allocator gives back now or a little later; a 500th of what any request's sound takes would show."""


@pytest.mark.parametrize(
    "settings", [{}, {"RECYCLE_AFTER": 40, "CACHE_MB": CACHE_MB}], ids=["plain", "relieved-and-cached"]
)
def test_a_server_holds_no_more_after_many_requests_than_after_some(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    """The server takes up to 256 answers at a time, and holds what the eight need that are asked for."""
    with running(tmp_path, ("--ms", "20"), QUEUE=100, **settings) as server:  # type: ignore[arg-type]
        readings = dict(day(server.process.pid, server.address, mixed(40), 3 * WARM, CLIENTS, WARM))
        warm, late = readings[WARM], readings[3 * WARM]
        assert late.server < FLAT * warm.server + NOISE, readings
        until(lambda: server.ready() and len(server.workers()) == 2, 20)
        after = held(server.process.pid)
        assert after.descriptors <= warm.descriptors + CLIENTS
        assert after.threads <= 2 * CLIENTS + 20
        assert after.children == 2
        assert list(server.temp.iterdir()) == []
        assert kept(server) < CACHE_MB * MEGABYTE + LOGS
        if not settings:
            assert late.workers < FLAT * warm.workers + NOISE, readings
            assert server.status()["totals"]["restarts"] == 0
    assert "Traceback" not in server.log()


def kept(server: Running) -> int:
    """Bytes of the answers that the server keeps, and of its database."""
    return sum(path.stat().st_size for path in server.folder.rglob("*") if path.is_file() and path.name != "log")
