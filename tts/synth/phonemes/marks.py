"""Punctuation of every script as the marks that the network has learnt to pause or to turn its voice at."""

import re

KNOWN = frozenset(';:,.!?—…"()“”')
OPENING = frozenset("“(")
CLOSING = frozenset("”).,?!:;…")
PAUSES = frozenset(";:,.!?—…")

DASHES = "-‐‑–—―−"
THOUSANDS = re.compile(r"(?<=[\d０-９]),(?=\d{3}(?!\d))")
"""The comma inside a number of Japanese or Mandarin, which is half as wide as that of a list."""

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
    """The network's mark for a written one, or for a run of them (`...`, `?!`, `--`); none for marks of layout."""
    if len(written) == 1:
        return _KNOWN_AS.get(written, "")
    if all(mark in DASHES for mark in written):
        return "—"
    if set(written) <= set(".。…‥"):
        return "…"
    return "?!" if set(written) >= {"?", "!"} else _KNOWN_AS.get(written[0], "")


def quote(before: str) -> str:
    """A straight quotation mark, opening or closing by the character before it."""
    return "“" if not before or before.isspace() or before in "([{“—" else "”"
