"""Convert Japanese to phonemes with OpenJTalk, which also reads numbers with their counters.

`JapaneseG2P.phonemize` works in these steps:

1. Replace compatibility characters (NFKC), such as half-width kana, and name the signs that OpenJTalk drops.
2. Run OpenJTalk on stretches of up to 300 characters. It returns morphemes with their pronunciation but without
   positions; `_locate_morphemes` finds them in the text again.
3. Join morphemes that form one word of misaki's word list.
4. Convert each word's kana to Kokoro's phonemes, add spaces between words, and map the spans back.
"""

import importlib.resources
import itertools
import logging
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jaconv
import pyopenjtalk
from pyopenjtalk.types import NJDFeature

from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.g2p.phoneme_words import PhonemeWord, restore_spans
from kokoro_server.text.g2p.punctuation import CLOSING_MARKS, OPENING_MARKS, to_model_mark
from kokoro_server.text.normalization.japanese import name_signs
from kokoro_server.text.tables import load_tables

log = logging.getLogger(__name__)

_SENTENCE_RUN = re.compile(
    r"[^。！？!?\n]{0,300}[。！？!?\n]*", re.DOTALL
)  # OpenJTalk's buffer holds about 1,000 bytes
_MAX_WORD_LENGTH = 24  # characters; the longest word of the word list

_KANA: dict[str, str] = load_tables(__name__)["kana"]
# Digraphs such as きゃ: the consonant of an i-row kana with another vowel.
_KANA |= {
    kana + small: _KANA[kana][:-1] + vowel
    for kana in "きぎしじちぢにひびぴみり"
    for small, vowel in (("ゃ", "a"), ("ゅ", "ɨ"), ("ょ", "o"), ("ぇ", "e"))
}
_SMALL_KANA = frozenset("ぁぃぅぇぉゃゅょゎ")

_OPENJTALK_MARKS = str.maketrans({"-": "−", '"': "”", "'": "’"})
_DIGITS = re.compile(r"\d(?:[\d.,]*\d)?")  # the comma after a number is a mark of its own
_SEARCH_WINDOW = 40  # characters; how far ahead a morpheme is searched for
_NUMERALS = "零〇一二三四五六七八九十百千万億兆京点・.．0123456789"


@dataclass(frozen=True)
class _Morpheme:
    """Hold a morpheme: what is written, its span in the normalized text, and its pronunciation in hiragana.

    `is_clitic` marks particles and suffixes, which attach to the word before them.
    """

    surface: str
    start: int
    end: int
    kana: str
    is_clitic: bool = False


class JapaneseG2P:
    """Phonemize Japanese. Construction loads OpenJTalk's dictionary and misaki's list of words without inner spaces."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        words = (importlib.resources.files("misaki") / "data" / "ja_words.txt").read_text(encoding="utf-8")
        self._known_words = frozenset(words.split("\n"))
        self.phonemize("あ")  # loads the dictionary

    def phonemize(self, text: str) -> list[PhonemeWord]:
        """Return the words and marks of `text`; a digit run is one word, its counter may be another."""
        plain = name_signs(AlignedText.from_text(text).to_nfkc())
        nodes = [node for found in _SENTENCE_RUN.finditer(plain.text) for node in self._analyze(found)]
        return _add_skipped(restore_spans(_add_spaces(self._group_words(nodes)), plain), text)

    def _analyze(self, found: re.Match[str]) -> list[_Morpheme]:
        """Return the morphemes of one stretch of text. The lock serializes OpenJTalk, whose analyser is one object."""
        if not found[0].strip():
            return []
        text = found[0].translate(_OPENJTALK_MARKS)
        with self._lock:
            features = _run_openjtalk(text)
        return list(_locate_morphemes(features, text, found.start()))

    def _group_words(self, nodes: Sequence[_Morpheme]) -> list[_Morpheme]:
        """Join the morphemes that form one word of the word list: 会い-ましょ-う."""
        out: list[_Morpheme] = []
        at = 0
        while at < len(nodes):
            count = self._match_longest_word(nodes, at)
            group = nodes[at : at + count]
            surface, kana = "".join(n.surface for n in group), "".join(n.kana for n in group)
            out.append(_Morpheme(surface, group[0].start, group[-1].end, kana))
            at += count
        return out

    def _match_longest_word(self, nodes: Sequence[_Morpheme], at: int) -> int:
        """Return how many morphemes from index `at` form a word.

        A clitic never starts one: は-もう is not はもう, a fish.
        """
        if nodes[at].is_clitic:
            return 1
        best, surface = 1, nodes[at].surface
        for count in range(2, len(nodes) - at + 1):
            surface += nodes[at + count - 1].surface
            if len(surface) > _MAX_WORD_LENGTH:
                break
            if surface in self._known_words:
                best = count
        if at + best < len(nodes) and nodes[at + best].is_clitic and nodes[at + best].surface == "さ":
            best += 1  # 美し-さ: the suffix that turns an adjective into a noun
        return best


def _run_openjtalk(text: str) -> list[NJDFeature]:
    """Return OpenJTalk's morphemes of `text`.

    For kanji that it cannot read it consults sudachidict_core (190 MB) if that is installed.
    """
    try:
        return pyopenjtalk.run_frontend(text, use_sudachi_kanji_yomi=False)
    except ModuleNotFoundError:
        log.warning("some rare kanji have no pronunciation: sudachidict_core is not installed")
        return pyopenjtalk.run_frontend(text, use_vanilla=True)


def _locate_morphemes(features: Iterable[NJDFeature], text: str, offset: int) -> Iterator[_Morpheme]:
    """Yield OpenJTalk's morphemes with their positions in `text`, shifted by `offset`.

    OpenJTalk spells numbers, so a morpheme need not occur in the text: the morphemes 千-二-百 all get the span of 1200,
    and 五日 that of 5日. Two cursors move forward: all text before `at` is located; the morphemes of a number share the
    span that ends at `number_end`, after which the next ordinary morpheme is searched.
    """
    at = number_end = 0
    for feature in features:
        surface = unicodedata.normalize("NFKC", feature["string"]).strip()
        at += len(text[at:]) - len(text[at:].lstrip())
        number = _DIGITS.match(text, at)
        counter = _find_counter(surface, text[number.end() :]) if number and not text.startswith(surface, at) else None
        if number and counter is not None:
            start, end = number.start(), number.end() + len(counter)
            number_end = end
            at = end if counter else at
        else:
            start, end = _find_surface(surface, text, max(at, number_end))
            at = end
        leans = feature["pos"] == "助詞" or feature["pos_group1"] == "接尾"
        yield _Morpheme(surface, offset + start, offset + end, _get_kana(feature, surface), leans)


def _find_counter(surface: str, following: str) -> str | None:
    """Return the part of a number's morpheme that is written after its digits: 日 of 五日; 万 of 三万 if written so.

    "" if nothing of it is, None if `surface` is not a number or its counter does not follow.
    """
    counter = surface.lstrip(_NUMERALS)
    if counter == surface or not following.startswith(counter):
        return None
    is_written = not counter and surface[-1] in "百千万億兆" and following.startswith(surface[-1])
    return surface[-1] if is_written else counter


def _find_surface(surface: str, text: str, at: int) -> tuple[int, int]:
    """Return the span of the next `surface` from `at` on.

    If OpenJTalk has rewritten it (as it does with marks), return the character at `at`.
    """
    place = text.find(surface, at, at + _SEARCH_WINDOW + len(surface)) if surface else -1
    if place >= 0:
        return place, place + len(surface)
    return (at, at + 1) if at < len(text) and not text[at].isalnum() else (max(at - 1, 0), max(at, 1))


def _get_kana(feature: NJDFeature, surface: str) -> str:
    """Return a morpheme's pronunciation in hiragana, "" for marks."""
    is_mark = feature["pos"] == "記号" and feature["pos_group1"] != "アルファベット"
    if is_mark or feature["pron"] == "、":
        return ""
    return jaconv.kata2hira(re.sub("[’']", "", feature["pron"]))


