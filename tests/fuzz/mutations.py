"""Cases made of kept ones, ten thousand a second: pieces cut, doubled, swapped, and grafted from one to another."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
"""A file a target: a JSON list of texts, in which bytes are written as Latin-1."""
LONGEST = 600
"""Characters of a case; now and then one of REPEATED times as many shows what is slower than linear."""
REPEATED = 12
ODD = (
    "\x00\t\r\n \x1b\x7f\x85\xa0\u00ad\u0301\u200d\u2028\u202e\ufeff\uffff\ud800\U0001f389\u4e00\u3042\u0915ß€½²"
    "'\"<>&[](){}/\\:;,.-+%#@0123456789aZ"
)
"""Signs that have tripped programs before, and those that marks are made of."""


def kept(name: str) -> list[str]:
    """The corpus of a target."""
    texts: list[str] = json.loads((CORPUS / f"{name.replace(' ', '_')}.json").read_text("utf-8"))
    return texts


def mutations(corpus: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Cases without end: the corpus itself first, then what becomes of it."""
    yield from corpus
    while True:
        text = chance.choice(corpus)
        for _ in range(chance.choice((1, 1, 2, 3, 5, 8))):
            text = chance.choice(_STEPS)(text, corpus, chance)[:LONGEST]
        if chance.random() < 0.01:
            text *= REPEATED
        yield text


Step = Callable[[str, Sequence[str], random.Random], str]


def _slice(text: str, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(text) + 1)
    return start, min(len(text), start + chance.choice((1, 1, 2, 4, 8, 20, 100)))


def _cut(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    start, end = _slice(text, chance)
    return text[:start] + text[end:]


def _double(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    start, end = _slice(text, chance)
    return text[:end] + text[start:end] * chance.choice((1, 1, 2, 10, 60)) + text[end:]


def _insert(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    at = chance.randrange(len(text) + 1)
    sign = chance.choice(ODD) if chance.random() < 0.9 else chr(chance.randrange(0x110000))
    return text[:at] + sign + text[at:]


def _replace(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    start, end = _slice(text, chance)
    return text[:start] + chance.choice(ODD) + text[end:]


def _graft(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    other = chance.choice(corpus)
    start, end = _slice(other, chance)
    at = chance.randrange(len(text) + 1)
    return text[:at] + other[start:end] + text[at:]


def _cross(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    other = chance.choice(corpus)
    return text[: chance.randrange(len(text) + 1)] + other[chance.randrange(len(other) + 1) :]


def _swap(text: str, corpus: Sequence[str], chance: random.Random) -> str:
    start, end = _slice(text, chance)
    at = chance.randrange(len(text) + 1)
    rest = text[:start] + text[end:]
    return rest[:at] + text[start:end] + rest[at:]


_STEPS: Sequence[Step] = (_cut, _double, _insert, _replace, _graft, _graft, _cross, _swap)
