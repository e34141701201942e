"""The tables of words beside the modules."""

import re
import tomllib

import pytest

from kokoro_server.text.normalization.locales.locale import LOCALE_FILES, load_locale
from kokoro_server.text.tables import load_tables, parse_words
from tests.paths import ROOT

FILES = sorted((ROOT / "kokoro_server" / "text").rglob("*.toml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_table_says_what_it_is_for(path: object) -> None:
    text = (ROOT / str(path)).read_text(encoding="utf-8")
    assert text.startswith("# ") and tomllib.loads(text)


def test_tables_are_found_beside_their_module() -> None:
    assert load_tables("kokoro_server.text.normalization.english.units")["lengths"]["km"] == "kilometer"
    with pytest.raises(FileNotFoundError):
        load_tables("kokoro_server.text.normalization.english.nothing")


def test_words_are_separated_by_white_space() -> None:
    assert parse_words(" a b\n  c ") == {"a", "b", "c"}


@pytest.mark.parametrize("language", LOCALE_FILES)
def test_a_locale_is_whole(language: str) -> None:
    """Twelve months, patterns that compile, and a spoken form for each written one."""
    locale = load_locale(language)
    assert len(locale.months.split()) == 12
    assert len(locale.month_patterns.split()) in (0, 12)
    for name in vars(locale):
        if name.endswith("_pattern"):
            re.compile(getattr(locale, name))
    for table in (locale.units, locale.abbreviations, locale.symbols, locale.fractions):
        assert all(written and spoken for written, spoken in table.items())
    assert all(len(names) == 3 for names in locale.currencies.values())
    assert all(len(names) == 2 for names in locale.magnitudes.values())
    with pytest.raises(AttributeError):
        locale.months = ""  # type: ignore[misc]
