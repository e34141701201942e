"""Convert Japanese to phonemes with OpenJTalk, which also reads numbers with their counters.

`JapaneseG2P.phonemize` works in these steps:

1. Normalize (NFKC and `_NORMALIZATION_RULES`): dates, times, units, money, ranges and symbols become Japanese words;
   plain numbers stay digits, which OpenJTalk reads.
2. Run OpenJTalk on stretches of up to 300 characters. It returns morphemes with their pronunciation but without
   positions; `_locate_morphemes` finds them in the text again.
3. Join morphemes that form one word of misaki's word list.
4. Convert each word's kana to Kokoro's phonemes, add spaces between words, and map the spans back.
"""

import importlib.resources
import logging
import re
import threading
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import jaconv
import pyopenjtalk
from pyopenjtalk.types import NJDFeature

from kokoro_server.text.g2p.phoneme_words import PhonemeWord
from kokoro_server.text.g2p.punctuation import CLOSING_MARKS, OPENING_MARKS, THOUSANDS_COMMA, to_model_mark
from kokoro_server.text.g2p.traced import AlignedText

log = logging.getLogger(__name__)

_SENTENCE_RUN = re.compile(
    r"[^。！？!?\n]{0,300}[。！？!?\n]*", re.DOTALL
)  # OpenJTalk's buffer holds about 1,000 bytes
_MAX_WORD_LENGTH = 24  # characters; the longest word of the word list

# Pairs of kana and the phonemes that the voices were trained on.
_KANA_ROWS = """
    ぁ a あ a ぃ i い i ぅ ɯ う ɯ ぇ e え e ぉ o お o か ka が ɡa き kʲi ぎ ɡʲi く kɯ ぐ ɡɯ け ke
    げ ɡe こ ko ご ɡo さ sa ざ ʣa し ɕi じ ʥi す sɨ ず zɨ せ se ぜ ʣe そ so ぞ ʣo た ta だ da ち ʨi
    ぢ ʥi つ ʦɨ づ zɨ て te で de と to ど do な na に ɲi ぬ nɯ ね ne の no は ha ば ba ぱ pa ひ çi
    び bʲi ぴ pʲi ふ ɸɯ ぶ bɯ ぷ pɯ へ he べ be ぺ pe ほ ho ぼ bo ぽ po ま ma み mʲi む mɯ め me
    も mo ゃ ja や ja ゅ jɯ ゆ jɯ ょ jo よ jo ら ɾa り ɾʲi る ɾɯ れ ɾe ろ ɾo ゎ βa わ βa ゐ i ゑ e
    を o ゔ vɯ ゕ ka ゖ ke ヷ va ヸ vʲi ヹ ve ヺ vo いぇ je うぃ βi うぇ βe うぉ βo つぁ ʦa つぃ ʦʲi
    つぇ ʦe つぉ ʦo てぃ tʲi てゅ tʲɨ でぃ dʲi でゅ dʲɨ とぅ tɯ どぅ dɯ ふぁ ɸa ふぃ ɸʲi ふぇ ɸe ふぉ ɸo
    ふゅ ɸʲɨ ふょ ɸʲo ゔぁ va ゔぃ vʲi ゔぇ ve ゔぉ vo ゔゅ bʲɨ ゔょ bʲo くぁ kᵝa くぃ kᵝi くぇ kᵝe くぉ kᵝo
    ぐぁ ɡᵝa ぐぃ ɡᵝi ぐぇ ɡᵝe ぐぉ ɡᵝo
"""
_KANA = dict(zip(_KANA_ROWS.split()[::2], _KANA_ROWS.split()[1::2], strict=True))
# Digraphs such as きゃ: the consonant of an i-row kana with another vowel.
_KANA |= {
    kana + small: _KANA[kana][:-1] + vowel
    for kana in "きぎしじちぢにひびぴみり"
    for small, vowel in (("ゃ", "a"), ("ゅ", "ɨ"), ("ょ", "o"), ("ぇ", "e"))
}
_SMALL_KANA = frozenset("ぁぃぅぇぉゃゅょゎ")

