"""Text to phonemes in nine languages: sounds, places, cutting, pronunciations, and texts that are none."""

import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kokoro_server.core.languages import Language
from kokoro_server.text.g2p import (
    LANGUAGES,
    TOKEN_LIMIT,
    VOCABULARY,
    PhonemeWord,
    Phonemizer,
    encode_phonemes,
    join_phonemes,
    split_for_model,
    to_model_symbols,
)
from kokoro_server.text.g2p.espeak import to_ipa
from kokoro_server.text.g2p.phoneme_words import restore_spans
from kokoro_server.text.normalization import normalize
from tests.paths import DATA


@pytest.fixture(scope="module")
def speak() -> Phonemizer:
    return Phonemizer()


def said(speak: Phonemizer, text: str, language: str = "a") -> str:
    return join_phonemes(speak(text, language))


def normalized(speak: Phonemizer, text: str, language: str) -> list[PhonemeWord]:
    """The words of the text once it is normalized, at their places in the text as written."""
    aligned = normalize(text, Language(language))
    return restore_spans(speak(aligned.text, language), aligned)


def by_word(speak: Phonemizer, text: str, language: str) -> list[tuple[str, str]]:
    return [(text[word.start : word.end], word.phonemes.strip()) for word in speak(text, language) if word.phonemes]


SENTENCES = [
    ("a", "Hello, world!", "həlˈO, wˈɜɹld!"),
    ("a", "The sky above the port was grey.", "ðə skˈI əbˈʌv ðə pˈɔɹt wʌz ɡɹˈA."),
    ("b", "The car park is over there.", "ðə kˈɑː pˈɑːk ɪz ˈQvə ðˈɛː."),
    ("b", "I can't ask for a better tomato.", "ˌI kˈɑːnt ˈɑːsk fɔː ɐ bˈɛtə təmˈɑːtQ."),
    ("e", "¿Dónde está la biblioteca?", "dˈonde estˈa la βˌiβliotˈeka?"),
    ("f", "Les oiseaux chantent dans le jardin.", "lez wazˈo ʃˈɑ̃t dɑ̃ lə ʒaʁdˈɛ̃."),
    ("h", "मैं आज बाजार जा रहा हूँ।", "mɛ̃ ˈaːɟ baːɟˈaːɾ ɟˈaː ɾˌəhaː hu\u0303."),
    ("i", "Gli amici sono andati via.", "ʎɪ amˈiʧɪ sˌono andˈatɪ vˈia."),
    ("j", "今日はいい天気です。", "kʲoː βa ii teŋkʲi desɨ."),
    ("p", "A gente não foi para a escola.", "a ʒˈAŋʧy nˌɐ̃ʊ̃ foɪ pˌaɾæ a ˌeskˈɔlæ."),
    ("z", "你好，世界！", "ni↓xau↓, ʂɨ↘ʨje↘!"),
]


@pytest.mark.parametrize(("language", "text", "phonemes"), SENTENCES)
def test_sentences(speak: Phonemizer, language: str, text: str, phonemes: str) -> None:
    assert said(speak, text, language) == phonemes


HETERONYMS = [
    ("A.", "A", "ˈA"),
    ("A", "A", "ˈA"),
    ("Why?", "Why", "wˈI"),
    ("I read it yesterday.", "read", "ɹˈɛd"),
    ("I will read it.", "read", "ɹˈid"),
    ("Read the book.", "Read", "ɹˈid"),
    ("They live here.", "live", "lˈɪv"),
    ("It was a live show.", "live", "lˈIv"),
    ("Please wind the clock.", "wind", "wˈInd"),
    ("The wind is cold.", "wind", "wˈɪnd"),
    ("We record music.", "record", "ɹəkˈɔɹd"),
    ("She broke the record.", "record", "ɹˈɛkəɹd"),
    ("They present the prize.", "present", "pɹizˈɛnt"),
    ("He bought a present.", "present", "pɹˈɛzᵊnt"),
    ("Close the door.", "Close", "klˈOz"),
    ("Stay close to me.", "close", "klˈOs"),
    ("The use of tools.", "use", "jˈus"),
    ("I use tools.", "use", "jˈuz"),
    ("It's no use crying.", "use", "jˈus"),
    ("I object to that.", "object", "əbʤˈɛkt"),
    ("A strange object fell.", "object", "ˈɑbʤəkt"),
    ("It took a minute.", "minute", "mˈɪnət"),
    ("Do not tear the paper.", "tear", "tˈɛɹ"),
]


