"""Choose the pronunciation of homographs (read, lead, live) by the words beside them.

The lexicon selects a pronunciation by part of speech, so `correct_tags` replaces the tagger's tag where the neighbours
are better evidence: first "no" + verb, then words that must be a verb (`_is_verb`), then `_CLUES`, whose first match
wins. A few words have only one pronunciation in the lexicon; `respell` returns another spelling to look up instead.
All matching is done on lower-case words, up to 5 on either side.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from kokoro_server.text.tables import load_tables, parse_words

# Words that are pronounced differently as a verb.
_VERB_HOMOGRAPHS = parse_words("""
    close read live lead wind tear bow use record present object produce project conduct contract conflict permit
    refuse desert estimate separate graduate duplicate excuse advocate attribute increase decrease insult perfect
    suspect subject house import export transport protest progress rebel reject convict contest contrast convert
    discount extract impact elaborate moderate delegate deliberate alternate articulate appropriate approximate animate
    abuse polish
""")
_OBJECTS = parse_words("the a an this that these those my your his her its our their it him them me us")
_SUBJECTS = parse_words("i you we they")
_BEFORE_VERB = parse_words("""
    can can't cannot could couldn't will won't would wouldn't shall shan't should shouldn't may might must mustn't
    don't doesn't didn't do did does let's please i'll you'll we'll they'll he'll she'll i'd you'd we'd they'd
""")
_BEFORE_SUBJECT = parse_words("""
    if when as and but that because while before after do did can will would should could may might must until where how
    what why unless since so or whenever once though although
""")
_BE = parse_words("am is are was were be been being isn't aren't wasn't weren't")
_CONTEXT_WORDS = 5
"""Number of words on either side that a clue may match."""


class _Clue(NamedTuple):
    """Give `word` the part of speech `tag` if both patterns match its neighbours in lower case.

    `before` is searched in the words before it, each followed by a space; `after` must match at the start of the words
    after it.
    """

    word: str
    tag: str
    before: str = ""
    after: str = ""


_CLUES = tuple(_Clue(**fields) for fields in load_tables(__name__)["clues"])
# For `respell`: patterns on up to 5 words on either side, with * in place of the word itself.
_METAL_CONTEXT = re.compile(
    r"\b(?:of|such as|covered in|tin and|copper and|zinc and|with|molten|contains?|containing|like) \*"
    r"(?: (?:and|or|in|from|is|was|has|\W)|$)"
    r"|\* (?:poison\w*|pencils?|pip\w+|paints?|acid|shot|bullets?|weights?|batter\w+|levels?|content|ore|mines?|oxide"
    r"|in (?:the|their|our|your) (?:water|paint|soil|blood|air|gas|petrol|pipes)"
    r"|glass|exposure|contamination|solder|apron|foil)\b"
)
_NUMBER_COMPARATIVE = re.compile(r"\b(?:is|are|was|were|feels?|felt|even|much|get|gets|got) \* than\b")
_RESUME_CONTEXT = re.compile(
    r"\b(?:a|my|your|his|her|their|the|our|updated) \*(?: (?:and|to|with|is|was|builder|template|by)\b|[.,!?]|$)"
)

# After "bowed": legs, instruments and ribbons have the vowel of "go", everything else that of "cow".
_AFTER_BOWED = re.compile(r"^(?:legs?|legged|strings?|instruments?|with (?:a )?ribbons?)\b")
RESPELLED_WORDS = frozenset({"bowed", "bases", "lead", "number", "polish", "resume", "résumé", "resumé"})
"""Words that `respell` may replace by another spelling."""


def correct_tags(words: Sequence[str], tags: list[str]) -> list[str]:
    """Correct the tags of a sentence's homographs in place and return them."""
    for at, word in enumerate(words):
        folded = word.lower()
        if at and words[at - 1].lower() == "no" and tags[at] in ("VB", "VBP", "VBD"):
            tags[at] = "NN"  # "it's no use", which HanTa tags as a verb
        if folded in _VERB_HOMOGRAPHS and (at == 0 or not tags[at].startswith("V")) and _is_verb(words, at):
            tags[at] = "VB"
        if folded in _CLUE_WORDS:
            tags[at] = next(
                (clue.tag for clue in _CLUES if clue.word == folded and _matches_clue(clue, words, at)), tags[at]
            )
    return tags


def respell(words: Sequence[str], at: int, tag: str) -> str:
    """Return the spelling to look up for the word at index `at`: lead, the metal -> led."""
    word = words[at]
    folded = word.lower()
    if folded == "polish" and tag.startswith("V"):
        return folded
    near = " ".join(
        [
            *_lower_words(words[max(0, at - _CONTEXT_WORDS) : at]),
            "*",
            *_lower_words(words[at + 1 : at + 1 + _CONTEXT_WORDS]),
        ]
    )
    if folded == "bowed" and not _AFTER_BOWED.match(" ".join(_lower_words(words[at + 1 : at + 4]))):
        return "boughed"
    if folded == "bases":
        return "base's"  # the plural of base, far more frequent than that of basis
    if folded == "lead" and _METAL_CONTEXT.search(near):
        return "Led" if word[0].isupper() else "led"
    if folded == "number" and _NUMBER_COMPARATIVE.search(near):
        return "nummer"
    if "é" in folded or (folded == "resume" and _RESUME_CONTEXT.search(near)):
        return "rezzamay"
    return word


_CLUE_WORDS = frozenset(clue.word for clue in _CLUES)


def _is_verb(words: Sequence[str], at: int) -> bool:
    """Return True if a word can only be a verb: an imperative with an object, or after a subject or a modal verb."""
    if at == 0:
        return len(words) > 1 and words[1].lower() in _OBJECTS
    before = words[at - 1].lower().replace("’", "'")
    if before in _BEFORE_VERB:
        return True
    if before not in _SUBJECTS or at == 1:
        return before in _SUBJECTS
    earlier = words[at - 2].lower()
    # "you" may be an object ("gave you separate rooms"), so it needs a word that introduces a subject before it.
    return earlier in _BEFORE_SUBJECT or not earlier.isalpha() if before == "you" else earlier not in _BE


def _matches_clue(clue: _Clue, words: Sequence[str], at: int) -> bool:
    before = "".join(f"{word} " for word in _lower_words(words[max(0, at - _CONTEXT_WORDS) : at]))
    after = " ".join(_lower_words(words[at + 1 : at + 1 + _CONTEXT_WORDS]))
    return bool(re.search(clue.before, before) and re.match(clue.after, after))


def _lower_words(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]
