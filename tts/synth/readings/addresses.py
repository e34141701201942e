"""Spell identifiers of machines and files: links, e-mail addresses, paths, file names, @handles, #hashtags.

All share `expand_identifier`, which cuts a name into pieces: words are spoken as words, unpronounceable pieces letter
by letter, marks by their names.
"""

import re

from tts.synth.readings.numbers import amount, digits, short
from tts.synth.readings.passage import Passage, Rule, Said, rule, words

_TOP = (
    "com|org|net|edu|gov|mil|int|info|biz|io|ai|dev|app|co|uk|us|ca|de|fr|es|it|nl|eu|ch|au|nz|jp|cn|in|br|ru|ly"
    "|gg|tv|me|fm|xyz"
)
_FILE_ENDINGS = (
    "pdf|txt|md|docx?|xlsx?|pptx?|csv|tsv|json|ya?ml|toml|xml|html?|css|js|jsx|tsx?|py|ipynb|rb|rs|go|java|cpp|hpp"
    "|c|h"
    "|cs|php|sh|bat|ps1|exe|dll|so|zip|tar|gz|rar|7z|png|jpe?g|gif|svg|bmp|webp|mp[34]|wav|flac|ogg|opus|avi|mkv"
    "|mov|log|cfg|conf|ini|env|lock|sql|db|bak|tmp|epub|mobi|iso|apk|dmg|deb|rpm|onnx|bin|dat|tex|svelte|vue|swift"
    "|kt|lua|srt|vtt"
)
# Extensions that are matched in capitals too.
_CAPITAL_ENDINGS = "JPE?G|PNG|GIF|PDF|TXT|DOCX?|XLSX?|CSV|MP[34]|WAV|MOV|AVI|ZIP|EXE|MD|HTML?"
# Extensions after a name that starts with a digit: without c, h and 7z, which may follow a number as something else.
_LONG_ENDINGS = _FILE_ENDINGS.replace("|c|h", "").replace("|7z", "")
# Pieces with a vowel that are spelled all the same.
_KNOWN_LETTERS = words("""
    io ai uk us ca de fr es it eu au nz tv fm ly py js ts md id api ios usa ui os ip xyz ae ceo faq url uri etc
""")
_ENDINGS_AS_WORDS = words("""
    zip java log tar env lock swift bat conf bin vue epub go mobi lua opus svelte webp json toml yaml yml
    dat gif
""")
_SIGNS = {
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
HOST = rf"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{{0,61}}[A-Za-z0-9])?\.){{1,5}}(?:{_TOP})(?![\w])"
# Port, path, query and fragment behind a host, without the marks that end the sentence or a bracket around the link.
_REST = (
    r"(?::\d{2,5})?(?:[/?#][\w\-./?%&=+#~:@,!$*;()]{0,300}?"
    r"(?=[.,;:!?)\]}>'\"*_]{0,4}(?:\s|$|[<\]}\"|`])|\)[.,;]?|\*\*))?"
)


def spell(written: str) -> str:
    """Spell a name by its pieces: words as words, others letter by letter, marks by their names."""
    return " ".join(filter(None, map(_piece, _PIECE.findall(written))))


def _piece(piece: str) -> str:
    """Spell one piece: a number, a mark, a word, or letters one by one."""
    if piece.isdecimal():
        return short(piece, False) if len(piece) < 5 else digits(piece)
    if not piece.isalpha():
        return _SIGNS.get(piece, "")
    if piece.isupper() and len(piece) > 4 and _VOWEL.search(piece):
        return piece.lower()
    unsayable = not _VOWEL.search(piece) or piece.lower() in _KNOWN_LETTERS
    return " ".join(piece.upper()) if unsayable or len(piece) == 1 else piece


def _link(found: re.Match[str], passage: Passage) -> Said:
    """Spell a link without its scheme and without a slash at its end."""
    return spell(found["link"].rstrip("/"))


def _host(found: re.Match[str], passage: Passage) -> Said:
    return spell(found[0].rstrip("/"))


def _own_machine(found: re.Match[str], passage: Passage) -> Said:
    return f"localhost port {short(found['port'], False)}"


def _mail(found: re.Match[str], passage: Passage) -> Said:
    return spell(found["mail"])


def _file(found: re.Match[str], passage: Passage) -> Said:
    name, _, ending = found[0].rpartition(".")
    ending = ending.lower()
    spoken_ending = "J peg" if ending in ("jpg", "jpeg") else spell_ending(ending)
    return f"{spell(name)} dot {spoken_ending}"


def spell_ending(ending: str) -> str:
    """Spell a file name's extension letter by letter; an extension that is a word is spoken as one."""
    if ending in _ENDINGS_AS_WORDS:
        return "JSON" if ending == "json" else ending.replace("yml", "yaml")
    return " ".join(digits(sign) or sign.upper() for sign in ending)


def _path(found: re.Match[str], passage: Passage) -> Said:
    """Spell a path, with its extension if it has a known one."""
    written = found[0]
    gap = " " if written[0] == "/" and not passage.before(found.start()).isspace() else ""
    stem, dot, ending = written.rpartition(".")
    if dot and re.fullmatch(_FILE_ENDINGS, ending):
        return f"{gap}{spell(stem)} dot {spell_ending(ending)}"
    return gap + spell(written)


def _handle(found: re.Match[str], passage: Passage) -> Said:
    return f"at {spell(found['name'])}"


def _hashtag(found: re.Match[str], passage: Passage) -> Said:
    """Spell a hashtag; digits with one letter, as #3B, are a number."""
    if re.fullmatch(r"\d{1,9}[A-Z]?", found["name"]):
        return "number " + spell(found["name"])
    return "hashtag " + spell(found["name"].replace("_", " "))


def _colour(found: re.Match[str], passage: Passage) -> Said:
    """Spell a hexadecimal color sign by sign; decimal digits alone are a number, letters alone may be a word."""
    written = found["digits"]
    if written.isdecimal() or (written.isalpha() and len(written) in (3, 4, 6, 8) and not _is_colour(written)):
        return None
    return "hash " + " ".join(digits(sign) or sign.upper() for sign in written)


def _is_colour(written: str) -> bool:
    """Return whether letters alone are a color: fff is one, cafe and decade are words."""
    return len(set(written.lower())) <= 2 and not re.search("[aeAE][a-fA-F]*[aeAE]", written) or written.isupper()


def _ordinal_sign(found: re.Match[str], passage: Passage) -> Said:
    return f"number {amount(found['number'], passage.british)}"


def _order_number(found: re.Match[str], passage: Passage) -> Said:
    """Spell an order number: #A-10293."""
    return f"number {' '.join(found['letters'])} {digits(found['digits'])}"


def _bare_ending(found: re.Match[str], passage: Passage) -> Said:
    """Spell an extension or a hidden file's name without a stem: .pdf, .env."""
    name = found["name"]
    return f"dot {spell_ending(name)}" if re.fullmatch(_FILE_ENDINGS, name) else f"dot {name.lower()}"


_LOCAL = r"[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}"
_NAME = r"[\w][\w-]{0,60}"
LETTER_RULES: tuple[Rule, ...] = (
    # mail bob@x.org now -> mail bob at X dot org now
    rule(rf"(?:mailto:)?(?P<mail>{_LOCAL}@(?:[A-Za-z0-9-]{{1,63}}\.){{1,4}}[A-Za-z]{{2,12}})(?![\w@])", _mail),
    # see https://x.org/a now -> see X dot org slash A now
    rule(rf"(?:https?|ftps?|wss?|file|ssh|git)://(?P<link>[\w\-.@\[\]]{{1,200}}{_REST})", _link, re.IGNORECASE),
    rule(rf"(?P<link>www\.{HOST}{_REST})", _link),
    # see example.com now -> see example dot com now
    rule(rf"{HOST}(?!@){_REST}", _host),
    # on localhost:8080 now -> on localhost port eighty eighty now
    rule(r"localhost:(?P<port>\d{2,5})(?![\w/])", _own_machine),
    # in C:\temp\a now -> in C colon backslash temp backslash A now
    rule(r"[A-Za-z]:\\[\w\\.\- ()]{0,200}[\w)](?![\w\\])", _path),
    rule(rf"[\w.-]{{1,60}}(?:/[\w.-]{{1,60}}){{1,12}}\.(?:{_FILE_ENDINGS})(?![\w])", _path),
    # in report.pdf now -> in report dot P D F now
    rule(rf"{_NAME}(?:\.[\w-]{{1,20}}){{0,3}}\.(?:{_FILE_ENDINGS}|{_CAPITAL_ENDINGS})(?![\w/@]|\.\w)", _file),
)
DIGIT_RULES: tuple[Rule, ...] = (
    LETTER_RULES[0],
    rule(rf"(?=\d[\w-]{{0,40}}[A-Za-z]){HOST}{_REST}", _host),
    rule(
        rf"\d[\w-]{{0,40}}(?:\.[\w-]{{1,20}}){{0,2}}\.(?:{_LONG_ENDINGS})(?![\w/@]|\.\w)",
        _file,
    ),
)
SIGN_RULES: dict[str, tuple[Rule, ...]] = {
    "@": (rule(r"@(?P<name>[A-Za-z][\w.]{0,40}\w|\w)(?!@)", _handle),),
    "#": (
        # in #ff8800 now -> in hash F F eight eight zero zero now
        rule(r"#(?P<digits>[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})(?![\w])", _colour),
        # rank #5 now -> rank number five now
        rule(r"#(?P<number>\d{1,9}(?:,\d{3}){0,3})(?![\w])", _ordinal_sign),
        rule(r"#(?P<letters>[A-Z]{1,3})-?(?P<digits>\d{2,12})(?![\w])", _order_number),
        # on #OneWord now -> on hashtag One Word now
        rule(r"#(?P<name>\w{1,60})", _hashtag),
    ),
    "/": (
        rule(
            # At least two names, or one that is known: a lone slash divides or separates words.
            r"/(?:[\w.-]{1,60}/){1,12}[\w.-]{0,60}(?<![.])(?!\w)"
            r"|/(?:etc|usr|var|home|tmp|opt|bin|dev|mnt|root|srv|api)\b",
            _path,
        ),
    ),
    "~": (rule(r"~/(?:[\w.-]{1,60}/){0,12}[\w.-]{0,60}(?<![.])(?!\w)", _path),),
    ".": (
        rule(r"\.{1,2}/(?:[\w.-]{1,60}/){0,12}[\w.-]{0,60}(?<![.])(?!\w)", _path),
        rule(
            rf"\.(?P<name>(?:{_FILE_ENDINGS}|gitignore|bashrc|NET|zshrc|env))\b",
            _bare_ending,
        ),
    ),
    "\\": (rule(r"\\\\[\w.-]{1,60}(?:\\[\w.$-]{1,60}){1,12}", _path),),
}
