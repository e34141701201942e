"""Parse the part of W3C's Speech Synthesis Markup Language (SSML) 1.1 that Kokoro supports into segments.

A SAX parser (expat, hardened by defusedxml) reports tags and text with their positions. The handler collects text as
spans and ends the segment whenever the prosody changes, at the end of `<p>` and `<s>`, and at `<break>`. At the end of
`<sub>`, `<phoneme>` and `<say-as>` it replaces the spans inside by one that stands for all of their source text.
"""

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

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.languages import Language, find_language
from kokoro_server.core.pronunciations import are_phonemes
from kokoro_server.core.request import MAX_SPEED, MIN_SPEED, Prosody, SpeechSegment, TextSpan
from kokoro_server.core.voices import Voice, find_voice
from kokoro_server.text.inline_tags import INLINE_TAG, add_position, parse_seconds

MAX_DEPTH = 32
"""Maximum nesting depth of elements; far more than any real text has."""

BREAK_SECONDS = {"none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2}
"""Seconds of pause for `<break strength>`, which the standard leaves to the voice; `<break/>` is medium."""
RATE_FACTORS = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75}
"""Factors of the speed for `<prosody rate>`."""
VOLUME_FACTORS = {"silent": 0.0, "x-soft": 0.25, "soft": 0.5, "medium": 1.0, "default": 1.0, "loud": 1.4, "x-loud": 2.0}
"""Factors of the samples for `<prosody volume>`: about 6 dB a step below medium, 3 dB above."""
SENTENCE_PAUSE, PARAGRAPH_PAUSE = 0.3, 0.6
"""Seconds of pause after `<s>` and `<p>`."""
MAX_REPLACEMENT_CHARACTERS = 1_000
"""Maximum number of characters of a replacement by a tag: it is synthesized without a split, however long it is."""
SAY_AS_KINDS = ("cardinal", "ordinal", "characters", "spell-out", "date", "time", "telephone", "currency", "number")
"""Values of `<say-as interpret-as>`."""


# An XML comment of bounded length; it may stand before <speak>.
_COMMENT = r"<!--(?:[^-]|-(?!->)){0,1000}-->"


def is_ssml(text: str) -> bool:
    """Return whether the text starts like SSML, also with a document type declaration, which `parse_ssml` rejects."""
    return (
        re.match(rf"\s*(<\?xml[^>]{{0,200}}\?>\s*)?({_COMMENT}\s*){{0,8}}<(!DOCTYPE\s+)?speak[\s>/\[]", text)
        is not None
    )


def parse_ssml(
    text: str, prosody: Prosody, voices: Collection[str], field: str = "text", ignore_unknown: bool = False
) -> list[SpeechSegment]:
    """Parse an SSML document into segments.

    Args:
        text: The document as sent.
        prosody: The prosody outside all tags.
        voices: Names that `<voice>` may use.
        field: The name of the request's field, for error messages.
        ignore_unknown: Whether to read the text inside unknown tags as if the tags were absent.

    Raises:
        BadRequest: If the document is not well-formed or declares a DTD or entities, or if a tag is unknown or wrong;
            names the tag and its position.
    """
    reader = _SsmlHandler(text, prosody, voices, field, ignore_unknown)
    parser = _PositionParser(forbid_dtd=True)
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
    return reader.segments


class _PositionParser(DefusedExpatParser):
    """Parse XML without joining adjacent pieces of text, so that each piece is reported with its own position."""

    def reset(self) -> None:
        """Create the expat parser, with its text buffer off."""
        super().reset()
        self._parser.buffer_text = False  # type: ignore[attr-defined]  # an attribute of expatreader that the stubs lack


