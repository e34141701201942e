"""Set up all tests: hypothesis, the marker of each folder, and the order."""

from pathlib import Path

import pytest
from hypothesis import settings

# No deadline for an example: whatever else the machine does at the time must not fail a test.
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")

TESTS = Path(__file__).parent
LONGEST_FIRST = ("hexgrad", "real")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder (unit, integration ...), and run the files that take minutes first.

    Two files run at a time, and neither process should be left alone with a long one at the end.
    """
    for item in items:
        item.add_marker(item.path.relative_to(TESTS).parts[0])
    items.sort(key=lambda item: [item.get_closest_marker(marker) is None for marker in LONGEST_FIRST])


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Accept that one of run.py's two runs selects nothing, as it may when arguments name a test."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and "serial" in session.config.option.markexpr:
        session.exitstatus = pytest.ExitCode.OK
