"""Replace marks by words or drop them: operators, emoji, emoticons, repeated punctuation, dashes, signs.

ENGLISH_MARK_RULES name signs; MARK_RULES apply in every language and mostly drop marks.
"""

import re

import emoji

from tts.synth.readings.numbers import digits, whole_number
from tts.synth.readings.passage import Passage, Rule, Said, rule

_EMOJI_LANGUAGES = {"e": "es", "f": "fr", "i": "it", "p": "pt", "j": "ja", "z": "zh"}
# Code points of the longest emoji: a sequence of people with skin tones and joiners.
_LONGEST_EMOJI = 12
_OPERATORS = {
    "===": "triple equals",
    "!==": "not equal to",
    "==": "double equals",
    "!=": "not equal to",
    "<=": "less than or equal to",
    ">=": "greater than or equal to",
    "=>": "to",
    "->": "to",
    "-->": "to",
    "<-": "from",
    "<->": "to and from",
    "&&": "and",
    "||": "or",
    ":=": "equals",
    "+=": "plus equals",
    "-=": "minus equals",
    "<<": "",
    ">>": "",
    "+/-": "plus or minus",
    "++": "plus plus",
}
_SIGNS = {
    "≤": "less than or equal to",
    "≥": "greater than or equal to",
    "≠": "not equal to",
    "≈": "approximately",
    "±": "plus or minus",
    "×": "times",
    "÷": "divided by",
    "√": "the square root of",
    "∞": "infinity",
    "π": "pi",
    "∑": "the sum of",
    "∫": "the integral of",
    "∂": "partial",
    "∈": "in",
    "∩": "intersection",
    "∪": "union",
    "⊂": "subset of",
    "∀": "for all",
    "∃": "there exists",
    "∴": "therefore",
    "→": "to",
    "⇒": "implies",
    "←": "from",
    "↔": "to and from",
    "↑": "up",
    "↓": "down",
    "=": "equals",
    "+": "plus",
    "&": "and",
    "@": "at",
    "%": "percent",
    "°": "degrees",
    "$": "dollar",
    "£": "pound",
    "€": "euro",
    "¥": "yen",
    "¢": "cents",
    "§": "section",
    "¶": "paragraph",
    "©": "copyright",
    "µ": "micro",
    "∆": "delta",
    "Δ": "delta",
    "Ω": "omega",
    "♯": "sharp",
    "♭": "flat",
    "²": "squared",
    "³": "cubed",
    "♥": "heart",
    "★": "star",
    "☆": "star",
    "✓": "check",
    "✔": "check",
    "✗": "cross",
    "✘": "cross",
    "−": "minus",
}
_GREEK_NAMES = """
    α alpha, β beta, γ gamma, δ delta, ε epsilon, ζ zeta, η eta, θ theta, κ kappa, λ lambda, μ mu, ν nu, ξ xi,
    ρ rho, σ sigma, τ tau, φ phi, χ chi, ψ psi, ω omega, Σ sigma, Φ phi, Π pi, Θ theta, Λ lambda, Ψ psi
"""
_GREEK = {name.split()[0]: name.split()[1] for name in _GREEK_NAMES.split(",")}
# Powers and indices.
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_LOWERED = "₀₁₂₃₄₅₆₇₈₉"
_SUPERSCRIPTS = str.maketrans(_RAISED + _LOWERED, "0123456789" * 2)
_FACES: tuple[str, ...] = (
    r"[:;=8xX]['’]?-?[)(DPpOo3|/\\\]\[*]",
    "<3",
    r":-?\$",
    r"\^_?\^",
    "-_-",
    "[oO]_[oO]",
    "[xX]D",
)
_FACES += (r"¯\\_\(ツ\)_/¯", r"\(╯°□°\)╯︵ ┻━┻")
_EMOTICON = f"(?:{'|'.join(_FACES)})"


def _padded(found: re.Match[str], passage: Passage, spoken: str) -> str:
    """Set what is spoken for a mark apart from the words that touch it."""
    if not spoken:
        return ""
    before = " " if passage.before(found.start()).isalnum() else ""
    after = " " if passage.after(found.end()).isalnum() or passage.after(found.end()) in "$£€¥-." else ""
    return f"{before}{spoken}{after}"


def _operator(found: re.Match[str], passage: Passage) -> Said:
    return _padded(found, passage, _OPERATORS[found[0]])


