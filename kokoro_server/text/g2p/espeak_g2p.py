"""Convert Spanish, French, Hindi, Italian and Brazilian Portuguese to phonemes with espeak's rules.

It also serves any other espeak language, for foreign-script runs. Plain numbers are digits here: espeak reads them.
`EspeakG2P.phonemize` works in these steps:

1. Tokenize into words and marks; espeak receives clauses of up to 40 words at once, since the sound of a word depends
   on its neighbours (French liaison).
2. Assign espeak's output to the written words: one to one if the counts agree, by the counts of the words spoken alone
   if these add up, else by aligning both strings.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate, pairwise

from kokoro_server.text.g2p.espeak import to_ipa
from kokoro_server.text.g2p.phoneme_words import PhonemeWord
from kokoro_server.text.g2p.punctuation import curl_quote, to_model_mark

# IPA of several letters that Kokoro writes as one; the table is misaki's for all languages that use espeak. espeak's
# "r." for Hindi's ड़ is kept, full stop included: the voices were trained on it, and with ɽ listeners heard no r at all.
_TIED_SOUNDS = {
    "a^ɪ": "I", "a^ʊ": "W", "d^z": "ʣ", "d^ʒ": "ʤ", "e^ɪ": "A", "o^ʊ": "O", "ə^ʊ": "Q", "s^s": "S", "t^s": "ʦ",
    "t^ʃ": "ʧ", "ɔ^ɪ": "Y",
}  # fmt: skip
_TIED_SOUND_PATTERN = re.compile("|".join(map(re.escape, _TIED_SOUNDS)))

_MARK_CHARACTERS = r""".,;:!?…()\[\]{}"“”„«»¿¡—–।॥۔؟،؛|*_#~^`<>\\/"""
# A word may hold a mark between digits (12,50 12:30 1.234) or a dot between letters (example.com).
_TOKEN = re.compile(
    rf"(?P<word>(?:[^\s{_MARK_CHARACTERS}]|(?<=\d)[.,:/](?=\d)|(?<=\w)\.(?=\w))+)|(?P<mark>[.!?…]+|[^\s])"
)
_MAX_CLAUSE_WORDS = 40  # words; the maximum per call of espeak


class EspeakG2P:
    """Phonemize a language with espeak, whose name for it is `voice`. espeak is loaded on first use."""

    def __init__(self, voice: str) -> None:
        self._voice = voice

    def phonemize(self, text: str) -> list[PhonemeWord]:
        """Return the words and marks of `text`."""
        return list(self._phonemize_words(text))

    def _phonemize_words(self, text: str) -> Iterator[PhonemeWord]:
        """Yield the words and marks of expanded text; a clause ends at a mark or after 40 words."""
        clause: list[re.Match[str]] = []
        for found in _TOKEN.finditer(text):
            is_word = found.lastgroup == "word" and _is_pronounceable(found[0])
            if not is_word or len(clause) == _MAX_CLAUSE_WORDS:
                yield from self._phonemize_clause(clause, text)
                clause = []
            if is_word:
                clause.append(found)
            else:
                yield _make_word(_convert_mark(found[0], text[max(found.start() - 1, 0) : found.start()]), found, text)
        yield from self._phonemize_clause(clause, text)

    def _phonemize_clause(self, words: Sequence[re.Match[str]], text: str) -> Iterator[PhonemeWord]:
        if not words:
            return
        written = [word[0].replace("’", "'") for word in words]
        said = self._to_phonemes(" ".join(written))
        *shares, last = self._assign_phonemes(written, said)
        for word, phonemes in zip(words, shares, strict=False):
            yield PhonemeWord(phonemes, word.start(), word.end())
        yield _make_word(last, words[-1], text)

    def _to_phonemes(self, text: str) -> str:
        text = text.replace("एँ", "एं")  # espeak turns the vowel of the former into a j
        said = _TIED_SOUND_PATTERN.sub(lambda found: _TIED_SOUNDS[found[0]], to_ipa(text, self._voice))
        return " ".join(re.sub(r"[\^-]", "", said).split())

    def _assign_phonemes(self, written: Sequence[str], said: str) -> list[str]:
        """Distribute `said` over the written words: espeak may return several words for one, or one for several."""
        parts = re.findall(r"\S+ ?", said)
        if len(parts) == len(written):
            return parts
        # espeak's output for each word alone tells how many words it makes of each.
        alone = [self._to_phonemes(word) for word in written]
        counts = [len(word.split()) for word in alone]
        if sum(counts) != len(parts):
            return _align_words(alone, said)
        edges = [0, *accumulate(counts)]
        return ["".join(parts[a:b]) for a, b in pairwise(edges)]


def _is_pronounceable(written: str) -> bool:
    """Return True if a token holds more than hyphens, quotes and combining marks."""
    return any(unicodedata.category(c)[0] not in "MCZ" for c in written.strip("-‐‑'’‘"))


def _make_word(phonemes: str, found: re.Match[str], text: str) -> PhonemeWord:
    space = phonemes and text[found.end() : found.end() + 1].isspace()
    return PhonemeWord(phonemes + " " if space else phonemes, found.start(), found.end())


def _align_words(alone: Sequence[str], said: str) -> list[str]:
    """Split `said` where it best matches the words spoken alone, preferably at one of its spaces.

    Matching blocks of both strings give, for each word end in `alone`, the corresponding index in `said`; a space
    within three symbols of it takes precedence.
    """
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
    return [said[a:b] for a, b in pairwise(cuts)]


def _convert_mark(mark: str, before: str) -> str:
    """Return the network's mark for a written one; a hyphen is a dash only after white space."""
    if mark == '"':
        return curl_quote(before)
    if mark in "-‐‑":
        return "—" if not before or before.isspace() else ""
    return to_model_mark(mark)
