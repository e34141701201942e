"""Expand dates, times, units, money, symbols and all numbers in Mandarin into Chinese characters."""

import re
import warnings

from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.normalization.rules.rewriting import THOUSANDS_COMMA, RewriteRule, rewrite
from kokoro_server.text.scripts import HAN
from kokoro_server.text.tables import load_tables

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its sources contain invalid escapes
    import cn2an  # type: ignore[import-untyped]

DIGIT_NAMES = "零一二三四五六七八九"
_NAME_BY_DIGIT = dict(zip("0123456789", DIGIT_NAMES, strict=True))
_TABLES = load_tables(__name__)
_UNITS: dict[str, str] = _TABLES["units"]
_CURRENCIES: dict[str, str] = _TABLES["currencies"]
_CURRENCY_CODES: dict[str, str] = _TABLES["codes"]
_SYMBOL_WORDS: dict[str, str] = _TABLES["signs"]
_POWER_PREFIXES = {"2": "平方", "3": "立方"}


def _spell_digits(digits: str) -> str:
    """Spell digits one by one: 2024 -> 二零二四."""
    return "".join(_NAME_BY_DIGIT[digit] for digit in digits)


def spell_cardinal(number: str) -> str:
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
    return "两" if number == "2" else spell_cardinal(number)


def _format_time(hour: str, minute: str) -> str:
    """Spell a time of day: 9:05 -> 九点零五分, 2:00 -> 两点整."""
    said = _spell_counted(str(int(hour))) + "点"
    if not int(minute):
        return said + "整"
    return f"{said}{'零' if minute.startswith('0') else ''}{spell_cardinal(str(int(minute)))}分"


def _expand_slash(found: re.Match[str]) -> str:
    """Return 每 for a slash in a rate (500公斤/亩), a pause in a choice (男/女)."""
    return "每" if re.search(r"\d[^\d/]{1,4}$", found.string[max(0, found.start() - 6) : found.start()]) else "、"


def _format_day(month: str, day: str) -> str:
    """Spell month and day: 3/15 -> 三月十五日."""
    return f"{spell_cardinal(month)}月{spell_cardinal(day)}日"


def _format_date(year: str, month: str, day: str) -> str:
    """Spell a date, the year digit by digit: 2024-03-15 -> 二零二四年三月十五日."""
    return f"{_spell_digits(year)}年{spell_cardinal(str(int(month)))}月{spell_cardinal(str(int(day)))}日"


_NUMBER = r"(?<!\d)\d{1,40}(?:\.\d{1,40})?"
_MEASURE_WORDS = (
    "个|只|本|张|位|次|天|年|块|条|件|杯|名|家|米|点|小时|分钟|岁|周|种|倍|台|部|场|份|辆|斤|双|对|层|间|座|把|支|枚|颗|粒|瓶"
    "|盒|袋|套|顿|句|段|篇|首|封|道|门|项|批|群|排|季|秒|千|万|亿|公里|公斤|美元|欧元|英镑|元"
)
_NO_COUNT_BEFORE = r"(?<![\d.第表图])(?<!第\d[、到和-])(?<!步骤)(?<!阶段)(?<!方案)(?<!方法)(?<!选项)(?<!附件)(?<!玩家)"
_NO_MEASURE_AFTER = "点击|部署|部门|年级|年度|季度|次方|次元|次函数|个人信息|只[需要适能有剩]|位置|把手|对2"
_BEFORE_CODE = "验证码|密码|代码|编号|热线|拨打|致电|电话|邮编|单号|学号|账号|卡号|房号"
_WIN_WORDS = "战胜|获胜|击败|取胜|领先|落败|负于|大胜|战平|逆转|力克|不敌|战绩"


def _spell_phone_digits(digits: str) -> str:
    """Spell digits one by one with 幺 for 1, as in telephone numbers."""
    return _spell_digits(digits).replace("一", "幺")


def _expand_area(found: re.Match[str]) -> str:
    return f"{_spell_counted(found[1])}{_POWER_PREFIXES[found[3]]}{_UNITS[found[2] + 'm']}"


def _expand_measure(found: re.Match[str]) -> str:
    return _spell_counted(found[1]) + _UNITS[found[2]]


