"""Convert American and British English to phonemes: misaki's lexicon by part of speech, espeak for unknown words.

`EnglishG2P.phonemize` works in these steps:

1. Tokenize: words, numbers, marks and fixed words (`_TOKEN`).
2. Tag each sentence with parts of speech (HanTa's model, corrected by `correct_tags`).
3. Phonemize the tokens from right to left, since "a", "the" and "to" depend on the sound that follows. A word is looked
   up in the lexicon; words that it lacks are split at hyphens, digits or capitals, spelled as acronyms, or converted
   by espeak's rules.
4. Append a space to the phonemes of each word that white space follows.

The text normally comes from the normalizer, which has already spelled out numbers and symbols. What is read here
(`_phonemize_number`, `_SYMBOL_WORDS`) serves requests without normalization, respellings and foreign-script runs.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from num2words import num2words

from kokoro_server.text.g2p.espeak import to_ipa
from kokoro_server.text.g2p.homographs import RESPELLED_WORDS, respell
from kokoro_server.text.g2p.lexicon import CONSONANTS, VOWELS, Lexicon, WordContext, apply_stress, stress_weight
from kokoro_server.text.g2p.phoneme_words import PhonemeWord
from kokoro_server.text.g2p.punctuation import PAUSE_MARKS, curl_quote, to_model_mark
from kokoro_server.text.g2p.tagger import Tagger
from kokoro_server.text.normalization.english.number_words import spell_number, spell_ordinal, spell_year
from kokoro_server.text.normalization.symbols import SIGN_NAMES

_WORD = r"[^\W_]+(?:['’][^\W\d_]+)*"
# number: $12.50  $5  1,234  42  3rd  1990s (but not 4x or 4-x, which are words)
# word:   Mr. before a name; U.S.A. and e.g. with their dots; 'em and 'tis with their apostrophe; mother-in-law
# mark:   runs of .!?… and of dashes, else one character
_TOKEN = re.compile(
    rf"""
      (?P<space>\s+)
    | (?P<number>[$£€¥]?\d+(?:,\d{{3}})*\.\d+
               | [$£€¥]\d+(?:,\d{{3}})*
               | \d{{1,3}}(?:,\d{{3}})+(?!\d)
               | \d+(?:st|nd|rd|th|s)?(?![^\W_]|[-‐‑][^\W_]))
    | (?P<word>(?:Mr|Mrs|Ms|Dr)\.(?=\s+[A-Z])
             | [A-Z](?:\.[A-Z])+\b(?:\.(?=\s+\w))? | [a-z](?:\.[a-z])+\b(?:\.(?=\s+[a-z]|[,;]))?
             | (?<![^\W_])['’](?:em|cause|tis|twas|til|bout|n['’])(?![^\W_])
             | {_WORD}(?:[-‐‑]{_WORD})*)
    | (?P<mark>[.!?…]+ | [-‐‑–—―]{{2,}} | .)
    """,
    re.VERBOSE | re.DOTALL,
)

# espeak's IPA to Kokoro's symbols, applied longest first; the table is that of misaki's English fallback.
_ESPEAK_TO_KOKORO = {
    "ʔˌn\u0329": "ʔn", "ʔn\u0329": "ʔn", "a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "e": "A", "t^ʃ": "ʧ",
    "ɔ^ɪ": "Y", "ə^l": "ᵊl", "ʲo": "jo", "ʲə": "jə", "ʲ": "", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ç": "k", "ɐ": "ə",
    "ɬ": "l", "\u0303": "",
}  # fmt: skip
_ESPEAK_TO_BRITISH = {"e^ə": "ɛː", "iə": "ɪə", "ə^ʊ": "Q"}
_ESPEAK_TO_AMERICAN = {"o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""}

_CURRENCY_WORDS = {"$": "dollars", "£": "pounds", "€": "euros", "¥": "yen", "₹": "rupees"}
_SYMBOL_WORDS = SIGN_NAMES | _CURRENCY_WORDS | {"<": "less than", ">": "greater than", "#": "hash", "½": "half"}
_SYMBOL_WORDS |= {"®": "registered", "™": "trademark"}
_SPELLED_LIST = "US IT LED UPS EST IST COPD AWD LAPD ETH OP HMS"
_SPELLED_ACRONYMS = {name: ".".join(name) for name in _SPELLED_LIST.split()}
"""Acronyms that are spelled, though the lexicon lists some of them as words: US, IT."""
_SPOKEN_ACRONYMS = {"JSON": "Jason", "IKEA": "Ikea", "NOAA": "Noah", "CUDA": "Cuda"}
"""Acronyms that are spoken as words, with a spelling that the lexicon pronounces so."""
_LETTER_NAMED_NOUNS = """
    shaped shape test tests testing tail tails clamp clamps class curve curves series section ball boy boys girl girls
    day days dopa lysine lactate leucine lactic bar beam box bolt bit base cell cells channel code complex
