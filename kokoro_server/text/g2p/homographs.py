"""Choose the pronunciation of homographs (read, lead, live) by the words beside them.

The lexicon selects a pronunciation by part of speech, so `correct_tags` replaces the tagger's tag where the neighbours
are better evidence: first "no" + verb, then words that must be a verb (`_is_verb`), then `_CLUES`, whose first match
wins. A few words have only one pronunciation in the lexicon; `respell` returns another spelling to look up instead.
All matching is done on lower-case words, up to 5 on either side.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple


def _parse_words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


# Words that are pronounced differently as a verb.
_VERB_HOMOGRAPHS = _parse_words("""
    close read live lead wind tear bow use record present object produce project conduct contract conflict permit
    refuse desert estimate separate graduate duplicate excuse advocate attribute increase decrease insult perfect
    suspect subject house import export transport protest progress rebel reject convict contest contrast convert
    discount extract impact elaborate moderate delegate deliberate alternate articulate appropriate approximate animate
    abuse polish
""")
_OBJECTS = _parse_words("the a an this that these those my your his her its our their it him them me us")
_SUBJECTS = _parse_words("i you we they")
_BEFORE_VERB = _parse_words("""
    can can't cannot could couldn't will won't would wouldn't shall shan't should shouldn't may might must mustn't
    don't doesn't didn't do did does let's please i'll you'll we'll they'll he'll she'll i'd you'd we'd they'd
""")
_BEFORE_SUBJECT = _parse_words("""
    if when as and but that because while before after do did can will would should could may might must until where how
    what why unless since so or whenever once though although
