"""Spanish, French, Hindi, Italian and Brazilian Portuguese (and, for strangers, any language) by espeak's rules."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

from tts.synth.phonemes.espeak import ipa
from tts.synth.phonemes.locales import Locale
from tts.synth.phonemes.marks import known_mark, quote
from tts.synth.phonemes.short_forms import rewrites
from tts.synth.phonemes.spoken import Spoken
from tts.synth.phonemes.traced import Traced

# IPA of several letters that Kokoro writes as one; the table is misaki's for all languages that espeak reads. espeak's
# "r." for Hindi's ड़ stays, full stop and all: the voices learnt it so, and with ɽ listeners heard no r at all.
_SOUNDS = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
}  # fmt: skip
_SOUND = re.compile("|".join(map(re.escape, _SOUNDS)))

_MARK = r""".,;:!?…()\[\]{}"“”„«»¿¡—–।॥۔؟،؛|*_#~^`<>\\/"""
# A word may hold a mark between digits (12,50 12:30 1.234) or a dot between letters (example.com).
_TOKEN = re.compile(rf"(?P<word>(?:[^\s{_MARK}]|(?<=\d)[.,:/](?=\d)|(?<=\w)\.(?=\w))+)|(?P<mark>[.!?…]+|[^\s])")
_CLAUSE = 40  # words; espeak is given no more at once


class Rules:
    """A language that espeak reads. Holds no more than its tables; espeak itself is loaded on first use."""

    def __init__(self, voice: str, locale: Locale | None = None) -> None:
        self._voice = voice
        self._rewrites = rewrites(locale) if locale else ()

    def read(self, text: str) -> list[Spoken]:
        """Words and marks of `text`; a number with its unit or currency is one word."""
        traced = self.spelled_out(text)
        return traced.back(list(self._words(traced.text)))

    def spelled_out(self, text: str) -> Traced:
        """The text with what is written short in words; plain numbers stay digits, which espeak says."""
        traced = Traced.of(text)
        for pattern, replace, group in self._rewrites:
            traced = traced.sub(pattern, replace, group)
        return traced

    def _words(self, text: str) -> Iterator[Spoken]:
        clause: list[re.Match[str]] = []
        for found in _TOKEN.finditer(text):
            is_word = found.lastgroup == "word" and _is_sayable(found[0])
            if not is_word or len(clause) == _CLAUSE:
                yield from self._clause(clause, text)
                clause = []
            if is_word:
                clause.append(found)
            else:
                yield _spoken(_mark(found[0], text[max(found.start() - 1, 0) : found.start()]), found, text)
        yield from self._clause(clause, text)

    def _clause(self, words: Sequence[re.Match[str]], text: str) -> Iterator[Spoken]:
        if not words:
            return
        written = [word[0].replace("’", "'") for word in words]
        said = self._said(" ".join(written))
        *shares, last = self._shares(written, said)
        for word, phonemes in zip(words, shares, strict=False):
            yield Spoken(phonemes, word.start(), word.end())
        yield _spoken(last, words[-1], text)

    def _said(self, text: str) -> str:
        text = text.replace("एँ", "एं")  # of whose vowel espeak makes a j
        said = _SOUND.sub(lambda found: _SOUNDS[found[0]], ipa(text, self._voice))
        return " ".join(re.sub(r"[\^-]", "", said).split())

    def _shares(self, written: Sequence[str], said: str) -> list[str]:
        """`said` shared out among the written words: espeak may say one as several, or several as one."""
        parts = re.findall(r"\S+ ?", said)
        if len(parts) == len(written):
            return parts
        alone = [self._said(word) for word in written]
        counts = [len(word.split()) for word in alone]
        if sum(counts) != len(parts):
            return _aligned(alone, said)
        edges = [0, *accumulate(counts)]
        return ["".join(parts[a:b]) for a, b in zip(edges, edges[1:], strict=False)]


def _is_sayable(written: str) -> bool:
    """Whether there is more to a token than hyphens, quotes, and marks that belong on a letter."""
    return any(unicodedata.category(c)[0] not in "MCZ" for c in written.strip("-‐‑'’‘"))


def _spoken(phonemes: str, found: re.Match[str], text: str) -> Spoken:
    space = phonemes and text[found.end() : found.end() + 1].isspace()
    return Spoken(phonemes + " " if space else phonemes, found.start(), found.end())


def _aligned(alone: Sequence[str], said: str) -> list[str]:
    """`said` cut where it fits best to the words as they sound alone, preferably at its spaces."""
    spelled = " ".join(alone)
    blocks = SequenceMatcher(None, spelled, said, autojunk=False).get_matching_blocks()
    cuts, at = [0], 0
    for word in alone[:-1]:
        at += len(word) + 1
        place = next((b.b + max(at - b.a, 0) for b in reversed(blocks) if b.a <= at and b.size), 0)
        near = [n + 1 for n in range(place - 3, place + 3) if 0 <= n < len(said) and said[n] == " "]
        place = min(near, key=lambda n: abs(n - place)) if near else place
        cuts.append(min(max(place, cuts[-1]), len(said)))
    cuts.append(len(said))
    return [said[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]


def _mark(mark: str, before: str) -> str:
    if mark == '"':
        return quote(before)
    if mark in "-‐‑":
        return "—" if not before or before.isspace() else ""
    return known_mark(mark)
