"""SSML: what Kokoro can follow becomes passages, what it can't is named with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Language
from kokoro_server.core.request import Prosody, SpeechSegment
from kokoro_server.core.voices import VOICES, find_voice
from kokoro_server.text.ssml import is_ssml, parse_ssml, rewrite_say_as

HEART = Prosody(find_voice("af_heart"), Language.AMERICAN_ENGLISH)


def parsed(inside: str, ignore_unknown: bool = False) -> list[SpeechSegment]:
    return parse_ssml(f"<speak>{inside}</speak>", HEART, VOICES, ignore_unknown=ignore_unknown)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<speak>Hi</speak>", True),
        ("  <speak version='1.1'>Hi</speak>", True),
        ("<?xml version='1.0'?><speak>Hi</speak>", True),
        ("<speaker>", False),
        ("Say <speak>.", False),
    ],
)
def test_what_is_ssml(text: str, expected: bool) -> None:
    assert is_ssml(text) is expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("Hi.", [("Hi.", 0.0)]),
        ("A<break time='1.5s'/>b", [("A", 1.5), ("b", 0.0)]),
        ("A<break strength='weak'/>b", [("A", 0.2), ("b", 0.0)]),
        ("<break/>b", [("", 0.4), ("b", 0.0)]),
        ("<p>One.</p><p>Two.</p>", [("One.", 0.6), ("Two.", 0.6)]),
        ("<s>One.</s>Two.", [("One.", 0.3), ("Two.", 0.0)]),
        ("<sub alias='World Wide Web'>WWW</sub>.", [("World Wide Web.", 0.0)]),
        ("<say-as interpret-as='characters'>BBC</say-as>", [("B, B, C", 0.0)]),
        ("<voice name='am_adam'></voice>x", [("x", 0.0)]),
        ("a &amp; b &lt; c", [("a & b < c", 0.0)]),
    ],
)
def test_tags_make_passages(inside: str, expected: list[tuple[str, float]]) -> None:
    assert [(each.text, each.pause) for each in parsed(inside)] == expected


def test_manners() -> None:
    inside = (
        "<voice name='bf_emma'>a<prosody rate='150%' volume='+6dB'>b<prosody rate='slow'>c</prosody></prosody></voice>"
        "<lang xml:lang='en-gb'>d</lang><prosody rate='+20%'>e</prosody>"
    )
    found = [
        (e.text, e.prosody.voice.name, e.prosody.language, round(e.prosody.rate, 3), round(e.prosody.gain, 2))
        for e in parsed(inside)
    ]
    assert found == [
        ("a", "bf_emma", "b", 1.0, 1.0),
        ("b", "bf_emma", "b", 1.5, 2.0),
        ("c", "bf_emma", "b", 1.125, 2.0),
        ("d", "af_heart", "b", 1.0, 1.0),
        ("e", "af_heart", "a", 1.2, 1.0),
    ]


def test_places_are_those_of_the_text_as_sent() -> None:
    text = "<speak>Héllo 😀 &amp;\n <sub alias='it'>this</sub> <phoneme ph='wˈɪn'>Nguyen</phoneme></speak>"
    runs = [run for passage in parse_ssml(text, HEART, VOICES) for run in passage.spans]
    assert [text[run.start : run.end] for run in runs] == ["Héllo 😀 ", "&amp;", "\n", " ", "this", " ", "Nguyen"]
    assert runs[-1].phonemes == "wˈɪn"


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        ("a<foo>b</foo>", "<foo> at position 8: expected one of break, "),
        ("<break time='99s'/>", "<break time=.99s.> at position 7"),
        ("<break strength='odd'/>", "strength"),
        ("<prosody rate='9'>x</prosody>", "rate"),
        ("<prosody volume='high'>x</prosody>", "volume"),
        ("<sub>x</sub>", "its attribute alias"),
        ("<phoneme alphabet='x-sampa' ph='a'>x</phoneme>", "the alphabet ipa"),
        ("<say-as interpret-as='song'>x</say-as>", "interpret-as"),
        ("<voice name='nobody'>x</voice>", '<voice name="nobody"> at position 7: Unknown voice'),
        ("<lang xml:lang='tlh'>x</lang>", 'xml:lang="tlh" at position 7: Unknown xml:lang'),
        ("<phoneme ph='123'>x</phoneme>", 'ph="123"> at position 7: expected phonemes'),
        ("so [pause:1s] it", r"\[pause:1s\] at position 10: expected SSML's own tags"),
        ("<p>" * 40 + "</p>" * 40, "at most 32 tags"),
        ("<b>x", "not well-formed|<b>"),
        ("&nbsp;", "not well-formed"),
        (f"<sub alias='{'7' * 1_001}'>x</sub>", "<sub> with 1001 characters.*up to 1000"),
        (f"<phoneme ph='{'a' * 1_001}'>x</phoneme>", "<phoneme> with 1001 characters"),
        (f"<say-as interpret-as='characters'>{'a' * 400}</say-as>", "<say-as> with 1198 characters"),
    ],
)
def test_what_is_wrong_is_named(inside: str, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parsed(inside)


@pytest.mark.parametrize(
    ("text", "kind", "language", "said"),
    [
        ("3", "ordinal", "e", "3.º"),
        ("1", "ordinal", "f", "1er"),
        ("21", "ordinal", "f", "21e"),
        ("3", "ordinal", "i", "3º"),
        ("3", "ordinal", "p", "3º"),
        ("1", "ordinal", "h", "1ला"),
        ("3", "ordinal", "z", "第3"),
        ("3/4/2024", "date", "a", "2024-03-04"),
        ("3/4/2024", "date", "b", "2024-04-03"),
        ("3/4/2024", "date", "f", "2024-04-03"),
        ("2024/3/4", "date", "j", "2024-03-04"),
        ("1984", "cardinal", "e", "1984"),
        ("A-1", "characters", "e", "A, -, 1"),
    ],
)
def test_say_as_heeds_the_language(text: str, kind: str, language: str, said: str) -> None:
    assert rewrite_say_as(text, kind, "", Language(language)) == said
    code = {"a": "en-us", "b": "en-gb", "e": "es", "f": "fr", "h": "hi", "i": "it", "j": "ja", "p": "pt", "z": "zh"}
    inside = f"<lang xml:lang='{code[language]}'><say-as interpret-as='{kind}'>{text}</say-as></lang>"
    assert "".join(passage.text for passage in parsed(inside)) == said


@pytest.mark.parametrize(
    "before", ["", " \n", "<?xml version='1.0'?>", "<!-- by hand -->", "<?xml version='1.0'?>\n<!-- a --><!-- b -->"]
)
def test_what_stands_before_speak_is_no_text(before: str) -> None:
    assert is_ssml(f"{before}<speak>Hi</speak>")
    assert [passage.text for passage in parse_ssml(f"{before}<speak>Hi</speak>", HEART, VOICES)] == ["Hi"]


def test_a_document_type_is_refused_and_not_read_aloud() -> None:
    text = "<!DOCTYPE speak [<!ENTITY x 'y'>]><speak>&x;</speak>"
    assert is_ssml(text)
    with pytest.raises(BadRequest, match="entities or a DTD"):
        parse_ssml(text, HEART, VOICES)


def test_entities_are_refused() -> None:
    bomb = "<!DOCTYPE s [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><speak>&b;</speak>"
    with pytest.raises(BadRequest, match="entities or a DTD"):
        parse_ssml(bomb, HEART, VOICES)


def test_unknown_tags_are_read_over_when_that_is_set() -> None:
    assert [each.text for each in parsed("a <emphasis>b</emphasis> c", ignore_unknown=True)] == ["a b c"]


@pytest.mark.parametrize(
    ("text", "kind", "format", "said"),
    [
        ("3", "ordinal", "", "3rd"),
        ("12", "ordinal", "", "12th"),
        ("555-1234", "telephone", "", "5 5 5 1 2 3 4"),
        ("3/14/2024", "date", "", "2024-03-14"),
        ("14.3.2024", "date", "dmy", "2024-03-14"),
        ("31/31/2024", "date", "dmy", "31/31/2024"),
        ("$12.50", "currency", "", "$12.50"),
        ("1984", "cardinal", "", "1,984"),
        ("9" * 5_000, "cardinal", "", "9" * 5_000),
        ("A-1.", "characters", "", "A, dash, 1, dot"),
    ],
)
def test_say_as(text: str, kind: str, format: str, said: str) -> None:
    assert rewrite_say_as(text, kind, format) == said


@given(st.text(st.sampled_from("<>/&;='\"speakbrvoicnm 1s%é😀\n"), max_size=150))
def test_any_text_is_read_or_refused(inside: str) -> None:
    text = f"<speak>{inside}</speak>"
    try:
        found = parse_ssml(text, HEART, VOICES)
    except BadRequest:
        return
    assert all(0 <= run.start <= run.end <= len(text) for passage in found for run in passage.spans)
