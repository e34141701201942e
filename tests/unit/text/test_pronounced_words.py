"""The words of a text that a request gives a pronunciation for."""

import pytest

from kokoro_server.text.pronounced_words import find_pronounced_words, look_up_pronunciation


def found(text: str, *words: str) -> list[str]:
    return [match[0] for match in find_pronounced_words(text, dict.fromkeys(words, "x"))]


@pytest.mark.parametrize(
    ("text", "words", "matches"),
    [
        ("Nguyen, nguyen.", ["Nguyen"], ["Nguyen"]),
        ("Nguyen, NGUYEN.", ["nguyen"], ["Nguyen", "NGUYEN"]),
        ("cats cat concat", ["cat"], ["cat"]),
        ("New York or new york", ["york", "new york"], ["New York", "new york"]),
        ("don’t", ["don't"], ["don’t"]),
        ("東京へ行く", ["東京"], ["東京"]),
        ("C++ or C", ["C++"], ["C++"]),
        ("nothing here", [], []),
    ],
)
def test_whole_words_are_found_the_longest_first(text: str, words: list[str], matches: list[str]) -> None:
    assert found(text, *words) == matches


def test_a_word_is_looked_up_in_its_case_then_in_lower_case() -> None:
    pronunciations = {"US": "/ju/", "us": "/ʌs/", "don't": "/dont/"}
    assert look_up_pronunciation(pronunciations, "US") == "/ju/"
    assert look_up_pronunciation(pronunciations, "Us") == "/ʌs/"
    assert look_up_pronunciation(pronunciations, "Don’t") == "/dont/"


def test_an_empty_word_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a word"):
        found("a", " ")
