"""Utterances: nothing is lost, the first is short, the next grow, and none is too long."""

from __future__ import annotations

import dataclasses
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kokoro_server.core.languages import Language
from kokoro_server.core.request import FINAL_PAUSE, Prosody, SpeechSegment, TextSpan
from kokoro_server.text.chunking import BOUNDARY_PAUSES, PHONEME_DENSITY, Utterance, UtteranceSizes, plan_utterances
from kokoro_server.text.segmentation import find_boundaries
from tests.fakes.requests import HEART, LONG, asking, utterance

ALPHABETS = [
    "abc ABC.,;!? \n'\"-",
    "éàü ñ¿¡ «».\u00a0",
    "абв Где. !?",
    "こんにちは。、「」ーっ漢字カナ",
    "你好。，！世界",
    "नमस्ते। ॥",
    "مرحبا ، ؟ שלום",
    "🎉👩\u200d👧🏽\ufe0f e\u0301\u0302",
    "0123456789.,:/-%$ ",
    "\t\r\n\x0c\u2028\u2029\u3000 a",
    "(){}[]<>&|;`$@#*_~\\",
]
texts = st.one_of(
    *(st.text(st.sampled_from(letters), min_size=1, max_size=400) for letters in ALPHABETS),
    st.text(min_size=1, max_size=400),
    st.lists(st.sampled_from(["Dr. ", "a", "word ", "End. ", "\n\n", "。", "は", "x" * 90, "… "]), min_size=1).map(
        "".join
    ),
)
sizes = st.builds(UtteranceSizes, st.integers(1, 100), st.integers(100, 400), st.floats(1.0, 3.0))


@settings(max_examples=50)
@given(texts, sizes, st.sampled_from("abefhijpz"))
def test_nothing_is_lost_and_sizes_are_kept(text: str, sizes: UtteranceSizes, language: str) -> None:
    cut = plan_utterances(asking(text, language=language), sizes)
    assert "".join(each.text for each in cut) == (text if text.strip() else "")
    density = PHONEME_DENSITY.get(Language(language), 1.0)
    limit = float(sizes.first)
    for each in cut:
        assert each.start == len("".join(other.text for other in cut[: cut.index(each)]))
        assert (
            len(each.text) <= limit / density
            or len(find_boundaries(each.text)) == 1
            or no_better(text, each, limit / density)
            or (each is cut[-1] and len(each.text) <= min(sizes.longest, limit * sizes.growth) / density)
        )
        limit = min(sizes.longest, limit * sizes.growth)


def no_better(text: str, each: Utterance, limit: float) -> bool:
    """Whether the text has no boundary that would have cut the utterance shorter."""
    ends = [boundary.end for boundary in find_boundaries(text)]
    return not any(each.start < end < each.start + len(each.text) for end in ends)


def test_the_first_is_short_and_the_next_grow() -> None:
    cut = plan_utterances(asking(LONG), UtteranceSizes())
    lengths = [len(each.text) for each in cut]
    assert lengths[0] <= 60 < lengths[2] < max(lengths) <= 280
    assert max(lengths[:-1]) > 200
    assert all(each.text.rstrip().endswith(".") for each in cut)


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("The old gardener carried the heavy basket behind the stone church.", 1),
        ("The old gardener carried the heavy basket, and slept behind the stone church.", 2),
        ("The old gardener slept. He had carried the heavy basket behind the church.", 2),
        ("The old gardener carried the heavy basket behind the church.\n\nHe slept.", 3),
        ("The old gardener carried the heavy basket and the yellow watering can home behind the stone church.", 2),
    ],
)
def test_a_text_with_a_little_too_much_is_not_broken_inside_a_clause(text: str, pieces: int) -> None:
    assert len(plan_utterances(asking(text), UtteranceSizes(50))) == pieces


def test_a_long_first_sentence_is_cut_at_a_clause() -> None:
    text = "When the sun had set behind the hills, we went slowly home and slept until the morning came. Then rain."
    assert plan_utterances(asking(text), UtteranceSizes())[0].text == "When the sun had set behind the hills, "


@pytest.mark.parametrize("text", ["Hi.", ".", "No.", "Hello there. ", " x ", "Yes!\n"])
def test_a_short_text_is_one_utterance_with_a_last_rest(text: str) -> None:
    (only,) = plan_utterances(asking(text), UtteranceSizes())
    assert (only.text, only.start, only.pause) == (text, 0, FINAL_PAUSE)


def test_rests_follow_the_marks_and_the_speed() -> None:
    text = "One paragraph is here, long enough to be.\n\nAnother one is here, long enough to stand. And then more."
    slow = plan_utterances(asking(text, speed=0.5), UtteranceSizes(first=50, longest=50))
    assert [round(each.pause / 2, 3) for each in slow] == [0.5, 0.3, FINAL_PAUSE / 2]
    assert sorted(BOUNDARY_PAUSES.values()) == [BOUNDARY_PAUSES[strength] for strength in sorted(BOUNDARY_PAUSES)]


def test_utterances_grow_on_from_passage_to_passage() -> None:
    manner = Prosody(HEART, Language.AMERICAN_ENGLISH)
    passages = tuple(SpeechSegment((TextSpan(LONG[:140], 0, 140),), manner) for _ in range(3))
    lengths = [
        len(each.text)
        for each in plan_utterances(dataclasses.replace(asking(LONG), tagged_segments=passages), UtteranceSizes(60))
    ]
    assert lengths == [35, 105, 140, 140]


def test_denser_languages_get_fewer_characters() -> None:
    text = "これは長い文章です。" * 40
    japanese = max(len(each.text) for each in plan_utterances(asking(text, "jf_alpha", "j"), UtteranceSizes()))
    assert 60 < japanese <= 280 / PHONEME_DENSITY[Language.JAPANESE]


@pytest.mark.parametrize("unit", ["a", "a ", "a. ", "あ", "。", "\n", "🎉", "-", "e\u0301", "a\n\n", "Dr. "])
def test_ten_thousand_characters_take_no_time(unit: str) -> None:
    text = (unit * 10_000)[:10_000]
    before = time.thread_time()
    cut = plan_utterances(asking(text), UtteranceSizes())
    assert time.thread_time() - before < 1.0
    assert "".join(each.text for each in cut) == (text if text.strip() else "")
    assert max((len(each.text) for each in cut), default=0) <= 281


def test_every_option_goes_with_every_utterance() -> None:
    request = dataclasses.replace(asking(LONG, "bf_emma", "b", 1.5), normalize=False, emoji=False, is_phonemes=True)
    for each in plan_utterances(request, UtteranceSizes()):
        assert (each.voice.name, each.language, each.speed) == ("bf_emma", "b", 1.5)
        assert (each.normalize, each.emoji, each.is_phonemes) == (False, False, True)


def test_an_utterance_survives_json() -> None:
    for voice in ("af_heart", "af_bella(2)+af_sky(1)"):
        before = dataclasses.replace(
            utterance("-x \ud83d 🎉", voice),
            pronunciations=(("SQL", "sequel"),),
            speed=0.5,
            pause=0.1,
            normalize=False,
            emoji=False,
        )
        assert Utterance.from_json(json.loads(json.dumps(dataclasses.asdict(before)))) == before
