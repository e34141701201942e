"""The open-loop load: how it counts, and what the server does with more than it can."""

from __future__ import annotations

import itertools
import random
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.load import (
    LoadClient,
    Outcome,
    draw_arrivals,
    find_nearest_rank_percentile,
    find_violations,
    format_levels,
    measure_capacity,
    run_level,
    summarize_level,
)
from tests.fakes.running import running

pytestmark = pytest.mark.serial


def test_arrivals_come_at_random_at_the_rate_that_was_asked_for() -> None:
    times = list(draw_arrivals(50.0, 100.0, random.Random(1)))
    assert times == sorted(times) and times[0] > 0 and times[-1] < 100
    assert len(times) == pytest.approx(5000, rel=0.05)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert sum(gap < 0.01 for gap in gaps) / len(gaps) == pytest.approx(0.393, abs=0.03)  # 1 - exp(-1/2)


@pytest.mark.parametrize(("values", "share", "expected"), [([], 99, 0.0), ([3, 1, 2], 50, 2), (range(1, 101), 99, 99)])
def test_percentiles(values: list[float], share: float, expected: float) -> None:
    assert find_nearest_rank_percentile(values, share) == expected


def test_each_outcome_is_counted_once_and_faults_are_named() -> None:
    outcomes = (
        [Outcome(200, 0.1, 0.2, 10)] * 80 + [Outcome(429, 0.2, 0.2)] * 15 + [Outcome(0, 0, 1.0), Outcome(500, 0, 1)]
    )
    level = summarize_level(1.5, 15.0, 10.0, outcomes)
    assert (level.sent, level.whole, level.refused, level.failed, level.goodput) == (97, 80, 15, 2, 8.0)
    good = summarize_level(0.9, 9.0, 10.0, [Outcome(200, 0.1, 0.2, 10)] * 90)
    assert [fault.partition(":")[0] for fault in find_violations([good, level])] == ["150%"] * 3
    assert find_violations([good]) == []
    assert format_levels([good, level]).count("\n") == 3


def test_more_than_it_can_costs_nobody_else(tmp_path: Path) -> None:
    """As the long run does: beyond the capacity as much is spoken as ever, and the rest hears so at once."""
    with (
        running(tmp_path, ("--pace", "0.001", "--pieces", "1"), QUEUE=4) as server,
        closing(LoadClient(server.address, "A sentence that takes a while.")) as client,
    ):
        able = measure_capacity(client.send, 1.5, 4)
        levels = [run_level(client.send, share, share * able, 2.0, random.Random(1)) for share in (0.5, 2.0)]
    low, high = levels
    assert low.failed == high.failed == 0
    assert low.refused <= low.sent * 0.1 and high.refused >= high.sent * 0.2
    assert high.goodput > 0.75 * able, format_levels(levels)
    assert high.refusal_p99 < 0.5 and high.total_p99 < 5