# Applied in this order, each to the result of the ones before it; most depend on digits that later rules spell out.
_RULES = tuple(
    RewriteRule(*rule)
    for rule in (
        # 5 个 -> 5个: no space between a number and a character; 05月 -> 5月
        (re.compile(rf"(?<=\d) (?=[{HAN}])|(?<=第) (?=\d)"), lambda _: ""),
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
            lambda f: f"{spell_cardinal(f[1] or f[3])}比{spell_cardinal(f[2] or f[4])}",
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
        (re.compile(rf"(?<=[{HAN}])(?<![元度升克米里次])/(?=[{HAN}])"), lambda f: _expand_slash(f)),
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
            lambda f: f"{spell_cardinal(f[1])}比{spell_cardinal(f[2])}",
        ),
        # 10-15 -> 到; then -5°C and -5, whose sign has no number to its left
        (re.compile(r"(?:(?<=[\d%])|(?<=°C))\s?(?:[-~–—]\s?(?=\d)|~\s?(?=[-−]\d))"), lambda _: "到"),
        (re.compile(rf"(?<=[{DIGIT_NAMES}年月日号点分整元度岁])[-~–—](?=[\d{DIGIT_NAMES}十])"), lambda _: "到"),
        (re.compile(rf"(?<![A-Za-z\d%°-])[-−]({_NUMBER})\s?°C"), lambda f: f"零下{spell_cardinal(f[1])}摄氏度"),
        (re.compile(r"(?<![A-Za-z\d%°-])[-−](?=\d)"), lambda _: "负"),
        # 5km2 (NFKC of km²) -> 五平方公里; then currencies, percent and units
        (re.compile(rf"({_NUMBER})\s?([kc]?)m([23])(?![\dA-Za-z])"), lambda f: _expand_area(f)),
        (
            re.compile(rf"({_NUMBER})\s?(USD|EUR|GBP|JPY|CNY|RMB)(?![A-Za-z])"),
            lambda f: _spell_counted(f[1]) + _CURRENCY_CODES[f[2]],
        ),
        (re.compile(rf"([¥$€£])\s?({_NUMBER})"), lambda f: _spell_counted(f[2]) + _CURRENCIES[f[1]]),
        (re.compile(rf"({_NUMBER})\s?([$€£])"), lambda f: _spell_counted(f[1]) + _CURRENCIES[f[2]]),
        (re.compile(rf"({_NUMBER})\s?%"), lambda f: "百分之" + spell_cardinal(f[1])),
        (re.compile(rf"({_NUMBER})\s?‰"), lambda f: "千分之" + spell_cardinal(f[1])),
        (
            re.compile(rf"({_NUMBER})\s?(km/h|km|kg|cm|mm|ml|GB|MB|°[CF]|m|g|L)(?![A-Za-z])"),
            lambda f: _expand_measure(f),
        ),
        # 3/4 -> 四分之三
        (
            re.compile(r"(?<![\d/])(\d{1,3})/(\d{1,3})(?![\d/])"),
            lambda f: f"{spell_cardinal(f[2])}分之{spell_cardinal(f[1])}",
        ),
        # 2个 -> 两个
        (re.compile(rf"{_NO_COUNT_BEFORE}2(?!{_NO_MEASURE_AFTER})(?={_MEASURE_WORDS})"), lambda _: "两"),
    )
)
_SIGN_WORDS = _SYMBOL_WORDS | {"%": "百分号"}
# Every number that is left is a cardinal.
_PLAIN_RULES = (
    RewriteRule(re.compile(r"\d+(?:\.\d+)?"), lambda f: spell_cardinal(f[0])),
    RewriteRule(re.compile(f"[{''.join(_SIGN_WORDS)}]"), lambda f: _SIGN_WORDS[f[0]]),
)
_ALL_SIGN_WORDS = _SIGN_WORDS | _CURRENCIES | {"‰": "千分号"}
_ALL_SIGN_RULES = (
    RewriteRule(re.compile(r"(?<![A-Za-z\d%°-])[-−](?=\d)"), lambda _: "负"),
    RewriteRule(re.compile(f"[{''.join(_ALL_SIGN_WORDS)}]"), lambda f: _ALL_SIGN_WORDS[f[0]]),
)


def expand_short_forms(text: AlignedText) -> AlignedText:
    """Expand dates, units, money, symbols and numbers into Chinese characters."""
    return rewrite(text.sub(THOUSANDS_COMMA, lambda _: "").to_nfkc(), (*_RULES, *_PLAIN_RULES))


def spell_numbers_and_signs(text: AlignedText) -> AlignedText:
    """Spell plain numbers and signs, which no phonemizer of Mandarin reads; nothing else is expanded."""
    return rewrite(text, _PLAIN_RULES)


def name_all_signs(text: AlignedText) -> AlignedText:
    """Name signs, currencies too, and spell numbers, for text that is not normalized otherwise."""
    return rewrite(text.sub(THOUSANDS_COMMA, lambda _: "").to_nfkc(), (*_ALL_SIGN_RULES, *_PLAIN_RULES))
