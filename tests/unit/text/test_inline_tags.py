"""Marks in a text: passages know their words' places, and a wrong mark is named with its place."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Prosody, SpeechSegment
from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.text.inline_tags import check_pauses, parse_inline_tags, parse_seconds
from kokoro_server.text.ssml import parse_ssml

HEART = Prosody(find_voice("af_heart"), Language.AMERICAN_ENGLISH)


def parsed(text: str) -> list[SpeechSegment]:
    return parse_inline_tags(text, HEART, VOICES)


def outline(text: str) -> list[tuple[str, str, float, float]]:
    """(text, voice, rate, pause) of every passage."""
    return [(each.text, each.prosody.voice.name, each.prosody.rate, each.pause) for each in parsed(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Plain.", [("Plain.", "af_heart", 1.0, 0.0)]),
        ("[pause:1.5s]Hi.", [("", "af_heart", 1.0, 1.5), ("Hi.", "af_heart", 1.0, 0.0)]),
        ("Hi.[pause:200ms]", [("Hi.", "af_heart", 1.0, 0.2)]),
        ("Hi [pause:2] there", [("Hi ", "af_heart", 1.0, 2.0), (" there", "af_heart", 1.0, 0.0)]),
        (
            "A [voice:am_adam]b [rate:1.5]c[/rate][/voice] d",
            [
                ("A ", "af_heart", 1.0, 0.0),
                ("b ", "am_adam", 1.0, 0.0),
                ("c", "am_adam", 1.5, 0.0),
                (" d", "af_heart", 1.0, 0.0),
            ],
        ),
        (
            "See [1], [sic] and [a link](https://x.y).",
            [("See [1], [sic] and [a link](https://x.y).", "af_heart", 1.0, 0.0)],
        ),
        ("[PAUSE:1s]Hi.", [("", "af_heart", 1.0, 1.0), ("Hi.", "af_heart", 1.0, 0.0)]),
        ("[Voice:am_adam]Hi.[/VOICE]", [("Hi.", "am_adam", 1.0, 0.0)]),
        ("Of [May](/2024/) and [it](/a1/)", [("Of [May](/2024/) and [it](/a1/)", "af_heart", 1.0, 0.0)]),
        ("[note: not ours]", [("[note: not ours]", "af_heart", 1.0, 0.0)]),
    ],
)
def test_marks_make_passages(text: str, expected: list[tuple[str, str, float, float]]) -> None:
    assert outline(text) == expected


@pytest.mark.parametrize("text", ["Hi [voice:nobody]there[/voice]", "Hi [voice:]there[/voice]"])
def test_an_unknown_voice_is_named_with_its_mark_and_place(text: str) -> None:
    with pytest.raises(BadRequest, match=r"text has \[voice:\w*\] at position 3: .*GET /voices") as refused:
        parsed(text)
    assert refused.value.field == "text"


@pytest.mark.parametrize(
    ("text", "fine"), [("[pause:60s]" * 10, True), ("<s>a</s>" * 1250, True), ("[pause:60s]" * 11, False)]
)
def test_all_pauses_together_are_bounded(text: str, fine: bool) -> None:
    made = parse_ssml(f"<speak>{text}</speak>", HEART, VOICES) if "<" in text else parsed(text)
    with nullcontext() if fine else pytest.raises(BadRequest, match="text has pauses of 660 seconds together"):
        check_pauses(made, text)


def test_a_voices_language_goes_with_it() -> None:
    assert [each.prosody.language for each in parsed("Hi [voice:jf_alpha]こんにちは[/voice]")] == ["a", "j"]


def test_phonemes_stand_for_the_word_inside_the_brackets() -> None:
    text = "Ask [Nguyen](/wˈɪn/) now"
    (passage,) = parsed(text)
    said = passage.spans[1]
    assert (said.text, said.phonemes, text[said.start : said.end]) == ("Nguyen", "wˈɪn", "Nguyen")
    assert not said.is_verbatim


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Hi [pause:61s]", 3),
        ("[pause:soon]", 0),
        ("[pause:-1s]", 0),
        ("ab [rate:5]c[/rate]", 3),
        ("[rate:fast]c[/rate]", 0),
        ("x [voice:am_adam]never closed", 2),
        ("x[/voice]", 1),
        ("[voice:am_adam][rate:2]x[/voice][/rate]", 24),
    ],
)
def test_a_wrong_mark_is_named_with_its_place(text: str, place: int) -> None:
    with pytest.raises(BadRequest, match=f"at position {place}: expected") as caught:
        parsed(text)
    assert caught.value.field == "text"


def test_an_unknown_voice_is_named() -> None:
    with pytest.raises(BadRequest, match=r"am_adm.*Did you mean am_adam"):
        parsed("[voice:am_adm]x[/voice]")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("1.5s", 1.5), ("200ms", 0.2), ("2", 2.0), (".5s", 0.5), ("60s", 60.0), ("61s", None), ("", None)],
)
def test_seconds(value: str, seconds: float | None) -> None:
    assert parse_seconds(value) == seconds


@given(st.text(st.sampled_from("ab .[]/():pausevoicerate12s\n"), max_size=120))
def test_any_text_is_read_or_refused_and_nothing_is_lost(text: str) -> None:
    try:
        found = parsed(text)
    except BadRequest:
        return
    for passage in found:
        for run in passage.spans:
            assert run.text == text[run.start : run.end]
