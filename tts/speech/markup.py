"""Marks that shape speech: `[pause:1s]`, `[word](/phonemes/)`, `[voice:…]`, `[rate:…]`, and which text lies between.

A marked text becomes passages, each a run of text by one voice at one pace, or a pause. Every run knows the
characters of the text as sent that it stands for, so that word times land on those.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from tts.speech.errors import BadRequest
from tts.speech.pronunciations import are_phonemes
from tts.speech.request import MAX_SPEED, MIN_SPEED, Manner, Passage, Run
from tts.speech.voices import Voice, find_voice

LONGEST_PAUSE = 60.0
"""Seconds: a longer one is rather a mistake, and costs memory."""
PAUSES, PAUSES_A_CHARACTER = 600.0, 0.1
"""Seconds of all pauses of a request together, and what each character of its text adds: a page of marks is no reason
to fill a disk with hours of silence, and the rests of a long text's paragraphs stay well below."""

MARK = re.compile(
    r"\[(?P<pause>pause):(?P<length>[^\[\]\n]{0,40})\]"
    r"|\[(?P<open>voice|rate):(?P<value>[^\[\]\n]{0,200})\]"
    r"|\[/(?P<close>voice|rate)\]"
    r"|\[(?P<word>[^\[\]\n]{1,200})\]\(/(?P<phonemes>[^()/\n]{1,400})/\)",
    re.IGNORECASE,
)
_SECONDS = re.compile(r"\s*+(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})\s*+(ms|s)?\s*+", re.ASCII)


def passages(text: str, manner: Manner, voices: Collection[str], field: str = "text") -> list[Passage]:
    """The passages of a text with `[…]` marks, in order. Raises BadRequest that names a wrong mark and its place."""
    if "[" not in text:
        return [Passage((Run(text, 0, len(text)),), manner)]
    return list(_Reader(text, manner, voices, field).passages())


def check_pauses(marked: Collection[Passage], text: str, field: str = "text") -> None:
    """Raises BadRequest when the pauses of a text's passages are longer together than they may be."""
    seconds = sum(passage.pause for passage in marked)
    most = PAUSES + PAUSES_A_CHARACTER * len(text)
    if seconds > most:
        expected = f"at most {most:.0f} seconds"
        raise BadRequest(
            f"{field} has pauses of {seconds:.0f} seconds together: expected {expected}.", field, None, expected
        )


class _Reader:
    """Walks through a text's marks, with the manners that are open."""

    def __init__(self, text: str, manner: Manner, voices: Collection[str], field: str) -> None:
        self._text = text
        self._voices = voices
        self._field = field
        self._open: list[tuple[str, int, Manner]] = [("", 0, manner)]
        self._runs: list[Run] = []

    def passages(self) -> Iterator[Passage]:
        at = 0
        for mark in MARK.finditer(self._text):
            self._add(at, mark.start())
            at = mark.end()
            if mark["word"] is not None and not are_phonemes(mark["phonemes"]):
                self._add(*mark.span())  # a link to /2024/, whose word is read as that of any other
            elif mark["word"] is not None:
                self._runs.append(Run(mark["word"], *mark.span("word"), mark["phonemes"].strip()))
            else:
                manner, pause = self._manner, 0.0
                if mark["pause"]:
                    pause = self._pause(mark)
                elif mark["close"]:
                    self._close(mark)
                else:
                    self._begin(mark)
                yield from self._flush(manner, pause)
        self._add(at, len(self._text))
        if len(self._open) > 1:
            name, place, _ = self._open[-1]
            raise self._wrong(f"[{name}:…]", place, f"a [/{name}] that closes it")
        yield from self._flush(self._manner, 0.0)

    @property
    def _manner(self) -> Manner:
        return self._open[-1][2]

    def _add(self, start: int, end: int) -> None:
        if end > start:
            self._runs.append(Run(self._text[start:end], start, end))

    def _flush(self, manner: Manner, pause: float) -> Iterator[Passage]:
        if self._runs or pause:
            yield Passage(tuple(self._runs), manner, pause)
        self._runs = []

    def _pause(self, mark: re.Match[str]) -> float:
        seconds = parse_seconds(mark["length"])
        if seconds is None:
            raise self._wrong(mark[0], mark.start(), f"[pause:SECONDS] of up to {LONGEST_PAUSE:g} s")
        return seconds

    def _begin(self, mark: re.Match[str]) -> None:
        name, value = mark["open"].lower(), mark["value"].strip()
        if name == "voice":
            voice = self._voice(mark, value)
            manner = replace(self._manner, voice=voice, language=voice.language)
        else:
            manner = replace(self._manner, rate=self._rate(mark, value))
        self._open.append((name, mark.start(), manner))

    def _voice(self, mark: re.Match[str], name: str) -> Voice:
        try:
            return find_voice(name, self._voices)
        except BadRequest as exc:
            raise misplaced(exc, mark[0], mark.start(), self._field) from exc

    def _rate(self, mark: re.Match[str], value: str) -> float:
        if re.fullmatch(r"\d{1,3}(\.\d{0,6})?", value, re.ASCII) and MIN_SPEED <= float(value) <= MAX_SPEED:
            return float(value)
        raise self._wrong(mark[0], mark.start(), f"[rate:NUMBER] from {MIN_SPEED} to {MAX_SPEED}")

    def _close(self, mark: re.Match[str]) -> None:
        if self._open[-1][0] != mark["close"].lower():
            raise self._wrong(mark[0], mark.start(), "the mark that was opened last to be closed first")
        self._open.pop()

    def _wrong(self, mark: str, place: int, expected: str) -> BadRequest:
        message = f"{self._field} has {mark} at position {place}: expected {expected}."
        return BadRequest(message, self._field, mark, expected)


def misplaced(exc: BadRequest, mark: str, place: int, field: str) -> BadRequest:
    """A fault of what a mark or a tag names, told with the mark and its place."""
    return BadRequest(f"{field} has {mark[:80]} at position {place}: {exc.message}", field, mark, exc.allowed)


def parse_seconds(value: str) -> float | None:
    """Seconds of `1.5s`, `200ms` or `2`; None for anything else, and for more than LONGEST_PAUSE."""
    found = _SECONDS.fullmatch(value)
    if found is None:
        return None
    seconds = float(found[1]) / (1000 if found[2] == "ms" else 1)
    return seconds if seconds <= LONGEST_PAUSE else None
