"""Turn the text of an utterance into phonemes, word by word, each with its place in the text as sent.

`FrontEnd.phonemize` works in these steps:

1. Normalize each span of the utterance ("$5" -> "five dollars"). Words with a pronunciation and spans with phonemes of
   their own stay as written.
2. Join the spans to one AlignedText, which knows the place of each of its characters in the text as sent.
3. Phonemize it: each PhonemeWord has its range in the normalized text.

Word times follow the same way back: from a PhonemeWord by its range and the AlignedText to the text as sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kokoro_server.core.request import TextSpan
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.chunking import Utterance
from kokoro_server.text.g2p import PhonemeWord, Phonemizer
from kokoro_server.text.normalization import normalize, replace_emoji
from kokoro_server.text.pronounced_words import find_pronounced_words, look_up_pronunciation
from kokoro_server.text.scripts import WORD_CHARACTER


@dataclass(frozen=True)
class Script:
    """Hold the normalized text of an utterance, aligned with the text as sent, and its phonemes word by word."""

    text: AlignedText
    words: list[PhonemeWord]


class FrontEnd:
    """Normalize and phonemize utterances; safe to call from several threads.

    A language's dictionaries are loaded with its first text, or by `languages` in advance.
    """

    def __init__(self, languages: Iterable[str] = ()) -> None:
        self._phonemizer = Phonemizer(languages)

    def phonemize(self, utterance: Utterance) -> Script:
        """Return the normalized text and the phonemes of an utterance; spans with phonemes of their own keep them.

        Raises:
            ValueError: The language is unknown.
        """
        parts: list[AlignedText] = []
        fixed: list[PhonemeWord] = []
        length = 0  # of the normalized text so far
        for part, phonemes in self._normalize_spans(utterance):
            parts.append(part)
            start, length = length, length + len(part.text)
            if phonemes:
                fixed.append(PhonemeWord(phonemes, start, length))
        text = AlignedText.join(parts)
        if utterance.is_phonemes:
            return Script(text, [PhonemeWord(text.text, 0, len(text.text))])
        return Script(text, self._phonemizer(text.text, utterance.language, dict(utterance.pronunciations), fixed))

    def _normalize_spans(self, utterance: Utterance) -> Iterator[tuple[AlignedText, str]]:
        """Yield the text of an utterance in parts, each with its phonemes if they are given."""
        for span in utterance.spans:
            source = _align_span(span)
            if span.phonemes or utterance.is_phonemes:
                yield source, span.phonemes
                continue
            at = 0
            for found in _find_whole_words(span.text, utterance):
                yield _normalize_part(source.cut(at, found.start()), utterance), ""
                pronunciation = look_up_pronunciation(dict(utterance.pronunciations), found[0])
                phonemes = self._phonemizer.resolve_pronunciation(pronunciation, utterance.language)
                yield source.cut(*found.span()), phonemes
                at = found.end()
            yield _normalize_part(source.cut(at, len(span.text)), utterance), ""


def _find_whole_words(text: str, utterance: Utterance) -> Iterator[re.Match[str]]:
    """Yield the words with a pronunciation that are whole tokens: in "C++11" the normalizer reads C++ first."""
    for found in find_pronounced_words(text, dict(utterance.pronunciations)):
        beside = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
        if not any(re.match(WORD_CHARACTER, character) for character in beside):
            yield found


def _normalize_part(text: AlignedText, utterance: Utterance) -> AlignedText:
    """Normalize a part of an utterance; emoji are named or silent even where nothing else is replaced."""
    replace = normalize if utterance.normalize else replace_emoji
    return replace(text, utterance.language, emoji=utterance.emoji)


def _align_span(span: TextSpan) -> AlignedText:
    """Align the text of a span with the text as sent: character by character, or as a whole if it replaces a range."""
    if span.is_verbatim:
        return AlignedText.from_text(span.text, span.start)
    return AlignedText.from_replacement(span.text, span.start, span.end)
