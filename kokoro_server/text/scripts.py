"""Find the parts of a text in another script than its language's, with the language that can phonemize each."""

import re
from collections.abc import Iterator
from functools import cache

HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3007\U00020000-\U0003134f"
"""Character class of Han characters."""
# Language (Kokoro's code or an espeak voice) and the character class of its script.
_SCRIPT_LETTERS = {
    "z": HAN,
    "h": r"\u0900-\u0963\u0966-\u097f",
    "ko": r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
    "ru": r"\u0400-\u052f", "el": r"\u0370-\u037d\u037f-\u0386\u0388-\u03ff\u1f00-\u1fff", "hy": r"\u0531-\u0588",
    "he": r"\u0591-\u05f4", "ar": r"\u0620-\u0669\u066e-\u06d3\u0750-\u077f\ufb50-\ufdff\ufe70-\ufefc",
    "bn": r"\u0980-\u09ff", "pa": r"\u0a00-\u0a7f", "gu": r"\u0a80-\u0aff", "ta": r"\u0b80-\u0bff",
    "te": r"\u0c00-\u0c7f", "kn": r"\u0c80-\u0cff", "ml": r"\u0d00-\u0d7f", "th": r"\u0e00-\u0e5b",
    "my": r"\u1000-\u109f", "ka": r"\u10a0-\u10ff", "am": r"\u1200-\u137f", "or": r"\u0b00-\u0b7f",
    "si": r"\u0d80-\u0dff",
}  # fmt: skip
_KANA = r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_JAPANESE = _KANA + _SCRIPT_LETTERS["z"] + "\u3005\u3006"
_LATIN = r"A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"

# Units after a number ("5 km"), which the rules of Japanese and Mandarin expand.
_UNIT = (
    r"(?:(?<=\d)|(?<=\d\s))(?:km/h|km|kg|cm|mm|ml|GB|MB|m|g|L|USD|EUR|GBP|JPY|CNY|RMB)(?![A-Za-z])"
    r"|(?<=°)[CF](?![A-Za-z])|(?<=km/)h(?![A-Za-z])|No\.? ?(?=\d)"
)
_LATIN_RUN = rf"[{_LATIN}][{_LATIN}0-9]*(?:[ '’&.+@/_-][{_LATIN}0-9]+)*(?:\+\+|\#)?"

_OWN_SCRIPTS = {"h": ("h",), "j": ("j", "z"), "z": ("z",)}
# Numeral signs and squared units (①, ㎡), which Japanese and Mandarin read after NFKC.
_NUMERAL_SIGNS = r"\u00b2\u00b3\u00b9\u00bc-\u00be\u2070-\u209f\u2150-\u218b\u2460-\u24ff\u3200-\u33ff"


@cache
def _compile_foreign_pattern(language: str, with_units: bool) -> re.Pattern[str]:
    """Compile a pattern for runs of letters that `language` cannot read; each group is named by the run's language."""
    own = _OWN_SCRIPTS.get(language, ())
    # A Han run is read once, from its start: looking for kana behind each of its characters would take quadratic time.
    runs = [] if language == "j" else [rf"(?P<j>(?<![{HAN}])[{HAN}]*+[{_KANA}][{_JAPANESE}]*)"]
    runs += [
        rf"(?P<{foreign}>[{s}]+(?:[\s'’-]+[{s}]+)*)" for foreign, s in _SCRIPT_LETTERS.items() if foreign not in own
    ]
    if language in "jz":
        # Their libraries drop letters that they cannot read; the English backend spells them.
        others = rf"(?:(?![{_JAPANESE}{_LATIN}{_NUMERAL_SIGNS}])[^\W\d_])+"
        latin = _LATIN_RUN if with_units else rf"(?!{_UNIT}){_LATIN_RUN}"
        runs.append(rf"(?P<a>(?<![A-Za-z]){latin}|{others})")
    return re.compile("|".join(runs))


def find_foreign_runs(text: str, language: str, *, with_units: bool = True) -> Iterator[tuple[str, int, int]]:
    """Yield (language, start, end) of each run in a script that is not `language`'s own, in order.

    The yielded language is a Kokoro code or the name of an espeak voice. In Japanese and Mandarin, a unit after a
    number (5 km) is such a run too, unless `with_units` is False.
    """
    for found in _compile_foreign_pattern(language, with_units).finditer(text):
        yield str(found.lastgroup), found.start(), found.end()


WORD_CHARACTER = rf"[^\W{_JAPANESE}]"
"""Pattern of a letter or digit that forms a word with its neighbours: all but kana and Han characters."""
