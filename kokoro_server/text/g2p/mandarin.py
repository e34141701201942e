"""Convert Mandarin to phonemes: jieba segments, pypinyin reads, misaki's table maps pinyin to Kokoro's phonemes.

`MandarinG2P.phonemize` works in these steps:

1. Normalize (NFKC and `_NORMALIZATION_RULES`): dates, times, units, money and all numbers become Chinese characters.
2. Segment the runs of Han characters into words.
3. Read each word: characters with several readings (得, 地, 长, 为 …) by the neighbouring words, else by pypinyin's
   phrase dictionary, extended by `_PHRASE_READINGS`.
4. Add spaces between words and map the spans back.
"""

import logging
import re
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache

from pypinyin import Style, lazy_pinyin, load_phrases_dict
from pypinyin.constants import PHRASES_DICT

from kokoro_server.text.g2p.phoneme_words import PhonemeWord
from kokoro_server.text.g2p.punctuation import CLOSING_MARKS, OPENING_MARKS, THOUSANDS_COMMA, to_model_mark
from kokoro_server.text.g2p.traced import AlignedText

with warnings.catch_warnings():
    # jieba's sources contain invalid escapes and import pkg_resources: both raise warnings in newer Pythons.
    warnings.simplefilter("ignore")
    import cn2an  # type: ignore[import-untyped]
    import jieba  # type: ignore[import-untyped]
    from misaki.zh import ZHG2P  # type: ignore[import-untyped]

log = logging.getLogger(__name__)

