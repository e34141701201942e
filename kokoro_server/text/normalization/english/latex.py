"""Normalize LaTeX as chatbots write it: drop the delimiters and name the commands."""

import re

from kokoro_server.text.normalization.rules.context import (
    Rule,
    RuleResult,
    TextContext,
    compile_rule,
    drop_match,
)
from kokoro_server.text.tables import load_tables

_COMMANDS: dict[str, str] = load_tables(__name__)["commands"]
# Commands that change the layout only.
_SILENT_COMMANDS = (
    "left right text mathrm mathbf mathit mathbb mathcal operatorname displaystyle quad qquad boxed begin end"
)
_FRACTION_BEFORE = re.compile(r"\\[dtc]?frac\{[^{}\n]{1,80}(?:\{[^{}\n]{0,80}\}[^{}\n]{0,80}){0,3}$")
_OPEN_DOLLAR_BEFORE = re.compile(r"(?<![\w$\\])\$(?=[^\s$\d])(?:[^$\n]|\\\$){0,200}$")


def _expand_command(match: re.Match[str], context: TextContext) -> RuleResult:
    """Name a command, set apart from the words that touch it; drop one that only changes the layout."""
    spoken = _COMMANDS.get(match["name"], "")
    if not spoken:
        return ""
    before = " " if context.get_char_before(match.start()).isalnum() else ""
    following = context.get_char_at(match.end())
    return f"{before}{spoken}{' ' if following in '{(' or following.isalnum() else ''}"


def _expand_fraction_bar(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `over` between the two parts of a fraction."""
    behind = context.text[max(0, match.start() - 200) : match.start()]
    return " over " if _FRACTION_BEFORE.search(behind) else None


def _drop_closing_dollar(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop the second of two dollar signs around a formula."""
    behind = context.text[max(0, match.start() - 200) : match.start()]
    return "" if not behind[-1:].isspace() and _OPEN_DOLLAR_BEFORE.search(behind.rpartition("\n")[2]) else None


def _drop_display_dollars(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop one of two pairs of dollar signs, which may stand lines apart; `$$` alone is a price."""
    text, near = context.text, 400
    paired = (
        "$$" in text[match.end() : match.end() + near] or "$$" in text[max(0, match.start() - near) : match.start()]
    )
    return "" if paired else None


# The longest name first, so that \leq is not read as \le.
_COMMAND_NAMES = "|".join(sorted([*_COMMANDS, *_SILENT_COMMANDS.split()], key=len, reverse=True))
DOLLAR_RULES: tuple[Rule, ...] = (
    # $$ around a formula in a line of its own, then $ before and after one within a line.
    compile_rule(r"(?<!\$)\$\$(?!\$)", _drop_display_dollars),
    compile_rule(r"\$(?=[^\s$\d][^$\n]{0,200}(?<=[^\s\\])\$(?![\d\w]))|\$(?=[^\s$\d]\$(?![\d\w]))", drop_match),
    compile_rule(r"\$(?![\d\w])", _drop_closing_dollar),
)
LATEX_RULES: tuple[Rule, ...] = (
    # \frac{1}{2} -> one over two
    compile_rule(r"\\[dtc]?frac(?=\{)", drop_match),
    compile_rule(rf"(?<![:\\])\\(?P<name>{_COMMAND_NAMES})(?![A-Za-z])", _expand_command),
    # The brace between a fraction's parts, and a brace inside the first part.
    compile_rule(r"\}(?=\{)", _expand_fraction_bar),
    compile_rule(r"\}(?=\}{1,3}\{)", drop_match),
    # Spacing \, \; \: , delimiters \( \) \[ \] and the line break \\.
    compile_rule(r"\\[,;:()\[\]](?!\w{2,})|\\\\(?=\s|$)", drop_match),
)
