"""Voices, blends, near names, OpenAI's names and languages."""

from __future__ import annotations

import pytest

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Gender, Language, find_language
from kokoro_server.core.voices import (
    MAX_BLEND_VOICES,
    OPENAI_VOICES,
    VOICES,
    find_voice,
    get_voice_gender,
    get_voice_language,
    suggest_names,
)

ONCE_ALLOWED = set(
    """
    af_alloy af_aoede af_bella af_heart af_jessica af_kore af_nicole af_nova af_river af_sarah af_sky am_adam am_michael
    bf_alice bf_emma bf_isabella bf_lily bm_george bm_lewis jf_alpha jf_gongitsune jf_nezumi jf_tebukuro
    """.split()  # noqa: SIM905, names side by side read better than quotes
)


def test_all_54_are_there_once() -> None:
    assert len(VOICES) == len(set(VOICES)) == 54
    assert set(VOICES) >= ONCE_ALLOWED
    assert {name[0] for name in VOICES} == set(Language)


@pytest.mark.parametrize("name", VOICES)
def test_every_voice_is_found_by_its_name(name: str) -> None:
    voice = find_voice(name)
    assert voice.parts == ((name, 1.0),)
    assert (voice.name, voice.language) == (name, name[0])


@pytest.mark.parametrize(
    ("name", "found"),
    [(" af_heart ", "af_heart"), ("AF_Heart", "af_heart"), ("Alloy", "af_alloy"), ("SHIMMER", "af_sky")],
)
def test_names_are_forgiving(name: str, found: str) -> None:
    assert find_voice(name).name == found


def test_openais_thirteen_are_voices() -> None:
    names = list(OPENAI_VOICES)
    assert " ".join(sorted(names)) == "alloy ash ballad cedar coral echo fable marin nova onyx sage shimmer verse"
    assert [find_voice(name).name for name in names] == [OPENAI_VOICES[name] for name in names]
    assert len({OPENAI_VOICES[name] for name in names}) == 13


BLENDS = [
    ("af_bella+af_sky", {"af_bella": 0.5, "af_sky": 0.5}),
    ("af_bella(2)+af_sky(1)", {"af_bella": 2 / 3, "af_sky": 1 / 3}),
    ("af_bella(2)+af_sky", {"af_bella": 2 / 3, "af_sky": 1 / 3}),
    ("af_bella(0.5) + af_sky(.5)", {"af_bella": 0.5, "af_sky": 0.5}),
    ("AF_Bella(1)+alloy(3)", {"af_bella": 0.25, "af_alloy": 0.75}),
    ("af_bella+af_bella", {"af_bella": 1.0}),
    ("af_bella(3)+af_sky-af_sky", {"af_bella": 1.0}),
    ("af_bella(3)-af_sky(1)", {"af_bella": 1.5, "af_sky": -0.5}),
    ("af_bella-af_sky", {"af_bella": 0.5, "af_sky": -0.5}),
    ("af_bella(1e1)+af_sky(1e1)", {"af_bella": 0.5, "af_sky": 0.5}),
    ("af_heart+bf_emma", {"af_heart": 0.5, "bf_emma": 0.5}),
    ("jf_alpha+jm_kumo", {"jf_alpha": 0.5, "jm_kumo": 0.5}),
    ("+".join(VOICES[:MAX_BLEND_VOICES]), dict.fromkeys(VOICES[:MAX_BLEND_VOICES], 0.1)),
]


@pytest.mark.parametrize(("name", "weights"), BLENDS)
def test_blends(name: str, weights: dict[str, float]) -> None:
    assert dict(find_voice(name).parts) == pytest.approx(weights)


@pytest.mark.parametrize("name", [blend for blend, _ in BLENDS])
def test_a_blends_own_name_asks_for_it_again(name: str) -> None:
    voice = find_voice(name)
    assert dict(find_voice(voice.name).parts) == pytest.approx(dict(voice.parts), rel=1e-3)