def _sign(found: re.Match[str], passage: Passage) -> Said:
    # Copyright © 2024.
    if found[0] == "©" and passage.word_before(found.start()).lower() == "copyright":
        return ""
    return _padded(found, passage, _SIGNS[found[0]])


def _greek(found: re.Match[str], passage: Passage) -> Said:
    """Name a Greek letter, which a hyphen may follow: the α-helix."""
    return _padded(found, passage, _GREEK[found[0]]).rstrip(" " if passage.after(found.end()) == "-" else "")


def _yields(found: re.Match[str], passage: Passage) -> Said:
    """Say `yields` for an arrow between formulas: 2H2 + O2 → 2H2O."""
    behind = passage.text[max(0, found.start() - 6) : found.start()]
    return _padded(found, passage, "yields") if _FORMULA_BEHIND.search(behind) else None


def _star(found: re.Match[str], passage: Passage) -> Said:
    """Say `times` for a star between numbers or single letters; drop it elsewhere."""
    before, after = passage.text[: found.start()][-4:].rstrip(), passage.text[found.end() :][:4].lstrip()
    touching = passage.before(found.start()) == " " and passage.after(found.end()) == " "
    number = before[-1:].isdigit() and after[:1].isdigit()
    letters = (
        touching and before[-1:].isalnum() and after[:1].isalnum() and (len(before) < 2 or not before[-2].isalpha())
    )
    return _padded(found, passage, "times") if number or letters else ""


def _minus(found: re.Match[str], passage: Passage) -> Said:
    """Say `minus` for a hyphen between numbers that make a sum."""
    if not passage.text[max(0, found.start() - 2) : found.start()].rstrip()[-1:].isdigit():
        return None
    near = passage.text[found.end() : found.end() + 24]
    sum_follows = re.match(r" ?[\d.,]{1,12} ?[=+*/-]", near)
    spaced = passage.before(found.start()) == " "
    return _padded(found, passage, "minus") if spaced or sum_follows else None


def _over(found: re.Match[str], passage: Passage) -> Said:
    """Say `divided by` for a slash in a sum, `per` before a unit, `slash` between words."""
    near = passage.text[found.end() : found.end() + 24]
    before, after = passage.before(found.start()), passage.after(found.end())
    if before.isdigit() and re.match(r"[\d.,]{1,12} ?[=+*]", near):
        return _padded(found, passage, "divided by")
    if before.isspace() and after.isspace():
        return "slash" if passage.word_before(found.start()) else ""
    coded = _CODED.search(passage.text[max(0, found.start() - 8) : found.start()])
    # 5/kg: five per kg; HTML5/CSS3: slash.
    return " per " if after.isalpha() and before.isdigit() and not coded else _padded(found, passage, "slash") or None


def _compare(found: re.Match[str], passage: Passage) -> Said:
    """Say `less than` or `greater than` if a space or a number stands on both sides."""
    name = "less than" if found[0] == "<" else "greater than"
    before, after = passage.before(found.start()), passage.after(found.end())
    sides = before + after
    if sides == "  " and found[0] == ">" and _is_path(passage, found):
        return ","
    compares = all(side == " " or side.isdigit() for side in sides) or (before in " (" and after.isdigit())
    if compares and passage.word_before(found.start()) or after.isdigit():
        return _padded(found, passage, name)
    return " " if before.isalnum() and after.isalnum() else ""


def _is_path(passage: Passage, found: re.Match[str]) -> bool:
    """Return whether a sign leads from menu to menu: Settings > General > About."""
    behind, ahead = passage.word_before(found.start()), passage.word_after(found.end())
    if not all(len(word) > 1 and word[0].isupper() for word in (behind, ahead)):
        return False
    near = passage.text[max(0, found.start() - 60) : found.start()] + "|" + passage.text[found.end() : found.end() + 60]
    return " > " in near or _MENU.search(near) is not None


def _about(found: re.Match[str], passage: Passage) -> Said:
    return "about "


def _caret(found: re.Match[str], passage: Passage) -> Said:
    minus = "minus" if found["minus"] else ""
    return _padded(found, passage, f"to the power of {minus}".strip())


def _silent(found: re.Match[str], passage: Passage) -> Said:
    """Drop marks; leave a gap where two words would join.

    In languages other than English, $, ~, < and > may mean something beside a number; the phonemizer says them.
    """
    if passage.language not in "ab" and _means_something(found, passage):
        return None
    # *, _ and ` mark emphasis inside a word; ® and ™ belong to it.
    both = passage.before(found.start()).isalnum() and passage.after(found.end()).isalnum()
    return " " if both and found[0][0] not in "*_`®™\\" else ""


