"""What all tests share."""

import pytest
from hypothesis import settings

# No deadline an example: whatever else the machine does at the time must not fail a test.
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")

LONGEST_FIRST = ("hexgrad", "real")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take minutes come first: two run at a time, and neither should be left alone with one at the end."""
    items.sort(key=lambda item: [item.get_closest_marker(marker) is None for marker in LONGEST_FIRST])
