"""A little of what `python -m tests.fuzz` does for long."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.__main__ import fuzz
from tests.fuzz.targets import TARGETS

CASES = 60
QUICK = settings(max_examples=CASES, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize("name", TARGETS)
def test_no_case_breaks_it(name: str) -> None:
    check, strategy = TARGETS[name]

    @QUICK
    @given(strategy)
    def case(sent: object) -> None:
        check(sent)

    case()


FOUND = [
    ("ssml", "<speak>\r0</speak>"),  # a lone carriage return ends a line, too
    ("ssml", "<speak>\r\n\r<p>0</p></speak>"),
    ("voice blend", "af_heart" + " " * 5_000 + "x"),
]


@pytest.mark.parametrize(("name", "case"), FOUND)
def test_what_it_found_once(name: str, case: object) -> None:
    TARGETS[name][0](case)


def test_a_case_that_breaks_something_is_shown_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def breaks(name: str) -> None:
        assert "(" not in name, "brackets"

    _, strategy = TARGETS["voice blend"]
    monkeypatch.setattr("tests.fuzz.__main__.TARGETS", {"voice blend": (breaks, strategy)})
    assert fuzz("voice blend", 200, tmp_path) == 1
    assert "brackets" in capsys.readouterr().err
    assert any(path.is_file() for path in tmp_path.rglob("*"))