@pytest.mark.parametrize(("text", "word", "phonemes"), HETERONYMS)
def test_heteronyms(speak: Phonemizer, text: str, word: str, phonemes: str) -> None:
    assert dict(by_word(speak, text, "a"))[word] == phonemes


def listed_heteronyms() -> Iterator[tuple[str, str, str, bool]]:
    """Sentence, word, its phonemes, and whether the reader is known to fail."""
    table = DATA / "heteronyms.tsv"
    for line in table.read_text(encoding="utf-8").splitlines():
        text, word, phonemes, *note = line.split("\t")
        yield text, word, phonemes, "wrong" in note


@pytest.mark.parametrize(("text", "word", "phonemes", "fails"), list(listed_heteronyms()))
def test_listed_heteronyms(speak: Phonemizer, text: str, word: str, phonemes: str, fails: bool) -> None:
    assert (dict(by_word(speak, text, "a"))[word] == phonemes) is not fails


def test_nearly_all_heteronyms_are_right() -> None:
    fails = [fails for _, _, _, fails in listed_heteronyms()]
    assert len(fails) >= 120
    assert sum(fails) <= len(fails) * 0.05


ENGLISH_WORDS = [
    ("NASA", "nˈæsə"),
    ("HTTP", "ˌAʧtˌitˌipˈi"),
    ("URLs", "jˌuˌɑɹˈɛlz"),
    ("CEOs'", "sˌiˌiˈOz"),
    ("U.S.", "jˌuˈɛs."),
    ("well-known", "wˌɛlnˈOn"),
    ("don’t", "dˈOnt"),
    ("'em", "əm"),
    ("café", "kæfˈA"),
    ("iPhone", "ˌIfˈOn"),
    ("COVID-19", "kˈOvˌɪd nˌIntˈin"),
    ("UNBELIEVABLE", "ʌnbᵻlˈivəbᵊl"),
    ("KUBERNETES", "kˌubəɹnˈɛTiz"),
    ("Nguyen's", "nˈujɛnz"),
    ("and/or", "ænd ɔɹ"),
    ("example.com", "ɪɡzˈæmpəl dˈɑt kˈɑm"),
    ("21st", "twˈɛntifˌɜɹst"),
    ("-5", "mˈInəs fˈIv"),
    ("½", "hˈæf"),
    ("☃", "snˈOmˌæn"),
    ("5 * 3", "fˈIv θɹˈi"),
    ("(well) [yes]", "(wˈɛl) (jˈɛs)"),
    ('"Hi" "no"', "“hˈI” “nˈO”"),
    ("wait... what?!", "wˈAt… wˌʌt?!"),
    ("so — no -- oh – ah", "sˌO — nˈO — ˈO — ˈɑ"),
    ("the US", "ðə jˌuˈɛs"),
    ("plan A", "plˈæn ˈA"),
    ("an hour, a day", "ɐn ˈWəɹ, ɐ dˈA"),
    ("the end, the dog", "ði ˈɛnd, ðə dˈɔɡ"),
]


@pytest.mark.parametrize(("text", "phonemes"), ENGLISH_WORDS)
def test_english_words(speak: Phonemizer, text: str, phonemes: str) -> None:
    assert said(speak, text) == phonemes