def _kana_to_phonemes(kana: str) -> str:
    """Convert a word in hiragana to Kokoro's phonemes, digraphs (きゃ) before single kana."""
    out, at = "", 0
    while at < len(kana):
        size = 2 if kana[at : at + 2] in _KANA else 1
        out += _convert_kana(kana[at : at + size], kana[at + size : at + size + 2])
        at += size
    return out


def _convert_kana(kana: str, following: str) -> str:
    """Return the phonemes of one kana or digraph; ー lengthens, っ is a glottal stop, ん depends on what follows."""
    if kana == "ー":
        return "ː"
    if kana == "っ":
        return "ʔ"
    if kana == "ん":
        return _assimilate_nasal(_KANA.get(following) or _KANA.get(following[:1], ""))
    return _KANA.get(kana, "")


def _assimilate_nasal(following: str) -> str:
    """Return ん assimilated to the place of the consonant that follows: m, ŋ, ɲ, n, else ɴ."""
    first = following[:1]
    for consonants, nasal in (("mpb", "m"), ("kɡ", "ŋ"), ("ɲʨʥ", "ɲ"), ("ntdɾz", "n")):
        if first and first in consonants:
            return nasal
    return "ɴ"


def _add_spaces(nodes: Sequence[_Morpheme]) -> list[PhonemeWord]:
    """Convert morphemes to words separated by spaces.

    No space stands before a closing mark, after an opening one, before a long vowel (ー) or beside a stop (っ).
    """
    sounds = [_kana_to_phonemes(node.kana) or _convert_marks(node.surface) for node in nodes]
    audible = [n for n, sound in enumerate(sounds) if sound]
    for this, following in itertools.pairwise(audible):
        first, last = sounds[following][0], sounds[this][-1]
        if first not in CLOSING_MARKS and first not in "ʔː" and last not in OPENING_MARKS and last not in "ʔ ":
            sounds[this] += " "
    return [PhonemeWord(sound, node.start, node.end) for node, sound in zip(nodes, sounds, strict=True)]


def _add_skipped(spoken: Sequence[PhonemeWord], text: str) -> list[PhonemeWord]:
    """Return `spoken` with a silent word for each stretch of letters that OpenJTalk skipped, such as unknown kanji."""
    out: list[PhonemeWord] = []
    at = 0
    for word in (*spoken, PhonemeWord("", len(text), len(text))):
        skipped = text[at : word.start]
        if any(map(str.isalnum, skipped)):
            out.append(PhonemeWord("", word.start - len(skipped.lstrip()), at + len(skipped.rstrip())))
        out.append(word)
        at = word.end
    return out[:-1]


def _convert_marks(surface: str) -> str:
    return "".join(map(to_model_mark, surface))
