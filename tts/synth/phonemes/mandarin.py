"""Mandarin: jieba's words, pypinyin's readings and misaki's pinyin table for Kokoro v1.0."""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin

from tts.synth.phonemes.marks import CLOSING, OPENING, known_mark
from tts.synth.phonemes.spoken import Spoken
from tts.synth.phonemes.traced import Traced

with warnings.catch_warnings():
    # jieba's sources hold escapes that newer Pythons warn of, and ask for pkg_resources.
    warnings.simplefilter("ignore")
    import cn2an  # type: ignore[import-untyped]
    import jieba  # type: ignore[import-untyped]
    from misaki.zh import ZHG2P  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003134f"
_TOKEN = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<mark>[.!?…]+|—+|\S)")
_NAMED = "零一二三四五六七八九"
_DIGIT = dict(zip("0123456789", _NAMED, strict=True))
_UNITS = {
    "km/h": "公里每小时", "km": "公里", "kg": "公斤", "cm": "厘米", "mm": "毫米", "m": "米", "g": "克",
    "ml": "毫升", "L": "升", "°C": "摄氏度", "°F": "华氏度", "GB": "吉字节", "MB": "兆字节",
}  # fmt: skip
_CURRENCIES = {"¥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_CODES = {"USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "CNY": "元", "RMB": "元"}
_AREAS = {"2": "平方", "3": "立方"}
_SAID = {
    "&": "和", "+": "加", "=": "等于", "@": "艾特", "×": "乘", "÷": "除以", "°": "度", "/": "每", "±": "正负",
    "≠": "不等于", "≈": "约等于", "∞": "无穷大", "√": "根号",
}  # fmt: skip

Rewrite = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _spelled(digits: str) -> str:
    return "".join(_DIGIT[digit] for digit in digits)


def _cardinal(number: str) -> str:
    """A number in characters; one that has more than sixteen digits has no name and is spelled."""
    whole, _, fraction = number.partition(".")
    if len(whole) > 16 or (len(whole) > 1 and whole.startswith("0")):
        return _spelled(whole + fraction)
    said = str(cn2an.an2cn(str(int(whole)), "low"))
    return f"{said}点{_spelled(fraction)}" if fraction else said


def _counted(number: str) -> str:
    """A number before a measure word: two is 两 there."""
    return "两" if number == "2" else _cardinal(number)


def _clock(hour: str, minute: str) -> str:
    said = _counted(str(int(hour))) + "点"
    if not int(minute):
        return said + "整"
    return f"{said}{'零' if minute.startswith('0') else ''}{_cardinal(str(int(minute)))}分"


def _date(year: str, month: str, day: str) -> str:
    return f"{_spelled(year)}年{_cardinal(str(int(month)))}月{_cardinal(str(int(day)))}日"