"""
_AFTER_LETTER = frozenset(_LETTER_NAMED_NOUNS.split())
"""Words before which a letter with a hyphen is the letter's name and no stutter: S-shaped, T-test."""
_MAX_LONE_TOKENS = 8  # tokens, marks included; a longer text is no lone word


@dataclass(frozen=True)
class _Token:
    """Hold a written word, number or mark, or a fixed word with its phonemes.

    `kind` is "word", "number", "mark" or "fixed"; `has_space_after` says whether white space follows.
    """

    kind: str
    text: str
    start: int
    end: int
    has_space_after: bool = False
    phonemes: str = ""


@cache
def _get_tagger() -> Tagger:
    """Return the tagger that American and British English share."""
    return Tagger()


class EnglishG2P:
    """Phonemize American or British English.

    Construction loads everything: about 0.25 s of CPU, most of it shared by both.
    """

    def __init__(self, british: bool) -> None:
        self._british = british
        self._lexicon = Lexicon(british)
        self._tagger = _get_tagger()
        # The result depends on word, tag and context only; 60,000 cached words take about 15 MB.
        self._phonemize_word = lru_cache(maxsize=60_000)(self._phonemize_word_uncached)
        self.phonemize("Zyxqy.")  # a word that no lexicon has, so that espeak is loaded as well

    def phonemize(self, text: str, fixed: Sequence[PhonemeWord] = ()) -> list[PhonemeWord]:
        """Return the words and marks of `text`, with the words of `fixed` as given.

        Fixed words count as context of their neighbours: "a" and "the" depend on the sound that follows.
        """
        tokens = list(_tokenize(text, fixed))
        tags = self._tag_tokens(tokens)
        context = WordContext()
        out: list[PhonemeWord] = []
        for at in range(len(tokens) - 1, -1, -1):
            phonemes = self._phonemize_token(tokens, at, tags[at], context)
            context = _update_context(context, phonemes, tokens[at].text)
            out.append(_make_word(tokens[at], phonemes))
        if _is_lone_word(tokens):  # "Why?" alone is stressed, though it is a weak word in a sentence
            out = [replace(word, phonemes=_raise_stress(word.phonemes)) for word in out]
        return _move_spaces(out[::-1], tokens)

    def _tag_tokens(self, tokens: Sequence[_Token]) -> list[str]:
        tags: list[str] = []
        for sentence in _split_sentences(tokens):
            tags += self._tagger.tag_words([token.text.replace("’", "'") for token in sentence])
        return tags

    def _phonemize_token(self, tokens: Sequence[_Token], at: int, tag: str, context: Any) -> str:
        """Return the phonemes of the token at index `at`; `context` describes what follows it."""
        token = tokens[at]
        if token.kind == "fixed":
            return token.phonemes
        if token.kind == "number":
            return self._phonemize_number(token.text)
        if token.kind == "mark":
            return self._phonemize_mark(tokens, at)
        if token.text in ("A", "a") and _is_letter_name(tokens, at):
            tag = "NN"  # the letter's name instead of the article
        written = token.text
        if written in ("IT", "LED") and self._is_beside_all_caps(tokens, at):
            written = ""  # the words it and led, not the acronyms
        if written in _SPELLED_ACRONYMS or (written == "WHO" and at and tokens[at - 1].text.lower() == "the"):
            return self._phonemize_word(
                _SPELLED_ACRONYMS.get(written, "W.H.O"), "NNP", context.future_vowel, context.future_to
            )
        return self._phonemize_word(
            self._choose_spelling(tokens, at, tag), tag, context.future_vowel, context.future_to
        )

    def _is_beside_all_caps(self, tokens: Sequence[_Token], at: int) -> bool:
        """Return True beside another ordinary word in capitals: GOT IT."""
        beside = [tokens[near].text for near in (at - 1, at + 1) if 0 <= near < len(tokens)]
        return any(
            len(w) > 1 and w.isupper() and w.lower() in self._lexicon.golds and w not in _SPELLED_ACRONYMS
            for w in beside
        )

    @staticmethod
    def _choose_spelling(tokens: Sequence[_Token], at: int, tag: str) -> str:
        """Return the spelling to look up; for a few words another one than is written."""
        if tokens[at].text in _SPOKEN_ACRONYMS:
            return _SPOKEN_ACRONYMS[tokens[at].text]
        if tokens[at].text.lower() not in RESPELLED_WORDS:
            return tokens[at].text
        first = max(0, at - 5)
        return respell([token.text for token in tokens[first : at + 6]], at - first, tag)

    def _phonemize_word_uncached(self, text: str, tag: str, future_vowel: bool | None, future_to: bool) -> str:
        """Return the phonemes of a word or compound; hashable arguments, so that the result can be cached."""
        context = WordContext(future_vowel, future_to)
        word = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‐", "-").replace("‑", "-")
        found = None if self._is_beyond_lexicon(word) else self._lexicon.find_phonemes(word, tag, context)
        if found is None:
            parts = re.findall(r"[^-]+", word)
            found = (
                self._phonemize_compound(parts, tag, context)
                if len(parts) > 1
                else self._phonemize_unknown(word, tag, context)
            )
        return found.replace("ɾ", "T").replace("ʔ", "t")  # Kokoro writes the flap as T

    def _is_beyond_lexicon(self, word: str) -> bool:
        """Return True for what the lexicon handles wrongly: digits, and long words in capitals, which it spells."""
        if re.search(r"\d", word):
            return True
        lexicon = self._lexicon
        return len(word) > 5 and word.isupper() and word not in lexicon.golds and word.lower() not in lexicon.silvers

    def _phonemize_compound(self, parts: Sequence[str], tag: str, context: Any) -> str:
        """Phonemize words joined by hyphens: without spaces, about half of them with reduced stress."""
        last = len(parts) - 1
        sounds = [
            self._phonemize_part(parts, at, tag, context if at == last else WordContext()) for at in range(len(parts))
        ]
        if any(part.isdigit() for part in parts):
            return " ".join(sounds)
        return "".join(_reduce_stress(sounds))

    def _phonemize_part(self, parts: Sequence[str], at: int, tag: str, context: Any) -> str:
        """Phonemize one word of a compound; of a stutter (b-but) the first sound and a schwa."""
        part = parts[at]
        following = parts[at + 1] if at + 1 < len(parts) else ""
        stutters = len(part) == 1 and part.lower() not in "aio" and following[:1].lower() == part.lower()
        if stutters and following.lower() not in _AFTER_LETTER:
            whole = next((word for word in parts[at + 1 : at + 5] if len(word) > 1), "")
            sound = self._phonemize_word_uncached(whole, tag, None, False).lstrip("ˈˌ")[:1] if whole else ""
            return f"{sound}ə" if sound in CONSONANTS else self._phonemize_word_uncached(part, "NN", None, False)
        if part.lower() == "re" and following:
            return "ɹˌi"
        if part.lower() == "minute":
            tag = "NN"  # the noun: a ten-minute walk; as an adjective it would be "tiny"
        part = _SPELLED_ACRONYMS.get(part, part)
        return self._phonemize_word_uncached(part, tag, context.future_vowel, bool(context.future_to))

    def _phonemize_unknown(self, word: str, tag: str, context: Any) -> str:
        """Phonemize a word that the lexicon lacks; the first case that applies decides.

        Mixed with digits (a part at a time), acronym (spelled), accented (looked up without accents), elongated,
        CamelCase (a part at a time), else espeak's rules.
        """
        if re.search(r"\d", word):
            return " ".join(self._phonemize_alphanumeric(part) for part in re.findall(r"\d+|\D+", word))
        if word.isascii() and word.isupper():
            return self._phonemize_acronym(word)
        plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", plain)
        if plain != word and (found := self._lexicon.find_phonemes(plain, tag, context)):
            return str(found)
        if drawn := self._phonemize_elongated(word, tag, context):
            return drawn
        if len(parts) > 1 and "".join(parts) == plain:
            return "".join(_reduce_stress([self._phonemize_word_uncached(part, "NN", None, False) for part in parts]))
        return self._phonemize_by_espeak(word)

    def _phonemize_elongated(self, word: str, tag: str, context: Any) -> str:
        """Phonemize an elongated word (soooo, goood, shhh) as the word it stands for; "" if there is none.

        Three or more equal letters are tried as two, then as one.
        """
        if not re.search(r"([A-Za-z])\1\1", word):
            return ""
        if re.fullmatch("[Ss]h+", word):
            return "ʃː"
        for kept in (r"\1\1", r"\1"):
            shorter = re.sub(r"([A-Za-z])\1{2,}", kept, word)
            if found := self._lexicon.find_phonemes(shorter.lower(), tag, context):
                return str(found)
        return ""

    def _phonemize_alphanumeric(self, part: str) -> str:
        return (
            self._phonemize_number(part) if part.isdigit() else self._phonemize_word_uncached(part, "NNP", None, False)
        )

    def _phonemize_acronym(self, word: str) -> str:
        """Spell an acronym; over five letters with a vowel it is taken for a word in capitals."""
        if len(word) > 5 and re.search("[AEIOUY]", word):
            return self._phonemize_by_espeak(word.lower())
        return self._lexicon.get_NNP(word)[0] or self._phonemize_by_espeak(word)

    def _phonemize_by_espeak(self, word: str) -> str:
        """Convert a word by espeak's letter-to-sound rules, in the symbols that Kokoro uses for English."""
        said = to_ipa(word, "en" if self._british else "en-us").strip()
        for table in (_ESPEAK_TO_KOKORO, _ESPEAK_TO_BRITISH if self._british else _ESPEAK_TO_AMERICAN):
            for sound in sorted(table, key=len, reverse=True):
                said = said.replace(sound, table[sound])
        # A syllabic consonant becomes schwa + consonant; the rest of the ties, marks and hyphens are dropped.
        said = re.sub(r"(\S)\u0329", r"ᵊ\1", said).replace("o", "ɔ")
        return re.sub(r"[\^\u0329-]", "", said)

    def _phonemize_number(self, text: str) -> str:
        """Phonemize a number token: 42, 3rd, 1990s, $12.50 -> twelve point five zero dollars."""
        digits = re.sub(r"[^\d.]", "", text)
        suffix = re.sub(r"[^a-z]", "", text)
        said = self._phonemize_phrase(_spell_number(digits, suffix, self._british))
        if text[0] in _SYMBOL_WORDS:
            said += " " + self._phonemize_phrase(_SYMBOL_WORDS[text[0]])
        # The plural of a decade: 1990s; after a sibilant with a vowel.
        return f"{said}{'ᵻ' if said[-1:] in 'szʃʒʧʤ' else ''}z" if suffix == "s" else said

    def _phonemize_phrase(self, words: str) -> str:
        return " ".join(self._phonemize_word(word, "NN", False, False) for word in words.replace(",", "").split())

    def _phonemize_mark(self, tokens: Sequence[_Token], at: int) -> str:
        """Phonemize a mark: its words ("%" -> percent), a pause, or "".

        The neighbours count only if no white space separates them from the mark.
        """
        mark = tokens[at].text
        before = (
            tokens[at - 1]
            if at and tokens[at - 1].end == tokens[at].start and not tokens[at - 1].has_space_after
            else None
        )
        after = tokens[at + 1] if at + 1 < len(tokens) and not tokens[at].has_space_after else None
        inside = before is not None and after is not None and "mark" not in (before.kind, after.kind)
        if mark in "-‐‑−" and after is not None and after.kind == "number" and before is None:
            return self._phonemize_phrase("minus") + " "
        if inside and (joint := self._phonemize_inner_mark(mark, before, after)) is not None:
            return joint
        if said := _SYMBOL_WORDS.get(mark) or _name_symbol(mark):
            return f"{' ' if before else ''}{self._phonemize_phrase(said)}{' ' if after else ''}"
        return _convert_pause_mark(mark, before, after)

    def _phonemize_inner_mark(self, mark: str, before: _Token | None, after: _Token | None) -> str | None:
        """Phonemize a mark inside a written word: example.com -> dot; and/or, 12:30, snake_case -> a space.

        None means that the mark is treated like any other. A dot before a capital (end.Start) is a missing space.
        """
        assert before is not None and after is not None
        if mark == "." and not (before.text[-1].islower() and after.text[0].isupper()):
            return f" {self._phonemize_phrase('dot')} "
        if mark in "/\\_|" or (mark in ":-" and before.kind == after.kind == "number"):
            return " "
        return None