class _SsmlHandler(ContentHandler):
    """Collect segments while the parser reads the document."""

    parser: _PositionParser

    def __init__(self, text: str, prosody: Prosody, voices: Collection[str], field: str, ignore_unknown: bool) -> None:
        super().__init__()
        self.segments: list[SpeechSegment] = []
        self._text = text
        # Offset of the start of each line: expat reports lines and columns.
        self._line_starts = [0, *(found.end() for found in re.finditer("\r\n?|\n", text))]
        # The prosody of each open tag; the first item is the one outside all tags.
        self._prosodies = [prosody]
        self._open_tags: list[tuple[str, dict[str, str], int]] = []
        self._spans: list[TextSpan] = []
        self._tag_position = 0
        """Offset of the current tag, for error messages."""
        self._voices = voices
        self._field = field
        self._ignore_unknown = ignore_unknown

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802 - as xml.sax calls it
        """Open a tag; end the segment if the tag changes the prosody or starts a paragraph or sentence."""
        tag = name.rpartition(":")[2]
        attributes = dict(attrs.items())
        self._tag_position = self._get_position()
        if len(self._open_tags) >= MAX_DEPTH:
            raise self._make_error(f"<{tag}>", f"at most {MAX_DEPTH} tags inside each other")
        if tag not in _KNOWN_TAGS and not self._ignore_unknown:
            raise self._make_error(f"<{tag}>", f"one of {', '.join(sorted(_KNOWN_TAGS))}")
        self._open_tags.append((tag, attributes, self._tag_position))
        manner = self._resolve_prosody(tag, attributes)
        # The text so far has another prosody, or belongs to another paragraph or sentence.
        if manner != self._prosodies[-1] or tag in ("p", "s"):
            self._end_segment()
        self._prosodies.append(manner)

    def endElement(self, name: str) -> None:  # noqa: N802 - as xml.sax calls it
        """Close a tag: replace the text inside, or end the segment with the tag's pause."""
        tag, attributes, start = self._open_tags.pop()
        self._tag_position = start
        if tag in ("sub", "phoneme", "say-as"):
            self._replace_spans(tag, attributes, start)
        if tag in ("p", "s"):
            self._end_segment(PARAGRAPH_PAUSE if tag == "p" else SENTENCE_PAUSE)
        if tag == "break":
            self._end_segment(self._parse_break(attributes))
        manner = self._prosodies.pop()
        if manner != self._prosodies[-1]:
            self._end_segment_with(manner)

    def characters(self, content: str) -> None:
        """Add a span of text; an entity (`&amp;`) is one character for its whole source range."""
        start = self._get_position()
        if (mark := INLINE_TAG.search(content)) and mark["word"] is None:
            self._tag_position = start + mark.start()
            raise self._make_error(mark[0], "SSML's own tags in a text of SSML")
        # expat reports an entity as one piece of text at the position of its "&".
        entity = self._text[start : start + 1] == "&"
        end = self._text.index(";", start) + 1 if entity else start + len(content)
        self._spans.append(TextSpan(content, start, end))

    def endDocument(self) -> None:  # noqa: N802 - as xml.sax calls it
        """End the last segment."""
        self._end_segment()

    def _get_position(self) -> int:
        """Return the offset in the text of the parser's current event."""
        return self._line_starts[(self.parser.getLineNumber() or 1) - 1] + (self.parser.getColumnNumber() or 0)

    def _end_segment(self, pause: float = 0.0) -> None:
        """End the segment with the present prosody."""
        self._end_segment_with(self._prosodies[-1], pause)

    def _end_segment_with(self, prosody: Prosody, pause: float = 0.0) -> None:
        """End the segment with the given prosody, unless it has neither text nor a pause."""
        if self._spans or pause:
            self.segments.append(SpeechSegment(tuple(self._spans), prosody, pause))
        self._spans = []

    def _resolve_prosody(self, tag: str, attributes: dict[str, str]) -> Prosody:
        """Return the prosody inside a tag; rates and gains of nested tags multiply."""
        manner = self._prosodies[-1]
        if tag == "voice":
            voice = self._parse_voice(self._require_attribute(tag, attributes, "name"))
            return replace(manner, voice=voice, language=voice.language)
        if tag in ("lang", "speak") and "xml:lang" in attributes:
            return replace(manner, language=self._parse_language(attributes["xml:lang"], manner))
        if tag == "prosody":
            rate, gain = (
                self._parse_rate(attributes.get("rate", "default")),
                self._parse_volume(attributes.get("volume", "default")),
            )
            return replace(manner, rate=manner.rate * rate, gain=manner.gain * gain)
        return manner

    def _parse_voice(self, name: str) -> Voice:
        try:
            return find_voice(name, self._voices)
        except BadRequest as exc:
            raise add_position(exc, f'<voice name="{name}">', self._tag_position, self._field) from exc

    def _parse_language(self, name: str, prosody: Prosody) -> Language:
        """Return the language of a name; plain `en` is American or British English as the voice is."""
        if name.lower() == "en" and prosody.voice.language.is_english:
            return prosody.voice.language
        try:
            return find_language(name, "xml:lang")
        except BadRequest as exc:
            raise add_position(exc, f'xml:lang="{name}"', self._tag_position, self._field) from exc

    def _parse_rate(self, value: str) -> float:
        rate = RATE_FACTORS.get(value)
        if rate is None:
            # "150%" and "1.5" are factors, "+50%" and "-20%" changes of 1.
            found = re.fullmatch(r"([+-]?)(\d{1,4}(?:\.\d{1,4})?)(%?)", value, re.ASCII)
            if found:
                rate = float(found[2]) / (100 if found[3] else 1)
                rate = 1 + rate if found[1] == "+" else 1 - rate if found[1] == "-" else rate
        if rate is None or not MIN_SPEED <= rate <= MAX_SPEED:
            raise self._make_error(f'rate="{value}"', f"a factor or percentage from {MIN_SPEED} to {MAX_SPEED}")
        return rate

    def _parse_volume(self, value: str) -> float:
        if value in VOLUME_FACTORS:
            return VOLUME_FACTORS[value]
        found = re.fullmatch(r"([+-]?\d{1,2}(?:\.\d{1,4})?)dB", value, re.ASCII)
        if found is None or abs(float(found[1])) > 40:
            raise self._make_error(f'volume="{value}"', f"{', '.join(VOLUME_FACTORS)} or decibels such as +6dB")
        # Decibels of amplitude: +6dB -> 2.0.
        gain: float = 10 ** (float(found[1]) / 20)
        return gain

    def _parse_break(self, attributes: dict[str, str]) -> float:
        if "time" in attributes:
            seconds = parse_seconds(attributes["time"])
            if seconds is None:
                raise self._make_error(
                    f'<break time="{attributes["time"]}">', "seconds such as 1.5s or 200ms, up to 60s"
                )
            return seconds
        strength = attributes.get("strength", "medium")
        if strength not in BREAK_SECONDS:
            raise self._make_error(f'<break strength="{strength}">', ", ".join(BREAK_SECONDS))
        return BREAK_SECONDS[strength]

    def _replace_spans(self, tag: str, attributes: dict[str, str], start: int) -> None:
        """Replace the spans since offset `start` by one that is spoken as the tag says and stands for all of them."""
        # The spans inside the tag are the last ones: they start at or after its opening.
        inside = [span for span in self._spans if span.start >= start]
        text = "".join(span.text for span in inside)
        if not text.strip():
            return
        del self._spans[len(self._spans) - len(inside) :]
        phonemes = self._require_attribute(tag, attributes, "ph") if tag == "phoneme" else ""
        if phonemes and not are_phonemes(phonemes):
            raise self._make_error(f'<phoneme ph="{phonemes}">', "phonemes")
        if phonemes and attributes.get("alphabet", "ipa") != "ipa":
            raise self._make_error(f'<phoneme alphabet="{attributes["alphabet"]}">', "the alphabet ipa")
        spoken = self._require_attribute(tag, attributes, "alias") if tag == "sub" else text
        if tag == "say-as":
            spoken = self._rewrite_say_as(text.strip(), attributes)
        if max(len(spoken), len(phonemes)) > MAX_REPLACEMENT_CHARACTERS:
            raise self._make_error(
                f"<{tag}> with {max(len(spoken), len(phonemes))} characters", f"up to {MAX_REPLACEMENT_CHARACTERS}"
            )
        self._spans.append(TextSpan(spoken, inside[0].start, inside[-1].end, phonemes))

    def _rewrite_say_as(self, text: str, attributes: dict[str, str]) -> str:
        kind = self._require_attribute("say-as", attributes, "interpret-as")
        if kind not in SAY_AS_KINDS:
            raise self._make_error(f'<say-as interpret-as="{kind}">', ", ".join(SAY_AS_KINDS))
        return rewrite_say_as(text, kind, attributes.get("format", ""), self._prosodies[-1].language)

    def _require_attribute(self, tag: str, attributes: dict[str, str], name: str) -> str:
        if not attributes.get(name, "").strip():
            raise self._make_error(f"<{tag}>", f"its attribute {name}")
        return attributes[name].strip()

    def _make_error(self, tag: str, expected: str) -> BadRequest:
        message = f"{self._field} has {tag[:80]} at position {self._tag_position}: expected {expected}."
        return BadRequest(message, self._field, tag, expected)