READINGS = [
    ("a", "IT'S ALL UP TO US", "it's all up to us"),
    ("e", "Cuesta 1.299,99 €.", "Cuesta 1299 euros con 99 céntimos."),
    ("e", "El 15/03/2024 a las 12:30", "El 15 de marzo de 2024 a las 12 y 30"),
    ("e", "El Sr. Pérez pesa 80 kg.", "El señor Pérez pesa 80 kilogramos."),
    ("f", "M. Dupont paie 12,50 €.", "monsieur Dupont paie 12 euros 50 centimes."),
    ("f", "Rendez-vous à 12h30.", "Rendez-vous à 12 heures 30."),
    ("f", "1\u202f299 pages", "1299 pages"),
    ("i", "Costa 12,50 €.", "Costa 12 euro e 50 centesimi."),
    ("i", "Il 50 % di tutto", "Il 50 per cento di tutto"),
    ("p", "Custa R$ 12,50.", "Custa 12 reais e 50 centavos."),
    ("p", "Em 07/09/1822", "Em 7 de setembro de 1822"),
    ("h", "₹500 है", "500 रुपये है"),
    ("h", "5 km दूर", "5 किलोमीटर दूर"),
    ("j", "2024/3/15", "2024年3月15日"),
    ("j", "12:30に", "12時30分に"),
    ("j", "¥500です", "500円です"),
    ("j", "3〜5", "3から5"),
    ("j", "10-20km", "10から20km"),
    ("j", "0-5°C", "0から5度"),
    ("j", "-5~-3°C", "マイナス5からマイナス3度"),
    ("j", "10:30-11:45", "10時30分から11時45分"),
    ("j", "-5°F", "華氏マイナス5度"),
    ("j", "10%-20%", "10パーセントから20パーセント"),
    ("j", "気温は-5°C", "気温はマイナス5度"),
    ("j", "美しいでしょう。", "美しいでしょー。"),
    ("j", "√2≠∞", "ルート2ノットイコール無限大"),
    ("z", "12:30", "十二点三十分"),
    ("z", "50%", "百分之五十"),
    ("z", "¥12.5", "十二点五元"),
    ("z", "2024年", "二零二四年"),
    ("z", "3-5", "三到五"),
    ("z", "10-20km", "十到二十公里"),
    ("z", "10%-20%", "百分之十到百分之二十"),
    ("z", "5°C-10°C", "五摄氏度到十摄氏度"),
    ("z", "从-3到5", "从负三到五"),
    ("z", "-5~-3°C", "负五到零下三摄氏度"),
    ("z", "10元-20元", "十元到二十元"),
    ("z", "10:30-11:45", "十点三十分到十一点四十五分"),
    ("z", "2024-2025年", "二零二四到二零二五年"),
    ("z", "100°F", "一百华氏度"),
    ("z", "气温-5°C", "气温零下五摄氏度"),
    ("z", "√2≠∞", "根号二不等于无穷大"),
    ("z", "1,250", "一千二百五十"),
]


@pytest.mark.parametrize(("language", "written", "spelled"), READINGS)
def test_numbers_dates_money_as_if_spelled_out(speak: Phonemizer, language: str, written: str, spelled: str) -> None:
    heard = join_phonemes(normalized(speak, written, language))
    assert heard.replace(" ", "") == join_phonemes(normalized(speak, spelled, language)).replace(" ", "")
    assert " ː" not in heard


PLACES = [
    ("e", "El niño, 1.299,99 € ya.", ["El", "niño", ",", "1.299,99 €", "ya", "."]),
    ("e", "80 kg", ["80", "kg"]),
    ("f", "qu’est-ce que c’est ?", ["qu’est-ce", "que", "c’est", "?"]),
    ("j", "1250円で買った。", ["1250", "円", "で", "買った", "。"]),
    ("j", "12:30に会う", ["12:30", "に", "会う"]),
    ("j", "1月5日と10日に2人", ["1月", "5日", "と", "10日", "に", "2人"]),
    ("j", "5, 雪だるま, 6", ["5", ",", "雪だるま", ",", "6"]),
    ("j", "ｶﾞｯｺｳと Ｐｙｔｈｏｎ", ["ｶﾞｯｺｳ", "と", "Ｐｙｔｈｏｎ"]),
    ("z", "我有2个苹果。", ["我", "有", "2个", "苹果", "。"]),
    ("z", "我用Python写代码", ["我用", "Python", "写", "代码"]),
    ("a", "  Well-known 'quote' here", ["Well-known", "quote", "here"]),
]


