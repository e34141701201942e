"""What text and speed may be."""

from __future__ import annotations

import math

import pytest

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.request import check_speed, check_text

SPOKEN = [
    ".",
    "Hi.",
    " Hello\tthere \n\r\n\x0c",
    "-x",
    "@file",
    "$(reboot) `x` \"q\" 'q'",
    "🎉👩‍👩‍👧‍👦",
    "\u202eשלום",
    "\ufeffText",
    "soft\u00adhyphen",
    "zero\u200bwidth",
    "line\u2028end",
    "next\x85line",
    "\U0010fffd",
    "a" * 100,
]


@pytest.mark.parametrize("text", SPOKEN)
def test_what_can_be_spoken_is_kept_as_it_is(text: str) -> None:
    assert check_text(text, 100) is text


@pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u3000", "\u00a0"])
def test_blank_text(text: str) -> None:
    with pytest.raises(BadRequest, match="text is empty"):
        check_text(text, 100)


def test_too_long_text_says_how_long_and_does_not_repeat_it() -> None:
    with pytest.raises(BadRequest, match="input has 101 characters: expected at most 100") as caught:
        check_text("a" * 101, 100, "input")
    assert len(str(caught.value.value)) < 101


@pytest.mark.parametrize(
    "code", [*range(9), 0x0B, *range(0x0E, 0x20), 0x7F, 0x80, 0x9F, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF]
)
def test_characters_that_no_text_has(code: int) -> None:
    with pytest.raises(BadRequest, match=f"U\\+{code:04X} at position 2") as caught:
        check_text(f"ab{chr(code)}c", 100)
    str(caught.value.value).encode("utf-8")


@pytest.mark.parametrize("speed", [0.25, 1, 1.0, 4.0, 4])
def test_speeds(speed: float) -> None:
    assert check_speed(speed) == speed


@pytest.mark.parametrize("speed", [0.0, 0.2499, 4.0001, -1.0, math.nan, math.inf, -math.inf])
def test_no_speeds(speed: float) -> None:
    with pytest.raises(BadRequest, match=r"expected a number from 0\.25 to 4\.0"):
        check_speed(speed)