_KNOWN_TAGS = frozenset({"speak", "break", "p", "s", "say-as", "sub", "phoneme", "voice", "prosody", "lang"})


def rewrite_say_as(text: str, kind: str, format: str = "", language: Language = Language.AMERICAN_ENGLISH) -> str:
    """Rewrite a text so that normalization reads it as the given kind.

    Examples: `A-1` as characters -> `A, dash, 1`; `1984` as cardinal -> `1,984`; `3` as ordinal -> `3rd`; `3/14/2024`
    as date with format mdy -> `2024-03-14`. Text that does not fit the kind is returned unchanged.

    Args:
        text: The text inside the tag, without outer white space.
        kind: One of SAY_AS_KINDS.
        format: For dates, the order of `d`, `m` and `y`; empty for the language's usual one.
        language: The language of the text.
    """
    if kind in ("characters", "spell-out"):
        # Commas keep the letters apart: "A1" -> "A, 1". Symbol names are English.
        names = _SYMBOL_NAMES if language.is_english else {}
        return ", ".join(names.get(character, character) for character in text if not character.isspace())
    if kind == "telephone":
        return " ".join(character for character in text if character.isdigit() or character == "+")
    if kind in ("cardinal", "number") and text.isdecimal() and len(text) < 16 and language.is_english:
        return f"{int(text):,}"  # without the comma, 1984 would be read as a year
    if kind == "ordinal" and text.isdecimal():
        return _format_ordinal(text, language)
    if kind == "date":
        return _to_iso_date(text, format or _DATE_FORMATS.get(language, "dmy"))
    return text


