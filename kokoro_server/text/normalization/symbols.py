"""Replace marks by words or drop them: operators, emoji, emoticons, repeated punctuation, dashes, signs.

ENGLISH_MARK_RULES name signs; MARK_RULES apply in every language and mostly drop marks.
"""

import re

import emoji

from kokoro_server.core.languages import Language
from kokoro_server.text.normalization.english.number_words import spell_digits, spell_integer
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import load_tables

# Languages that the emoji package has names in.
_EMOJI_LANGUAGES = {
    Language.SPANISH: "es",
    Language.FRENCH: "fr",
    Language.ITALIAN: "it",
    Language.PORTUGUESE: "pt",
    Language.JAPANESE: "ja",
    Language.MANDARIN: "zh",
}
# Code points of the longest emoji: a sequence of people with skin tones and joiners.
_MAX_EMOJI_LENGTH = 12
_TABLES = load_tables(__name__)
_OPERATOR_NAMES: dict[str, str] = _TABLES["operators"]
SIGN_NAMES: dict[str, str] = _TABLES["signs"]
"""English names of single signs."""
_GREEK_LETTERS: dict[str, str] = _TABLES["greek"]
# Powers and indices.
_SUPERSCRIPT_DIGITS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_SUBSCRIPT_DIGITS = "₀₁₂₃₄₅₆₇₈₉"
_TO_PLAIN_DIGITS = str.maketrans(_SUPERSCRIPT_DIGITS + _SUBSCRIPT_DIGITS, "0123456789" * 2)
_EMOTICONS: tuple[str, ...] = (
    r"[:;=8xX]['’]?-?[)(DPpOo3|/\\\]\[*]",
    "<3",
    r":-?\$",
    r"\^_?\^",
    "-_-",
    "[oO]_[oO]",
    "[xX]D",
)
_EMOTICONS += (r"¯\\_\(ツ\)_/¯", r"\(╯°□°\)╯︵ ┻━┻")
_EMOTICON_PATTERN = f"(?:{'|'.join(_EMOTICONS)})"


def _pad(match: re.Match[str], context: TextContext, spoken: str) -> str:
    """Set what is spoken for a mark apart from the words that touch it."""
    if not spoken:
        return ""
    before = " " if context.get_char_before(match.start()).isalnum() else ""
    after = " " if context.get_char_at(match.end()).isalnum() or context.get_char_at(match.end()) in "$£€¥-." else ""
    return f"{before}{spoken}{after}"


def _expand_operator(match: re.Match[str], context: TextContext) -> RuleResult:
    return _pad(match, context, _OPERATOR_NAMES[match[0]])


def _expand_sign(match: re.Match[str], context: TextContext) -> RuleResult:
    # Copyright © 2024.
    if match[0] == "©" and context.find_word_before(match.start()).lower() == "copyright":
        return ""
    return _pad(match, context, SIGN_NAMES[match[0]])


def _expand_greek(match: re.Match[str], context: TextContext) -> RuleResult:
    """Name a Greek letter, which a hyphen may follow: the α-helix."""
    return _pad(match, context, _GREEK_LETTERS[match[0]]).rstrip(" " if context.get_char_at(match.end()) == "-" else "")


