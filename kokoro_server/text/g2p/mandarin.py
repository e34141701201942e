"""Convert Mandarin to phonemes: jieba segments, pypinyin reads, misaki's table maps pinyin to Kokoro's phonemes.

`MandarinG2P.phonemize` works in these steps:

1. Replace compatibility characters (NFKC), and spell the numbers and signs of a text that was not normalized.
2. Segment the runs of Han characters into words.
3. Read each word: characters with several readings (得, 地, 长, 为 …) by the neighbouring words, else by pypinyin's
   phrase dictionary, extended by mandarin.toml.
4. Add spaces between words and map the spans back.
"""

import itertools
import logging
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin, load_phrases_dict
from pypinyin.constants import PHRASES_DICT

from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.g2p.phoneme_words import PhonemeWord, restore_spans
from kokoro_server.text.g2p.punctuation import CLOSING_MARKS, OPENING_MARKS, to_model_mark
from kokoro_server.text.normalization.mandarin import DIGIT_NAMES, spell_numbers_and_signs
from kokoro_server.text.scripts import HAN
from kokoro_server.text.tables import load_tables

with warnings.catch_warnings():
    # jieba's sources contain invalid escapes and import pkg_resources: both raise warnings in newer Pythons.
    warnings.simplefilter("ignore")
    import jieba  # type: ignore[import-untyped]
    from misaki.zh import ZHG2P  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_TOKEN = re.compile(rf"(?P<han>[{HAN}]+)|(?P<mark>[.!?…]+|—+|\S)")


class MandarinG2P:
    """Phonemize Mandarin. Construction loads jieba's and pypinyin's dictionaries: about 1 s of CPU."""

    def __init__(self) -> None:
        self._segmenter = _build_segmenter()
        load_phrases_dict(
            {word: [[syllable] for syllable in said.split()] for word, said in load_tables(__name__)["phrases"].items()}
        )
        self._convert_word = lru_cache(maxsize=60_000)(_convert_word)

    def phonemize(self, text: str) -> list[PhonemeWord]:
        """Return the words (as jieba segments them) and marks of `text`; a number is one word."""
        plain = spell_numbers_and_signs(AlignedText.from_text(text).to_nfkc())
        return restore_spans(_add_spaces(list(self._phonemize_words(plain.text))), plain)

    def _phonemize_words(self, text: str) -> Iterator[PhonemeWord]:
        for found in _TOKEN.finditer(text):
            if found.lastgroup == "mark":
                yield PhonemeWord(to_model_mark(found[0]), *found.span())
                continue
            words = list(self._segment(found[0]))
            for at, (word, start, end) in enumerate(words):
                preceding = words[at - 1][0] if at else ""
                following = words[at + 1][0] if at + 1 < len(words) else ""
                reading = _choose_reading(word, preceding, following)
                sound = _convert_pinyin(reading) if reading else self._convert_word(word)
                yield PhonemeWord(sound, found.start() + start, found.start() + end)

    def _segment(self, text: str) -> Iterator[tuple[str, int, int]]:
        """Yield jieba's words with their spans, 地 split from a verb that jieba joined to it (高兴-地说)."""
        for word, start, end in self._segmenter.tokenize(text):
            if len(word) == 2 and word[0] == "地" and word[1] in "说走看问笑跑想做写听讲答学玩哭":
                yield from ((word[0], start, start + 1), (word[1], start + 1, end))
            else:
                yield word, start, end


# Tables for `_choose_reading` and `_convert_word`, which disambiguate characters with several readings by neighbours.
_SUFFIXED = re.compile(f"(?:(?P<long>[米里尺年天])长|(?P<row>[{DIGIT_NAMES}十每几两])行)$")
_PERSON_WORDS = "我 你 他 她 它 您 我们 你们 他们 她们 咱们 大家 就 也 还 都 总 可 非 又 先 这 那 谁"
_OTHER_SUBJECTS = """
    今天 明天 昨天 现在 以后 今晚 明早 可能 一定 肯定 恐怕 必须 至少 起码 看来 应该 妈妈 爸爸 老师 孩子
    人 学生 员工 别人 公司
"""
_BEFORE_MUST = frozenset((*_PERSON_WORDS.split(), *_OTHER_SUBJECTS.split()))
_AFTER_OBTAIN = re.compile(f"[{DIGIT_NAMES}十百]+分|[了过到奖分第]|冠军|亚军|感冒|.*[病症炎癌]$")
_DEGREE_STARTS = tuple("很太更最真好非特十相越不挺够如像多少快慢早晚高低干清漂美")
_OBTAIN_VERBS = "获求征所彼佛罗里捧挣夺赢取立摘录竞乍始兼易既志必哈奥乌难"
_AMOUNT_ENDINGS = tuple("约均度口积格温价数率量额例长宽高重速比计")
_DEGREE_WORDS = "很 太 这么 那么 多 更 最 非常 特别 好 挺 够 比较 越来越 有点 身 全 细"
_BEFORE_LONG = frozenset(_DEGREE_WORDS.split())
_LENGTH_UNIT_END = re.compile("(?:米|公里|厘米|公分|里|尺|年|天|小时)$")
_NUMERAL_END = re.compile(f"[{DIGIT_NAMES}十百两几每]$")
_NUMERAL_START = re.compile(f"[{DIGIT_NAMES}十百两负约]")


