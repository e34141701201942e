"""Pronunciations: what to say for a written word, from a request or from a file that is read again when it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from tts.speech.errors import BadRequest

log = logging.getLogger(__name__)

Pronunciations = dict[str, str]

MAX_ENTRIES = 1_000
"""Entries of one request; a file may have as many as it likes."""
MAX_LENGTH = 200
"""Characters of a word or of what is said for it."""
ALLOWED = "a word, and a respelling or /phonemes/ for it"


class BadDictionary(Exception):
    """The file of pronunciations can't be used; the message names the line."""


def check_pronunciations(given: Mapping[str, str], field: str = "pronunciations") -> Pronunciations:
    """The entries themselves when all can be said. Raises BadRequest that names the first bad one."""
    if len(given) > MAX_ENTRIES:
        raise BadRequest(
            f"{field} has {len(given)} entries: expected at most {MAX_ENTRIES}.", field, len(given), ALLOWED
        )
    for word, said in given.items():
        fault = _fault(word, said)
        if fault:
            raise BadRequest(
                f"{field} has {word[:40]!r}: {said[:40]!r}, {fault}: expected {ALLOWED}.", field, word, ALLOWED
            )
    return dict(given)


def _fault(word: str, said: str) -> str:
    """What is wrong with an entry, or ''."""
    if not any(map(str.isalnum, word)) or word != word.strip():
        return "which is not a word"
    if max(len(word), len(said)) > MAX_LENGTH:
        return f"which is longer than {MAX_LENGTH} characters"
    phonemes = said.startswith("/") and said.endswith("/") and len(said) > 1
    inside = said[1:-1] if phonemes else said
    if not any(map(str.isalpha, inside)):
        return "which says nothing"
    if phonemes and not are_phonemes(inside):
        return "whose phonemes hold what is not one"
    return ""


def are_phonemes(written: str) -> bool:
    """Whether somebody may have meant phonemes: a letter at least, and nothing that is none in any alphabet."""
    no_phonemes = any(symbol.isdigit() or symbol in "/[]{}<>@#$%&*=\\" for symbol in written)
    return any(map(str.isalpha, written)) and not no_phonemes


class Dictionary:
    """A file of `word<TAB>what to say` lines, or the same as `word: what to say` in YAML; # begins a comment."""

    def __init__(self, path: Path | None) -> None:
        """Read the file. Raises BadDictionary."""
        self._path = path
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._entries = parse_dictionary(path) if path else {}

    def entries(self) -> Pronunciations:
        """What the file says now, or what it said before it was broken, which is logged."""
        if self._path is None:
            return {}
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            with self._lock:
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._entries = parse_dictionary(self._path)
        except (OSError, BadDictionary) as exc:
            log.warning("The pronunciations stay as they were: %s", exc)
        return self._entries


def parse_dictionary(path: Path) -> Pronunciations:
    """The entries of a file. Raises BadDictionary."""
    entries = {}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise BadDictionary(f"{path} cannot be read: {exc}") from exc
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#") or text == "---":
            continue
        word, said = _entry(text)
        fault = _fault(word, said)
        if fault:
            raise BadDictionary(f"{path}, line {number}: {text[:80]!r}, {fault}: expected {ALLOWED}")
        entries[word] = said
    return entries


def _entry(line: str) -> tuple[str, str]:
    """(word, what to say); YAML's quotes are taken off."""
    word, _, said = line.partition("\t" if "\t" in line else ":")
    return word.strip().strip("\"'"), said.strip().strip("\"'")