@pytest.mark.parametrize(("language", "text", "words"), PLACES)
def test_places(speak: Phonemizer, language: str, text: str, words: list[str]) -> None:
    found = normalized(speak, text, language)
    assert [text[word.start : word.end] for word in found if word.phonemes] == words


WRITTEN = """
    hello World NASA don't 3.5 1,250 $5 12:30 R$ 12,50 ... ?! 😀 你好 今日は ありがとう Привет नमस्ते « » ( ) — - --
    a A I the to l'ami c'è ¿ ¡ 。 、 ー っ ん 3月 500円 ۔ | \u0301 \u200d Ｈｉ e\u0301 x² №5 ½ 1st 5km ﷺ ㍿ ﬁ ﾊﾞ
"""
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(
        st.sampled_from(WRITTEN.split()),
        max_size=12,
    ).map(" ".join),
)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pyopenjtalk")  # how it calls sudachipy for rare kanji
@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS)
def test_every_word_once_in_order(speak: Phonemizer, language: str, text: str) -> None:
    spoken = speak(text, language)
    at = 0
    for word in spoken:
        assert at <= word.start < word.end <= len(text)
        assert not text[at : word.start].strip() or not any(map(str.isalnum, text[at : word.start]))
        assert set(word.phonemes) <= VOCABULARY.keys()
        at = word.end
    assert not any(map(str.isalnum, text[at:]))
    assert "".join(map(join_phonemes, split_for_model(spoken, 20))) == join_phonemes(spoken)


LONG = ["a" * 10_000, "word " * 2_000, "あ" * 3_000, "的" * 3_000, "-" * 3_000, "a-" * 1_500, "1," * 1_500, "." * 3_000]


@pytest.mark.parametrize("language", "aejz")
@pytest.mark.parametrize("text", LONG, ids=lambda text: text[:5])
def test_long_texts(speak: Phonemizer, language: str, text: str) -> None:
    speak.load(language)
    start = time.thread_time()
    spoken = speak(text, language)
    runs = split_for_model(spoken)
    assert time.thread_time() - start < 10
    assert all(len(join_phonemes(run)) <= TOKEN_LIMIT for run in runs)
    assert "".join(map(join_phonemes, runs)) == join_phonemes(spoken)
    places = [(word.start, word.end) for run in runs for word in run]
    assert places == sorted(places) and places[-1][1] == len(text.rstrip())


@pytest.mark.parametrize(
    ("phonemes", "limit", "cuts"),
    [
        (["wˈʌn ", "tˈu", ". ", "θɹˈi ", "fˈɔɹ"], 14, [3, 2]),
        (["wˈʌn ", "tˈu ", "sˈɪks", ", ", "θɹˈi ", "fˈɔɹ"], 21, [4, 2]),
        (["wˈʌn ", "tˈu ", "θɹˈi ", "fˈɔɹ"], 12, [2, 2]),
        (["abcdefghij"], 4, [1, 1, 1]),
        (["ab"], 4, [1]),
        ([], 4, []),
    ],
)
def test_pieces(phonemes: list[str], limit: int, cuts: list[int]) -> None:
    spoken = [PhonemeWord(word, 10 * n, 10 * n + 9) for n, word in enumerate(phonemes)]
    assert [len(run) for run in split_for_model(spoken, limit)] == cuts


def test_pieces_of_a_word_share_its_characters() -> None:
    parts = [word for run in split_for_model([PhonemeWord("abcdefgh", 0, 4)], 4) for word in run]
    assert parts == [PhonemeWord("abcd", 0, 2), PhonemeWord("efgh", 2, 4)]
    with pytest.raises(ValueError, match="limit"):
        split_for_model([], 0)


def test_tokens() -> None:
    assert len(VOCABULARY) == 114
    assert encode_phonemes("həlˈO wˈɜɹld!") == [50, 83, 54, 156, 31, 16, 65, 156, 87, 123, 54, 46, 5]
    assert encode_phonemes("ɡ") == encode_phonemes("g")
    assert to_model_symbols("ẽ") == "e\u0303" and to_model_symbols("ç") == "ç"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("sign", "¬¢Ꭰ߀໐৲፩⅋∯⌘ܐɐʘ₿㊙あم中5a")