def _means_something(found: re.Match[str], passage: Passage) -> bool:
    """Return whether a mark beside a number or in an address must stay, in languages other than English."""
    before = passage.text[max(0, found.start() - 2) : found.start()].rstrip()
    after = passage.text[found.end() : found.end() + 2].lstrip()
    beside = before[-1:].isdecimal(), after[:1].isdecimal()
    if found[0] == "//":
        return before[-1:] == ":"  # of a link
    if found[0] in "~～" and passage.language == "j" and before[-1:] in _DAYS and after[:1] in _DAYS:
        return True  # 月～金
    return found[0] in "$~" and any(beside) or found[0] in "<>*" and all(beside)


def _apart(found: re.Match[str], passage: Passage) -> Said:
    """Replace a bar between two things by a pause."""
    between = passage.before(found.start()).isspace() and passage.after(found.end()).isspace()
    if between and not passage.starts_line(found.start()) and passage.after(found.end()) != "\n":
        return ","
    row = passage.text.rfind("\n", max(0, found.start() - 300), found.start()) + 1
    inside = passage.before(found.start()) not in " \n" and passage.after(found.end()) not in " \n"
    return ", " if inside and passage.text.startswith("|", row) else ""


def _superscript(found: re.Match[str], passage: Passage) -> Said:
    """Say a power after a number or a parenthesis, and an index; leave the number of a note."""
    number = found[0].translate(_SUPERSCRIPTS)
    if found[0][0] in _LOWERED:
        return " " + digits(number) + (" " if passage.after(found.end()).isalnum() else "")
    # A raised number after a word is the number of a note.
    operand = passage.before(found.start()).isdigit() or passage.before(found.start()) == ")"
    single = len(found[0]) == 1 and found[0] in "¹²³"
    return f" to the power of {whole_number(number, passage.british)}" if operand and not single else None


def _one_mark(found: re.Match[str], passage: Passage) -> Said:
    """Reduce repeated marks to one; a mix of ? and ! keeps both."""
    marks = found[0]
    return "?!" if "?" in marks and "!" in marks else marks[0]


def _ellipsis(found: re.Match[str], passage: Passage) -> Said:
    """Reduce a row of points to three."""
    return "..." if found[0] != "..." else None


def _dash(found: re.Match[str], passage: Passage) -> Said:
    """Replace -- by a dash between words; before a word it is part of an option."""
    before, after = passage.before(found.start()), passage.after(found.end())
    if before.isspace() and after.isalpha() and found[0] in ("-", "--"):
        return "dash " * len(found[0])
    if len(found[0]) > 3 or passage.starts_line(found.start()):
        return ""
    return "—"


def _option(found: re.Match[str], passage: Passage) -> Said:
    """Spell an option: -x, -rf; `-Yes` is dialogue."""
    letters = " ".join(found["letter"].upper())
    return f"dash {letters}" if passage.before(found.start()).isspace() or found.start() == 0 else None


def _between_words(found: re.Match[str], passage: Passage) -> Said:
    """Replace a hyphen or a short dash before a space by a dash."""
    return None if passage.starts_line(found.start()) else "—"


def _emoticon(found: re.Match[str], passage: Passage) -> Said:
    """Drop an emoticon that white space precedes and no word follows."""
    before, after = passage.before(found.start()), passage.after(found.end())
    return "" if before.isspace() and not after.isalnum() else None


def _longest_emoji(text: str) -> str:
    """Return the longest emoji that a text starts with, or nothing."""
    for length in range(min(len(text), _LONGEST_EMOJI), 0, -1):
        if text[:length] in emoji.EMOJI_DATA:
            return text[:length]
    return ""


def emoji_at(passage: Passage, at: int) -> tuple[str, int] | None:
    """Return what is spoken for the emoji at an offset, and the offset behind its repeats.

    Returns None if no emoji is there. The name is in the text's language if the emoji package has it.
    """
    sign = _longest_emoji(passage.text[at : at + _LONGEST_EMOJI])
    if not sign:
        return None
    end = at + len(sign)
    # A row of the same emoji is named once.
    while passage.text.startswith(sign, end):
        end += len(sign)
    # A variation selector chooses the emoji's or the text's look.
    if passage.text[end : end + 1] in ("\ufe0f", "\ufe0e"):
        end += 1
    return (_emoji_name(sign, passage, at, end) if passage.emoji else ""), end


