"""Captions: cues follow the sentences, times their words, and no line can be taken for a mark."""

from __future__ import annotations

import pytest

from kokoro_server.audio.samples import Word
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Prosody, SpeechRequest
from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.synthesis.captions import MAX_CUE_CHARACTERS, render_captions, split_into_cues
from kokoro_server.text.inline_tags import parse_inline_tags
from kokoro_server.text.ssml import parse_ssml


def words(text: str) -> list[Word]:
    """Half a second for each word of the text."""
    found, at = [], 0
    for number, word in enumerate(text.split()):
        at = text.index(word, at)
        found.append(Word(word, at, at + len(word), number / 2, number / 2 + 0.4))
        at += len(word)
    return found


def test_a_sentence_is_a_cue() -> None:
    text = "Hello there. How are\nyou today?"
    assert [(cue.text, cue.start, cue.end) for cue in split_into_cues(text, words(text))] == [
        ("Hello there.", 0.0, 0.9),
        ("How are you today?", 1.0, 2.9),
    ]


def test_a_long_sentence_is_cut_at_its_clauses() -> None:
    text = "When the rain had ended, the children came out of their houses, laughing together, and ran down to the sea."
    found = list(split_into_cues(text, words(text)))
    assert len(found) >= 2 and all(len(cue.text) <= MAX_CUE_CHARACTERS for cue in found)
    assert " ".join(cue.text for cue in found) == text
    assert found[0].text.endswith(",")


def test_webvtt_and_subrip() -> None:
    text = "A < B & C --> D."
    assert render_captions(text, words(text), "vtt").splitlines() == [
        "WEBVTT",
        "",
        "1",
        "00:00:00.000 --> 00:00:03.400",
        "A &lt; B &amp; C → D.",
    ]
    assert render_captions(text, words(text), "srt").splitlines()[:2] == ["1", "00:00:00,000 --> 00:00:03,400"]


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_without_words_there_are_no_cues(text: str) -> None:
    assert list(split_into_cues(text, [])) == []


def test_times_over_an_hour() -> None:
    late = [Word("Hi", 0, 2, 3723.4567, 3724.0)]
    assert "01:02:03.457 --> 01:02:04.000" in render_captions("Hi", late, "vtt")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("One [pause:0.5s] two, [Nguyen](/wˈɪn/) [rate:1.5]three[/rate].", "One two, Nguyen three."),
        ("one[pause:1s]two", "one two"),
        (
            '<speak>AT&amp;T is <break time="1s"/> <sub alias="World Wide Web">WWW</sub> here.</speak>',
            "AT&T is WWW here.",
        ),
        ("Plain.", "Plain."),
    ],
)
def test_marks_are_not_shown(text: str, shown: str) -> None:
    manner = Prosody(find_voice("af_heart"), Language.AMERICAN_ENGLISH)
    marked = (parse_ssml if text.startswith("<") else parse_inline_tags)(text, manner, VOICES)
    request = SpeechRequest(text, manner.voice, manner.language, tagged_segments=tuple(marked))
    assert len(request.visible_text) == len(text)
    assert [cue.text for cue in split_into_cues(request.visible_text, [Word("", 0, len(text), 0.0, 1.0)])] == [shown]