def _choose_reading(word: str, preceding: str, following: str) -> str:
    """Return the pinyin of a one-character word with several readings, by its neighbours; "" if they do not decide."""
    if word == "得":
        if _AFTER_OBTAIN.match(following):
            return ""  # obtain
        if not preceding or preceding in _BEFORE_MUST:
            return "dei3"  # must
        return "de5" if len(preceding) == 1 or following.startswith(_DEGREE_STARTS) else ""  # the particle after a verb
    if word == "地":
        noun = preceding[-1:] in tuple("块片亩顷处") or following[:1] in tuple("上下里方面图势区主暖推垫锁")
        return "de5" if len(preceding) > 1 and following and not noun else ""
    if word == "长":
        grows = following[:1] in tuple("了一几记心个肉大高")
        long = preceding in _BEFORE_LONG or _LENGTH_UNIT_END.search(preceding) or following[:1] in ("达", "约")
        return "chang2" if long and not grows else ""
    if word == "为":
        amounts = preceding.endswith(_AMOUNT_ENDINGS) and _NUMERAL_START.match(following)
        return "wei2" if amounts or preceding[-1:] in ("约", "均", "设", "视", "变", "温") else ""
    if word == "教":
        return "jiao1" if following[:1] in tuple("我你他她它孩学您") else ""
    if word == "还":
        return "huan2" if following in ("钱", "款", "债", "债务", "书", "清") else ""
    if word == "只":
        counts = _NUMERAL_END.search(preceding) or preceding in ("这", "那", "哪")
        return "zhi1" if counts and following[:1] not in tuple("需剩占为会能用有要是") else ""
    if word == "行":
        return "hang2" if _NUMERAL_END.search(preceding) else ""
    return ""


def _build_segmenter() -> jieba.Tokenizer:
    """Build jieba's segmenter with its own dictionary in memory.

    By default jieba reads a cache file with a predictable name from the temp folder, where other users could plant one.
    """
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


def _convert_word(word: str) -> str:
    """Convert one word to phonemes.

    Words that pypinyin's phrase dictionary lacks are split at the endings 长 and 行, at the particle 得 (跑得快) and at
    the particle 地 after a reduplication (慢慢地).
    """
    if len(word) > 1 and word not in PHRASES_DICT:
        if ended := _SUFFIXED.search(word):
            return _convert_word(word[:-1]) + _convert_pinyin("chang2" if ended["long"] else "hang2")
        place = word.find("得", 1) if len(word) < 4 and word[0] not in _OBTAIN_VERBS else -1
        if place < 0 and word[-1] == "地" and _is_reduplicated(word[:-1]):
            place = len(word) - 1
        if place > 0:
            return (
                _convert_word(word[:place])
                + _convert_pinyin("de5")
                + (_convert_word(word[place + 1 :]) if word[place + 1 :] else "")
            )
    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")
    return "".join(map(_convert_pinyin, filter(None, syllables))).replace("\u032f", "")


def _is_reduplicated(word: str) -> bool:
    """Return True for a reduplicated word: 慢慢, 高高兴兴."""
    return word[: len(word) // 2] == word[len(word) // 2 :] or word[0::2] == word[1::2]


def _convert_pinyin(pinyin: str) -> str:
    """Convert one pinyin syllable with its tone number (de5) to phonemes; "" for one that misaki's table lacks."""
    try:
        return str(ZHG2P.py2ipa(pinyin))
    except ValueError:  # misaki's table lacks a few interjections (呒 is a lone m)
        log.warning("no phonemes for the pinyin syllable %s", pinyin)
        return ""


def _add_spaces(spoken: list[PhonemeWord]) -> list[PhonemeWord]:
    """Add spaces between words, in place; none before a closing mark nor after an opening one."""
    audible = [n for n, word in enumerate(spoken) if word.phonemes]
    for this, following in itertools.pairwise(audible):
        word = spoken[this]
        if spoken[following].phonemes[0] not in CLOSING_MARKS and word.phonemes[-1] not in OPENING_MARKS:
            spoken[this] = PhonemeWord(word.phonemes + " ", word.start, word.end)
    return spoken
