"""What is written short in the languages other than English, and what a reader of each says for it."""

import itertools
import re
import time
from collections.abc import Iterator
from functools import cache

import pytest
from num2words import num2words

from kokoro_server.core.languages import Language
from kokoro_server.text.g2p import PhonemeWord, Phonemizer, join_phonemes
from kokoro_server.text.g2p.phoneme_words import restore_spans
from kokoro_server.text.normalization import normalize
from kokoro_server.text.normalization.locales.locale import LOCALE_FILES, load_locale
from tests.paths import DATA

TABLE = DATA / "spellings.tsv"
LOCALES = {language: load_locale(language) for language in LOCALE_FILES}
POINTS = {"es": "coma", "fr": "virgule", "it": "virgola", "pt_BR": "vírgula"}
DEVANAGARI = str.maketrans("०१२३४५६७८९", "0123456789")


def rows() -> Iterator[tuple[str, str, str, bool]]:
    """Language, written, spoken, and whether the reader is known to fail."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        language, written, spoken, *note = line.split("\t")
        yield language, written, spoken, "wrong" in note


@cache
def phonemizer() -> Phonemizer:
    return Phonemizer()


def plain(text: str, language: str) -> str:
    return normalize(text, Language(language)).text


def words_of(text: str, language: str) -> list[PhonemeWord]:
    """The words of a text, normalized, at their places in the text as written."""
    normalized = normalize(text, Language(language))
    return restore_spans(phonemizer()(normalized.text, language), normalized)


def said(text: str, language: str) -> str:
    """The words that are said; in Japanese and Mandarin, which have no spaces, the sounds of them."""
    if language not in LOCALES:
        sounds = re.sub("[ˈˌ ,.…—]", "", join_phonemes(phonemizer()(plain(text, language), language)))
        return re.sub("[mnŋɲɴ](?=[^aiɯeojɨ]|$)", "N", sounds)  # ん before a pause, and before what follows it
    return in_words(plain(text, language), LOCALES[Language(language)].num2words_language)


def in_words(text: str, language: str) -> str:
    """Words in small letters without marks, numbers as espeak says them; in Hindi those stay digits."""
    text = text.translate(DEVANAGARI)
    if not language:
        return " ".join(re.sub(r"[,;:!?।-]|\.(?!\d)", " ", text).split())
    text = re.sub(r"\d{1,3}(?:\.\d{3})+(?!\d)", lambda found: found[0].replace(".", ""), text)
    text = re.sub(r"\d+(?:,\d+)?", lambda found: number_in_words(found[0], language), text)
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


def number_in_words(written: str, language: str) -> str:
    whole, _, decimals = written.partition(",")
    words = [num2words(int(whole), lang=language)]
    return f" {' '.join([*words, POINTS[language], num2words(int(decimals), lang=language)] if decimals else words)} "


@pytest.mark.parametrize(("language", "written", "spoken", "fails"), list(rows()))
def test_the_table(language: str, written: str, spoken: str, fails: bool) -> None:
    assert (said(written, language) == said_as_listed(spoken, language)) is not fails


def said_as_listed(spoken: str, language: str) -> str:
    return (
        in_words(spoken, LOCALES[Language(language)].num2words_language)
        if language in LOCALES
        else said(spoken, language)
    )


@pytest.mark.parametrize("language", "efhijpz")
def test_the_table_is_long_and_nearly_all_right(language: str) -> None:
    fails = [fails for letter, _, _, fails in rows() if letter == language]
    assert len(fails) >= 40
    assert sum(fails) <= len(fails) * 0.05


@pytest.mark.parametrize(("language", "written"), [(language, written) for language, written, _, _ in rows()])
def test_every_written_word_is_there_once_and_in_order(language: str, written: str) -> None:
    text = written
    words = words_of(written, language)
    assert all(before.end <= after.start for before, after in itertools.pairwise(words))
    covered = {place for word in words for place in range(word.start, word.end)}
    assert [letter for place, letter in enumerate(text) if letter.isalnum() and place not in covered] == []
    silent = [text[word.start : word.end] for word in words if not word.phonemes]
    assert not any(any(map(str.isalnum, word)) for word in silent), silent


@pytest.mark.parametrize(
    ("language", "written", "words"),
    [
        ("e", "Felipe II, el 10-15 de mayo", ["Felipe", "II", ",", "el", "10-15", "de", "mayo"]),
        ("e", "tel. 912 345 678", ["tel.", "912 345 678"]),
        ("p", "Custa R$ 5 mi hoje", ["Custa", "R$ 5 mi", "hoje"]),
        ("f", "le XXIe siècle à 14 h", ["le", "XXIe", "siècle", "à", "14 h"]),
        ("i", "la II guerra", ["la", "II", "guerra"]),
        ("h", "₹5 करोड़ की", ["₹5 करोड़", "की"]),
        ("j", "3月1日", ["3月", "1日"]),
        ("j", "1人です", ["1人", "です"]),
        ("j", "30万3千円", ["30万", "3千", "円"]),
        ("z", "-5℃了", ["-5℃", "了"]),
    ],
)
def test_what_is_said_leads_back_to_what_is_written(language: str, written: str, words: list[str]) -> None:
    assert [written[word.start : word.end] for word in words_of(written, language) if word.phonemes] == words


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("e", "Vive en D.C. y compró un CD. Su DNI es MI. Toma vitamina D. Luego vuelve."),
        ("e", "Le di 20° de ángulo y un A-4."),
        ("f", "Me voici. Ce St est là."),
        ("i", "Il tipo C e la vitamina D."),
        ("p", "Faz 20° hoje. A R. é boa."),
        ("f", "Le CD est là. Ce DVD et ma CI, c'est le mien."),
        ("i", "Il CD e la MM di Roma. Vitamina C."),
        ("p", "O CD e a MM. Vitamina C e D."),
    ],
)
def test_capitals_that_are_no_numerals_stay(language: str, text: str) -> None:
    assert plain(text, language) == text


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize(
    "unit", ["1", "1 ", "1 000 ", "a.", "a@", "1-", "II ", "la V ", "1/2 ", "+1 ", "R$ 1 ", "1:0", "-"]
)
def test_any_text_is_spelled_out_in_linear_time(language: str, unit: str) -> None:
    def cost(length: int) -> float:
        before = time.thread_time()
        normalize(unit * (length // len(unit)), Language(language))
        return time.thread_time() - before

    once = min(cost(5_000) for _ in range(2))
    assert once < 1.0
    assert min(cost(10_000) for _ in range(2)) < 4 * max(once, 0.02)
