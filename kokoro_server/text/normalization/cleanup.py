"""Replace typographic Unicode by plain characters.

Covers ligatures, full-width letters, mathematical alphabets, invisible characters and stacked accents. The rules are
written for plain characters only. Marks that the rules read themselves (½ ² ™ …) stay as they are.
"""

import re
import unicodedata

from kokoro_server.text.aligned import AlignedText

# Letters and digits of other shapes, spaces, invisible and control characters; not the marks that have rules (½ ² ™ …).
_TYPOGRAPHIC = re.compile(
    "[\u00a0\u00ad\u0300-\u036f\u061c\u180e"
    "\u2000-\u200f\u2010\u2011\u2028-\u202f\u205f-\u206f\u2100-\u214f\u2160-\u217f"
    "\u2460-\u24ff\u3000\ufb00-\ufb06\ufe00-\ufe0f\ufeff\uff01-\uff5e"
    "\U0001d400-\U0001d7ff\U0001f100-\U0001f1e5"
    "\U000e0000-\U000e007f\u02b0-\u02ff\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufffd]"
)
_INVISIBLE = frozenset("\u00ad\u061c\u180e\u200b\u200c\u200e\u200f\u2060\u2061\u2062\u2063\u2064\ufeff\ufffd")
_SPACES = re.compile("[\u00a0\u2000-\u200a\u202f\u205f\u3000]")
_THOUSANDS_SPACE = re.compile(r"(?<=\d)[\u00a0\u202f](?=\d{3}(?!\d))")
_PLAIN_FORMS = {
    "\u2010": "-",
    "\u2011": "-",
    "℃": "°C",
    "℉": "°F",
    "№": "No. ",
    "℅": "care of",
    "\u2028": "\n",
    "\u2029": "\n\n",
}
_UNCHANGED = frozenset("™℠\u200d\ufe0f\ufe0e℮℗")


# A character with its combining accents: eight at most, so that stacked accents cost no more than their length.
_CLUSTER = re.compile("[\\s\\S][\u0300-\u036f]{0,7}")

# Full-width letters and digits to ASCII, control characters and wide spaces to a space, lone surrogates to U+FFFD, the
# soft hyphen to a zero-width space.
_ONE_TO_ONE = (
    {0xFF01 + n: 0x21 + n for n in range(94) if chr(0x21 + n) != ","}  # a full-width comma never separates thousands
    | dict.fromkeys(range(55296, 57344), 65533)
    | dict.fromkeys((*range(32), *range(127, 160), 12288, 65279), 32)
    | {0x00AD: 0x200B}
)


def clean_text(text: AlignedText, keep_wide: bool = False, keep_thousands: bool = False) -> AlignedText:
    """Replace the typographic characters of a text by plain ones.

    Args:
        text: The text.
        keep_wide: Whether to keep full-width marks and spaces, as Japanese and Chinese text needs.
        keep_thousands: Whether to keep no-break spaces that separate thousands, which a plain space could not tell.
    """
    # Nearly every text takes this way: nothing to replace.
    if (text.text.isascii() and text.text.isprintable()) or not _TYPOGRAPHIC.search(text.text):
        return text

    def simplify(found: re.Match[str]) -> str:
        if keep_thousands and _THOUSANDS_SPACE.match(found.string, found.start()):
            return found[0]
        return _simplify_cluster(found[0], keep_wide)

    return text.sub(_CLUSTER, simplify)


def replace_unreadable(text: str) -> str:
    """Replace the characters that no phonemizer accepts, each by one character, so that offsets stay valid."""
    return text.translate(_ONE_TO_ONE)


def _simplify_cluster(cluster: str, keep_wide: bool) -> str:
    if cluster in _INVISIBLE:
        return ""
    if cluster in _PLAIN_FORMS:
        return _PLAIN_FORMS[cluster]
    if len(cluster) == 1 and (cluster.isascii() or cluster in _UNCHANGED):
        return "" if unicodedata.category(cluster) == "Cc" and cluster not in "\n\t\r\f" else cluster
    if _SPACES.fullmatch(cluster):
        return "\u3000" if keep_wide and cluster == "\u3000" else " "
    if (keep_wide and "\uff01" <= cluster <= "\uff0f") or not _TYPOGRAPHIC.search(cluster):
        return cluster
    composed = unicodedata.normalize("NFKC", cluster)
    # Accents that do not compose with their letter are dropped, as in stacked ("zalgo") text.
    return "".join(letter for letter in composed if not "\u0300" <= letter <= "\u036f") or ""
