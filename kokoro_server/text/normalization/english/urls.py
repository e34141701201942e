"""Spell identifiers of machines and files: links, e-mail addresses, paths, file names, @handles, #hashtags.

All share `expand_identifier`, which cuts a name into pieces: words are spoken as words, unpronounceable pieces letter
by letter, marks by their names.
"""

import re

from kokoro_server.text.normalization.english.number_words import spell_digits, spell_number, spell_numeric_label
from kokoro_server.text.normalization.rules.context import Rule, RuleResult, TextContext, compile_rule
from kokoro_server.text.tables import parse_words

_TOP_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|dev|app|co|uk|us|ca|de|fr|es|it|nl|eu|ch|au|nz|jp|cn|in|br|ru|ly"
    "|gg|tv|me|fm|xyz"
)
_EXTENSIONS = (
    "pdf|txt|md|docx?|xlsx?|pptx?|csv|tsv|json|ya?ml|toml|xml|html?|css|js|jsx|tsx?|py|ipynb|rb|rs|go|java|cpp|hpp"
    "|c|h"
    "|cs|php|sh|bat|ps1|exe|dll|so|zip|tar|gz|rar|7z|png|jpe?g|gif|svg|bmp|webp|mp[34]|wav|flac|ogg|opus|avi|mkv"
    "|mov|log|cfg|conf|ini|env|lock|sql|db|bak|tmp|epub|mobi|iso|apk|dmg|deb|rpm|onnx|bin|dat|tex|svelte|vue|swift"
    "|kt|lua|srt|vtt"
)
# Extensions that are matched in capitals too.
_CAPITAL_EXTENSIONS = "JPE?G|PNG|GIF|PDF|TXT|DOCX?|XLSX?|CSV|MP[34]|WAV|MOV|AVI|ZIP|EXE|MD|HTML?"
# Extensions after a name that starts with a digit: without c, h and 7z, which may follow a number as something else.
_LONG_EXTENSIONS = _EXTENSIONS.replace("|c|h", "").replace("|7z", "")
# Pieces with a vowel that are spelled all the same.
_SPELLED_PIECES = parse_words("""
    io ai uk us ca de fr es it eu au nz tv fm ly py js ts md id api ios usa ui os ip xyz ae ceo faq url uri etc
""")
_WORD_EXTENSIONS = parse_words("""
    zip java log tar env lock swift bat conf bin vue epub go mobi lua opus svelte webp json toml yaml yml
    dat gif
""")
_SIGN_NAMES = {
    ".": "dot",
    "/": "slash",
    "\\": "backslash",
    "-": "dash",
    "_": "underscore",
    ":": "colon",
    "?": "question mark",
    "=": "equals",
    "&": "and",
    "#": "hash",
    "%": "percent",
    "+": "plus",
    "~": "tilde",
    "@": "at",
    ",": "comma",
    "*": "star",
    "$": "dollar",
}
# Capitals up to a word's first letter, a word, one capital, digits, or one mark: HTMLPage2 is HTML, Page, 2.
_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]|\d{1,40}|.")
_VOWEL = re.compile(r"[aeiouyàâäéèêëîïôöùûü]", re.IGNORECASE)

# One to five labels of at most 63 characters, and a known top-level domain.
HOST = rf"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,5}}(?:{_TOP_DOMAINS})(?![\w])"
# Port, path, query and fragment behind a host, without the marks that end the sentence or a bracket around the link.
_URL_REST = (
    r"(?::\d{2,5})?(?:[/?#][\w\-./?%&=+#~:@,!$*;()]{0,300}?"
    r"(?=[.,;:!?)\]}>'\"*_]{0,4}(?:\s|$|[<\]}\"|`])|\)[.,;]?|\*\*))?"
)


def expand_identifier(written: str) -> str:
    """Spell a name by its pieces: words as words, others letter by letter, marks by their names."""
    return " ".join(filter(None, map(_expand_piece, _PIECE.findall(written))))