_DATE_FORMATS = {Language.AMERICAN_ENGLISH: "mdy", Language.JAPANESE: "ymd", Language.MANDARIN: "ymd"}
"""Order of a date's parts without a format, by language; day, month, year in all others."""
_ORDINALS = {
    Language.SPANISH: "{}.º",
    Language.FRENCH: "{}e",
    Language.ITALIAN: "{}º",
    Language.PORTUGUESE: "{}º",
    Language.HINDI: "{}वाँ",
    Language.JAPANESE: "第{}",
    Language.MANDARIN: "第{}",
}
_FIRST_ORDINALS = {Language.FRENCH: "1er", Language.HINDI: "1ला"}
_SYMBOL_NAMES = {
    "-": "dash", "_": "underscore", ".": "dot", ",": "comma", "/": "slash", "\\": "backslash", ":": "colon",
    ";": "semicolon", "!": "exclamation mark", "?": "question mark", "*": "star", "#": "hash", "~": "tilde",
    "(": "open bracket", ")": "close bracket", "'": "apostrophe", '"': "quote", "|": "bar", "<": "less than",
    ">": "greater than", "^": "caret", "`": "backtick", "[": "open bracket", "]": "close bracket", "$": "dollar",
    "{": "open brace", "}": "close brace",
}  # fmt: skip


def _format_ordinal(number: str, language: Language) -> str:
    """Write an ordinal number as the language does: 3rd, 3.º, 3e, 第3."""
    if language in _ORDINALS:
        return (
            _FIRST_ORDINALS.get(language, "")
            if number == "1" and language in _FIRST_ORDINALS
            else _ORDINALS[language].format(number)
        )
    return number + _choose_ordinal_suffix(int(number[-2:]))


def _choose_ordinal_suffix(number: int) -> str:
    """Return the English ordinal suffix for the last two digits of a number: 11 -> th, 21 -> st."""
    return "th" if 10 < number < 14 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _to_iso_date(text: str, format: str) -> str:
    """Convert a date to ISO 8601, 3/14/2024 in format mdy -> 2024-03-14; return a text that does not fit unchanged."""
    numbers = re.findall(r"\d{1,4}", text)
    if sorted(format) != ["d", "m", "y"] or len(numbers) != 3:
        return text
    # Year, month and day by the letters of the format: mdy and (3, 14, 2024).
    part = dict(zip(format, map(int, numbers), strict=True))
    try:
        return date(part["y"], part["m"], part["d"]).isoformat()
    except ValueError:
        return text
