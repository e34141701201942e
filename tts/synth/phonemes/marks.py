"""Map the punctuation of all scripts to the marks that the network was trained to pause or change its pitch at."""

import re

KNOWN = frozenset(';:,.!?—…"()“”')
"""Punctuation in the network's vocabulary."""
OPENING = frozenset("“(")
"""Marks that no space follows."""
CLOSING = frozenset("”).,?!:;…")
"""Marks that no space precedes."""
PAUSES = frozenset(";:,.!?—…")
"""Marks that the network pauses at."""

DASHES = "-‐‑–—―−"
THOUSANDS = re.compile(r"(?<=[\d０-９]),(?=\d{3}(?!\d))")
"""Thousands comma in Japanese or Mandarin: 1,234; always half-width, unlike the comma of a list."""

_AS = (
    ("。．｡।॥۔|", "."),
    ("、，､،", ","),
    ("！", "!"),
    ("？؟\u037e", "?"),
    ("：", ":"),
    ("；؛", ";"),
    ("‥", "…"),
    ("–―～〜~", "—"),
    ("«„‹「『〈《", "“"),
    ("»›」』〉》", "”"),
    ("[{（［【〔", "("),
    ("]}）］】〕", ")"),
)
_KNOWN_AS = {mark: mark for mark in KNOWN} | {mark: known for marks, known in _AS for mark in marks}


def known_mark(written: str) -> str:
    """Return the network's mark for a written one or for a run of them (`...`, `?!`, `--`); "" for layout marks."""
    if len(written) == 1:
        return _KNOWN_AS.get(written, "")
    if all(mark in DASHES for mark in written):
        return "—"
    if set(written) <= set(".。…‥"):
        return "…"
    return "?!" if set(written) >= {"?", "!"} else _KNOWN_AS.get(written[0], "")


def quote(before: str) -> str:
    """Return the curly form of a straight quotation mark: opening or closing, by the character before it."""
    return "“" if not before or before.isspace() or before in "([{“—" else "”"