_UNITS = {
    "km/h": "キロメートル毎時", "km": "キロメートル", "kg": "キログラム", "cm": "センチメートル",
    "mm": "ミリメートル", "m": "メートル", "g": "グラム", "ml": "ミリリットル", "L": "リットル",
    "GB": "ギガバイト", "MB": "メガバイト", "°C": "度", "℃": "度", "%": "パーセント",
}  # fmt: skip
_CURRENCIES = {"¥": "円", "￥": "円", "$": "ドル", "€": "ユーロ", "£": "ポンド"}
_CURRENCY_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_POWER_PREFIXES = {"2": "平方", "3": "立方"}
_SYMBOL_WORDS = {
    "&": "アンド",
    "+": "プラス",
    "=": "イコール",
    "@": "アットマーク",
    "°": "度",
    "×": "かける",
    "÷": "わる",
    "±": "プラスマイナス",
    "≠": "ノットイコール",
    "≈": "ニアリーイコール",
    "∞": "無限大",
    "√": "ルート",
    "‰": "パーミル",
}
_KANJI = r"\u3400-\u4dbf\u4e00-\u9fff"
_FRACTION_FOLLOWS = r"\d+/\d+(?:に(?:な|減|縮|削|圧|下|落|抑)|から\d+/\d)"
_AFTER_FRACTION = "の(?:確率|人|割合|大きさ|模型)|秒|サイズ|スケール|点"
# Weekdays before から are read by their kana, since OpenJTalk would take 月 and 日 for counters of a number or a date.
_WEEKDAYS = {"月": "げつ", "火": "か", "水": "すい", "木": "もく", "金": "きん", "土": "ど", "日": "にち"}
# Applied in this order, each to the result of the ones before it.
_NORMALIZATION_RULES = (
    # 5 月 -> 5月: no space between a number and its counter
    (re.compile(r"(?<=\d) (?=[年月日時分秒人円個回本枚歳])(?! 日本| 本日| 本文| 人称| 回線)"), lambda _: ""),
    # 〒100-0001: postal code, digit by digit
    (re.compile(r"〒 ?(\d{3})-(\d{4})"), lambda f: f"郵便番号、{_spell_digits(f[1])}の{_spell_digits(f[2])}"),
    # 銀座町1-2-3 -> 1の2の3: block and house number
    (
        re.compile(
            r"(?:(?<=[町区市村番田])|(?<=丁目))([1-9]\d{0,2})-([1-9]\d{0,2})(?:-([1-9]\d{0,2}))?(?=$|[\s、。,)号番])"
        ),
        lambda f: "の".join(filter(None, f.groups())),
    ),
    # 3-1で勝 -> 3たい1: score
    (re.compile(r"(?<!\d)(\d{1,2})-(\d{1,2})(?=で(?:勝|敗|負|逆|快|引|下|制|破))"), lambda f: f"{f[1]}たい{f[2]}"),
    # 月-金 -> げつからきん
    (
        re.compile(rf"(?<![\d今毎])([月火水木金土日])[~〜～-]([月火水木金土日])(?![{_KANJI}])"),
        lambda f: f"{_WEEKDAYS[f[1]]}から{_WEEKDAYS[f[2]]}",
    ),
    # 3/15(月), 5/1から -> 3月15日: a date, not a fraction
    (
        re.compile(
            rf"(?<![\d/])(?![1-4]/[2-5]に)(?!{_FRACTION_FOLLOWS})([1-9]|1[0-2])/([1-9]|[12]\d|3[01])"
            r"(?= ?\([月火水木金土日]\)|に|から|まで|[~〜～])"
        ),
        lambda f: f"{f[1]}月{f[2]}日",
    ),
    (
        re.compile(rf"(?<![\d/])(?!{_FRACTION_FOLLOWS})([1-9]|1[0-2])/(1|1[3-9]|2\d|3[01])(?![\d/]|{_AFTER_FRACTION})"),
        lambda f: f"{f[1]}月{f[2]}日",
    ),
    # 5 - 3 = 2: minus; ▲5 in accounts: below zero
    (re.compile(r"(?<=\d) ?[-—] ?(?=\d+ ?=)"), lambda _: "引く"),
    (re.compile(r"▲(?=\d)"), lambda _: "マイナス"),
    # 2024-03-15 -> 2024年3月15日
    (
        re.compile(r"(?<!\d)(\d{4})[/-](\d{1,2})[/-](\d{1,2})(?!\d)"),
        lambda f: f"{f[1]}年{int(f[2])}月{int(f[3])}日",
    ),
    # 9:30 -> 9時30分
    (re.compile(r"(?<!\d)(?<!\d:)(\d{1,2}):([0-5]\d)(?![\d:])"), lambda f: _format_time(f[1], f[2])),
    (re.compile(r"(?<!\d)0時(?!間)"), lambda _: "零時"),
    # 03-1234-5678: telephone number
    (
        re.compile(r"(?<![\d-])(0\d{1,4})-(\d{1,4})-(\d{3,4})(?![\d-])"),
        lambda f: "、".join(map(_spell_digits, f.groups())),
    ),
    (re.compile(r"No\.? ?(?=\d)"), lambda _: "ナンバー"),
    # 3/4 -> 4分の3
    (re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"), lambda f: f"{f[2]}分の{f[1]}"),
    # 10-15 -> 10から15; before a number without anything to its left, the sign is a minus
    (
        re.compile(r"(?<![\d)-])((?:0|[1-9]\d{0,3})(?:%|°C)?)\s?[-–—]\s?(?=\d{1,4}(?![\d-]))"),
        lambda f: f"{f[1]}から",
    ),
    (re.compile(r"(?<=[年月日時分秒円度人個歳])[-–](?=\d)"), lambda _: "から"),
    (re.compile(r"(?<!\d)([-−]?\d{1,20}(?:\.\d{1,20})?)\s?°F"), lambda f: f"華氏{f[1]}度"),
    (re.compile(r"(?<![A-Za-z\d%°)-])[-−](?=\d)"), lambda _: "マイナス"),
    # 5km2 (NFKC of km²) -> 5平方キロメートル; then currencies and units
    (re.compile(r"(?<=\d)\s?([kc]?)m([23])(?![\dA-Za-z])"), lambda f: _POWER_PREFIXES[f[2]] + _UNITS[f"{f[1]}m"]),
    (re.compile(r"(?<=\d)\s?(USD|EUR|GBP|JPY)(?![A-Za-z])"), lambda f: _CURRENCIES[_CURRENCY_CODES[f[1]]]),
    (re.compile(r"([¥￥$€£])\s?(\d+(?:\.\d+)?)"), lambda f: f[2] + _CURRENCIES[f[1]]),
    (re.compile(r"(?<=\d)\s?([$€£])"), lambda f: _CURRENCIES[f[1]]),
    (re.compile(r"(?<=\d)\s?(km/h|km|kg|cm|mm|ml|GB|MB|°C|℃|m|g|L|%)(?![A-Za-z])"), lambda f: _UNITS[f[1]]),
    (re.compile(r"\s?[~〜～]\s?(?=\d|マイナス)"), lambda _: "から"),
    (re.compile(r"(?<=\d)\s+(?=\d)"), lambda _: "、"),  # OpenJTalk would take 1 0 for ten
    (re.compile(f"[{''.join(_SYMBOL_WORDS)}]"), lambda f: _SYMBOL_WORDS[f[0]]),
)
_DIGIT_NAMES = dict(
    zip("0123456789", ["ゼロ", "イチ", "ニー", "サン", "ヨン", "ゴー", "ロク", "ナナ", "ハチ", "キュー"], strict=True)
)
_OPENJTALK_MARKS = str.maketrans({"-": "−", '"': "”", "'": "’"})
_DIGITS = re.compile(r"\d(?:[\d.,]*\d)?")  # the comma after a number is a mark of its own
_SEARCH_WINDOW = 40  # characters; how far ahead a morpheme is searched for
_NUMERALS = "零〇一二三四五六七八九十百千万億兆京点・.．0123456789"


def _spell_digits(digits: str) -> str:
    """Spell digits one by one in the forms of telephone numbers, all two morae long: 2 -> ニー, 5 -> ゴー."""
    return "".join(_DIGIT_NAMES[digit] for digit in digits)


def _format_time(hour: str, minute: str) -> str:
    """Return a time of day: 9:05 -> 9時5分, 9:00 -> 9時."""
    return f"{int(hour)}時{int(minute)}分" if int(minute) else f"{int(hour)}時"


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
        traced = AlignedText.from_text(text).sub(THOUSANDS_COMMA, lambda _: "").to_nfkc()
        for pattern, replace in _NORMALIZATION_RULES:
            traced = traced.sub(pattern, replace)
        nodes = [node for found in _SENTENCE_RUN.finditer(traced.text) for node in self._analyze(found)]
        return _add_skipped(traced.restore_spans(_add_spaces(self._group_words(nodes))), text)

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
    for this, following in zip(audible, audible[1:], strict=False):
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
