"""SSML: the part of W3C's Speech Synthesis Markup Language 1.1 that Kokoro can follow, as passages."""

from __future__ import annotations

import re
import xml.sax
from collections.abc import Collection
from dataclasses import replace
from datetime import date
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from defusedxml.common import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

from tts.speech.errors import BadRequest
from tts.speech.markup import MARK, misplaced, parse_seconds
from tts.speech.pronunciations import are_phonemes
from tts.speech.request import MAX_SPEED, MIN_SPEED, Manner, Passage, Run
from tts.speech.voices import Voice, find_language, find_voice

MAX_DEPTH = 32
"""Elements inside each other; no text that a person wrote comes near it."""

BREAKS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
"""Seconds for `<break strength>`; the standard leaves them to the voice. Without attributes it is medium."""
RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75}
VOLUMES = {"silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "default": 1.0, "loud": 1.4, "x-loud": 2.0}
"""Factors for `<prosody volume>`: about 6 dB a step."""
SENTENCE_REST, PARAGRAPH_REST = 0.3, 0.6
"""Least seconds of rest after `<s>` and `<p>`."""
LONGEST_SAID = 1_000
"""Characters that a tag may have said for what it holds: they are read in one go, however many they are."""
SAY_AS = ("cardinal", "ordinal", "characters", "spell-out", "date", "time", "telephone", "currency", "number")


_NOTE = r"<!--(?:[^-]|-(?!->)){0,1000}-->"


def is_ssml(text: str) -> bool:
    """Whether the text asks to be read as SSML; one that declares a document type asks as well, and is refused."""
    return (
        re.match(rf"\s*(<\?xml[^>]{{0,200}}\?>\s*)?({_NOTE}\s*){{0,8}}<(!DOCTYPE\s+)?speak[\s>/\[]", text) is not None
    )


def ssml_passages(
    text: str, manner: Manner, voices: Collection[str], field: str = "text", ignore_unknown: bool = False
) -> list[Passage]:
    """The passages of an SSML document. Raises BadRequest that names a wrong tag and its place.

    With `ignore_unknown` the text inside unknown tags is read as if they were not there.
    """
    reader = _Reader(text, manner, voices, field, ignore_unknown)
    parser = _Parser(forbid_dtd=True)
    parser.setContentHandler(reader)
    reader.parser = parser
    try:
        parser.feed(text)
        parser.close()
    except DefusedXmlException as exc:
        raise BadRequest(
            f"{field} declares entities or a DTD: expected plain SSML.", field, None, "plain SSML"
        ) from exc
    except xml.sax.SAXParseException as exc:
        place = f"line {exc.getLineNumber()}, column {exc.getColumnNumber()}"
        message = f"{field} is not well-formed SSML at {place}: {exc.getMessage()}."
        raise BadRequest(message, field, None, "well-formed SSML") from exc
    return reader.passages


class _Parser(DefusedExpatParser):
    """A parser that tells the place of every piece of text, which one that collects them can't."""

    def reset(self) -> None:
        super().reset()
        self._parser.buffer_text = False  # type: ignore[attr-defined]  # expatreader's own; the stubs leave it out


class _Reader(ContentHandler):
    """Collects passages while the parser walks through the document."""

    parser: _Parser

    def __init__(self, text: str, manner: Manner, voices: Collection[str], field: str, ignore_unknown: bool) -> None:
        super().__init__()
        self.passages: list[Passage] = []
        self._text = text
        self._lines = [0, *(found.end() for found in re.finditer("\r\n?|\n", text))]
        self._manners = [manner]
        self._tags: list[tuple[str, dict[str, str], int]] = []
        self._runs: list[Run] = []
        self._at = 0
        """Where the tag begins that is being looked at."""
        self._voices = voices
        self._field = field
        self._ignore_unknown = ignore_unknown

    def startElement(self, name: str, attrs: AttributesImpl) -> None:
        tag = name.rpartition(":")[2]
        given = dict(attrs.items())
        self._at = self._place()
        if len(self._tags) >= MAX_DEPTH:
            raise self._wrong(f"<{tag}>", f"at most {MAX_DEPTH} tags inside each other")
        if tag not in _KNOWN and not self._ignore_unknown:
            raise self._wrong(f"<{tag}>", f"one of {', '.join(sorted(_KNOWN))}")
        self._tags.append((tag, given, self._at))
        manner = self._manner_for(tag, given)
        if manner != self._manners[-1] or tag in ("p", "s"):
            self._flush()
        self._manners.append(manner)

    def endElement(self, name: str) -> None:
        tag, given, start = self._tags.pop()
        self._at = start
        if tag in ("sub", "phoneme", "say-as"):
            self._replace(tag, given, start)
        if tag in ("p", "s"):
            self._flush(PARAGRAPH_REST if tag == "p" else SENTENCE_REST)
        if tag == "break":
            self._flush(self._break(given))
        manner = self._manners.pop()
        if manner != self._manners[-1]:
            self._flush_as(manner)

    def characters(self, content: str) -> None:
        start = self._place()
        if (mark := MARK.search(content)) and mark["word"] is None:
            self._at = start + mark.start()
            raise self._wrong(mark[0], "SSML's own tags in a text of SSML")
        entity = self._text[start : start + 1] == "&"
        end = self._text.index(";", start) + 1 if entity else start + len(content)
        self._runs.append(Run(content, start, end))

    def endDocument(self) -> None:
        self._flush()

    def _place(self) -> int:
        """The offset in the text of what the parser has just come to."""
        return self._lines[(self.parser.getLineNumber() or 1) - 1] + (self.parser.getColumnNumber() or 0)

    def _flush(self, pause: float = 0.0) -> None:
        self._flush_as(self._manners[-1], pause)

    def _flush_as(self, manner: Manner, pause: float = 0.0) -> None:
        if self._runs or pause:
            self.passages.append(Passage(tuple(self._runs), manner, pause))
        self._runs = []

    def _manner_for(self, tag: str, given: dict[str, str]) -> Manner:
        manner = self._manners[-1]
        if tag == "voice":
            voice = self._voice(self._needed(tag, given, "name"))
            return replace(manner, voice=voice, language=voice.language)
        if tag in ("lang", "speak") and "xml:lang" in given:
            return replace(manner, language=self._language(given["xml:lang"], manner))
        if tag == "prosody":
            rate, gain = self._rate(given.get("rate", "default")), self._gain(given.get("volume", "default"))
            return replace(manner, rate=manner.rate * rate, gain=manner.gain * gain)
        return manner

    def _voice(self, name: str) -> Voice:
        try:
            return find_voice(name, self._voices)
        except BadRequest as exc:
            raise misplaced(exc, f'<voice name="{name}">', self._at, self._field) from exc

    def _language(self, name: str, manner: Manner) -> str:
        """Plain `en` is the voice's own English."""
        if name.lower() == "en" and manner.voice.language in "ab":
            return manner.voice.language
        try:
            return find_language(name, "xml:lang").letter
        except BadRequest as exc:
            raise misplaced(exc, f'xml:lang="{name}"', self._at, self._field) from exc

    def _rate(self, value: str) -> float:
        rate = RATES.get(value)
        if rate is None:
            found = re.fullmatch(r"([+-]?)(\d{1,4}(?:\.\d{1,4})?)(%?)", value, re.ASCII)
            if found:
                rate = float(found[2]) / (100 if found[3] else 1)
                rate = 1 + rate if found[1] == "+" else 1 - rate if found[1] == "-" else rate
        if rate is None or not MIN_SPEED <= rate <= MAX_SPEED:
            raise self._wrong(f'rate="{value}"', f"a factor or percentage from {MIN_SPEED} to {MAX_SPEED}")
        return rate

    def _gain(self, value: str) -> float:
        if value in VOLUMES:
            return VOLUMES[value]
        found = re.fullmatch(r"([+-]?\d{1,2}(?:\.\d{1,4})?)dB", value, re.ASCII)
        if found is None or abs(float(found[1])) > 40:
            raise self._wrong(f'volume="{value}"', f"{', '.join(VOLUMES)} or decibels such as +6dB")
        gain: float = 10 ** (float(found[1]) / 20)
        return gain

    def _break(self, given: dict[str, str]) -> float:
        if "time" in given:
            seconds = parse_seconds(given["time"])
            if seconds is None:
                raise self._wrong(f'<break time="{given["time"]}">', "seconds such as 1.5s or 200ms, up to 60s")
            return seconds
        strength = given.get("strength", "medium")
        if strength not in BREAKS:
            raise self._wrong(f'<break strength="{strength}">', ", ".join(BREAKS))
        return BREAKS[strength]

    def _replace(self, tag: str, given: dict[str, str], start: int) -> None:
        """Have the runs since `start` said as the tag wants."""
        inside = [run for run in self._runs if run.start >= start]
        text = "".join(run.text for run in inside)
        if not text.strip():
            return
        del self._runs[len(self._runs) - len(inside) :]
        phonemes = self._needed(tag, given, "ph") if tag == "phoneme" else ""
        if phonemes and not are_phonemes(phonemes):
            raise self._wrong(f'<phoneme ph="{phonemes}">', "phonemes")
        if phonemes and given.get("alphabet", "ipa") != "ipa":
            raise self._wrong(f'<phoneme alphabet="{given["alphabet"]}">', "the alphabet ipa")
        said = self._needed(tag, given, "alias") if tag == "sub" else text
        if tag == "say-as":
            said = self._said_as(text.strip(), given)
        if max(len(said), len(phonemes)) > LONGEST_SAID:
            raise self._wrong(f"<{tag}> with {max(len(said), len(phonemes))} characters", f"up to {LONGEST_SAID}")
        self._runs.append(Run(said, inside[0].start, inside[-1].end, phonemes))

    def _said_as(self, text: str, given: dict[str, str]) -> str:
        kind = self._needed("say-as", given, "interpret-as")
        if kind not in SAY_AS:
            raise self._wrong(f'<say-as interpret-as="{kind}">', ", ".join(SAY_AS))
        return said_as(text, kind, given.get("format", ""), self._manners[-1].language)

    def _needed(self, tag: str, given: dict[str, str], name: str) -> str:
        if not given.get(name, "").strip():
            raise self._wrong(f"<{tag}>", f"its attribute {name}")
        return given[name].strip()

    def _wrong(self, what: str, expected: str) -> BadRequest:
        message = f"{self._field} has {what[:80]} at position {self._at}: expected {expected}."
        return BadRequest(message, self._field, what, expected)


_KNOWN = frozenset({"speak", "break", "p", "s", "say-as", "sub", "phoneme", "voice", "prosody", "lang"})


def said_as(text: str, kind: str, format: str = "", language: str = "a") -> str:
    """The text written so that the reading of numbers and dates can't take it for anything else."""
    if kind in ("characters", "spell-out"):
        names = _MARK_NAMES if language in "ab" else {}
        return ", ".join(names.get(character, character) for character in text if not character.isspace())
    if kind == "telephone":
        return " ".join(character for character in text if character.isdigit() or character == "+")
    if kind in ("cardinal", "number") and text.isdecimal() and len(text) < 16 and language in "ab":
        return f"{int(text):,}"  # 1984 alone would be a year
    if kind == "ordinal" and text.isdecimal():
        return _ordinal(text, language)
    if kind == "date":
        return _iso_date(text, format or _DATE_FORMATS.get(language, "dmy"))
    return text


_DATE_FORMATS = {"a": "mdy", "j": "ymd", "z": "ymd"}
"""Order of a date's parts where nobody says: day, month, year in most languages."""
_ORDINALS = {"e": "{}.º", "f": "{}e", "i": "{}º", "p": "{}º", "h": "{}वाँ", "j": "第{}", "z": "第{}"}
_FIRSTS = {"f": "1er", "h": "1ला"}
_MARK_NAMES = {
    "-": "dash", "_": "underscore", ".": "dot", ",": "comma", "/": "slash", "\\": "backslash", ":": "colon",
    ";": "semicolon", "!": "exclamation mark", "?": "question mark", "*": "star", "#": "hash", "~": "tilde",
    "(": "open bracket", ")": "close bracket", "'": "apostrophe", '"': "quote", "|": "bar", "<": "less than",
    ">": "greater than", "^": "caret", "`": "backtick", "[": "open bracket", "]": "close bracket", "$": "dollar",
    "{": "open brace", "}": "close brace",
}  # fmt: skip


def _ordinal(number: str, language: str) -> str:
    """3rd, 3.º, 3e, 第3: as the language writes it."""
    if language in _ORDINALS:
        return (
            _FIRSTS.get(language, "") if number == "1" and language in _FIRSTS else _ORDINALS[language].format(number)
        )
    return number + _ordinal_ending(int(number[-2:]))


def _ordinal_ending(number: int) -> str:
    return "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _iso_date(text: str, format: str) -> str:
    """2024-03-14 for 3/14/2024 in format mdy; the text itself where the format doesn't fit."""
    numbers = re.findall(r"\d{1,4}", text)
    if sorted(format) != ["d", "m", "y"] or len(numbers) != 3:
        return text
    part = dict(zip(format, map(int, numbers), strict=True))
    try:
        return date(part["y"], part["m"], part["d"]).isoformat()
    except ValueError:
        return text