def _emoji_name(sign: str, passage: Passage, at: int, end: int) -> str:
    language = _EMOJI_LANGUAGES.get(passage.language, "en")
    name = emoji.demojize(sign, language=language, delimiters=("", "")).replace("_", " ")
    if name.startswith("keycap ") and sign[0].isdecimal():
        name = digits(sign[0])
    # A thumb up is named without its skin tone.
    name = re.sub(r" (?:medium-light|medium-dark|light|medium|dark) skin tone", "", name)
    before = " " if not passage.before(at).isspace() and passage.before(at) not in "([\"'“‘" else ""
    after = " " if passage.after(end).isalnum() or emoji.is_emoji(passage.after(end)) else ""
    return f"{before}{name}{after}"


_DAYS = tuple("月火水木金土日")
_CODED = re.compile(r"[A-Za-z](?<!CO)(?<!H)[\d.]{1,6}$")
"""Name that ends in a number, before a slash that is no `per`: HTML5/CSS3, but CO2/kWh."""
# Words that introduce a path through menus, and menus' usual names.
_MENU = re.compile(
    r"(?i:\b(?:click|tap|go to|open|select|choose|navigate|under|menu|via)\b)"
    r"|\b(?:File|Edit|View|Tools|Settings|Preferences|Options|Home|System|Insert|Format|Window|Help) ?\|"
)
_FORMULA_BEHIND = re.compile(r"[A-Z][a-z]?[\d₀-₉]? ?$")
# The longest operator first, so that === is not read as ==.
_OPERATOR = "|".join(sorted(map(re.escape, _OPERATORS), key=len, reverse=True))
ENGLISH_RULES: tuple[Rule, ...] = (
    # so H2 + O2 → H2O is -> H two plus O two yields H two O
    rule(r"(?:→|->|⟶|⇌)(?= ?\d{0,2}(?:[A-Z][a-z]?){1,4}[\d₀-₉])", _yields),
    rule("§§", lambda match, context: _padded(match, context, "sections")),
    # if a <= b then -> if a less than or equal to b then
    rule(rf"(?:{_OPERATOR})(?![=<>|&+-])", _operator),
    rule(r"[⁰¹²³⁴-⁹]{2,6}", _superscript),
    # you & me -> you and me
    rule("[" + re.escape("".join(_SIGNS)) + "]", _sign),
    # so 3 * 4 is -> so three times four is
    rule(r"\*(?!\*)", _star),
    # so 7 - 3 = 4 -> so seven minus three equals four
    rule(r"[-−] ?(?=[\d.])", _minus),
    # red/green -> red slash green
    rule(r"(?<!/)/(?!/)", _over),
    # if x < 5 then -> if x less than five then
    rule(r"[<>](?![<>])", _compare),
    # cost ~50 now -> cost about fifty now
    rule(r"~(?=[$£€]?\d)", _about),
    rule(r"#(?= of )", lambda match, context: "number"),
    # so 2^10 is -> so two to the power of ten is
    rule(r"\^(?P<minus>[-−])?(?=\w)", _caret),
    rule(r"[⁰¹²³⁴-⁹₀-₉]{1,6}", _superscript),
    rule("[" + "".join(_GREEK) + r"](?![α-ωΑ-Ω])", _greek),
)
RULES: tuple[Rule, ...] = (
    # fine :) then -> fine then
    rule(_EMOTICON, _emoticon),
    rule(r"\.{4,}", _ellipsis),
    # what?!! -> what?!
    rule(r"[!?]{2,}|,{2,}|;{2,}|:{3,}|…{2,}|、{2,}|。{2,}|[！？]{2,}", _one_mark),
    # this -- that -> this — that
    rule(r"-{2,}|[–—―]{2,}", _dash),
    # run -x now -> run dash X now
    rule(r"-(?P<letter>[A-Za-z]|[b-df-hj-np-tv-xz]{2,4})(?![\w'’-])", _option),
    rule(r"(?<=\w)::(?=\w)", lambda match, context: " "),
    # this - that -> this — that
    rule(r"[-–](?= )", _between_words),
    # A bar that no space precedes; markup.SPACE_RULES take the others.
    rule(r"\|", _apart),
    rule(
        r"\*+|_+|`+|#+|~+|={3,}|/{2,}|@{2,}|&{3,}"
        r"|[${}<>^®™℠•·‣◦▪▫■□●○◆◇†‡]+|\\+|[\u2500-\u257f]+|\ufe0f|\u200d",
        _silent,
    ),
)
