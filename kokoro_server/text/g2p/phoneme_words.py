"""Define the phonemes of one written word, and split long texts into runs that fit the network.

The network takes at most 510 symbols at once. `split_for_model` cuts greedily: as long as more than `limit` symbols
are left, it aims at an equal share, left / ceil(left / limit), and chooses the word boundary with the lowest cost:
distance from the share as a fraction of `limit`, plus 0 (after a sentence) to 0.9 (inside a word).
"""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kokoro_server.text.aligned import AlignedText

TOKEN_LIMIT = 510
"""Maximum number of symbols per network call: the position table has 512 rows, of which the zeros at both ends take
two."""

_SENTENCE_ENDS = frozenset(".!?…")
_CLAUSE_ENDS = frozenset(",;:—)”")


@dataclass(frozen=True)
class PhonemeWord:
    """Hold the phonemes of one written word or mark and its half-open span `start:end` in the text.

    Phonemes end with a space where a space follows the word. Marks that the network knows (`.,!?` …) are items of
    their own. Text that is not spoken (a lone asterisk) has empty phonemes but keeps its position. In Japanese and
    Mandarin the segmenter's word list decides what a word is.
    """

    phonemes: str
    start: int
    end: int


def restore_spans(spoken: Sequence[PhonemeWord], text: AlignedText) -> list[PhonemeWord]:
    """Return `spoken`, whose spans refer to `text`, with spans of the text that `text` was made from.

    Words whose original spans overlap (the words of one replacement) are merged; words with empty spans are dropped.
    """
    out: list[PhonemeWord] = []
    for word in spoken:
        if word.start == word.end:
            continue
        start, end = text.find_source_span(word.start, word.end)
        if out and start < out[-1].end:
            last = out.pop()
            out.append(PhonemeWord(last.phonemes + word.phonemes, last.start, max(end, last.end)))
        else:
            out.append(PhonemeWord(word.phonemes, start, end))
    return out


def split_for_model(spoken: Sequence[PhonemeWord], limit: int = TOKEN_LIMIT) -> list[list[PhonemeWord]]:
    """Split `spoken`, in order, into runs of about equal length with at most `limit` symbols each.

    Cuts fall after a sentence if possible, else after a clause, else after a word; a single word longer than `limit`
    is cut inside. The runs joined equal `spoken` joined. Raises ValueError if `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, not {limit}")
    words = [part for word in spoken for part in _split_word(word, limit)]
    runs: list[list[PhonemeWord]] = []
    left = sum(len(word.phonemes) for word in words)
    while words:
        count = _choose_run_length(words, left, limit)
        runs.append(words[:count])
        left -= sum(len(word.phonemes) for word in words[:count])
        words = words[count:]
    return runs


def _split_word(word: PhonemeWord, limit: int) -> Iterable[PhonemeWord]:
    """Return the word, or equal parts of at most `limit` symbols, each with its proportional part of the span."""
    size = len(word.phonemes)
    if size <= limit:
        return [word]
    step = -(-size // -(-size // limit))
    edges = [*range(0, size, step), size]
    places = [word.start + (word.end - word.start) * edge // size for edge in edges]
    return [
        PhonemeWord(word.phonemes[a:b], places[n], places[n + 1]) for n, (a, b) in enumerate(itertools.pairwise(edges))
    ]


def _choose_run_length(words: Sequence[PhonemeWord], left: int, limit: int) -> int:
    """Return how many of `words` form the next run; `left` is the number of symbols in all of them.

    The cost of a cut is its distance from the equal share, relative to `limit`, plus `_cut_cost`.
    """
    if left <= limit:
        return len(words)
    share = left / -(-left // limit)
    best, least, size = 1, float("inf"), 0
    for count, word in enumerate(words, 1):
        size += len(word.phonemes)
        if size > limit:
            break
        cost = abs(size - share) / limit + _cut_cost(word, words[count] if count < len(words) else None)
        if cost <= least:
            best, least = count, cost
    return best


def _cut_cost(word: PhonemeWord, following: PhonemeWord | None) -> float:
    """Return the cost of a cut after `word`, in run lengths.

    0 after a sentence, 0.25 after a clause, 0.5 at a bare space, 0.7 and 0.9 where no space follows.
    """
    end = word.phonemes.rstrip()[-1:]
    if following is not None and not word.phonemes.endswith(" "):
        return 0.9 if following.phonemes[:1].isalpha() or end.isalpha() else 0.7
    if end in _SENTENCE_ENDS:
        return 0.0
    return 0.25 if end in _CLAUSE_ENDS else 0.5


def join_phonemes(spoken: Iterable[PhonemeWord]) -> str:
    """Concatenate the phonemes of all words."""
    return "".join(word.phonemes for word in spoken)