_NUMBER = r"\d+(?:\.\d+)?"
_REWRITES: tuple[Rewrite, ...] = (
    (re.compile(r"(?<=\d),(?=\d{3}(?!\d))"), lambda _: ""),
    (re.compile(r"(?<!\d)(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(?!\d)"), lambda f: _date(f[1], f[2], f[3])),
    (re.compile(r"(?<!\d)(\d{4})(?=(?:[-~–—]\d{4})?年)"), lambda f: _spelled(f[1])),
    (re.compile(r"(?<![\d:])([01]?\d|2[0-4]):([0-5]\d)(?![\d:])"), lambda f: _clock(f[1], f[2])),
    (
        re.compile(r"(?<!\d)(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)"),
        lambda f: "，".join(map(_phone, f.groups())),
    ),
    (re.compile(r"(?<!\d)(0\d{2,3})-(\d{7,8})(?!\d)"), lambda f: "，".join(map(_phone, f.groups()))),
    (
        re.compile(r"(?<!\d)([48]00)-(\d{3,4})-(\d{3,4})(?!\d)"),
        lambda f: "，".join(map(_phone, f.groups())),
    ),
    (re.compile(r"No\.? ?(?=\d)"), lambda _: "第"),
    (re.compile(r"(?<![\d:])(\d{1,3}):(\d{1,3})(?![\d:])"), lambda f: f"{_cardinal(f[1])}比{_cardinal(f[2])}"),
    (re.compile(r"(?:(?<=[\d%])|(?<=°C))\s?(?:[-~–—]\s?(?=\d)|~\s?(?=[-−]\d))"), lambda _: "到"),
    (re.compile(rf"(?<=[{_NAMED}年月日号点分整元度岁])[-~–—](?=[\d{_NAMED}十])"), lambda _: "到"),
    (re.compile(rf"(?<![A-Za-z\d%°-])[-−]({_NUMBER})\s?°C"), lambda f: f"零下{_cardinal(f[1])}摄氏度"),
    (re.compile(r"(?<![A-Za-z\d%°-])[-−](?=\d)"), lambda _: "负"),
    (re.compile(rf"({_NUMBER})\s?([kc]?)m([23])(?![\dA-Za-z])"), lambda f: _area(f)),
    (re.compile(rf"({_NUMBER})\s?(USD|EUR|GBP|JPY|CNY|RMB)(?![A-Za-z])"), lambda f: _counted(f[1]) + _CODES[f[2]]),
    (re.compile(rf"([¥$€£])\s?({_NUMBER})"), lambda f: _counted(f[2]) + _CURRENCIES[f[1]]),
    (re.compile(rf"({_NUMBER})\s?([$€£])"), lambda f: _counted(f[1]) + _CURRENCIES[f[2]]),
    (re.compile(rf"({_NUMBER})\s?%"), lambda f: "百分之" + _cardinal(f[1])),
    (re.compile(rf"({_NUMBER})\s?‰"), lambda f: "千分之" + _cardinal(f[1])),
    (re.compile(rf"({_NUMBER})\s?(km/h|km|kg|cm|mm|ml|GB|MB|°[CF]|m|g|L)(?![A-Za-z])"), lambda f: _measured(f)),
    (
        re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"),
        lambda f: f"{_cardinal(f[2])}分之{_cardinal(f[1])}",
    ),
    (re.compile(r"(?<!第)2(?=[个只本张位次天年块条件杯名家米])(?<!\d2)"), lambda _: "两"),
    (re.compile(rf"{_NUMBER}"), lambda f: _cardinal(f[0])),
    (re.compile(f"[{''.join(_SAID)}]"), lambda f: _SAID[f[0]]),
)


def _phone(digits: str) -> str:
    return _spelled(digits).replace("一", "幺")


def _area(found: re.Match[str]) -> str:
    return f"{_counted(found[1])}{_AREAS[found[3]]}{_UNITS[found[2] + 'm']}"


def _measured(found: re.Match[str]) -> str:
    return _counted(found[1]) + _UNITS[found[2]]


class Mandarin:
    """jieba's dictionary and pypinyin's, loaded on construction: about a second of CPU."""

    def __init__(self) -> None:
        self._cutter = _cutter()
        self._word = lru_cache(maxsize=60_000)(_word)

    def read(self, text: str) -> list[Spoken]:
        """Words (as jieba cuts them) and marks of `text`; a number is one word."""
        traced = Traced.of(text).nfkc()
        for pattern, replace in _REWRITES:
            traced = traced.sub(pattern, replace)
        return traced.back(_spaced(list(self._words(traced.text))))

    def _words(self, text: str) -> Iterator[Spoken]:
        for found in _TOKEN.finditer(text):
            if found.lastgroup == "mark":
                yield Spoken(known_mark(found[0]), *found.span())
                continue
            for word, start, end in self._cutter.tokenize(found[0]):
                yield Spoken(self._word(word), found.start() + start, found.start() + end)


def _cutter() -> jieba.Tokenizer:
    """jieba with its own dictionary, built in memory: its cache file would lie, guessable, in the temp folder."""
    cutter = jieba.Tokenizer()
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return cutter


def _word(word: str) -> str:
    syllables = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, errors="ignore")
    return "".join(map(_syllable, filter(None, syllables))).replace("\u032f", "")


def _syllable(pinyin: str) -> str:
    try:
        return str(ZHG2P.py2ipa(pinyin))
    except ValueError:  # misaki's table lacks a few interjections (呒 is a lone m)
        log.warning("no sound for the pinyin %s", pinyin)
        return ""


def _spaced(spoken: list[Spoken]) -> list[Spoken]:
    """Words apart by spaces, but none before a closing mark nor after an opening one."""
    loud = [n for n, word in enumerate(spoken) if word.phonemes]
    for this, following in zip(loud, loud[1:], strict=False):
        word = spoken[this]
        if spoken[following].phonemes[0] not in CLOSING and word.phonemes[-1] not in OPENING:
            spoken[this] = Spoken(word.phonemes + " ", word.start, word.end)
    return spoken