def _tokenize(text: str, fixed: Sequence[PhonemeWord]) -> Iterator[_Token]:
    """Yield the tokens of `text`; the spans of `fixed` are one token each."""
    at = 0
    for given in (*fixed, None):
        end = given.start if given else len(text)
        yield from _tokenize_plain(text, at, end)
        if given:
            space = text[given.end : given.end + 1].isspace()
            yield _Token("fixed", text[given.start : given.end], given.start, given.end, space, given.phonemes)
            at = given.end


def _tokenize_plain(text: str, start: int, end: int) -> Iterator[_Token]:
    for found in _TOKEN.finditer(text, start, end):
        kind = found.lastgroup or "mark"
        if kind == "word" and not found[0].isascii() and found[0].isnumeric() and not found[0].isdecimal():
            kind = "mark"  # ½, ², Ⅷ
        if kind != "space":
            space = text[found.end() : found.end() + 1].isspace()
            yield _Token(kind, found[0], found.start(), found.end(), space)


def _split_sentences(tokens: Sequence[_Token]) -> Iterable[Sequence[_Token]]:
    """Yield the tokens sentence by sentence: up to a mark of .!?… that white space follows."""
    start = 0
    for at, token in enumerate(tokens):
        if token.kind == "mark" and token.text[0] in ".!?…" and token.has_space_after:
            yield tokens[start : at + 1]
            start = at + 1
    if start < len(tokens):
        yield tokens[start:]


