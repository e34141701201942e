"""What all tests share."""

import pytest
from hypothesis import settings

# No deadline an example: whatever else the machine does at the time must not fail a test.
settings.register_profile("quick", max_examples=60, deadline=None)
settings.load_profile("quick")

LONGEST_FIRST = ("hexgrad", "real")
APART = {
    *("test_bad_days", "test_bad_people", "test_benchmarks", "test_child", "test_cluster", "test_command_book"),
    *("test_connections", "test_headway", "test_install", "test_jobs", "test_live", "test_load", "test_long_days"),
    *("test_page", "test_page_books", "test_pool", "test_readings", "test_relief", "test_serving"),
}
"""Files whose tests wait for seconds, or measure: nothing runs beside them."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--apart", choices=("none", "only"), help="no test that nothing may run beside, or only these")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Files that take minutes come first: two run at a time, and neither should be left alone with one at the end."""
    items.sort(key=lambda item: [item.get_closest_marker(marker) is None for marker in LONGEST_FIRST])
    if wanted := config.getoption("--apart"):
        items[:] = [item for item in items if (item.path.stem in APART) == (wanted == "only")]


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """With arguments, one of the two runs may have nothing to do."""
    if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and session.config.getoption("--apart"):
        session.exitstatus = pytest.ExitCode.OK
