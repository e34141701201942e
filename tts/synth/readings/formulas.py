"""Normalize LaTeX as chatbots write it: drop the delimiters and name the commands."""

import re

from tts.synth.readings.passage import Passage, Rule, Said, nothing, rule, table

_COMMANDS = table(r"""
    sqrt the square root of
    pm plus or minus
    times times
    cdot times
    div divided by
    le is at most
    leq is at most
    ge is at least
    geq is at least
    ne is not equal to
    neq is not equal to
    approx is about
    equiv is equivalent to
    infty infinity
    sum the sum of
    prod the product of
    int the integral of
    partial partial
    nabla nabla
    to to
    rightarrow to
    Rightarrow implies
    implies implies
    in in
    cup union
    cap intersection
    ldots and so on
    cdots and so on
    dots and so on
    circ degrees
""")
_NAMED = """
    alpha beta gamma delta epsilon zeta eta theta kappa lambda mu nu xi pi rho sigma tau phi chi psi omega Gamma Delta
    Theta Lambda Pi Sigma Phi Psi Omega sin cos tan log ln lim max min exp
"""
_COMMANDS |= {name: name.lower() for name in _NAMED.split()}
# Commands that change the layout only.
_SILENT = "left right text mathrm mathbf mathit mathbb mathcal operatorname displaystyle quad qquad boxed begin end"
_FRACTION = re.compile(r"\\[dtc]?frac\{[^{}\n]{1,80}(?:\{[^{}\n]{0,80}\}[^{}\n]{0,80}){0,3}$")
_OPENED = re.compile(r"(?<![\w$\\])\$(?=[^\s$\d])(?:[^$\n]|\\\$){0,200}$")


def _command(found: re.Match[str], passage: Passage) -> Said:
    """Name a command, set apart from the words that touch it; drop one that only changes the layout."""
    spoken = _COMMANDS.get(found["name"], "")
    if not spoken:
        return ""
    before = " " if passage.before(found.start()).isalnum() else ""
    following = passage.after(found.end())
    return f"{before}{spoken}{' ' if following in '{(' or following.isalnum() else ''}"


def _over(found: re.Match[str], passage: Passage) -> Said:
    """Say `over` between the two parts of a fraction."""
    behind = passage.text[max(0, found.start() - 200) : found.start()]
    return " over " if _FRACTION.search(behind) else None


def _closing(found: re.Match[str], passage: Passage) -> Said:
    """Drop the second of two dollar signs around a formula."""
    behind = passage.text[max(0, found.start() - 200) : found.start()]
    return "" if not behind[-1:].isspace() and _OPENED.search(behind.rpartition("\n")[2]) else None


def _display(found: re.Match[str], passage: Passage) -> Said:
    """Drop one of two pairs of dollar signs, which may stand lines apart; `$$` alone is a price."""
    text, near = passage.text, 400
    paired = (
        "$$" in text[found.end() : found.end() + near] or "$$" in text[max(0, found.start() - near) : found.start()]
    )
    return "" if paired else None


# The longest name first, so that \leq is not read as \le.
_NAMES = "|".join(sorted([*_COMMANDS, *_SILENT.split()], key=len, reverse=True))
DOLLAR_RULES: tuple[Rule, ...] = (
    # $$ around a formula in a line of its own, then $ before and after one within a line.
    rule(r"(?<!\$)\$\$(?!\$)", _display),
    rule(r"\$(?=[^\s$\d][^$\n]{0,200}(?<=[^\s\\])\$(?![\d\w]))|\$(?=[^\s$\d]\$(?![\d\w]))", nothing),
    rule(r"\$(?![\d\w])", _closing),
)
RULES: tuple[Rule, ...] = (
    # \frac{1}{2} -> one over two
    rule(r"\\[dtc]?frac(?=\{)", nothing),
    rule(rf"(?<![:\\])\\(?P<name>{_NAMES})(?![A-Za-z])", _command),
    # The brace between a fraction's parts, and a brace inside the first part.
    rule(r"\}(?=\{)", _over),
    rule(r"\}(?=\}{1,3}\{)", nothing),
    # Spacing \, \; \: , delimiters \( \) \[ \] and the line break \\.
    rule(r"\\[,;:()\[\]](?!\w{2,})|\\\\(?=\s|$)", nothing),
)