def _is_letter_name(tokens: Sequence[_Token], at: int) -> bool:
    """Return True if "A" is the letter ("A.", "plan A is", "vitamin A.") and not the article of a title."""
    if _is_lone_word(tokens):
        return True
    named = at + 2 < len(tokens) and tokens[at + 2].text.islower() and tokens[at + 1].text not in ("M", "I")
    if tokens[at].text == "A" and (
        (_is_single_capital(tokens, at + 1) and not named) or _is_single_capital(tokens, at - 1)
    ):
        return True
    if tokens[at].text == "a" or not at or tokens[at - 1].kind == "mark":
        return False
    return at + 1 == len(tokens) or not tokens[at + 1].text[:1].isupper()


def _is_single_capital(tokens: Sequence[_Token], at: int) -> bool:
    """Return True if the token at `at` is one capital letter, as in a spaced acronym: A M, A K A."""
    return 0 <= at < len(tokens) and len(tokens[at].text) == 1 and tokens[at].text.isupper()


def _is_lone_word(tokens: Sequence[_Token]) -> bool:
    """Return True if the text is a single word, with or without marks."""
    return len(tokens) <= _MAX_LONE_TOKENS and sum(token.kind != "mark" for token in tokens) == 1


def _update_context(context: Any, phonemes: str, text: str) -> Any:
    """Return the context for the next word to the left: whether a vowel, a consonant or a pause follows it.

    The first symbol of `phonemes` that is one of these decides; without any, the context stays as it was.
    """
    vowel = context.future_vowel
    for symbol in phonemes:
        if symbol in PAUSE_MARKS or symbol in VOWELS or symbol in CONSONANTS:
            vowel = None if symbol in PAUSE_MARKS else symbol in VOWELS
            break
    return WordContext(vowel, text.lower() == "to")


