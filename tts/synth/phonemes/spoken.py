"""What one written word sounds like, and how a long run of such words is cut for the network."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

TOKEN_LIMIT = 510
"""The most symbols that the network takes at once: its position table has 512 rows, both ends take one."""

_SENTENCE_ENDS = frozenset(".!?…")
_CLAUSE_ENDS = frozenset(",;:—)”")


@dataclass(frozen=True)
class Spoken:
    """The phonemes of one written word or mark, and its characters `start:end` in the text.

    Where a space follows the word, its phonemes end with one. Marks that the network knows (`.,!?` …) are items
    of their own. What is not spoken (a lone asterisk) has no phonemes but keeps its place. In Japanese and
    Mandarin a word is what the word list takes for one.
    """

    phonemes: str
    start: int
    end: int


def pieces(spoken: Sequence[Spoken], limit: int = TOKEN_LIMIT) -> list[list[Spoken]]:
    """`spoken` in order, cut into runs of at most `limit` phonemes of about equal length.

    Cuts where a reader would breathe: after a sentence, else a clause, else a word. A single word longer than `limit`
    is cut inside. Nothing is lost: the runs joined say what `spoken` says.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    words = [part for word in spoken for part in _within(word, limit)]
    runs: list[list[Spoken]] = []
    left = sum(len(word.phonemes) for word in words)
    while words:
        count = _cut(words, left, limit)
        runs.append(words[:count])
        left -= sum(len(word.phonemes) for word in words[:count])
        words = words[count:]
    return runs


def _within(word: Spoken, limit: int) -> Iterable[Spoken]:
    """The word itself, or parts of it of at most `limit` phonemes that share out its characters."""
    size = len(word.phonemes)
    if size <= limit:
        return [word]
    step = -(-size // -(-size // limit))
    edges = [*range(0, size, step), size]
    places = [word.start + (word.end - word.start) * edge // size for edge in edges]
    return [
        Spoken(word.phonemes[a:b], places[n], places[n + 1])
        for n, (a, b) in enumerate(zip(edges, edges[1:], strict=False))
    ]


def _cut(words: Sequence[Spoken], left: int, limit: int) -> int:
    """How many of `words` make the next run: the place near an equal share where a pause does least harm."""
    if left <= limit:
        return len(words)
    share = left / -(-left // limit)
    best, least, size = 1, float("inf"), 0
    for count, word in enumerate(words, 1):
        size += len(word.phonemes)
        if size > limit:
            break
        cost = abs(size - share) / limit + _harm(word, words[count] if count < len(words) else None)
        if cost <= least:
            best, least = count, cost
    return best


def _harm(word: Spoken, following: Spoken | None) -> float:
    """What a cut after `word` costs: a sentence end is worth half a run's length more than a bare space."""
    end = word.phonemes.rstrip()[-1:]
    if following is not None and not word.phonemes.endswith(" "):
        return 0.9 if following.phonemes[:1].isalpha() or end.isalpha() else 0.7
    if end in _SENTENCE_ENDS:
        return 0.0
    return 0.25 if end in _CLAUSE_ENDS else 0.5


def joined(spoken: Iterable[Spoken]) -> str:
    """The whole phoneme string."""
    return "".join(word.phonemes for word in spoken)