def _expand_arrow(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `yields` for an arrow between formulas: 2H2 + O2 → 2H2O."""
    behind = context.text[max(0, match.start() - 6) : match.start()]
    return _pad(match, context, "yields") if _FORMULA_BEFORE.search(behind) else None


def _expand_star(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `times` for a star between numbers or single letters; drop it elsewhere."""
    before, after = context.text[: match.start()][-4:].rstrip(), context.text[match.end() :][:4].lstrip()
    touching = context.get_char_before(match.start()) == " " and context.get_char_at(match.end()) == " "
    number = before[-1:].isdigit() and after[:1].isdigit()
    letters = (
        touching and before[-1:].isalnum() and after[:1].isalnum() and (len(before) < 2 or not before[-2].isalpha())
    )
    return _pad(match, context, "times") if number or letters else ""


def _expand_hyphen(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `minus` for a hyphen between numbers that make a sum."""
    if not context.text[max(0, match.start() - 2) : match.start()].rstrip()[-1:].isdigit():
        return None
    near = context.text[match.end() : match.end() + 24]
    sum_follows = re.match(r" ?[\d.,]{1,12} ?[=+*/-]", near)
    spaced = context.get_char_before(match.start()) == " "
    return _pad(match, context, "minus") if spaced or sum_follows else None


def _expand_slash(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `divided by` for a slash in a sum, `per` before a unit, `slash` between words."""
    near = context.text[match.end() : match.end() + 24]
    before, after = context.get_char_before(match.start()), context.get_char_at(match.end())
    if before.isdigit() and re.match(r"[\d.,]{1,12} ?[=+*]", near):
        return _pad(match, context, "divided by")
    if before.isspace() and after.isspace():
        return "slash" if context.find_word_before(match.start()) else ""
    coded = _NAME_NUMBER_BEFORE.search(context.text[max(0, match.start() - 8) : match.start()])
    # 5/kg: five per kg; HTML5/CSS3: slash.
    return " per " if after.isalpha() and before.isdigit() and not coded else _pad(match, context, "slash") or None


def _expand_comparison(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say `less than` or `greater than` if a space or a number stands on both sides."""
    name = "less than" if match[0] == "<" else "greater than"
    before, after = context.get_char_before(match.start()), context.get_char_at(match.end())
    sides = before + after
    if sides == "  " and match[0] == ">" and _is_menu_path(context, match):
        return ","
    compares = all(side == " " or side.isdigit() for side in sides) or (before in " (" and after.isdigit())
    if (compares and context.find_word_before(match.start())) or after.isdigit():
        return _pad(match, context, name)
    return " " if before.isalnum() and after.isalnum() else ""


def _is_menu_path(context: TextContext, match: re.Match[str]) -> bool:
    """Return whether a sign leads from menu to menu: Settings > General > About."""
    behind, ahead = context.find_word_before(match.start()), context.find_word_after(match.end())
    if not all(len(word) > 1 and word[0].isupper() for word in (behind, ahead)):
        return False
    near = context.text[max(0, match.start() - 60) : match.start()] + "|" + context.text[match.end() : match.end() + 60]
    return " > " in near or _MENU_WORDS.search(near) is not None


def _expand_tilde(match: re.Match[str], context: TextContext) -> RuleResult:
    return "about "


def _expand_caret(match: re.Match[str], context: TextContext) -> RuleResult:
    minus = "minus" if match["minus"] else ""
    return _pad(match, context, f"to the power of {minus}".strip())


def _drop_marks(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop marks; leave a gap where two words would join.

    In languages other than English, $, ~, < and > may mean something beside a number; the phonemizer says them.
    """
    if not context.language.is_english and _is_meaningful(match, context):
        return None
    # *, _ and ` mark emphasis inside a word; ® and ™ belong to it.
    both = context.get_char_before(match.start()).isalnum() and context.get_char_at(match.end()).isalnum()
    return " " if both and match[0][0] not in "*_`®™\\" else ""


def _is_meaningful(match: re.Match[str], context: TextContext) -> bool:
    """Return whether a mark beside a number or in an address must stay, in languages other than English."""
    before = context.text[max(0, match.start() - 2) : match.start()].rstrip()
    after = context.text[match.end() : match.end() + 2].lstrip()
    beside = before[-1:].isdecimal(), after[:1].isdecimal()
    if match[0] == "//":
        return before[-1:] == ":"  # of a link
    if (
        match[0] in "~～"
        and context.language is Language.JAPANESE
        and before[-1:] in _JAPANESE_DAYS
        and after[:1] in _JAPANESE_DAYS
    ):
        return True  # 月～金
    return (match[0] in "$~" and any(beside)) or (match[0] in "<>*" and all(beside))


def _expand_bar(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace a bar between two things by a pause."""
    between = context.get_char_before(match.start()).isspace() and context.get_char_at(match.end()).isspace()
    if between and not context.starts_line(match.start()) and context.get_char_at(match.end()) != "\n":
        return ","
    row = context.text.rfind("\n", max(0, match.start() - 300), match.start()) + 1
    inside = context.get_char_before(match.start()) not in " \n" and context.get_char_at(match.end()) not in " \n"
    return ", " if inside and context.text.startswith("|", row) else ""


def _expand_superscript(match: re.Match[str], context: TextContext) -> RuleResult:
    """Say a power after a number or a parenthesis, and an index; leave the number of a note."""
    number = match[0].translate(_TO_PLAIN_DIGITS)
    if match[0][0] in _SUBSCRIPT_DIGITS:
        return " " + spell_digits(number) + (" " if context.get_char_at(match.end()).isalnum() else "")
    # A raised number after a word is the number of a note.
    operand = context.get_char_before(match.start()).isdigit() or context.get_char_before(match.start()) == ")"
    single = len(match[0]) == 1 and match[0] in "¹²³"
    return f" to the power of {spell_integer(number, context.is_british)}" if operand and not single else None


def _reduce_repeated(match: re.Match[str], context: TextContext) -> RuleResult:
    """Reduce repeated marks to one; a mix of ? and ! keeps both."""
    marks = match[0]
    return "?!" if "?" in marks and "!" in marks else marks[0]


def _reduce_ellipsis(match: re.Match[str], context: TextContext) -> RuleResult:
    """Reduce a row of points to three."""
    return "..." if match[0] != "..." else None


def _expand_dash(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace -- by a dash between words; before a word it is part of an option."""
    before, after = context.get_char_before(match.start()), context.get_char_at(match.end())
    if before.isspace() and after.isalpha() and match[0] in ("-", "--"):
        return "dash " * len(match[0])
    if len(match[0]) > 3 or context.starts_line(match.start()):
        return ""
    return "—"


def _spell_option(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an option: -x, -rf; `-Yes` is dialogue."""
    letters = " ".join(match["letter"].upper())
    return f"dash {letters}" if context.get_char_before(match.start()).isspace() or match.start() == 0 else None


def _replace_spaced_hyphen(match: re.Match[str], context: TextContext) -> RuleResult:
    """Replace a hyphen or a short dash before a space by a dash."""
    return None if context.starts_line(match.start()) else "—"


def _drop_emoticon(match: re.Match[str], context: TextContext) -> RuleResult:
    """Drop an emoticon that white space precedes and no word follows."""
    before, after = context.get_char_before(match.start()), context.get_char_at(match.end())
    return "" if before.isspace() and not after.isalnum() else None


def _find_longest_emoji(text: str) -> str:
    """Return the longest emoji that a text starts with, or nothing."""
    for length in range(min(len(text), _MAX_EMOJI_LENGTH), 0, -1):
        if text[:length] in emoji.EMOJI_DATA:
            return text[:length]
    return ""


def match_emoji(context: TextContext, at: int) -> tuple[str, int] | None:
    """Return what is spoken for the emoji at an offset, and the offset behind its repeats.

    Returns None if no emoji is there. The name is in the text's language if the emoji package has it.
    """
    sign = _find_longest_emoji(context.text[at : at + _MAX_EMOJI_LENGTH])
    if not sign:
        return None
    end = at + len(sign)
    # A row of the same emoji is named once.
    while context.text.startswith(sign, end):
        end += len(sign)
    # A variation selector chooses the emoji's or the text's look.
    if context.text[end : end + 1] in ("\ufe0f", "\ufe0e"):
        end += 1
    return (_get_emoji_name(sign, context, at, end) if context.names_emoji else ""), end


def _get_emoji_name(sign: str, context: TextContext, at: int, end: int) -> str:
    language = _EMOJI_LANGUAGES.get(context.language, "en")
    name = emoji.demojize(sign, language=language, delimiters=("", "")).replace("_", " ")
    if name.startswith("keycap ") and sign[0].isdecimal():
        name = spell_digits(sign[0])
    # A thumb up is named without its skin tone.
    name = re.sub(r" (?:medium-light|medium-dark|light|medium|dark) skin tone", "", name)
    before = " " if not context.get_char_before(at).isspace() and context.get_char_before(at) not in "([\"'“‘" else ""
    after = " " if context.get_char_at(end).isalnum() or emoji.is_emoji(context.get_char_at(end)) else ""
    return f"{before}{name}{after}"


_JAPANESE_DAYS = tuple("月火水木金土日")
_NAME_NUMBER_BEFORE = re.compile(r"[A-Za-z](?<!CO)(?<!H)[\d.]{1,6}$")
"""Name that ends in a number, before a slash that is no `per`: HTML5/CSS3, but CO2/kWh."""
# Words that introduce a path through menus, and menus' usual names.
_MENU_WORDS = re.compile(
    r"(?i:\b(?:click|tap|go to|open|select|choose|navigate|under|menu|via)\b)"
    r"|\b(?:File|Edit|View|Tools|Settings|Preferences|Options|Home|System|Insert|Format|Window|Help) ?\|"
)
_FORMULA_BEFORE = re.compile(r"[A-Z][a-z]?[\d₀-₉]? ?$")
# The longest operator first, so that === is not read as ==.
_OPERATOR_PATTERN = "|".join(sorted(map(re.escape, _OPERATOR_NAMES), key=len, reverse=True))
ENGLISH_MARK_RULES: tuple[Rule, ...] = (
    # so H2 + O2 → H2O is -> H two plus O two yields H two O
    compile_rule(r"(?:→|->|⟶|⇌)(?= ?\d{0,2}(?:[A-Z][a-z]?){1,4}[\d₀-₉])", _expand_arrow),
    compile_rule("§§", lambda match, context: _pad(match, context, "sections")),
    # if a <= b then -> if a less than or equal to b then
    compile_rule(rf"(?:{_OPERATOR_PATTERN})(?![=<>|&+-])", _expand_operator),
    compile_rule(r"[⁰¹²³⁴-⁹]{2,6}", _expand_superscript),
    # you & me -> you and me
    compile_rule("[" + re.escape("".join(SIGN_NAMES)) + "]", _expand_sign),
    # so 3 * 4 is -> so three times four is
    compile_rule(r"\*(?!\*)", _expand_star),
    # so 7 - 3 = 4 -> so seven minus three equals four
    compile_rule(r"[-−] ?(?=[\d.])", _expand_hyphen),
    # red/green -> red slash green
    compile_rule(r"(?<!/)/(?!/)", _expand_slash),
    # if x < 5 then -> if x less than five then
    compile_rule(r"[<>](?![<>])", _expand_comparison),
    # cost ~50 now -> cost about fifty now
    compile_rule(r"~(?=[$£€]?\d)", _expand_tilde),
    compile_rule(r"#(?= of )", lambda match, context: "number"),
    # so 2^10 is -> so two to the power of ten is
    compile_rule(r"\^(?P<minus>[-−])?(?=\w)", _expand_caret),
    compile_rule(r"[⁰¹²³⁴-⁹₀-₉]{1,6}", _expand_superscript),
    compile_rule("[" + "".join(_GREEK_LETTERS) + r"](?![α-ωΑ-Ω])", _expand_greek),
)
MARK_RULES: tuple[Rule, ...] = (
    # fine :) then -> fine then
    compile_rule(_EMOTICON_PATTERN, _drop_emoticon),
    compile_rule(r"\.{4,}", _reduce_ellipsis),
    # what?!! -> what?!
    compile_rule(r"[!?]{2,}|,{2,}|;{2,}|:{3,}|…{2,}|、{2,}|。{2,}|[！？]{2,}", _reduce_repeated),
    # this -- that -> this — that
    compile_rule(r"-{2,}|[–—―]{2,}", _expand_dash),
    # run -x now -> run dash X now
    compile_rule(r"-(?P<letter>[A-Za-z]|[b-df-hj-np-tv-xz]{2,4})(?![\w'’-])", _spell_option),
    compile_rule(r"(?<=\w)::(?=\w)", lambda match, context: " "),
    # this - that -> this — that
    compile_rule(r"[-–](?= )", _replace_spaced_hyphen),
    # A bar that no space precedes; markup.SPACE_RULES take the others.
    compile_rule(r"\|", _expand_bar),
    compile_rule(
        r"\*+|_+|`+|#+|~+|={3,}|/{2,}|@{2,}|&{3,}"
        r"|[${}<>^®™℠•·‣◦▪▫■□●○◆◇†‡]+|\\+|[\u2500-\u257f]+|\ufe0f|\u200d",
        _drop_marks,
    ),
)