def _raise_stress(phonemes: str) -> str:
    """Raise the first secondary stress to a primary one if the word has none."""
    return phonemes if "ˈ" in phonemes else phonemes.replace("ˌ", "ˈ", 1)


def _make_word(token: _Token, phonemes: str) -> PhonemeWord:
    return PhonemeWord(phonemes + " " if token.has_space_after and phonemes else phonemes, token.start, token.end)


def _move_spaces(spoken: list[PhonemeWord], tokens: Sequence[_Token]) -> list[PhonemeWord]:
    """Move the space that follows a silent mark to the end of the word before it, in place."""
    audible = None
    for at, token in enumerate(tokens):
        if spoken[at].phonemes:
            audible = at
        elif token.has_space_after and audible is not None and not spoken[audible].phonemes.endswith(" "):
            spoken[audible] = replace(spoken[audible], phonemes=spoken[audible].phonemes + " ")
    return spoken


def _reduce_stress(sounds: list[str]) -> list[str]:
    """Reduce the stress of the lighter half of a compound's parts to secondary stress, if most are stressed."""
    ranked = sorted(("ˈ" in part, stress_weight(part), at) for at, part in enumerate(sounds) if part)
    stressed = sum(primary for primary, _, _ in ranked)
    if len(ranked) < 2 or stressed <= (len(ranked) + 1) // 2:
        return sounds
    lighter = {at for _, _, at in ranked[: len(ranked) // 2]}
    return [apply_stress(part, -0.5) if at in lighter else part for at, part in enumerate(sounds)]


def _spell_number(digits: str, suffix: str, british: bool) -> str:
    """Spell a number in words, with an ordinal suffix if any.

    1100 to 2099 are read as years, except 2000 to 2009, which are cardinals.
    """
    if digits.isdecimal() and suffix in ("st", "nd", "rd", "th"):
        return spell_ordinal(int(digits), british)
    is_year = digits.isdecimal() and len(digits) == 4 and 1100 <= int(digits) < 2100
    return spell_year(int(digits), british) if is_year else spell_number(digits, british)


def _name_symbol(mark: str) -> str:
    """Return the Unicode name of a pictograph or sign (☃ -> snowman) or the words of a numeral sign (Ⅷ -> eight).

    "" for other characters and for layout marks.
    """
    if len(mark) != 1 or unicodedata.category(mark) not in ("So", "Sm", "Sc", "No", "Nl"):
        return ""
    if mark.isnumeric() and float(unicodedata.numeric(mark)).is_integer():
        return str(num2words(int(unicodedata.numeric(mark))))
    if mark in "~|^`¦¬\ufffd":
        return ""
    return re.sub(r"[^a-z ]", " ", unicodedata.name(mark, "").lower())


def _convert_pause_mark(mark: str, before: _Token | None, after: _Token | None) -> str:
    """Return the network's mark for a written one; a hyphen is a dash only if it stands free."""
    if mark == '"':
        return curl_quote(before.text[-1] if before else "")
    if mark in "-‐‑−":
        return "—" if before is None and after is None else ""
    return "" if mark in "|~" else to_model_mark(mark)
