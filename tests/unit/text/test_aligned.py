"""Text that is rewritten step by step, and the way back to the original."""

import re

import pytest

from kokoro_server.text.aligned import AlignedText, Replacement


def test_every_character_of_an_original_stands_for_itself() -> None:
    text = AlignedText.from_text("abc", start=5)
    assert text.spans == ((5, 6), (6, 7), (7, 8))
    assert text.find_source_span(1, 3) == (6, 8)


def test_a_replacement_stands_for_all_that_it_replaces() -> None:
    text = AlignedText.from_text("run 5 km now").replace([Replacement("five", 4, 5), Replacement("kilometers", 6, 8)])
    assert text.text == "run five kilometers now"
    assert text.find_source_span(4, 8) == (4, 5)
    assert text.find_source_span(9, 12) == (6, 8)
    assert text.find_source_span(20, 23) == (9, 12)


def test_white_space_at_the_ends_of_what_is_replaced_does_not_count() -> None:
    text = AlignedText.from_text("5 km").sub(re.compile(r"\s?km"), lambda _: " kilómetros")
    assert text.find_source_span(1, len(text.text)) == (2, 4)


def test_steps_add_up() -> None:
    text = AlignedText.from_text("Hace -5 °C.")
    text = text.sub(re.compile("-(?=5)"), lambda _: "menos ")
    text = text.sub(re.compile(r"\s?°C"), lambda _: " grados")
    text = text.sub(re.compile("grados"), lambda _: "GRADOS")
    assert text.text == "Hace menos 5 GRADOS."
    assert text.find_source_span(5, 10) == (5, 6)
    assert text.find_source_span(13, 19) == (8, 10)
    assert text.find_source_span(19, 20) == (10, 11)


def test_one_group_of_a_match_is_replaced() -> None:
    text = AlignedText.from_text("siglo XX").sub(re.compile("siglo (?P<number>XX)"), lambda _: "veinte", "number")
    assert text.text == "siglo veinte" and text.find_source_span(6, 12) == (6, 8)


def test_a_dropped_character_belongs_to_nobody() -> None:
    text = AlignedText.from_text("so\u00adft").sub(re.compile("\u00ad"), lambda _: "")
    assert text.text == "soft"
    assert text.spans == ((0, 1), (1, 2), (3, 4), (4, 5))


def test_a_replacement_by_the_same_changes_nothing() -> None:
    text = AlignedText.from_text("abc")
    assert text.sub(re.compile("b+"), lambda found: found[0]) is text
    assert text.sub(re.compile("x?"), lambda _: "y") is text, "an empty match is left alone"


def test_parts_are_cut_and_joined() -> None:
    text = AlignedText.from_text("one two")
    assert AlignedText.join([text.cut(0, 3), text.cut(3, 7)]) == text
    alias = AlignedText.from_replacement("alias", 3, 9)
    assert AlignedText.join([text.cut(0, 3), alias]).find_source_span(2, 5) == (2, 9)


def test_compatibility_characters_become_plain_ones() -> None:
    text = AlignedText.from_text("ｶﾞ㎏")
    assert text.to_nfkc().text == "ガkg"
    assert text.to_nfkc().spans == ((0, 2), (2, 3), (2, 3))


@pytest.mark.parametrize(("start", "end"), [(2, 2), (3, 1), (-1, 2), (0, 7)])
def test_an_empty_range_has_no_span(start: int, end: int) -> None:
    with pytest.raises(ValueError, match="no characters"):
        AlignedText.from_text("Hello.").find_source_span(start, end)
