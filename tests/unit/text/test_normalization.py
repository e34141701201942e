"""Spoken forms of written text, and the way back to the written characters."""

import time
from collections.abc import Iterator

import pytest

from kokoro_server.core.languages import Language
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.normalization import normalize, replace_emoji
from tests.paths import DATA

pytestmark = pytest.mark.serial

TABLE = DATA / "readings.tsv"


def rows() -> Iterator[tuple[str, str, str]]:
    """Written, spoken, note: `british` for the voice's English, `wrong` where the reader is known to fail."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        written, spoken, note, *_ = [*line.split("\t"), ""]
        yield written.replace("\\n", "\n"), spoken.replace("\\n", "\n"), note


def said(written: str, language: str = "a", *, emoji: bool = True) -> str:
    return " ".join(normalize(written, Language(language), emoji=emoji).text.split())


@pytest.mark.parametrize(("written", "spoken", "note"), list(rows()))
def test_the_table(written: str, spoken: str, note: str) -> None:
    language = "b" if "british" in note else "a"
    right = said(written, language) == " ".join(spoken.split())
    assert right is ("wrong" not in note), said(written, language)


def test_the_table_is_long_and_nearly_all_right() -> None:
    notes = [note for _, _, note in rows()]
    assert len(notes) >= 400
    assert sum("wrong" in note for note in notes) <= len(notes) * 0.05


@pytest.mark.parametrize("language", ["a", "b", "e", "j"])
def test_readings_cover_the_text_in_order(language: str) -> None:
    for written, _, _ in rows():
        assert_aligned(normalize(written, Language(language)), written)


def assert_aligned(found: AlignedText, written: str) -> None:
    """Spans are in order and within the text, and a letter or digit that stays stands for itself."""
    assert len(found.spans) == len(found.text)
    for (start, end), (next_start, next_end) in zip(found.spans, found.spans[1:], strict=False):
        assert start <= next_start and end <= next_end
    assert all(0 <= start <= end <= len(written) for start, end in found.spans)


@pytest.mark.parametrize(
    ("written", "word", "at"),
    [
        ("He paid $12.50 today.", "cents", "$12.50"),
        ("a $5 million deal", "million", "million"),
        ("a $5 million deal", "five", "$5"),
        ("on March 3rd, 2024 we", "third", "3rd"),
        ("on March 3rd, 2024 we", "twenty-four", "2024"),
        ("run 5 km now", "five", "5"),
        ("run 5 km now", "kilometers", "km"),
        ("at 7:05 p.m. it", "P M", "p.m."),
        ("Dr. Lee", "Doctor", "Dr."),
        ("**bold** word", "bold", "bold"),
        ("see [the docs](http://x.org) now", "docs", "docs"),
        ("so\u00adft words", "words", "words"),
        ("ﬁne words", "fine", "ﬁne"),
        ("e\u0301te\u0301 ici", "été", "e\u0301te\u0301"),
        ("UP TO US", "us", "US"),
        ("3 3/4 cups", "quarters", "3/4"),
        ("it's plain", "plain", "plain"),
    ],
)
def test_spoken_words_lead_back_to_written_ones(written: str, word: str, at: str) -> None:
    spoken = normalize(written)
    start = spoken.text.index(word)
    first, last = spoken.find_source_span(start, start + len(word))
    assert written[first:last] == at


def test_an_empty_range_has_no_span() -> None:
    spoken = normalize("Hello.")
    for start, end in [(2, 2), (3, 1), (-1, 2), (0, 7)]:
        with pytest.raises(ValueError, match="no characters"):
            spoken.find_source_span(start, end)


def test_plain_text_is_one_reading() -> None:
    text = "The boat was old, and its captain wasn't young since the war. I have sailed; we may, too. No: I did."
    assert normalize(text) == AlignedText.from_text(text)
    assert normalize("") == AlignedText("", ())


@pytest.mark.parametrize(
    ("language", "written", "spoken"),
    [
        ("e", "**Hola** [amigo](http://x.es), son 5 km.", "Hola amigo, son 5 kilómetros."),
        ("f", "# Titre\n\nIl a 3 €.", "Titre. Il a 3 euros."),
        ("i", "Ciao 👍", "Ciao pollice in su"),
        ("j", "# 見出し\n**太字**です。", "見出し。 太字です。"),
        ("z", "你好👍", "你好 拇指向上"),
        ("h", "*नमस्ते* दुनिया।", "नमस्ते दुनिया।"),
        ("p", "`código` <b>sim</b>", "código sim"),
    ],
)
def test_other_languages_lose_markup(language: str, written: str, spoken: str) -> None:
    assert said(written, language) == spoken


def test_emoji_can_be_silent() -> None:
    assert said("Great 👍🏽 job ❤️!", emoji=False) == "Great job !"


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("Good 👍🏽 5 km **job**", "Good  5 km **job**"),
        ("👩‍👩‍👧‍👦", ""),
        ("1️⃣ and 1 ❤️❤️ #", " and 1  #"),
        ("— “no” → ½ ☃", "— “no” → ½ "),
        ("", ""),
    ],
)
def test_emoji_alone_are_silent(written: str, spoken: str) -> None:
    found = replace_emoji(AlignedText.from_text(written), Language.AMERICAN_ENGLISH, emoji=False)
    assert found.text == spoken
    assert_aligned(found, written)


@pytest.mark.parametrize(
    "unit",
    ["1", "1,", "a@", "(((", "/", "*", " ", "½", "π", "a_", "A ", "1a", "<!--", "e\u0301", "\n"]
    + [
        "1-",
        "6-4, ",
        "1 000 ",
        "1.000.",
        "a:",
        "1:",
        "1 N. Ab ",
        "Abc ",
        "H2",
        "₁",
        "x₁",
        "won 1-0 ",
        "St, ",
        "2 x 4g ",
    ],
)
def test_any_text_is_read_in_linear_time(unit: str) -> None:
    text = unit * (2_500 // len(unit))
    once = cost(text)
    assert once < 0.25
    assert cost(text * 2) < 2 * max(once, 0.02) * 2


def cost(text: str) -> float:
    """Seconds of this thread, the least of three: the garbage that other tests left is collected in some of them."""

    def spent() -> float:
        before = time.thread_time()
        normalize(text)
        return time.thread_time() - before

    return min(spent() for _ in range(3))


def test_a_plain_sentence_costs_less_than_one_full_of_numbers() -> None:
    plain = "The boat was so old that the women stood close together, holding their bundles. " * 30
    busy = "On Mar 4, 2024, Dr. Lee paid $12.50 for 2 lbs; he won 6-4, 3-6 by 5 p.m. at 12 Elm St. " * 30
    assert cost(plain) / len(plain) < cost(busy) / len(busy)
