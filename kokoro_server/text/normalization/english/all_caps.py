"""Lower words that are shouted in capitals, so that US is "us" in `UP TO US`.

A run of words in capitals is a shout if at least two of its words are no acronyms and they are at least half of the
run. Acronyms in a shout stay as they are, unless they are common words too.
"""

import re

from kokoro_server.text.aligned import Replacement
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import parse_words

_ACRONYMS = parse_words("""
    NASA FBI CIA USA UK EU UN US NATO HTTP HTTPS HTML CSS URL API CPU GPU RAM ROM SSD USB PDF FAQ CEO
    CFO CTO COO NBA NFL NHL MLB FIFA UEFA BBC CNN NBC ABC CBS ESPN HBO IBM AMD BMW KFC DIY DNA RNA HIV
    AIDS MRI ICU ATM PIN GPS SMS MMS TV PC DVD CD VCR VIP RSVP ASAP FYI ETA IQ PHD MBA BSC LED LCD OLED
    UFO SUV ID IT AI ML LLM TTS UI UX SDK IDE SQL JSON XML CSV PNG JPEG GIF OK AM PM AD BC EST PST GMT
    UTC IRS SEC FDA EPA NSA DEA ATF NYPD LAPD UNESCO UNICEF WHO IMF OPEC NAFTA COVID SARS GDP IPO ROI
    KPI HR PR QA TBD TBA NYC LA DC NY MIT UCLA USC AWS GCP IP TCP UDP DNS SSH FTP VPN LAN WAN IOS OS
    BIOS AC DJ MC EP LP ADHD PTSD LGBT NGO POW MIA RIP CSI JFK
""")
# Acronyms that are common words too: they are lowered inside a shout.
_AMBIGUOUS_ACRONYMS = parse_words("US IT WHO AM OK AIDS PIN RAM ID LA AD RIP ROM")
_VOWEL = re.compile(r"[AEIOUY]")
_WORD = re.compile(r"[A-Z]+(?:['’][A-Z]+)*")
# At least two words in capitals, with blanks, hyphens or marks between; 61 words at most.
_ALL_CAPS_RUN = (
    r"[A-Z]{1,64}(?:['’][A-Z]{1,64}){0,3}"
    r"(?:[,;!?]{0,3}[ -][A-Z]{1,64}(?:['’][A-Z]{1,64}){0,3}(?![A-Za-z\d@/_]|\.[A-Za-z\d])){1,60}(?![a-z\d@/_])"
)


def _lower_shout(match: re.Match[str], context: TextContext) -> RuleResult:
    """Lower the words of a run in capitals if the run is a shout."""
    written = [(word[0], word.start(), word.end()) for word in _WORD.finditer(context.text, *match.span())]
    said_as_words = [word for word, _, _ in written if len(word) > 1 and not _is_acronym(word)]
    # US, IT or I count as words only beside at least two words that are certain.
    doubtful = sum(word in _AMBIGUOUS_ACRONYMS or word == "I" for word, _, _ in written)
    count = len(said_as_words) + (doubtful if len(said_as_words) > 1 else 0)
    if count < 2 or (count == 2 and not _is_whole_sentence(match, context)) or 2 * count < len(written):
        return None
    return [Replacement(_lower_word(word), start, end) for word, start, end in written]


def _is_whole_sentence(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a run is a whole sentence; two words in capitals inside one may be a name."""
    before = context.text[max(0, match.start() - 3) : match.start()].rstrip(" \"'“‘")
    return before[-1:] in ("", ".", "!", "?", "\n") and context.get_char_at(match.end()) in '.!?\n"”'


def _is_acronym(word: str) -> bool:
    return word in _ACRONYMS or not _VOWEL.search(word)


def _lower_word(word: str) -> str:
    keeps = word.startswith(("I'", "I’")) or word == "I"
    if keeps:
        return "I" + word[1:].lower()
    return word if _is_acronym(word) and word not in _AMBIGUOUS_ACRONYMS else word.lower()


# WE WANT US TO WIN -> we want us to win
LETTER_RULES: tuple[Rule, ...] = (compile_rule(_ALL_CAPS_RUN, _lower_shout),)
