"""The phonemes of an utterance, and the places of its words in the text as sent."""

import re
import time
from dataclasses import replace
from typing import Any

import pytest

from kokoro_server.core.languages import Language
from kokoro_server.core.request import TextSpan
from kokoro_server.core.voices import find_voice
from kokoro_server.synthesis.front_end import FrontEnd
from kokoro_server.text.chunking import Utterance
from kokoro_server.text.g2p import LANGUAGES, join_phonemes
from kokoro_server.text.g2p.phoneme_words import restore_spans


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    return FrontEnd()


def utterance(text: str, language: str, *spans: TextSpan, **options: Any) -> Utterance:
    return Utterance(spans or (TextSpan(text, 0, len(text)),), find_voice("af_heart"), Language(language), **options)


def words(front_end: FrontEnd, asked: Utterance, sent: str) -> list[str]:
    """The words that are heard, as they are written in the text as sent."""
    script = front_end.phonemize(asked)
    return [sent[word.start : word.end] for word in restore_spans(script.words, script.text) if word.phonemes.strip()]


def sounds(front_end: FrontEnd, asked: Utterance) -> str:
    return join_phonemes(front_end.phonemize(asked).words).replace(" ", "")


WRITTEN = {
    "a": ("He paid $5 for 3 kg.", ["He", "paid", "$5", "for", "3", "kg."]),
    "b": ("He paid £5 for 3 kg.", ["He", "paid", "£5", "for", "3", "kg."]),
    "e": ("Pagó 5 € por 3 kg.", ["Pagó", "5 €", "por", "3", "kg", "."]),
    "f": ("Il paie 5 € pour 3 kg.", ["Il", "paie", "5 €", "pour", "3", "kg", "."]),
    "h": ("₹500 में 3 kg", ["₹500", "में", "3", "kg"]),
    "i": ("Paga 5 € per 3 kg.", ["Paga", "5 €", "per", "3", "kg", "."]),
    "j": ("¥500で3kg買う。", ["¥500", "で", "3", "kg", "買う", "。"]),
    "p": ("Pagou R$ 5 por 3 kg.", ["Pagou", "R$ 5", "por", "3", "kg", "."]),
    "z": ("¥500买3kg。", ["¥500", "买", "3kg", "。"]),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_stand_where_they_are_written(front_end: FrontEnd, language: str) -> None:
    text, expected = WRITTEN[language]
    assert words(front_end, utterance(text, language), text) == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_without_normalization_nothing_is_expanded_and_no_digit_or_sign_is_lost(
    front_end: FrontEnd, language: str
) -> None:
    date = utterance("2024-03-15", language)
    assert sounds(front_end, date) != sounds(front_end, replace(date, normalize=False))
    text, _ = WRITTEN[language]
    plain = sounds(front_end, utterance(text, language, normalize=False))
    for number in re.findall(r"\d+", text):
        missing = text.replace(number, "")
        assert len(plain) > len(sounds(front_end, utterance(missing, language, normalize=False)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "written", ["50%", "50 $", "€ 50", "£50", "¥50", "-50", "50 × 50", "50 ÷ 50", "50 = 50", "50 + 50"]
)
def test_without_normalization_signs_are_read(front_end: FrontEnd, language: str, written: str) -> None:
    with_sign = sounds(front_end, utterance(written, language, normalize=False))
    without = re.sub(r"[^\d ]", "", written)
    bare = sounds(front_end, utterance(without, language, normalize=False))
    assert len(re.sub("[,—]", "", with_sign)) > len(re.sub("[,—]", "", bare)), with_sign


@pytest.mark.parametrize(
    ("language", "parts", "joined"),
    [
        ("e", ["Cuesta 12,50", " ", "€"], "Cuesta 12,50 €"),
        ("h", ["12,50", " ", "€"], "12,50 €"),
        ("e", ["son ", "21", " casas"], "son 21 casas"),
        ("e", ["R", "&", "D"], "R&D"),
        ("a", ["AT", "&", "T"], "AT&T"),
        ("z", ["¥", "100"], "¥100"),
        ("z", ["2", "个"], "2个"),
        ("j", ["5", " ", "km"], "5 km"),
        ("f", ["2024", "-", "03-15"], "2024-03-15"),
    ],
)
def test_an_expression_may_cross_the_borders_of_spans(
    front_end: FrontEnd, language: str, parts: list[str], joined: str
) -> None:
    """Tags and entities of SSML cut a text into spans: 12,50&#160;€."""
    spans, at = [], 0
    for part in parts:
        spans.append(TextSpan(part, at, at + len(part) + 4))
        at += len(part) + 4
    assert sounds(front_end, utterance("", language, *spans)) == sounds(front_end, utterance(joined, language))


@pytest.mark.parametrize(
    ("language", "text", "word"),
    [("e", "un co\u00adche", "che"), ("a", "foo\u200bbar", "bar"), ("i", "cafe\u0301CGIL", "cafe")],
)
def test_an_invisible_character_is_no_border_of_a_word(
    front_end: FrontEnd, language: str, text: str, word: str
) -> None:
    asked = utterance(text, language, pronunciations=((word, "/tɛst/"),))
    assert "tɛst" not in join_phonemes(front_end.phonemize(asked).words)


@pytest.mark.parametrize(
    ("language", "text", "word"), [("p", "R$ 12,50", "e"), ("z", "120", "一"), ("j", "9:30", "時")]
)
def test_a_word_that_normalization_makes_keeps_its_sound_beside_english(
    front_end: FrontEnd, language: str, text: str, word: str
) -> None:
    asked = utterance(text, language, pronunciations=((word, "/tɛst/"),))
    assert "tɛst" not in join_phonemes(front_end.phonemize(asked).words)


def test_a_respelling_is_normalized(front_end: FrontEnd) -> None:
    asked = utterance("Vivo kokoro", "e", pronunciations=(("kokoro", "5 km"),))
    assert sounds(front_end, asked) == sounds(front_end, utterance("Vivo 5 km", "e"))


@pytest.mark.parametrize(
    ("language", "text", "like"),
    [
        ("j", "1万円/㎡", "1万円/平方メートル"),
        ("e", "El ३ किमी", "El तीन किलोमीटर"),
        ("z", "5,000", "五千"),
        ("j", "ABC㈱の", "ABC株式会社の"),
    ],
)
def test_each_run_is_read_by_its_own_language(front_end: FrontEnd, language: str, text: str, like: str) -> None:
    assert sounds(front_end, utterance(text, language)) == sounds(front_end, utterance(like, language))


@pytest.mark.parametrize("unit", ["5%5", "3-1战胜", "比分3-1"])
def test_mandarin_is_read_in_linear_time(front_end: FrontEnd, unit: str) -> None:
    front_end.phonemize(utterance(unit, "z"))

    def cost(count: int) -> float:
        before = time.thread_time()
        front_end.phonemize(utterance(unit * count, "z"))
        return time.thread_time() - before

    once = min(cost(500) for _ in range(2))
    assert min(cost(1000) for _ in range(2)) < 4 * max(once, 0.05)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("normalize", [True, False])
def test_emoji_are_named_or_silent(front_end: FrontEnd, language: str, normalize: bool) -> None:
    named = sounds(front_end, utterance("1 👍 2", language, normalize=normalize))
    silent = sounds(front_end, utterance("1 👍 2", language, normalize=normalize, emoji=False))
    assert len(named) > len(silent) == len(sounds(front_end, utterance("1  2", language, normalize=normalize)))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("normalize", [True, False])
def test_a_pronounced_word_is_neither_normalized_nor_lost(front_end: FrontEnd, language: str, normalize: bool) -> None:
    """Also with wide marks, which the phonemizer never sees as they are written."""
    for word in ("5km", "Dr.", "（kg）"):
        asked = utterance(f"a {word} b", language, normalize=normalize, pronunciations=((word, "/tɛst/"),))
        assert "tɛst" in join_phonemes(front_end.phonemize(asked).words), word


def test_a_word_that_normalization_makes_has_its_pronunciation(front_end: FrontEnd) -> None:
    assert "tɛst" in sounds(front_end, utterance("It cost $5.", "a", pronunciations=(("dollars", "/tɛst/"),)))


def test_a_span_with_phonemes_keeps_them_and_its_place(front_end: FrontEnd) -> None:
    sent = "It is [Nguyen](/wˈɪn/) for 5 km."
    spans = (TextSpan("It is ", 0, 6), TextSpan("Nguyen", 6, 22, "wˈɪn"), TextSpan(" for 5 km.", 22, 32))
    asked = utterance("", "a", *spans)
    assert words(front_end, asked, sent) == ["It", "is", "[Nguyen](/wˈɪn/)", "for", "5", "km."]
    assert "wˈɪn" in join_phonemes(front_end.phonemize(asked).words)


def test_an_alias_stands_for_the_whole_range_that_it_replaces(front_end: FrontEnd) -> None:
    sent = '<sub alias="World Wide Web">WWW</sub> now'
    spans = (TextSpan("World Wide Web", 28, 31), TextSpan(" now", 37, 41))
    assert words(front_end, utterance("", "a", *spans), sent) == ["WWW", "now"]


def test_foreign_runs_do_not_grow_by_what_is_expanded(front_end: FrontEnd) -> None:
    """$5 becomes 5ドル, whose digit must not be read as a part of the English words before it."""
    expanded = sounds(front_end, utterance("Amazon $5", "j"))
    assert expanded == sounds(front_end, utterance("Amazon 、 5ドル", "j")).replace(",", "")


def test_phonemes_are_taken_as_they_are(front_end: FrontEnd) -> None:
    script = front_end.phonemize(utterance("həlˈO", "a", is_phonemes=True))
    assert join_phonemes(script.words) == "həlˈO" and script.text.find_source_span(0, 5) == (0, 5)
