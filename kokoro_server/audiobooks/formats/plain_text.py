"""Read plain text and SubRip subtitles in UTF-8, UTF-16 or a common legacy encoding."""

from __future__ import annotations

import codecs
import re

from kokoro_server.audiobooks.formats.book import Book, Chapter

# A chapter heading: a line between empty lines such as "Chapter 3", "Part Two: The Sea", "Prologue", "第三章", "# One".
# Possessive quantifiers (`++`, `*+`) keep the search linear.
_HEADING = re.compile(
    r"(?:^|\n[ \t]*\n)[ \t]*(?P<title>"
    r"(?:chapter|part|book|chapitre|partie|livre|cap[ií]tulo|parte|libro|capitolo|livro|kapitel)"
    r"[ \t]+[\w.]++[^\n]{0,80}+"
    r"|(?:prologue|epilogue|introduction|preface|foreword|afterword|pr[oó]logo|ep[ií]logo)[.:]?"
    r"|第[\d一二三四五六七八九十百千〇零]++[章回部話节節][^\n]{0,80}+"
    r"|\#{1,2}[ \t][^\n]{1,80}+)[ \t]*+(?=\n[ \t]*+\n)",
    re.IGNORECASE,
)
_TIMING = re.compile(r"^[\d:.,]+[ \t]*-->[^\n]*\n", re.MULTILINE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]{0,80}>|\{\\[^{}]{0,80}\}")


LEGACY_ENCODINGS = ["cp1252", "cp932", "euc_jp", "gb18030", "big5"]
"""Encodings that were common for Kokoro's languages before UTF-8."""


def decode_text(data: bytes) -> str:
    """Decode bytes by their byte order mark, as UTF-8, or else in the LEGACY_ENCODINGS' most likely one.

    Never raises: cp1252 with replacement characters is the last resort.
    """
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    try:
        return data.decode()
    except UnicodeDecodeError:
        import charset_normalizer  # here, because the server cleans texts without the extra "books"

        found = charset_normalizer.from_bytes(data, cp_isolation=LEGACY_ENCODINGS).best()
        return data.decode("cp1252", "replace") if found is None else str(found)


def read_plain_text(text: str) -> Book:
    """Return the book in plain text, split at lines that look like chapter headings.

    With fewer than two of them the whole text is one chapter. Text before the first is a chapter titled "Opening".
    """
    text = text.replace("\r\n", "\n")
    starts = [(match.start("title"), match["title"].strip("# ")) for match in _HEADING.finditer(text)]
    if len(starts) < 2:
        return Book("", "", "", (Chapter("", text),))
    edges = [*(start for start, _ in starts[1:]), len(text)]
    chapters = [Chapter(title, text[start:end]) for (start, title), end in zip(starts, edges, strict=True)]
    return Book("", "", "", (Chapter("Opening", text[: starts[0][0]]), *chapters))


def read_subtitles(text: str) -> Book:
    """Return the cues of SubRip subtitles as the lines of one chapter, without numbers, times and tags."""
    text = re.sub(r"^\d+[ \t]*\n(?=[\d:.,]+[ \t]*-->)", "", text.replace("\r\n", "\n"), flags=re.MULTILINE)
    cues = _TAG.sub("", _TIMING.sub("\n", text)).split("\n\n")
    lines = (" ".join(cue.split()) for cue in cues)
    return Book("", "", "", (Chapter("", "\n".join(line for line in lines if line)),))