NO_VOICES = [
    ("", "empty"),
    ("   ", "empty"),
    ("af_hart", "Did you mean af_heart or af_sarah?"),
    ("heart", "Did you mean af_heart?"),
    ("bf_bella", "af_bella"),
    ("xyzzy", "GET /voices lists them"),
    ("af_heart af_sky", "neither a voice nor a blend"),
    ("af_bella+", "neither a voice nor a blend"),
    ("+af_bella", "neither a voice nor a blend"),
    ("af_bella++af_sky", "neither a voice nor a blend"),
    ("af_bella(2", "neither a voice nor a blend"),
    ("af_bella()+af_sky", "The weight '' in"),
    ("af_bella(0)+af_sky", "above 0"),
    ("af_bella(-1)+af_sky", "above 0"),
    ("af_bella(nan)+af_sky", "above 0"),
    ("af_bella(inf)+af_sky", "above 0"),
    ("af_bella(101)+af_sky", "up to 100"),
    ("af_bella(two)+af_sky", "The weight 'two'"),
    ("af_bella-af_bella", "Nothing is left"),
    ("af_bella+jf_alpha", "mixes several"),
    ("af_bella+nobody", "Unknown voice 'nobody'"),
    ("+".join(VOICES[: MAX_BLEND_VOICES + 1]), "up to 10"),
    ("../../etc/passwd", "Unknown voice"),
    ("af_heart.pt", "Did you mean af_heart"),
    ("af_heart\x00", "Unknown voice"),
    ("\ud800", "Unknown voice"),
    ("x" * 100_000, "neither a voice nor a blend"),
    ("af_bella(" * 10_000, "neither a voice nor a blend"),
    (" " * 100_000 + "x", "Unknown voice"),
]


@pytest.mark.parametrize(
    ("name", "words"), NO_VOICES, ids=[name[:20].encode("ascii", "replace").decode() for name, _ in NO_VOICES]
)
def test_what_is_no_voice(name: str, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        find_voice(name)
    message = caught.value.message
    assert words in message
    assert len(message) < 300
    assert sum(voice in message.replace(name[:40], "") for voice in VOICES) <= 5
    assert caught.value.field == "voice"
    message.encode("utf-8")


def test_only_what_is_allowed_is_found_or_told() -> None:
    allowed = ("af_heart", "jf_alpha")
    assert find_voice("af_heart", allowed).name == "af_heart"
    for name in ("af_bella", "alloy", "af_heart+af_bella"):
        with pytest.raises(BadRequest) as caught:
            find_voice(name, allowed)
        assert "af_bella" not in (caught.value.allowed or "")
    assert suggest_names("alpha", allowed) == ["jf_alpha"]


def test_near_names_are_few() -> None:
    assert max(len(suggest_names(voice[:-1], VOICES)) for voice in VOICES) == 3
    assert suggest_names("af_alloi", VOICES)[0] == "af_alloy"
    assert suggest_names("emma", VOICES) == ["bf_emma"]
    assert suggest_names("x" * 10_000, VOICES) == []


@pytest.mark.parametrize("language", Language, ids=lambda language: language.code)
def test_every_language_is_found_by_any_of_its_names(language: Language) -> None:
    for name in (language.value, language.code, *language.aliases):
        for written in (name, name.upper(), f" {name} ", name.replace("-", "_")):
            assert find_language(written) is language
    assert Language(language.value) is language


@pytest.mark.parametrize("name", ["", "k", "klingon", "en-us-x", "zz", "a b", "\ud800", "x" * 10_000])
def test_what_is_no_language(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        find_language(name)
    assert "en-us" in caught.value.message and len(caught.value.message) < 250
    assert caught.value.field == "language"
    caught.value.message.encode("utf-8")


def test_languages_and_genders_are_their_letters() -> None:
    assert str(Language.SPANISH) == "e" and str(Gender.MALE) == "m"
    assert [language for language in Language if language.is_english] == list("ab")
    assert [language for language in Language if not language.is_spaced] == list("jz")
    assert get_voice_language("bf_emma") is Language.BRITISH_ENGLISH
    assert get_voice_gender("bf_emma").title_name == "female"
