"""Pronunciations: good entries pass, bad ones are named, and the file is read again when it changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.pronunciations import (
    MAX_ENTRIES,
    PronunciationFile,
    PronunciationFileError,
    check_pronunciations,
    read_pronunciation_file,
)

GOOD = {"Nguyen": "/wˈɪn/", "SQL": "sequel", "C++": "see plus plus", "東京": "とうきょう", "o'clock": "/əklˈɑk/"}


def test_good_entries_pass() -> None:
    assert check_pronunciations(GOOD) == GOOD


@pytest.mark.parametrize(
    ("word", "said", "fault"),
    [
        ("", "x", "not a word"),
        (" SQL", "x", "not a word"),
        ("--", "x", "not a word"),
        ("SQL", "", "says nothing"),
        ("SQL", "//", "says nothing"),
        ("SQL", "/ /", "says nothing"),
        ("SQL", "/s3kw/", "what is not one"),
        ("SQL", "x" * 201, "longer than 200"),
        ("S" * 201, "x", "longer than 200"),
    ],
)
def test_a_bad_entry_is_named(word: str, said: str, fault: str) -> None:
    with pytest.raises(BadRequest, match=fault) as caught:
        check_pronunciations({"fine": "fine", word: said})
    assert caught.value.field == "pronunciations"


def test_too_many_are_refused() -> None:
    with pytest.raises(BadRequest, match="at most"):
        check_pronunciations({f"word{number}": "x" for number in range(MAX_ENTRIES + 1)})


def test_a_file_in_either_form(tmp_path: Path) -> None:
    path = tmp_path / "said.txt"
    path.write_text("# ours\n---\nNguyen\t/wˈɪn/\nSQL: sequel\n\"C++\": 'see plus plus'\n\n", "utf-8")
    assert read_pronunciation_file(path) == {"Nguyen": "/wˈɪn/", "SQL": "sequel", "C++": "see plus plus"}


@pytest.mark.parametrize("text", ["SQL\n", "SQL:\n", ": x\n", "SQL\t/123/\n", b"\xff\xfe".decode("latin-1") * 300])
def test_a_bad_line_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "said.txt"
    path.write_text(f"fine: fine\n{text}", "utf-8")
    with pytest.raises(PronunciationFileError, match="line 2"):
        PronunciationFile(path)


def test_a_changed_file_is_read_again_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "said.txt"
    path.write_text("SQL: sequel\n", "utf-8")
    dictionary = PronunciationFile(path)
    assert dictionary.get_entries() == {"SQL": "sequel"}
    _rewrite(path, "SQL: ess queue ell\n", 1)
    assert dictionary.get_entries() == {"SQL": "ess queue ell"}
    _rewrite(path, "broken\n", 2)
    assert dictionary.get_entries() == {"SQL": "ess queue ell"}
    path.unlink()
    assert dictionary.get_entries() == {"SQL": "ess queue ell"}


def _rewrite(path: Path, text: str, seconds: int) -> None:
    path.write_text(text, "utf-8")
    os.utime(path, (seconds, seconds))


def test_no_file_has_no_entries() -> None:
    assert PronunciationFile(None).get_entries() == {}
