"""Map the punctuation of all scripts to the marks that the network was trained to pause or change its pitch at."""

MODEL_MARKS = frozenset(';:,.!?—…"()“”')
"""Punctuation in the network's vocabulary."""
OPENING_MARKS = frozenset("“(")
"""Marks that no space follows."""
CLOSING_MARKS = frozenset("”).,?!:;…")
"""Marks that no space precedes."""
PAUSE_MARKS = frozenset(";:,.!?—…")
"""Marks that the network pauses at."""

DASHES = "-‐‑–—―−"

_EQUIVALENTS = (
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
_TO_MODEL_MARK = {mark: mark for mark in MODEL_MARKS} | {mark: known for marks, known in _EQUIVALENTS for mark in marks}


def to_model_mark(written: str) -> str:
    """Return the network's mark for a written one or for a run of them (`...`, `?!`, `--`); "" for layout marks."""
    if len(written) == 1:
        return _TO_MODEL_MARK.get(written, "")
    if all(mark in DASHES for mark in written):
        return "—"
    if set(written) <= set(".。…‥"):
        return "…"
    return "?!" if set(written) >= {"?", "!"} else _TO_MODEL_MARK.get(written[0], "")


def curl_quote(before: str) -> str:
    """Return the curly form of a straight quotation mark: opening or closing, by the character before it."""
    return "“" if not before or before.isspace() or before in "([{“—" else "”"
