"""Drop Markdown and HTML marks: emphasis, headings, lists, links, tables, tags, entities."""

import html
import re

from tts.speech.sentences import Strength
from tts.synth.readings.passage import Passage, Rule, Said, nothing, rule

_ENTITIES = {
    "&amp;": "and",
    "&lt;": "less than",
    "&gt;": "greater than",
    "&copy;": "copyright",
    "&deg;": "degrees",
}
_ENTITIES |= {
    "&times;": "times",
    "&divide;": "divided by",
    "&plusmn;": "plus or minus",
    "&reg;": "",
    "&trade;": "",
}


def _at_line_start(found: re.Match[str], passage: Passage) -> Said:
    return "" if passage.starts_line(found.start()) else None


def _tag(found: re.Match[str], passage: Passage) -> Said:
    """Drop a tag; one that ends a line or a cell leaves a space."""
    name = found["name"]
    if passage.before(found.start()).isalnum() and name[0].isupper() and not name.isupper():
        return None  # List<String>
    breaks = name.lower() in ("br", "p", "div", "li", "tr", "td", "h1", "h2", "h3", "hr")
    return " " if breaks else ""


def _entity(found: re.Match[str], passage: Passage) -> Said:
    """Replace an entity by its character, or in English by its name."""
    if found[0] in _ENTITIES and passage.language in "ab":
        return _ENTITIES[found[0]]
    plain = html.unescape(found[0])
    return plain.replace("\u00a0", " ") if plain != found[0] else None


def _note(found: re.Match[str], passage: Passage) -> Said:
    """Drop the number of a note, as [1] after a word; [0] and [1, 2] by themselves are values."""
    attached = not passage.before(found.start()).isspace()
    numbers = found[0].strip("[]^")
    cited = attached or (numbers.isdecimal() and passage.word_before(found.start()))
    return "" if cited and numbers != "0" or not numbers[0].isdecimal() else None


def _bracket(found: re.Match[str], passage: Passage) -> Said:
    """Drop the bracket that opens a link, and replace another one by a parenthesis."""
    return "" if _LINK_AHEAD.match(passage.text, found.start()) else _opened(found, passage)


def _opened(found: re.Match[str], passage: Passage) -> str:
    return " (" if passage.before(found.start()).isalnum() else "("


def _line_end(found: re.Match[str], passage: Passage) -> Said:
    """Add a stop to a heading, an item or a paragraph that ends without a mark, so that a pause follows."""
    before = passage.text[max(0, found.start() - 8) : found.start()].rstrip("*_`~#| ")
    if not before or not (before[-1].isalnum() or before[-1] in "\"'”’)]»%"):
        return None
    strength = passage.strength(found.end())
    if (
        found.end() == len(passage.text)
        or passage.text.startswith(("```", "~~~"), found.end())
        or strength < Strength.CLAUSE
    ):
        return None
    stop = "。" if passage.language in "jz" else "."
    return (stop if strength >= Strength.SENTENCE else ",") + found[0]


def _cell_end(found: re.Match[str], passage: Passage) -> Said:
    return "" if found["last"] is not None or passage.starts_line(found.start()) else ","


_LINK_AHEAD = re.compile(r"\[[^\[\]]{0,200}(?:\]\(|\]\[|\]:)|\[!\[")
LINE_RULES: tuple[Rule, ...] = (
    # The fence of a block of code, with its language.
    rule(r"(?:`{3,8}|~{3,8})[\w+#.-]{0,20}(?=\s|$)", _at_line_start),
    # A thematic break, or the line under a heading.
    rule(r"(?:[-=*_][ \t]?){3,200}(?=\n|$)", _at_line_start),
    rule(
        # The line between the head and the body of a table, with bars or without them at the edges.
        r"\|?[ \t]{0,8}:?-{2,40}:?[ \t]{0,8}(?:\|[ \t]{0,8}:?-{2,40}:?[ \t]{0,8}){0,40}\|?(?=\n|$)",
        _at_line_start,
    ),
    rule(
        r"\|[ \t]{0,8}:?-{1,40}:?[ \t]{0,8}(?:\|[ \t]{0,8}:?-{1,40}:?[ \t]{0,8}){0,40}\|?(?=\n|$)",
        _at_line_start,
    ),
    # A heading's marks; a shell's prompt; a list item's mark with its check box; a quotation's marks.
    rule(r"#{1,6}[ \t]{1,8}", _at_line_start),
    rule(r"\$[ \t]{1,2}(?=[a-z.])", _at_line_start),
    rule(r"[-*+•‣◦▪–][ \t]{1,8}(?:\[[ xX]\][ \t]{1,8})?(?=\S)", _at_line_start),
    rule(r"(?:>[ \t]){1,8}|>{1,3}(?![\d=.])", _at_line_start),
    # A link's definition, with its address; the mark of a footnote's text.
    rule(r"\[[^\[\]\n]{1,60}\]:[ \t]{1,4}<?(?:\w{1,8}:|[/.#])\S{0,500}[^\n]{0,200}(?=\n|$)", _at_line_start),
    rule(r"\[\^?[\w.-]{1,40}\]:[ \t]{1,4}", _at_line_start),
)
RULES: tuple[Rule, ...] = (
    # A comment, a tag, an entity.
    rule(r"<!--(?:[^-]|-(?!->)){0,500}-->", nothing),
    rule(r"</?(?P<name>[A-Za-z][A-Za-z0-9]{0,15})(?:\s[^<>\n]{0,300})?/?>", _tag),
    rule(r"&(?:[A-Za-z]{2,10}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});", _entity),
    # An image's mark; its description is spoken.
    rule(r"!(?=\[[^\[\]\n]{0,200}\]\()", nothing),
    # 1969[2] -> nineteen sixty-nine
    rule(r"\[(?:\^?\d{1,3}(?:[,–-] ?\d{1,3}){0,5}|\^[\w-]{1,20}|citation needed)\](?![(:\[]| ?=)", _note),
    rule(r"\[(?!\])", _bracket),
    rule(
        # The address of a link: [text](address "title"), [text][name], [text]{attributes}.
        r"\]\(\s{0,4}[^()\s]{0,500}(?:\([^()\s]{0,100}\)[^()\s]{0,200})?(?:[ \t]\"[^\"\n]{0,200}\")?\)",
        nothing,
    ),
    rule(r"\](?:\[[^\[\]\n]{0,60}\]|\{[^{}\n]{0,60}\})", nothing),
    rule(r"\[\]", nothing),
    rule(r"\]", lambda match, context: ")"),
    # The backslash before a mark that Markdown would otherwise read.
    rule(r"\\(?=[*_`#\[\]()!>~|.+{}-])", nothing),
)
SPACE_RULES: tuple[Rule, ...] = (
    # A table's bar: a comma between cells, nothing at the end of a row.
    rule(r"[ \t]{1,20}\|(?P<last>[ \t]{0,20}(?=\n|$))?", _cell_end),
    rule(r"[^\S\n]*\n\s*", _line_end),
)