_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003134f"
_TOKEN = re.compile(rf"(?P<han>[{_HAN}]+)|(?P<mark>[.!?…]+|—+|\S)")
_DIGIT_NAMES = "零一二三四五六七八九"
_NAME_BY_DIGIT = dict(zip("0123456789", _DIGIT_NAMES, strict=True))
_UNITS = {
    "km/h": "公里每小时", "km": "公里", "kg": "公斤", "cm": "厘米", "mm": "毫米", "m": "米", "g": "克",
    "ml": "毫升", "L": "升", "°C": "摄氏度", "°F": "华氏度", "GB": "吉字节", "MB": "兆字节",
}  # fmt: skip
_CURRENCIES = {"¥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_CURRENCY_CODES = {"USD": "美元", "EUR": "欧元", "GBP": "英镑", "JPY": "日元", "CNY": "元", "RMB": "元"}
_POWER_PREFIXES = {"2": "平方", "3": "立方"}
_SYMBOL_WORDS = {
    "&": "和", "+": "加", "=": "等于", "@": "艾特", "×": "乘", "÷": "除以", "°": "度", "/": "每", "±": "正负",
    "≠": "不等于", "≈": "约等于", "∞": "无穷大", "√": "根号",
}  # fmt: skip

Substitution = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _spell_digits(digits: str) -> str:
    """Spell digits one by one: 2024 -> 二零二四."""
    return "".join(_NAME_BY_DIGIT[digit] for digit in digits)


def _spell_cardinal(number: str) -> str:
    """Spell a number in characters: 2500.5 -> 两千五百点五.

    Numbers of more than 16 digits or with a leading zero are spelled digit by digit.
    """
    whole, _, fraction = number.partition(".")
    if len(whole) > 16 or (len(whole) > 1 and whole.startswith("0")):
        return _spell_digits(whole + fraction)
    said = re.sub("(?<!十)二(?=[千万亿])", "两", str(cn2an.an2cn(str(int(whole)), "low")))
    return f"{said}点{_spell_digits(fraction)}" if fraction else said


def _spell_counted(number: str) -> str:
    """Spell a number before a measure word, where 2 is 两."""
    return "两" if number == "2" else _spell_cardinal(number)


def _format_time(hour: str, minute: str) -> str:
    """Spell a time of day: 9:05 -> 九点零五分, 2:00 -> 两点整."""
    said = _spell_counted(str(int(hour))) + "点"
    if not int(minute):
        return said + "整"
    return f"{said}{'零' if minute.startswith('0') else ''}{_spell_cardinal(str(int(minute)))}分"


def _expand_slash(found: re.Match[str]) -> str:
    """Return 每 for a slash in a rate (500公斤/亩), a pause in a choice (男/女)."""
    return "每" if re.search(r"\d[^\d/]{1,4}$", found.string[max(0, found.start() - 6) : found.start()]) else "、"


def _format_day(month: str, day: str) -> str:
    """Spell month and day: 3/15 -> 三月十五日."""
    return f"{_spell_cardinal(month)}月{_spell_cardinal(day)}日"


def _format_date(year: str, month: str, day: str) -> str:
    """Spell a date, the year digit by digit: 2024-03-15 -> 二零二四年三月十五日."""
    return f"{_spell_digits(year)}年{_spell_cardinal(str(int(month)))}月{_spell_cardinal(str(int(day)))}日"


_NUMBER = r"(?<!\d)\d{1,40}(?:\.\d{1,40})?"
_MEASURE_WORDS = (
    "个|只|本|张|位|次|天|年|块|条|件|杯|名|家|米|点|小时|分钟|岁|周|种|倍|台|部|场|份|辆|斤|双|对|层|间|座|把|支|枚|颗|粒|瓶"
    "|盒|袋|套|顿|句|段|篇|首|封|道|门|项|批|群|排|季|秒|千|万|亿|公里|公斤|美元|欧元|英镑|元"
)
_NO_COUNT_BEFORE = r"(?<![\d.第表图])(?<!第\d[、到和-])(?<!步骤)(?<!阶段)(?<!方案)(?<!方法)(?<!选项)(?<!附件)(?<!玩家)"
_NO_MEASURE_AFTER = "点击|部署|部门|年级|年度|季度|次方|次元|次函数|个人信息|只[需要适能有剩]|位置|把手|对2"
_BEFORE_CODE = "验证码|密码|代码|编号|热线|拨打|致电|电话|邮编|单号|学号|账号|卡号|房号"
_WIN_WORDS = "战胜|获胜|击败|取胜|领先|落败|负于|大胜|战平|逆转|力克|不敌|战绩"
# Applied in this order, each to the result of the ones before it; most depend on digits that later rules spell out.
_NORMALIZATION_RULES: tuple[Substitution, ...] = (
    # 5 个 -> 5个: no space between a number and a character; 05月 -> 5月
    (re.compile(rf"(?<=\d) (?=[{_HAN}])|(?<=第) (?=\d)"), lambda _: ""),
    (re.compile(r"(?<!\d)0([1-9])(?=[月日号])"), lambda f: f[1]),
    # codes, extensions, service numbers and decades digit by digit: 验证码1234, 305室, 10086, 90后
    (
        re.compile(rf"(?P<behind>(?:{_BEFORE_CODE})(?:是|为|:)? ?)(?P<code>\d{{3,8}})(?![\d.行次个元条台多部人-])"),
        lambda f: f["behind"] + _spell_phone_digits(f["code"]),
    ),
    (
        re.compile(r"(?<!\d)(?:\d{3,5}(?=室|热线|客服热线|客服电话)|[1-9]\d{1,2}[1-9](?=房间))"),
        lambda f: _spell_phone_digits(f[0]),
    ),
    (
        re.compile(r"(?<!\d)(?:10086|10010|12306|12315)(?![\d元块人个米步名万次条件])"),
        lambda f: _spell_phone_digits(f[0]),
    ),
    (re.compile(r"(?<![\d满到破至达])[05-9][05](?=后(?!\w?[面来]))"), lambda f: _spell_digits(f[0])),
    # 2023-2024赛季: two years
    (
        re.compile(r"(?<!\d)(\d{4})[-~–—](\d{4})(?=赛季|学年)"),
        lambda f: f"{_spell_digits(f[1])}到{_spell_digits(f[2])}",
    ),
    # 比分3-1, 3-1战胜 -> 三比一: score
    (
        re.compile(
            rf"(?:(?<=比分)|(?<=以)(?=\d+[-–:]\d+(?:{_WIN_WORDS}|的比分|$|[，。,.])))(\d{{1,3}})[-–:](\d{{1,3}})"
            rf"|(?<!\d)(\d{{1,3}})[-–](\d{{1,3}})(?={_WIN_WORDS})"
        ),
        lambda f: f"{_spell_cardinal(f[1] or f[3])}比{_spell_cardinal(f[2] or f[4])}",
    ),
    (re.compile(r"(?<=\d) ?[-—] ?(?=\d+ ?=)"), lambda _: "减"),
    # 3/15, 5/1 -> month and day: the day is 1 or at least 13, and no word of proportion precedes
    (
        re.compile(r"(?<![\d/约占为第度过近率])([1-9]|1[0-2])/(1|1[3-9]|2\d|3[01])(?![\d/的页])"),
        lambda f: _format_day(f[1], f[2]),
    ),
    # 50元/m2, 50元/kg, 500公斤/亩 -> 每
    (re.compile(r"(?<=元)/m2"), lambda _: "每平方米"),
    (re.compile(r"(?<=元)/(kg|km|L|m)(?![A-Za-z])"), lambda f: "每" + _UNITS[f[1]]),
    (re.compile(rf"(?<=[{_HAN}])(?<![元度升克米里次])/(?=[{_HAN}])"), lambda f: _expand_slash(f)),
    # 2024-03-15, 2024年, 9:30
    (re.compile(r"(?<!\d)(\d{4})[/.-](\d{1,2})[/.-](\d{1,2})(?!\d)"), lambda f: _format_date(f[1], f[2], f[3])),
    (re.compile(r"(?<!\d)(\d{4})(?=(?:[-~–—]\d{4})?年)"), lambda f: _spell_digits(f[1])),
    (re.compile(r"(?<!\d)(?<!\d:)([01]?\d|2[0-4]):([0-5]\d)(?![\d:])"), lambda f: _format_time(f[1], f[2])),
    # mobile 138 1234 5678, landline 010-12345678, service 400-123-4567: digit by digit in groups
    (
        re.compile(r"(?<!\d)(1[3-9]\d)[ -]?(\d{4})[ -]?(\d{4})(?!\d)"),
        lambda f: "，".join(map(_spell_phone_digits, f.groups())),
    ),
    (re.compile(r"(?<!\d)(0\d{2,3})-(\d{7,8})(?!\d)"), lambda f: "，".join(map(_spell_phone_digits, f.groups()))),
    (
        re.compile(r"(?<!\d)([48]00)-(\d{3,4})-(\d{3,4})(?!\d)"),
        lambda f: "，".join(map(_spell_phone_digits, f.groups())),
    ),
    (re.compile(r"No\.? ?(?=\d)"), lambda _: "第"),
    (
        re.compile(r"(?<!\d)(?<!\d:)(\d{1,3}):(\d{1,3})(?![\d:])"),
        lambda f: f"{_spell_cardinal(f[1])}比{_spell_cardinal(f[2])}",
    ),
    # 10-15 -> 到; then -5°C and -5, whose sign has no number to its left
    (re.compile(r"(?:(?<=[\d%])|(?<=°C))\s?(?:[-~–—]\s?(?=\d)|~\s?(?=[-−]\d))"), lambda _: "到"),
    (re.compile(rf"(?<=[{_DIGIT_NAMES}年月日号点分整元度岁])[-~–—](?=[\d{_DIGIT_NAMES}十])"), lambda _: "到"),
    (re.compile(rf"(?<![A-Za-z\d%°-])[-−]({_NUMBER})\s?°C"), lambda f: f"零下{_spell_cardinal(f[1])}摄氏度"),
    (re.compile(r"(?<![A-Za-z\d%°-])[-−](?=\d)"), lambda _: "负"),
    # 5km2 (NFKC of km²) -> 五平方公里; then currencies, percent and units
    (re.compile(rf"({_NUMBER})\s?([kc]?)m([23])(?![\dA-Za-z])"), lambda f: _expand_area(f)),
    (
        re.compile(rf"({_NUMBER})\s?(USD|EUR|GBP|JPY|CNY|RMB)(?![A-Za-z])"),
        lambda f: _spell_counted(f[1]) + _CURRENCY_CODES[f[2]],
    ),
    (re.compile(rf"([¥$€£])\s?({_NUMBER})"), lambda f: _spell_counted(f[2]) + _CURRENCIES[f[1]]),
    (re.compile(rf"({_NUMBER})\s?([$€£])"), lambda f: _spell_counted(f[1]) + _CURRENCIES[f[2]]),
    (re.compile(rf"({_NUMBER})\s?%"), lambda f: "百分之" + _spell_cardinal(f[1])),
    (re.compile(rf"({_NUMBER})\s?‰"), lambda f: "千分之" + _spell_cardinal(f[1])),
    (re.compile(rf"({_NUMBER})\s?(km/h|km|kg|cm|mm|ml|GB|MB|°[CF]|m|g|L)(?![A-Za-z])"), lambda f: _expand_measure(f)),
    # 3/4 -> 四分之三
    (
        re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"),
        lambda f: f"{_spell_cardinal(f[2])}分之{_spell_cardinal(f[1])}",
    ),
    # 2个 -> 两个; every number that is left is a cardinal
    (re.compile(rf"{_NO_COUNT_BEFORE}2(?!{_NO_MEASURE_AFTER})(?={_MEASURE_WORDS})"), lambda _: "两"),
    (re.compile(r"\d+(?:\.\d+)?"), lambda f: _spell_cardinal(f[0])),
    (re.compile(f"[{''.join(_SYMBOL_WORDS)}]"), lambda f: _SYMBOL_WORDS[f[0]]),
)


def _spell_phone_digits(digits: str) -> str:
    """Spell digits one by one with 幺 for 1, as in telephone numbers."""
    return _spell_digits(digits).replace("一", "幺")


def _expand_area(found: re.Match[str]) -> str:
    return f"{_spell_counted(found[1])}{_POWER_PREFIXES[found[3]]}{_UNITS[found[2] + 'm']}"


def _expand_measure(found: re.Match[str]) -> str:
    return _spell_counted(found[1]) + _UNITS[found[2]]


class MandarinG2P:
    """Phonemize Mandarin. Construction loads jieba's and pypinyin's dictionaries: about 1 s of CPU."""

    def __init__(self) -> None:
        self._segmenter = _build_segmenter()
        load_phrases_dict({word: [[syllable] for syllable in said.split()] for word, said in _PHRASE_READINGS.items()})
        self._convert_word = lru_cache(maxsize=60_000)(_convert_word)

    def phonemize(self, text: str) -> list[PhonemeWord]:
        """Return the words (as jieba segments them) and marks of `text`; a number is one word."""
        traced = AlignedText.from_text(text).sub(THOUSANDS_COMMA, lambda _: "").to_nfkc()
        for pattern, replace in _NORMALIZATION_RULES:
            traced = traced.sub(pattern, replace)
        return traced.restore_spans(_add_spaces(list(self._phonemize_words(traced.text))))

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
_SUFFIXED = re.compile(f"(?:(?P<long>[米里尺年天])长|(?P<row>[{_DIGIT_NAMES}十每几两])行)$")
_PERSON_WORDS = "我 你 他 她 它 您 我们 你们 他们 她们 咱们 大家 就 也 还 都 总 可 非 又 先 这 那 谁"
_OTHER_SUBJECTS = """
    今天 明天 昨天 现在 以后 今晚 明早 可能 一定 肯定 恐怕 必须 至少 起码 看来 应该 妈妈 爸爸 老师 孩子
    人 学生 员工 别人 公司
"""
_BEFORE_MUST = frozenset((*_PERSON_WORDS.split(), *_OTHER_SUBJECTS.split()))
_AFTER_OBTAIN = re.compile(f"[{_DIGIT_NAMES}十百]+分|[了过到奖分第]|冠军|亚军|感冒|.*[病症炎癌]$")
_DEGREE_STARTS = tuple("很太更最真好非特十相越不挺够如像多少快慢早晚高低干清漂美")
_OBTAIN_VERBS = "获求征所彼佛罗里捧挣夺赢取立摘录竞乍始兼易既志必哈奥乌难"
_AMOUNT_ENDINGS = tuple("约均度口积格温价数率量额例长宽高重速比计")
_DEGREE_WORDS = "很 太 这么 那么 多 更 最 非常 特别 好 挺 够 比较 越来越 有点 身 全 细"
_BEFORE_LONG = frozenset(_DEGREE_WORDS.split())
_LENGTH_UNIT_END = re.compile("(?:米|公里|厘米|公分|里|尺|年|天|小时)$")
_NUMERAL_END = re.compile(f"[{_DIGIT_NAMES}十百两几每]$")
_NUMERAL_START = re.compile(f"[{_DIGIT_NAMES}十百两负约]")


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


# Words in which pypinyin would choose the more frequent reading of a character instead of the right one.
_PHRASE_READINGS = {
    "华为": "huá wéi", "约为": "yuē wéi", "均为": "jūn wéi", "设为": "shè wéi", "视为": "shì wéi", "价为": "jià wéi",
    "一月": "yī yuè", "长时间": "cháng shí jiān",
    "变为": "biàn wéi", "命名为": "mìng míng wéi", "为例": "wéi lì", "多长": "duō cháng",
    "多长时间": "duō cháng shí jiān",
    "很长": "hěn cháng", "太长": "tài cháng", "最长": "zuì cháng", "更长": "gèng cháng", "全长": "quán cháng",
    "长达": "cháng dá", "长约": "cháng yuē", "这么长": "zhè me cháng", "重写": "chóng xiě", "重装": "chóng zhuāng",
    "重试": "chóng shì", "重来": "chóng lái", "重启": "chóng qǐ", "还钱": "huán qián", "还款": "huán kuǎn",
    "还书": "huán shū", "教我": "jiāo wǒ", "教你": "jiāo nǐ", "教他": "jiāo tā", "教她": "jiāo tā",
    "教孩子": "jiāo hái zi", "这只": "zhè zhī", "那只": "nà zhī", "每行": "měi háng", "两行": "liǎng háng",
    "一只": "yì zhī", "两只": "liǎng zhī", "三只": "sān zhī",
}  # fmt: skip


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
    for this, following in zip(audible, audible[1:], strict=False):
        word = spoken[this]
        if spoken[following].phonemes[0] not in CLOSING_MARKS and word.phonemes[-1] not in OPENING_MARKS:
            spoken[this] = PhonemeWord(word.phonemes + " ", word.start, word.end)
    return spoken