def test_no_sign_is_dropped_in_silence(
    speak: Phonemizer, caplog: pytest.LogCaptureFixture, language: str, sign: str
) -> None:
    with caplog.at_level(logging.WARNING):
        sounds = said(speak, f"5 {sign} 6", language)
    assert "left out" in caplog.text or count_letters(sounds) > count_letters(said(speak, "5 6", language))
    assert sign.isascii() or sign not in caplog.text


def count_letters(sounds: str) -> int:
    return sum(map(str.isalpha, sounds))


SAID_AS_ONE = [("f", "He lives in the U.S."), ("h", "I am here."), ("i", "5 out of 7 dentists")]
"""Texts of which espeak says two words as one, and has nothing for the second."""


@pytest.mark.parametrize(("language", "text"), [*((each[0], each[1]) for each in SENTENCES), *SAID_AS_ONE])
def test_ordinary_sentences_lose_nothing(
    speak: Phonemizer, caplog: pytest.LogCaptureFixture, language: str, text: str
) -> None:
    with caplog.at_level(logging.WARNING):
        speak(text, language)
    assert not caplog.text


def test_unknown_symbols_are_counted_without_the_text(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert encode_phonemes("a☃☃b") == encode_phonemes("ab")
    assert "2 symbols" in caplog.text and "U+2603" in caplog.text and "☃" not in caplog.text


OVERRIDES = [
    ("a", "Nguyen, nguyen.", {"Nguyen": "/wˈɪn/"}, "wˈɪn, nˈujɛn."),
    ("a", "Nguyen, NGUYEN.", {"nguyen": "/wˈɪn/"}, "wˈɪn, wˈɪn."),
    ("a", "cats cat concat", {"cat": "/dˈɔɡ/"}, "kˈæts dˈɔɡ kəŋkˈæt"),
    ("a", "GIF", {"GIF": "jiff"}, "ʤˈɪf"),
    ("a", "New York is here", {"new york": "/ɲˈuk/"}, "ɲˈuk ɪz hˈɪɹ"),
    ("a", "the FAQ", {"FAQ": "/ˈɛf/"}, "ði ˈɛf"),
    ("a", "C++ or c", {"C++": "see plus plus"}, "sˈi plˈʌs plˈʌs ɔɹ sˈi"),
    ("a", "don’t", {"don't": "/dˈu/"}, "dˈu"),
    ("f", "Le Nguyen est là.", {"Nguyen": "/wˈin/"}, "lˈə wˈin ɛ lˈa."),
    ("j", "東京へ", {"東京": "/edo/"}, "edo e"),
    ("z", "我爱北京", {"北京": "/pei↓/"}, "wo↓ ai↘ pei↓"),
]


@pytest.mark.parametrize(("language", "text", "overrides", "phonemes"), OVERRIDES)
def test_overrides(speak: Phonemizer, language: str, text: str, overrides: dict[str, str], phonemes: str) -> None:
    spoken = speak(text, language, overrides=overrides)
    assert join_phonemes(spoken) == phonemes


def test_an_override_needs_a_word(speak: Phonemizer) -> None:
    with pytest.raises(ValueError, match="word"):
        speak("a", "a", overrides={"": "b"})


@pytest.mark.parametrize("language", LANGUAGES)
def test_fixed_words_win(speak: Phonemizer, language: str) -> None:
    spoken = speak("one two three", language, {"two": "/tu/"}, [PhonemeWord("bˈuː", 4, 7)])
    assert PhonemeWord("bˈuː ", 4, 7) in spoken
    assert spoken[0].start == 0 and spoken[-1].end == 13


@pytest.mark.parametrize(
    "spans",
    [
        [PhonemeWord("a", 0, 4), PhonemeWord("b", 3, 5)],
        [PhonemeWord("a", 0, 9)],
        [PhonemeWord("a", 2, 2)],
        [PhonemeWord("a", -1, 2)],
    ],
)
def test_bad_spans(speak: Phonemizer, spans: list[PhonemeWord]) -> None:
    with pytest.raises(ValueError, match="span"):
        speak("hello", "a", fixed=spans)


@pytest.mark.parametrize("language", ["", "q", "xx", "A"])
def test_unknown_languages(language: str) -> None:
    with pytest.raises(ValueError, match=r"language|voice"):
        Phonemizer()("hello", language)


@pytest.mark.parametrize(
    ("text", "language"),
    [("Hi.", "a"), ("No.", "b"), ("你好", "a"), ("こんにちは", "f"), ("Привет", "e"), ("مرحبا", "a"), ("שלום", "z"),
     ("한국어", "j"), ("🙂", "a"), ("नमस्ते", "i"), ("hello", "z"), ("hello", "j"), ("Γειά", "p"), ("สวัสดี", "h")],
)  # fmt: skip
def test_something_is_said(speak: Phonemizer, text: str, language: str) -> None:
    assert any(map(str.isalpha, said(speak, text, language)))


STRANGE = """
    Привет 北京 東京タワー مرحبا Γειά 안녕하세요 नमस्ते שלום สวัสดี বাংলা தமிழ் ქართული Հայերեն አማርኛ မြန်မာ ខ្មែរ ລາວ සිංහල ଓଡ଼ିଆ
    བོད ᠮᠣᠩᠭᠣᠯ đường łódź İstanbul 𝓗𝓮𝓵𝓵𝓸 Ⅷ ① ½ №5 ㎏ ☃ 🎉 ꙮ ᚠᚢᚦ ܫܠܡܐ ᏣᎳᎩ ꯃꯤꯇꯩ ᐃᓄᒃ 𐍈 ⠓⠑ ∞ ‰ 𝄞 © hello 42
"""


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_script_is_spoken_or_counted(speak: Phonemizer, language: str, caplog: pytest.LogCaptureFixture) -> None:
    for written in STRANGE.split():
        caplog.clear()
        spoken = any(any(map(str.isalpha, word.phonemes)) for word in speak(written, language))
        assert spoken or "left out" in caplog.text, written
        assert written not in caplog.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_stranger_silences_its_neighbours(speak: Phonemizer, language: str) -> None:
    """Each word of a text in all scripts has the sound that it has alone, or none where it has none alone."""
    text = ", ".join(STRANGE.split())
    heard = [word for word in speak(text, language) if any(map(str.isalpha, word.phonemes))]
    at = 0
    for written in STRANGE.split():
        end = at + len(written)
        alone = any(any(map(str.isalpha, word.phonemes)) for word in speak(written, language))
        assert any(word.start < end and word.end > at for word in heard) == alone, written
        at = end + len(", ")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("text", ["", " ", "\n", ".", "*", "\0", "\u200b", "\ud800", "~|^`", "\u0301", "’", "-", "ー"])
def test_nothing_to_say(speak: Phonemizer, language: str, text: str) -> None:
    assert len(said(speak, text, language)) <= 2


def test_threads_do_not_disturb_each_other(speak: Phonemizer) -> None:
    """Every language at once, in words that none has met before, so that no answer is a remembered one."""
    work = [(f"{text} zorb{chr(97 + n)}lat {n}", language) for n in range(20) for language, text, _ in SENTENCES]
    fresh = Phonemizer()
    with ThreadPoolExecutor(8) as pool:
        together = [join_phonemes(spoken) for spoken in pool.map(lambda job: fresh(*job), work)]
    to_ipa.cache_clear()
    assert together == [join_phonemes(speak(*job)) for job in work]


def test_english_loads_alone() -> None:
    """No spaCy, no other language's library, and the stand-in for spaCy is gone again."""
    code = (
        "import sys; from kokoro_server.text.g2p import Phonemizer; Phonemizer('a')('Hi.', 'a');"
        "from kokoro_server.text.normalization import normalize; normalize('Hi 5.');"
        "names = ('spacy', 'torch', 'jieba', 'cn2an', 'pyopenjtalk', 'phonemizer');"
        "print([name for name in names if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
