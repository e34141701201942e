"""Replace typographic Unicode by plain characters, and keep the way back.

Covers ligatures, full-width letters, mathematical alphabets, invisible characters and stacked accents. The rules are
written for plain characters only. Marks that the rules read themselves (½ ² ™ …) stay as they are.
"""

import re
import unicodedata
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class CleanText:
    """Hold the plain text and the source offset of each of its characters.

    Character i of `text` comes from the source characters `starts[i]` up to `starts[i + 1]`. `starts` has one item more
    than `text` has characters, and is None if the text is unchanged.
    """

    text: str
    starts: list[int] | None

    def map_to_source(self, start: int, end: int) -> tuple[int, int]:
        """Return the source span of the plain characters from `start` up to `end`."""
        return (start, end) if self.starts is None else (self.starts[start], self.starts[end])


def clean_text(text: str, keep_wide: bool) -> CleanText:
    """Replace the typographic characters of a text by plain ones.

    Args:
        text: The source text.
        wide: Whether to keep full-width marks and spaces, as Japanese and Chinese text needs.
    """
    # Nearly every text takes this way: nothing to replace, and offsets stay as they are.
    if text.isascii() and text.isprintable() or not _TYPOGRAPHIC.search(text):
        return CleanText(text, None)
    plain: list[str] = []
    starts: list[int] = []
    for start, cluster in _split_clusters(text):
        replacement = _simplify_cluster(cluster, keep_wide)
        # Dropped characters at the start belong to the first character that stays: see starts[0] = 0.
        if not replacement and not plain:
            continue
        plain.append(replacement)
        starts += [start] * len(replacement)
    if starts:
        starts[0] = 0
    return CleanText("".join(plain), [*starts, len(text)])


def _split_clusters(text: str) -> list[tuple[int, str]]:
    """Split a text into characters with their combining accents, each with its offset."""
    clusters: list[tuple[int, str]] = []
    for place, letter in enumerate(text):
        # Eight characters at most, so that stacked accents cost no more than their length.
        if "\u0300" <= letter <= "\u036f" and clusters and len(clusters[-1][1]) < 8:
            clusters[-1] = (clusters[-1][0], clusters[-1][1] + letter)
        else:
            clusters.append((place, letter))
    return clusters


def _simplify_cluster(cluster: str, keep_wide: bool) -> str:
    if cluster in _INVISIBLE:
        return ""
    if cluster in _PLAIN_FORMS:
        return _PLAIN_FORMS[cluster]
    if len(cluster) == 1 and (cluster.isascii() or cluster in _UNCHANGED):
        return "" if unicodedata.category(cluster) == "Cc" and cluster not in "\n\t\r\f" else cluster
    if _SPACES.fullmatch(cluster):
        return "\u3000" if keep_wide and cluster == "\u3000" else " "
    if keep_wide and "\uff01" <= cluster <= "\uff0f" or not _TYPOGRAPHIC.search(cluster):
        return cluster
    composed = unicodedata.normalize("NFKC", cluster)
    # Accents that do not compose with their letter are dropped, as in stacked ("zalgo") text.
    return "".join(letter for letter in composed if not "\u0300" <= letter <= "\u036f") or ""
