"""Parse the inline tags `[pause:1s]`, `[word](/phonemes/)`, `[voice:…]…[/voice]` and `[rate:…]…[/rate]`.

`parse_inline_tags` scans the text once, from tag to tag. Text between tags collects as spans; a pause, or a tag that
opens or closes a voice or a rate, ends the segment so far. Open tags form a stack of prosodies, so they must be closed
in reverse order. Every span keeps its character range in the text as sent, to which word times refer.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from kokoro_server.core.errors import BadRequest
from kokoro_server.core.pronunciations import are_phonemes
from kokoro_server.core.request import MAX_SPEED, MIN_SPEED, Prosody, SpeechSegment, TextSpan
from kokoro_server.core.voices import Voice, find_voice

MAX_PAUSE = 60.0
"""Maximum seconds of one pause; a longer one is probably a mistake, and costs memory."""
MAX_TOTAL_PAUSE, MAX_PAUSE_PER_CHARACTER = 600.0, 0.1
"""Maximum seconds of all pauses of a request, and the seconds that each character adds to it: a page of tags must not
fill a disk with hours of silence, while the pauses between the paragraphs of a long text stay well below."""

# All four kinds of tags in one pattern, so that one scan finds them in order. Lengths are bounded to keep it linear.
INLINE_TAG = re.compile(
    r"\[(?P<pause>pause):(?P<length>[^\[\]\n]{0,40})\]"
    r"|\[(?P<open>voice|rate):(?P<value>[^\[\]\n]{0,200})\]"
    r"|\[/(?P<close>voice|rate)\]"
    r"|\[(?P<word>[^\[\]\n]{1,200})\]\(/(?P<phonemes>[^()/\n]{1,400})/\)",
    re.IGNORECASE,
)
# "1.5s", "200ms", ".5" or "2"; possessive white space cannot be tried twice.
_SECONDS = re.compile(r"\s*+(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})\s*+(ms|s)?\s*+", re.ASCII)


def parse_inline_tags(text: str, prosody: Prosody, voices: Collection[str], field: str = "text") -> list[SpeechSegment]:
    """Parse a text with inline tags into segments, in order.

    Args:
        text: The text as sent.
        prosody: The prosody outside all tags.
        voices: Names that `[voice:…]` may use.
        field: The name of the request's field, for error messages.

    Raises:
        BadRequest: If a tag is wrong or not closed; names the tag and its position.
    """
    if "[" not in text:
        return [SpeechSegment((TextSpan(text, 0, len(text)),), prosody)]
    return list(_TagParser(text, prosody, voices, field).parse())


def check_pauses(segments: Collection[SpeechSegment], text: str, field: str = "text") -> None:
    """Raise BadRequest if the pauses of a text's segments are too long in total."""
    seconds = sum(segment.pause for segment in segments)
    limit = MAX_TOTAL_PAUSE + MAX_PAUSE_PER_CHARACTER * len(text)
    if seconds > limit:
        expected = f"at most {limit:.0f} seconds"
        raise BadRequest(
            f"{field} has pauses of {seconds:.0f} seconds together: expected {expected}.", field, None, expected
        )