def _expand_piece(piece: str) -> str:
    """Spell one piece: a number, a mark, a word, or letters one by one."""
    if piece.isdecimal():
        return spell_numeric_label(piece, False) if len(piece) < 5 else spell_digits(piece)
    if not piece.isalpha():
        return _SIGN_NAMES.get(piece, "")
    if piece.isupper() and len(piece) > 4 and _VOWEL.search(piece):
        return piece.lower()
    unsayable = not _VOWEL.search(piece) or piece.lower() in _SPELLED_PIECES
    return " ".join(piece.upper()) if unsayable or len(piece) == 1 else piece


def _expand_link(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a link without its scheme and without a slash at its end."""
    return expand_identifier(match["link"].rstrip("/"))


def _expand_host(match: re.Match[str], context: TextContext) -> RuleResult:
    return expand_identifier(match[0].rstrip("/"))


def _expand_localhost(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"localhost port {spell_numeric_label(match['port'], False)}"


def _expand_email(match: re.Match[str], context: TextContext) -> RuleResult:
    return expand_identifier(match["mail"])


def _expand_file_name(match: re.Match[str], context: TextContext) -> RuleResult:
    name, _, ending = match[0].rpartition(".")
    ending = ending.lower()
    spoken_ending = "J peg" if ending in ("jpg", "jpeg") else spell_extension(ending)
    return f"{expand_identifier(name)} dot {spoken_ending}"


def spell_extension(extension: str) -> str:
    """Spell a file name's extension letter by letter; an extension that is a word is spoken as one."""
    if extension in _WORD_EXTENSIONS:
        return "JSON" if extension == "json" else extension.replace("yml", "yaml")
    return " ".join(spell_digits(sign) or sign.upper() for sign in extension)


def _expand_path(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a path, with its extension if it has a known one."""
    written = match[0]
    gap = " " if written[0] == "/" and not context.get_char_before(match.start()).isspace() else ""
    stem, dot, ending = written.rpartition(".")
    if dot and re.fullmatch(_EXTENSIONS, ending):
        return f"{gap}{expand_identifier(stem)} dot {spell_extension(ending)}"
    return gap + expand_identifier(written)


def _expand_handle(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"at {expand_identifier(match['name'])}"


def _expand_hashtag(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a hashtag; digits with one letter, as #3B, are a number."""
    if re.fullmatch(r"\d{1,9}[A-Z]?", match["name"]):
        return "number " + expand_identifier(match["name"])
    return "hashtag " + expand_identifier(match["name"].replace("_", " "))


def _spell_color(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell a hexadecimal color sign by sign; decimal digits alone are a number, letters alone may be a word."""
    written = match["digits"]
    if written.isdecimal() or (written.isalpha() and len(written) in (3, 4, 6, 8) and not _is_color(written)):
        return None
    return "hash " + " ".join(spell_digits(sign) or sign.upper() for sign in written)


def _is_color(written: str) -> bool:
    """Return whether letters alone are a color: fff is one, cafe and decade are words."""
    return (len(set(written.lower())) <= 2 and not re.search("[aeAE][a-fA-F]*[aeAE]", written)) or written.isupper()


def _expand_number_sign(match: re.Match[str], context: TextContext) -> RuleResult:
    return f"number {spell_number(match['number'], context.is_british)}"


def _spell_order_number(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an order number: #A-10293."""
    return f"number {' '.join(match['letters'])} {spell_digits(match['digits'])}"


def _expand_bare_extension(match: re.Match[str], context: TextContext) -> RuleResult:
    """Spell an extension or a hidden file's name without a stem: .pdf, .env."""
    name = match["name"]
    return f"dot {spell_extension(name)}" if re.fullmatch(_EXTENSIONS, name) else f"dot {name.lower()}"


_EMAIL_LOCAL_PART = r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}"
_FILE_STEM = r"[\w][\w-]{0,60}"
LETTER_RULES: tuple[Rule, ...] = (
    # mail bob@x.org now -> mail bob at X dot org now
    compile_rule(
        rf"(?:mailto:)?(?P<mail>{_EMAIL_LOCAL_PART}@(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}[A-Za-z]{{2,12}})(?![\w@])",
        _expand_email,
    ),
    # see https://x.org/a now -> see X dot org slash A now
    compile_rule(
        rf"(?:https?|ftps?|wss?|file|ssh|git)://(?P<link>[\w\-.@\[\]]{{1,200}}{_URL_REST})", _expand_link, re.IGNORECASE
    ),
    compile_rule(rf"(?P<link>www\.{HOST}{_URL_REST})", _expand_link),
    # see example.com now -> see example dot com now
    compile_rule(rf"{HOST}(?!@){_URL_REST}", _expand_host),
    # on localhost:8080 now -> on localhost port eighty eighty now
    compile_rule(r"localhost:(?P<port>\d{2,5})(?![\w/])", _expand_localhost),
    # in C:\temp\a now -> in C colon backslash temp backslash A now
    compile_rule(r"[A-Za-z]:\\[\w\\.\- ()]{0,200}[\w)](?![\w\\])", _expand_path),
    compile_rule(rf"[\w.-]{{1,60}}(?:/[\w.-]{{1,60}}){{1,12}}\.(?:{_EXTENSIONS})(?![\w])", _expand_path),
    # in report.pdf now -> in report dot P D F now
    compile_rule(
        rf"{_FILE_STEM}(?:\.[\w-]{{1,20}}){{0,3}}\.(?:{_EXTENSIONS}|{_CAPITAL_EXTENSIONS})(?![\w/@]|\.\w)",
        _expand_file_name,
    ),
)
DIGIT_RULES: tuple[Rule, ...] = (
    LETTER_RULES[0],
    compile_rule(rf"(?=\d[\w-]{{0,40}}[A-Za-z]){HOST}{_URL_REST}", _expand_host),
    compile_rule(
        rf"\d[\w-]{{0,40}}(?:\.[\w-]{{1,20}}){{0,2}}\.(?:{_LONG_EXTENSIONS})(?![\w/@]|\.\w)",
        _expand_file_name,
    ),
)
SIGN_RULES: dict[str, tuple[Rule, ...]] = {
    "@": (compile_rule(r"@(?P<name>[A-Za-z][\w.]{0,40}\w|\w)(?!@)", _expand_handle),),
    "#": (
        # in #ff8800 now -> in hash F F eight eight zero zero now
        compile_rule(r"#(?P<digits>[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?![\w])", _spell_color),
        # rank #5 now -> rank number five now
        compile_rule(r"#(?P<number>\d{1,9}(?:,\d{3}){0,3})(?![\w])", _expand_number_sign),
        compile_rule(r"#(?P<letters>[A-Z]{1,3})-?(?P<digits>\d{2,12})(?![\w])", _spell_order_number),
        # on #OneWord now -> on hashtag One Word now
        compile_rule(r"#(?P<name>\w{1,60})", _expand_hashtag),
    ),
    "/": (
        compile_rule(
            # At least two names, or one that is known: a lone slash divides or separates words.
            r"/(?:[\w.-]{1,60}/){1,12}[\w.-]{0,60}(?<![.])(?!\w)"
            r"|/(?:etc|usr|var|home|tmp|opt|bin|dev|mnt|root|srv|api)\b",
            _expand_path,
        ),
    ),
    "~": (compile_rule(r"~/(?:[\w.-]{1,60}/){0,12}[\w.-]{0,60}(?<![.])(?!\w)", _expand_path),),
    ".": (
        compile_rule(r"\.{1,2}/(?:[\w.-]{1,60}/){0,12}[\w.-]{0,60}(?<![.])(?!\w)", _expand_path),
        compile_rule(
            rf"\.(?P<name>(?:{_EXTENSIONS}|gitignore|bashrc|NET|zshrc|env))\b",
            _expand_bare_extension,
        ),
    ),
    "\\": (compile_rule(r"\\\\[\w.-]{1,60}(?:\\[\w.$-]{1,60}){1,12}", _expand_path),),
}
