"""Turn the text of an utterance into phonemes, word by word, each with its place in the text as sent.

`FrontEnd.phonemize` works in these steps:

1. Join neighbouring spans of the utterance to one AlignedText, which knows the place of each of its characters in the
   text as sent. Spans with phonemes of their own stand for themselves.
2. Find the words with a pronunciation in the request, and normalize the text between them ("$5" -> "five dollars").
3. Phonemize all of it: each PhonemeWord has its range in the normalized text.

Word times follow the same way back: from a PhonemeWord by its range and the AlignedText to the text as sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby

from kokoro_server.core.request import TextSpan
from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.chunking import Utterance
from kokoro_server.text.g2p import ForeignRun, PhonemeWord, Phonemizer, is_phonemic
from kokoro_server.text.normalization import clean, name_signs, normalize, normalize_runs
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
        if utterance.is_phonemes:
            text = AlignedText.join(map(_align_span, utterance.spans))
            return Script(text, [PhonemeWord(text.text, 0, len(text.text))])
        parts: list[AlignedText] = []
        fixed: list[PhonemeWord] = []
        foreign: list[ForeignRun] = []
        start = 0  # of the part in the normalized text
        for part, phonemes, language in self._normalize_spans(utterance):
            end = start + len(part.text)
            if phonemes:
                fixed.append(PhonemeWord(phonemes, start, end))
            if language:
                foreign.append((language, start, end))
            parts.append(part)
            start = end
        text = AlignedText.join(parts)
        # In English, words that normalization has made have their pronunciations, too: dollars, for $5.
        overrides = dict(utterance.pronunciations) if utterance.language.is_english else {}
        return Script(text, self._phonemizer(text.text, utterance.language, overrides, fixed, foreign))

    def _normalize_spans(self, utterance: Utterance) -> Iterator[tuple[AlignedText, str, str]]:
        """Yield the text of an utterance in parts, each with its phonemes and its foreign language, if it has them."""
        for has_phonemes, group in groupby(utterance.spans, key=lambda span: bool(span.phonemes)):
            if has_phonemes:
                yield from ((_align_span(span), span.phonemes, "") for span in group)
            else:
                yield from self._normalize_text(AlignedText.join(map(_align_span, group)), utterance)

    def _normalize_text(self, text: AlignedText, utterance: Utterance) -> Iterator[tuple[AlignedText, str, str]]:
        """Yield the parts of a text: words with a pronunciation, and the normalized runs between them."""
        # Words are found in plain characters, so that neither wide letters nor soft hyphens hide one.
        plain, pronunciations = text, dict(utterance.pronunciations)
        if utterance.normalize:
            plain = clean(text, utterance.language)
            pronunciations = {_clean_word(word, utterance): said for word, said in pronunciations.items()}
        at = 0
        for found in _find_whole_words(plain.text, pronunciations):
            yield from _normalize_part(plain.cut(at, found.start()), utterance)
            pronunciation = look_up_pronunciation(pronunciations, found[0])
            yield plain.cut(*found.span()), self._resolve(pronunciation, utterance), ""
            at = found.end()
        yield from _normalize_part(plain.cut(at, len(plain.text)), utterance)

    def _resolve(self, pronunciation: str, utterance: Utterance) -> str:
        """Return the phonemes of a pronunciation: /phonemes/ between slashes, or a respelling, which is normalized."""
        if not is_phonemic(pronunciation):
            pronunciation = normalize(pronunciation, utterance.language, emoji=utterance.emoji).text
        return self._phonemizer.resolve_pronunciation(pronunciation, utterance.language)


def _clean_word(word: str, utterance: Utterance) -> str:
    """Return a word of a pronunciation in the plain characters that it is looked for in."""
    return word if word.isascii() else clean(AlignedText.from_text(word), utterance.language).text or word


def _find_whole_words(text: str, pronunciations: Mapping[str, str]) -> Iterator[re.Match[str]]:
    """Yield the words with a pronunciation that are whole tokens: in "C++11" the normalizer reads C++ first."""
    for found in find_pronounced_words(text, pronunciations):
        beside = text[max(found.start() - 1, 0) : found.start()], text[found.end() : found.end() + 1]
        if not any(re.match(WORD_CHARACTER, character) for character in beside):
            yield found


def _normalize_part(text: AlignedText, utterance: Utterance) -> Iterator[tuple[AlignedText, str, str]]:
    """Yield the runs of a part by script, normalized, or with nothing but their signs and emoji named."""
    read = normalize_runs if utterance.normalize else name_signs
    for run in read(text, utterance.language, emoji=utterance.emoji):
        yield run.text, "", run.foreign


def _align_span(span: TextSpan) -> AlignedText:
    """Align the text of a span with the text as sent: character by character, or as a whole if it replaces a range."""
    if span.is_verbatim:
        return AlignedText.from_text(span.text, span.start)
    return AlignedText.from_replacement(span.text, span.start, span.end)
