"""Expand dates, times, units, money, ranges and symbols in Japanese; OpenJTalk reads plain numbers itself."""

import re

from kokoro_server.text.aligned import AlignedText
from kokoro_server.text.normalization.rules.rewriting import THOUSANDS_COMMA, RewriteRule, rewrite
from kokoro_server.text.tables import load_tables

_TABLES = load_tables(__name__)
_UNITS: dict[str, str] = _TABLES["units"]
_CURRENCIES: dict[str, str] = _TABLES["currencies"]
_SYMBOL_WORDS: dict[str, str] = _TABLES["signs"]
_DIGIT_NAMES: dict[str, str] = _TABLES["digits"]
_CURRENCY_CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_POWER_PREFIXES = {"2": "平方", "3": "立方"}
_KANJI = r"\u3400-\u4dbf\u4e00-\u9fff"
_FRACTION_FOLLOWS = r"\d+/\d+(?:に(?:な|減|縮|削|圧|下|落|抑)|から\d+/\d)"
_AFTER_FRACTION = "の(?:確率|人|割合|大きさ|模型)|秒|サイズ|スケール|点"
# Weekdays before から are read by their kana, since OpenJTalk would take 月 and 日 for counters of a number or a date.
_WEEKDAYS = {"月": "げつ", "火": "か", "水": "すい", "木": "もく", "金": "きん", "土": "ど", "日": "にち"}


def _spell_digits(digits: str) -> str:
    """Spell digits one by one in the forms of telephone numbers, all two morae long: 2 -> ニー, 5 -> ゴー."""
    return "".join(_DIGIT_NAMES[digit] for digit in digits)


def _format_time(hour: str, minute: str) -> str:
    """Return a time of day: 9:05 -> 9時5分, 9:00 -> 9時."""
    return f"{int(hour)}時{int(minute)}分" if int(minute) else f"{int(hour)}時"


# Applied in this order, each to the result of the ones before it.
_RULES = tuple(
    RewriteRule(*rule)
    for rule in (
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
            re.compile(
                rf"(?<![\d/])(?!{_FRACTION_FOLLOWS})([1-9]|1[0-2])/(1|1[3-9]|2\d|3[01])(?![\d/]|{_AFTER_FRACTION})"
            ),
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
)
_SIGN_WORDS = _SYMBOL_WORDS | {"%": "パーセント"}
_SIGN_RULE = RewriteRule(re.compile(f"[{''.join(_SIGN_WORDS)}]"), lambda found: _SIGN_WORDS[found[0]])
_ALL_SIGN_WORDS = _SIGN_WORDS | _CURRENCIES | {"▲": "マイナス", "〒": "郵便番号"}
_ALL_SIGN_RULES = (
    RewriteRule(re.compile(r"(?<![A-Za-z\d%°)-])[-−](?=\d)"), lambda _: "マイナス"),
    RewriteRule(re.compile(r"(?<=\d)\s+(?=\d)"), lambda _: "、"),  # OpenJTalk would take 1 0 for ten
    RewriteRule(re.compile(f"[{''.join(_ALL_SIGN_WORDS)}]"), lambda found: _ALL_SIGN_WORDS[found[0]]),
)


def expand_short_forms(text: AlignedText) -> AlignedText:
    """Expand numbers with units, dates, money and symbols into Japanese words."""
    return rewrite(text.sub(THOUSANDS_COMMA, lambda _: "").to_nfkc(), _RULES)


def name_signs(text: AlignedText) -> AlignedText:
    """Name the signs that OpenJTalk drops; nothing else is expanded."""
    return rewrite(text, (_SIGN_RULE,))


def name_all_signs(text: AlignedText) -> AlignedText:
    """Name signs, currencies too, for text that is not normalized otherwise."""
    return rewrite(text.sub(THOUSANDS_COMMA, lambda _: "").to_nfkc(), _ALL_SIGN_RULES)
