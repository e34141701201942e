"""Rewrite text by an ordered list of rules, each applied to the result of the ones before it.

The languages other than English are normalized this way: their rules are few, and most depend on what earlier rules
have made of their neighbours. English has many more rules, which are tried at each token instead: see `scanner`.
"""

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from kokoro_server.text.aligned import AlignedText

THOUSANDS_COMMA = re.compile(r"(?<=[\d０-９]),(?=\d{3}(?!\d))")
"""Thousands comma in Japanese or Mandarin: 1,234; always half-width, unlike the comma of a list."""


class RewriteRule(NamedTuple):
    """Replace each match of `pattern`, or one `group` of it, by what `replace` returns for the match.

    A replacement that is equal to the match means that the rule does not apply.
    """

    pattern: re.Pattern[str]
    replace: Callable[[re.Match[str]], str]
    group: str | int = 0


def rewrite(text: AlignedText, rules: Iterable[RewriteRule]) -> AlignedText:
    """Apply rules in order, each to the result of the ones before it."""
    for rule in rules:
        text = text.sub(*rule)
    return text