class _TagParser:
    """Parse one text; keep the stack of open tags and the spans of the current segment."""

    def __init__(self, text: str, prosody: Prosody, voices: Collection[str], field: str) -> None:
        self._text = text
        self._voices = voices
        self._field = field
        # (tag name, its position, the prosody inside it); the first item is the text outside all tags.
        self._open_tags: list[tuple[str, int, Prosody]] = [("", 0, prosody)]
        self._spans: list[TextSpan] = []

    def parse(self) -> Iterator[SpeechSegment]:
        """Yield the segments; call once."""
        at = 0
        for mark in INLINE_TAG.finditer(self._text):
            self._add_span(at, mark.start())
            at = mark.end()
            if mark["word"] is not None and not are_phonemes(mark["phonemes"]):
                self._add_span(*mark.span())  # a Markdown link to /2024/, read as text
            elif mark["word"] is not None:
                # [word](/phonemes/): the span is the word inside the brackets.
                self._spans.append(TextSpan(mark["word"], *mark.span("word"), mark["phonemes"].strip()))
            else:
                manner, pause = self._prosody, 0.0  # of the text before the tag
                if mark["pause"]:
                    pause = self._parse_pause(mark)
                elif mark["close"]:
                    self._close_tag(mark)
                else:
                    self._open_tag(mark)
                # Text before the tag belongs to the prosody before it.
                yield from self._end_segment(manner, pause)
        self._add_span(at, len(self._text))
        if len(self._open_tags) > 1:
            name, place, _ = self._open_tags[-1]
            raise self._make_error(f"[{name}:…]", place, f"a [/{name}] that closes it")
        yield from self._end_segment(self._prosody, 0.0)

    @property
    def _prosody(self) -> Prosody:
        return self._open_tags[-1][2]

    def _add_span(self, start: int, end: int) -> None:
        if end > start:
            self._spans.append(TextSpan(self._text[start:end], start, end))

    def _end_segment(self, prosody: Prosody, pause: float) -> Iterator[SpeechSegment]:
        """End the current segment, and yield it unless it has neither text nor a pause."""
        if self._spans or pause:
            yield SpeechSegment(tuple(self._spans), prosody, pause)
        self._spans = []

    def _parse_pause(self, mark: re.Match[str]) -> float:
        seconds = parse_seconds(mark["length"])
        if seconds is None:
            raise self._make_error(mark[0], mark.start(), f"[pause:SECONDS] of up to {MAX_PAUSE:g} s")
        return seconds

    def _open_tag(self, mark: re.Match[str]) -> None:
        name, value = mark["open"].lower(), mark["value"].strip()
        if name == "voice":
            # The language follows the voice; the rate of an outer tag stays.
            voice = self._parse_voice(mark, value)
            manner = replace(self._prosody, voice=voice, language=voice.language)
        else:
            manner = replace(self._prosody, rate=self._parse_rate(mark, value))
        self._open_tags.append((name, mark.start(), manner))

    def _parse_voice(self, mark: re.Match[str], name: str) -> Voice:
        try:
            return find_voice(name, self._voices)
        except BadRequest as exc:
            raise add_position(exc, mark[0], mark.start(), self._field) from exc

    def _parse_rate(self, mark: re.Match[str], value: str) -> float:
        if re.fullmatch(r"\d{1,3}(\.\d{0,6})?", value, re.ASCII) and MIN_SPEED <= float(value) <= MAX_SPEED:
            return float(value)
        raise self._make_error(mark[0], mark.start(), f"[rate:NUMBER] from {MIN_SPEED} to {MAX_SPEED}")

    def _close_tag(self, mark: re.Match[str]) -> None:
        # [voice:a][rate:2]…[/voice] is an error: tags nest.
        if self._open_tags[-1][0] != mark["close"].lower():
            raise self._make_error(mark[0], mark.start(), "the mark that was opened last to be closed first")
        self._open_tags.pop()

    def _make_error(self, tag: str, position: int, expected: str) -> BadRequest:
        message = f"{self._field} has {tag} at position {position}: expected {expected}."
        return BadRequest(message, self._field, tag, expected)


def add_position(exc: BadRequest, tag: str, position: int, field: str) -> BadRequest:
    """Return the error `exc` about the contents of a tag, with the tag and its position added to the message."""
    return BadRequest(f"{field} has {tag[:80]} at position {position}: {exc.message}", field, tag, exc.allowed)


def parse_seconds(value: str) -> float | None:
    """Return the seconds of `1.5s`, `200ms` or `2`; None for anything else and for more than MAX_PAUSE."""
    found = _SECONDS.fullmatch(value)
    if found is None:
        return None
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    return seconds if seconds <= MAX_PAUSE else None
