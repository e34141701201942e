"""Drop Markdown and HTML marks: emphasis, headings, lists, links, tables, tags, entities."""

import html
import re

from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule, drop_match
from kokoro_server.text.segmentation import Strength

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


def _drop_at_line_start(match: re.Match[str], context: TextContext) -> RuleResult:
    return "" if context.starts_line(match.start()) else None


def _drop_tag(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop a tag; one that ends a line or a cell leaves a space."""
    name = match["name"]
    if context.get_char_before(match.start()).isalnum() and name[0].isupper() and not name.isupper():
        return None  # List<String>
    breaks = name.lower() in ("br", "p", "div", "li", "tr", "td", "h1", "h2", "h3", "hr")
    return " " if breaks else ""


def _decode_entity(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace an entity by its character, or in English by its name."""
    if match[0] in _ENTITIES and context.language.is_english:
        return _ENTITIES[match[0]]
    plain = html.unescape(match[0])
    return plain.replace("\u00a0", " ") if plain != match[0] else None


def _drop_note(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop the number of a note, as [1] after a word; [0] and [1, 2] by themselves are values."""
    attached = not context.get_char_before(match.start()).isspace()
    numbers = match[0].strip("[]^")
    cited = attached or (numbers.isdecimal() and context.find_word_before(match.start()))
    return "" if (cited and numbers != "0") or not numbers[0].isdecimal() else None


def _replace_bracket(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop the bracket that opens a link, and replace another one by a parenthesis."""
    return "" if _LINK_AHEAD.match(context.text, match.start()) else _open_parenthesis(match, context)


def _open_parenthesis(match: re.Match[str], context: TextContext) -> str:
    return " (" if context.get_char_before(match.start()).isalnum() else "("


def _stop_line(match: re.Match[str], context: TextContext) -> RuleResult:
    """Add a stop to a heading, an item or a paragraph that ends without a mark, so that a pause follows."""
    before = context.text[max(0, match.start() - 8) : match.start()].rstrip("*_`~#| ")
    if not before or not (before[-1].isalnum() or before[-1] in "\"'”’)]»%"):
        return None
    strength = context.get_boundary_strength(match.end())
    if (
        match.end() == len(context.text)
        or context.text.startswith(("```", "~~~"), match.end())
        or strength < Strength.CLAUSE
    ):
        return None
    stop = "." if context.language.is_spaced else "。"
    return (stop if strength >= Strength.SENTENCE else ",") + match[0]


def _end_cell(match: re.Match[str], context: TextContext) -> RuleResult:
    return "" if match["last"] is not None or context.starts_line(match.start()) else ","


_LINK_AHEAD = re.compile(r"\[[^\[\]]{0,200}(?:\]\(|\]\[|\]:)|\[!\[")
LINE_RULES: tuple[Rule, ...] = (
    # The fence of a block of code, with its language.
    compile_rule(r"(?:`{3,8}|~{3,8})[\w+#.-]{0,20}(?=\s|$)", _drop_at_line_start),
    # A thematic break, or the line under a heading.
    compile_rule(r"(?:[-=*_][ \t]?){3,200}(?=\n|$)", _drop_at_line_start),
    compile_rule(
        # The line between the head and the body of a table, with bars or without them at the edges.
        r"\|?[ \t]{0,8}:?-{2,40}:?[ \t]{0,8}(?:\|[ \t]{0,8}:?-{2,40}:?[ \t]{0,8}){0,40}\|?(?=\n|$)",
        _drop_at_line_start,
    ),
    compile_rule(
        r"\|[ \t]{0,8}:?-{1,40}:?[ \t]{0,8}(?:\|[ \t]{0,8}:?-{1,40}:?[ \t]{0,8}){0,40}\|?(?=\n|$)",
        _drop_at_line_start,
    ),
    # A heading's marks; a shell's prompt; a list item's mark with its check box; a quotation's marks.
    compile_rule(r"#{1,6}[ \t]{1,8}", _drop_at_line_start),
    compile_rule(r"\$[ \t]{1,2}(?=[a-z.])", _drop_at_line_start),
    compile_rule(r"[-*+•‣◦▪–][ \t]{1,8}(?:\[[ xX]\][ \t]{1,8})?(?=\S)", _drop_at_line_start),
    compile_rule(r"(?:>[ \t]){1,8}|>{1,3}(?![\d=.])", _drop_at_line_start),
    # A link's definition, with its address; the mark of a footnote's text.
    compile_rule(
        r"\[[^\[\]\n]{1,60}\]:[ \t]{1,4}<?(?:\w{1,8}:|[/.#])\S{0,500}[^\n]{0,200}(?=\n|$)", _drop_at_line_start
    ),
    compile_rule(r"\[\^?[\w.-]{1,40}\]:[ \t]{1,4}", _drop_at_line_start),
)
INLINE_MARKUP_RULES: tuple[Rule, ...] = (
    # A comment, a tag, an entity.
    compile_rule(r"<!--(?:[^-]|-(?!->)){0,500}-->", drop_match),
    compile_rule(r"</?(?P<name>[A-Za-z][A-Za-z0-9]{0,15})(?:\s[^<>\n]{0,300})?/?>", _drop_tag),
    compile_rule(r"&(?:[A-Za-z]{2,10}|#\d{1,7}|#[xX][0-9a-fA-F]{1,6});", _decode_entity),
    # An image's mark; its description is spoken.
    compile_rule(r"!(?=\[[^\[\]\n]{0,200}\]\()", drop_match),
    # 1969[2] -> nineteen sixty-nine
    compile_rule(r"\[(?:\^?\d{1,3}(?:[,–-] ?\d{1,3}){0,5}|\^[\w-]{1,20}|citation needed)\](?![(:\[]| ?=)", _drop_note),
    compile_rule(r"\[(?!\])", _replace_bracket),
    compile_rule(
        # The address of a link: [text](address "title"), [text][name], [text]{attributes}.
        r"\]\(\s{0,4}[^()\s]{0,500}(?:\([^()\s]{0,100}\)[^()\s]{0,200})?(?:[ \t]\"[^\"\n]{0,200}\")?\)",
        drop_match,
    ),
    compile_rule(r"\](?:\[[^\[\]\n]{0,60}\]|\{[^{}\n]{0,60}\})", drop_match),
    compile_rule(r"\[\]", drop_match),
    compile_rule(r"\]", lambda match, context: ")"),
    # The backslash before a mark that Markdown would otherwise read.
    compile_rule(r"\\(?=[*_`#\[\]()!>~|.+{}-])", drop_match),
)
SPACE_RULES: tuple[Rule, ...] = (
    # A table's bar: a comma between cells, nothing at the end of a row.
    compile_rule(r"[ \t]{1,20}\|(?P<last>[ \t]{0,20}(?=\n|$))?", _end_cell),
    compile_rule(r"[^\S\n]*\n\s*", _stop_line),
)