""")
_BE = _parse_words("am is are was were be been being isn't aren't wasn't weren't")
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


_BEFORE_ACCUSTOMED = (
    r"\b(?:am|i'm|is|are|was|were|be|been|being|get|gets|got|gotten|getting|become|became|you're|we're|they're|he's|she's"
    r"|isn't|weren't|grew|grown|growing)(?: (?:not|so|quite|too|more|still|well|all|just|never|really|pretty)){0,2} $"
)
_BEFORE_TO_RECORD = (
    "due|thanks|led|lead|leads|leading|rose|rise|risen|fell|fall|fallen|close|closer|next|compared|according|contributed?"
    "|contributing|attributed|addition|response|up|down|back|grew|grown|climbed|surged|jumped|soared|dropped|sank|signed"
    "|sold|played|talked|returned|respect"
)
"""Words before "to record" in which record is a noun: led to record losses."""
# The first clue that fits wins, so narrow ones stand before broad ones. What the tags select in the lexicon: bass NN
# the fish, JJ the voice; bow NN bˈO, VB bˈW; minute JJ tiny; read VB ɹˈid, VBN ɹˈɛd; live JJ and lives NNS with the
# vowel of "five"; wound VBD wrapped around; close JJ near; used JJ or VBD before "to" jˈust.
_CLUES = (
    _Clue("bow", "VB", r"\b(?:takes?|took|taken|taking) (?:a|another|one last|his|her|their|the|your) $"),
    _Clue("bow", "VB", after=r"(?:and stern\b|of (?:the|a|his|her|their|our|my) (?:ship|boat|vessel|yacht|canoe))"),
    _Clue("bow", "NN", r"\b(?:ties?|tied|tying|shot|shoot|his|her|draws?|drew) (?:a|the|his|her|my) $"),
    _Clue("tear", "VB", r"\b(?:a|the|this|that) $", r"in (?:the|my|his|her|your|their|its|this) (?!.{0,20}\beye)"),
    _Clue("dove", "VBD", r"\b(?:he|she|they|i|we|it|who|and|then) $", r"(?:into|in|under|off|down|through|for|head)\b"),
    _Clue(
        "bass", "NN", r"\b(?:sea|striped|\w+mouth|wild|grilled|fried|baked|caught|catch)(?: (?:a|an|some|the|big))* $"
    ),
    _Clue("bass", "NN", after=r"(?:fish|fishing|lake|boat|fillets?|swims?|swam)\b"),
    _Clue("bass", "JJ"),
    _Clue("minute", "JJ", after=r"(?:amounts?|quantit|details?|particles?|traces?|differences?|changes?|fractions?)"),
    _Clue(
        "content", "JJ", r"\b(?:feels?|felt|seem(?:s|ed)?|looked|am|is|are|was|were|be|quite) $", r"(?:with|to|\W|$)"
    ),
    _Clue(
        "bow",
        "VB",
        r"\b(?:deep|low|slight|polite|formal|stiff|curt|mock|graceful) $"
        r"|\b(?:gave|give|gives|giving|made|makes?|with) (?:\w+ )?(?:a|another|one) (?:little|small|quick|final) $",
        r"(?!tie|in (?:her|his|my|your|the) hair|window|and arrow|on )",
    ),
    _Clue(
        "wound",
        "NN",
        r"\b(?:gunshot|stab|bullet|head|open|flesh|chest|knife|puncture|deep|exit|entry|fatal|old|fresh|leg|arm|shoulder"
        r"|inflicted|a|the|his|her|my|your|this|that) $",
        r"(?!(?:through|along|around|down|its|up|me|us|him|them)\b)",
    ),
    _Clue(
        "read",
        "VBN",
        r"\b(?:have|has|had|having|haven't|hasn't|hadn't|i've|you've|we've|they've|yet)"
        r"(?: (?:you|they|he|she|i|we|it|not|never|ever|yet|always|just|already|only|also|all|even|actually"
        r"|recently|been)){0,3} $",
    ),
    _Clue("read", "VB", r"^\W*$", r"(?!by\b|aloud by\b|in (?:18|19|20)\d\d)"),
    _Clue(
        "read", "VB", r"\b(?:please|i'll|you'll|we'll|they'll|he'll|she'll|min|minutes?|must|should|can|could|will) $"
    ),
    _Clue(
        "read",
        "VB",
        r"\b(?:do|does|did|don't|didn't|can|will|could|would|should) (?:the )?(?!(?:be|get|have|been) )\w+ $",
    ),
    _Clue(
        "used",
        "JJ",
        _BEFORE_ACCUSTOMED,
        r"to (?:it|this(?! day\b)|that|these|those|the|an?|my|your|his|her|its|our|their|him|me|us"
        r"|them|you|(?!(?:bring|string|spring|swing|sing|ring|wring|fling|sling|cling|ping)\b)\w+ing)\b",
    ),
    _Clue(
        "used",
        "VBD",
        r"^\W*$",
        r"to (?:be|have|love|hate|think|live|work|go|see|play|say|know|it|this|that|the|\w+ing)\b",
    ),
    _Clue("use", "NN", r"\b(?:didn't|did not|never) $", r"to\b"),
    _Clue(
        "live",
        "JJ",
        after=r"(?:updates?|music|coverage|streams?|streaming|chat|tv|television|video|events?|performances?|shows?"
        r"|concerts?|broadcasts?|audience|bands?|scores?|results|blog|feed|demo|sessions?|reports?|action|wires?"
        r"|ammunition|rounds|bait|animals|sports?|football|view|preview|albums?|recordings?|entertainment|captions?)\b",
    ),
    _Clue(
        "live",
        "JJ",
        r"\b(?:we're|it's|i'm|they're|is|are|was|were|going|goes|went|gone|broadcast|stream(?:ed|ing)?|performed"
        r"|performing|playing|recorded|watch|watched|watching|seen?|saw|aired|heard?)"
        r"(?: (?:it|that|this|now))? $|\bgo $",
        r"(?!(?:my|your|his|her|our|their|a|with|in|there|here|near|for|through|happily|longer|together|alone|abroad|to)\b)",
    ),
    _Clue(
        "lives",
        "NNS",
        r"\b(?:all|black|our|their|your|my|these|those|many|other|human|whose|nine|two|three|save|saves|saved|saving"
        r"|everyday|daily|private|personal|past|innocent|lost|cost|claimed|of) $",
    ),
    _Clue(
        "close",
        "JJ",
        r"\b(?:it's|so|very|too|is|was|are|were) $|\b(?:is|was|are|were) (?:that|not) $",
        r"(?:enough|to|by)\b",
    ),
    _Clue("record", "NN", rf"\b(?:{_BEFORE_TO_RECORD}) to $", r"(?!(?:the|an?|his|her|their|its|it|them|all|every)\b)"),
    _Clue(
        "record",
        "VB",
        r"\bto $",
        r"(?!levels?\b|highs?\b|lows?\b|heights?\b|numbers?\b|profits?\b|temperatures?\b|books?\b|labels?\b|stores?\b)",
    ),
    _Clue("presents", "NNS", r"\b(?:christmas|birthday|wedding|the|of|his|her|their|any|some|more|many|your|my|our) $"),
    _Clue("refuse", "NN", after=r"(?:bins?|collections?|bags?|trucks?|collectors?|disposal|site|tip|dump|lorr\w+)\b"),
    _Clue(
        "advocates",
        "VBZ",
        r"\b(?:he|she|it|who|which) $|\bthat $",
        r"(?!(?:say|said|want|hope|seek|argue|were|are|have|had|will|would|can|could|often|need|demand|make|claim|fear)\b)",
    ),
    _Clue("wound", "VBD", r"\b(?:he|she|they|i|we|it|who) $", r"(?:the|up|down|around|through|his|her|it|its|a)\b"),
)
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
    if "é" in folded or folded == "resume" and _RESUME_CONTEXT.search(near):
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
