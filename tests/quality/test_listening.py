"""The ears themselves: what they fold away, what they count, and what they take for silence or clipping."""

import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.caches import made_in_place, made_once
from benchmarks.sound import Samples, Sound, measure_speech, read_wav, wav_bytes
from tests.listening.skeleton import skeleton
from tests.listening.wording import character_error_rate, fold_characters, fold_words, word_error_rate

RATE = 24000


def tone(seconds: float, level: float = 0.3) -> Samples:
    wave: Samples = (level * np.sin(np.arange(round(seconds * RATE)) * 0.05)).astype(np.float32)
    return wave


def silence(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The Well-Known, grey harbour!", "the well known gray harbor"),
        ("It’s ‘here’ — don't…", "it's here don't"),
        ("'Tis OKAY towards 3 p.m.", "tis ok toward 3 p m"),
        ("¿Dónde está la niña?", "dónde está la niña"),
        ("वह किताब पढ़ती है।", unicodedata.normalize("NFKC", "वह किताब पढ़ती है")),
        (" -- ", ""),
    ],
)
def test_words_are_folded(text: str, words: str) -> None:
    assert fold_words(text) == words.split()


@pytest.mark.parametrize(
    ("text", "folded"),
    [("コーヒー、 お願い！", "こーひーお願い"), ("你好，世界。", "你好世界"), ("ＡＢＣ１２", "abc12")],
)
def test_characters_are_folded(text: str, folded: str) -> None:
    assert fold_characters(text) == folded


@pytest.mark.parametrize(
    ("said", "heard", "rate"),
    [
        ("one small red boat", "One small, red boat.", 0.0),
        ("one small red boat", "one small boat", 0.25),
        ("one small red boat", "one very small red boat", 0.25),
        ("one small red boat", "one tall read boat", 0.5),
        ("boat", "", 1.0),
        ("boat", "a big boat came", 3.0),
    ],
)
def test_word_error_rate(said: str, heard: str, rate: float) -> None:
    assert word_error_rate(said, heard) == pytest.approx(rate)


def test_character_error_rate() -> None:
    assert character_error_rate("こんにちは。", "コンニチワ") == pytest.approx(1 / 5)


@pytest.mark.parametrize(
    ("devanagari", "urdu", "consonants"),
    [
        ("मेरी दादी ने मुझे रोटी बनाना सिखाया।", "میری دادی نے مجھے روٹی بنانا سکھایا", "mrdnmjhrTbnskh"),
        ("बच्चे खेल रहे हैं", "بچے کھیل رہے ہیں", "bckhlrh"),
        ("पड़ोसी का कुत्ता भौंकता है", "پڑوسی کا کتا بھونکتا ہے", "pRsktbhnkth"),
        ("कृपया बाज़ार, मुंबई", "کرپیا بازار ممبئی", "krpbzrmb"),
        ("यह ज्ञान", "یہ گیان", "gn"),
    ],
)
def test_hindi_and_urdu_have_the_same_consonants(devanagari: str, urdu: str, consonants: str) -> None:
    assert skeleton(devanagari) == skeleton(urdu) == consonants


def test_an_error_rate_needs_something_said() -> None:
    with pytest.raises(ValueError, match="nothing was said"):
        word_error_rate("...", "hello")


def test_speech_is_measured() -> None:
    speech = measure_speech(np.concatenate([silence(0.2), tone(1.0), silence(0.3)]), words=3)
    assert speech.seconds_per_word == pytest.approx(0.5)
    assert speech.head == pytest.approx(0.2, abs=0.002)
    assert speech.tail == pytest.approx(0.3, abs=0.005)
    assert speech.peak == pytest.approx(0.3, abs=0.001)
    assert not speech.silent
    assert not speech.clipped


@pytest.mark.parametrize(
    ("samples", "silent"),
    [
        (silence(0.0), True),
        (silence(1.0), True),
        (tone(1.0, 0.002), True),
        (np.concatenate([tone(0.05, 0.9), silence(2.0)]), True),
        (np.concatenate([tone(0.6), silence(1.0)]), False),
    ],
)
def test_silence_and_clicks_are_no_speech(samples: Samples, silent: bool) -> None:
    assert measure_speech(samples, words=1).silent is silent


@pytest.mark.parametrize(("level", "clipped"), [(0.99, False), (1.4, True)])
def test_a_flat_top_is_clipping(level: float, clipped: bool) -> None:
    heard = read_wav(wav_bytes(Sound(tone(0.5, level), RATE)))
    assert measure_speech(heard, words=1).clipped is clipped


def test_a_wav_is_read_as_it_was_written(tmp_path: Path) -> None:
    written = Sound(tone(0.1), RATE)
    path = tmp_path / "tone.wav"
    path.write_bytes(wav_bytes(written))
    assert read_wav(path).rate == RATE
    np.testing.assert_allclose(read_wav(path).samples, written.samples, atol=1 / 32768)


def test_a_streamed_wav_without_sizes_is_read() -> None:
    data = bytearray(wav_bytes(Sound(tone(0.1), RATE)))
    data[4:8] = data[40:44] = b"\xff\xff\xff\xff"
    assert read_wav(bytes(data)).seconds == pytest.approx(0.1)


@pytest.mark.parametrize("made", [made_once, made_in_place])
def test_an_interrupted_folder_is_made_again(
    tmp_path: Path, made: Callable[[Path, Callable[[Path], None]], Path]
) -> None:
    folder = tmp_path / "costly"
    runs: list[Path] = []

    def half(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    def whole(target: Path) -> None:
        runs.append(target)
        (target / "whole").touch()

    with pytest.raises(KeyboardInterrupt):
        made(folder, half)
    made(folder, whole)
    made(folder, whole)
    assert len(runs) == 1
    assert (folder / "whole").exists()
    assert not (folder / "half").exists()
