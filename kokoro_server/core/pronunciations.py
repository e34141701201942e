"""Check pronunciations (written word -> phonemes or respelling) of a request, and read them from a file.

The file is read again when its modification time or size changes; if it is broken then, the old entries stay in use.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from pathlib import Path

from kokoro_server.core.errors import BadRequest

log = logging.getLogger(__name__)

Pronunciations = dict[str, str]
"""Pronunciation by written word: "/fəˈniːmz/" between slashes, or a respelling such as "nyoo york"."""

MAX_ENTRIES = 1_000
"""Maximum number of entries of a request; a file has no such limit."""
MAX_ENTRY_LENGTH = 200
"""Maximum number of characters of a word, and of its pronunciation."""
EXPECTED_ENTRY = "a word, and a respelling or /phonemes/ for it"
"""Description of a valid entry, for error messages."""


class PronunciationFileError(Exception):
    """Report that the pronunciation file cannot be used; the message names the file and the line."""


def check_pronunciations(entries: Mapping[str, str], field: str = "pronunciations") -> Pronunciations:
    """Return a copy of the entries if all are valid. Raises BadRequest that names the first invalid one."""
    if len(entries) > MAX_ENTRIES:
        raise BadRequest(
            f"{field} has {len(entries)} entries: expected at most {MAX_ENTRIES}.", field, len(entries), EXPECTED_ENTRY
        )
    for word, pronunciation in entries.items():
        fault = _find_fault(word, pronunciation)
        if fault:
            raise BadRequest(
                f"{field} has {word[:40]!r}: {pronunciation[:40]!r}, {fault}: expected {EXPECTED_ENTRY}.",
                field,
                word,
                EXPECTED_ENTRY,
            )
    return dict(entries)


def _find_fault(word: str, pronunciation: str) -> str:
    """Return what is wrong with an entry as a relative clause for an error message, or an empty string."""
    if not any(map(str.isalnum, word)) or word != word.strip():
        return "which is not a word"
    if max(len(word), len(pronunciation)) > MAX_ENTRY_LENGTH:
        return f"which is longer than {MAX_ENTRY_LENGTH} characters"
    is_phonemes = pronunciation.startswith("/") and pronunciation.endswith("/") and len(pronunciation) > 1
    inside = pronunciation[1:-1] if is_phonemes else pronunciation
    if not any(map(str.isalpha, inside)):
        return "which says nothing"
    if is_phonemes and not are_phonemes(inside):
        return "whose phonemes hold what is not one"
    return ""


def are_phonemes(text: str) -> bool:
    """Return whether a text can be phonemes: it has a letter, and no digit or sign that no phonetic alphabet uses."""
    no_phonemes = any(symbol.isdigit() or symbol in "/[]{}<>@#$%&*=\\" for symbol in text)
    return any(map(str.isalpha, text)) and not no_phonemes


class PronunciationFile:
    """Read a pronunciation file, and read it again after it has changed; safe to call from several threads.

    Lines are `word<TAB>pronunciation`, or `word: pronunciation` as in YAML; # starts a comment line.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file; without a path there are no entries. Raises PronunciationFileError."""
        self._path = path
        self._lock = threading.Lock()
        self._file_version: tuple[int, int] | None = None
        self._entries = read_pronunciation_file(path) if path else {}

    def get_entries(self) -> Pronunciations:
        """Return the file's present entries; if it cannot be read, log that and return the last valid ones."""
        if self._path is None:
            return {}
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            with self._lock:
                if stamp != self._file_version:
                    self._file_version = stamp  # before reading, so that a broken file is reported once
                    self._entries = read_pronunciation_file(self._path)
        except (OSError, PronunciationFileError) as exc:
            log.warning("Keeping the previous pronunciations: %s", exc)
        return self._entries


def read_pronunciation_file(path: Path) -> Pronunciations:
    """Read the entries of a UTF-8 file. Raises PronunciationFileError if it cannot be read or a line is invalid."""
    entries = {}
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise PronunciationFileError(f"{path} cannot be read: {exc}") from exc
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#") or text == "---":
            continue
        word, pronunciation = _parse_entry(text)
        fault = _find_fault(word, pronunciation)
        if fault:
            raise PronunciationFileError(f"{path}, line {number}: {text[:80]!r}, {fault}: expected {EXPECTED_ENTRY}")
        entries[word] = pronunciation
    return entries


def _parse_entry(line: str) -> tuple[str, str]:
    """Split a line into (word, pronunciation), without YAML's quotes."""
    word, _, pronunciation = line.partition("\t" if "\t" in line else ":")
    return word.strip().strip("\"'"), pronunciation.strip().strip("\"'")
