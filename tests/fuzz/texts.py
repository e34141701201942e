"""Texts, bodies and bytes that look enough like good ones to get far."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from kokoro_server.core.voices import OPENAI_VOICES, VOICES


def pasted(*pieces: str) -> st.SearchStrategy[str]:
    """Texts put together of these pieces, with anything in between."""
    return st.lists(st.sampled_from(pieces) | st.text(max_size=6), max_size=12).map("".join)


MARKED = pasted(
    *("[pause:", "1s", "]", "[", "[voice:af_heart]", "[/voice]", "[rate:", "0.5", "[/rate]", "word", "](/", "/)", " "),
    *("[pause:500ms]", "[word](/wˈɜɹd/)", "[voice:", "(2)+af_sky", "\n", "[/", "99999999", ".", "٣", "１"),
)
SSML = st.tuples(
    st.sampled_from(["<speak>", "<speak xml:lang='en-US'>", "<?xml version='1.0'?><speak>", "<speak/", " <speak "]),
    pasted(
        *("<break time='1s'/>", "<p>", "</p>", "<s>", "</s>", "<say-as interpret-as='date' format='mdy'>", "</say-as>"),
        *("<sub alias='x'>", "</sub>", "<phoneme ph='a'>", "</phoneme>", "<prosody rate='50%' volume='+6dB'>", "&amp;"),
        *(
            "</prosody>",
            "<voice name='af_heart'>",
            "</voice>",
            "<lang xml:lang='fr'>",
            "</lang>",
            "&#x41;",
            "<!--",
            "-->",
        ),
        *(
            "<![CDATA[",
            "]]>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]>",
            "&a;",
            "<?x y?>",
            "3/14/2024",
            "\r\n",
            "\n",
            "<",
            "'",
            "🎉",
        ),
    ),
    st.sampled_from(["</speak>", "</speak> ", "", "</p></speak>"]),
).map("".join)
BLENDS = pasted(
    *VOICES[:6], *OPENAI_VOICES, "+", "-", "(", ")", "(2)", "(0.5)", "1e9", "nan", "inf", " ", "٣", "jf_alpha"
)
NAMES = pasted(
    *(
        "tts_output_link_",
        "0123456789abcdef" * 2,
        ".wav",
        ".part",
        "..",
        "/",
        "\\",
        "%2e%2e",
        "%00",
        "\0",
        "~",
        "etc/passwd",
    ),
    *("C:", "CON", ".mp3", "\r\n", "Set-Cookie: x=1"),
)
DICTIONARY = st.lists(pasted("word", "\t", ":", " ", "/wˈɜɹd/", "#", "---", '"', "'", "\ufeff", "/"), max_size=8).map(
    "\n".join
).map(str.encode) | st.binary(max_size=200)

FIELDS = (
    *("text", "input", "voice", "format", "response_format", "speed", "language", "lang_code", "sample_rate", "stream"),
    *("normalize", "pronunciations", "timestamps", "stream_format", "model", "volume_multiplier", "voices", "phonemes"),
    *("return_download_link", "normalization_options", "title", "author", "id"),
)
WORDS = st.sampled_from(["Hello there.", "af_heart", "wav", "pcm", "en-us", "kokoro", "sse", "audio", "flac", ""])
SCALARS: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=20) | MARKED | SSML | BLENDS
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
BODIES: st.SearchStrategy[Any] = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8) | VALUES
