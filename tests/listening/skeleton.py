"""Hindi in Devanagari and in Urdu's letters, as the consonants that both write: Whisper spells spoken Hindi as Urdu."""

import re
import unicodedata

# One Latin sign a sound; what Hindi's speakers and Urdu's spelling do not keep apart falls together.
_DEVANAGARI = {
    "क": "k", "ख": "kh", "ग": "g", "घ": "gh", "ङ": "n", "च": "c", "छ": "ch", "ज": "j", "झ": "jh", "ञ": "n",
    "ट": "T", "ठ": "Th", "ड": "D", "ढ": "Dh", "ण": "n", "त": "t", "थ": "th", "द": "d", "ध": "dh", "न": "n",
    "प": "p", "फ": "ph", "ब": "b", "भ": "bh", "म": "m", "य": "", "र": "r", "ल": "l", "ळ": "l", "व": "",
    "श": "S", "ष": "S", "स": "s", "ह": "h", "ृ": "r",
}  # fmt: skip
_NUKTA = {"क": "k", "ख": "kh", "ग": "g", "ज": "z", "ड": "R", "ढ": "Rh", "फ": "ph"}
_URDU = {
    "ب": "b", "پ": "p", "ت": "t", "ط": "t", "ٹ": "T", "ث": "s", "س": "s", "ص": "s", "ج": "j", "چ": "c", "ح": "h",
    "ہ": "h", "ه": "h", "ۃ": "", "خ": "kh", "د": "d", "ڈ": "D", "ذ": "z", "ز": "z", "ض": "z", "ظ": "z", "ژ": "z",
    "ر": "r", "ڑ": "R", "ش": "S", "غ": "g", "ف": "ph", "ق": "k", "ک": "k", "ك": "k", "گ": "g", "ل": "l", "م": "m",
    "ن": "n", "ھ": "h",
}  # fmt: skip
_LABIALS = "पफबभp"


def skeleton(text: str) -> str:
    """The text's consonants, without spaces, doubled ones once; vowels, y, v and nasal vowels are not in it."""
    plain = unicodedata.normalize("NFD", text)
    plain = re.sub("([कखगजडढफ])\u093c", lambda found: f"<{_NUKTA[found[1]]}>", plain)
    plain = re.sub("ज\u094dञ", "ग", plain)
    # A dot before a consonant is the nasal of its place; elsewhere, like the moon, it is in the vowel.
    plain = re.sub("\u0902(?=<?[कखगघचछजझटठडढतथदधपफबभ])", _nasal, plain)
    words = (re.sub("[हہه]$", "", word) for word in re.split(r"[^\w<>\u0900-\u097f]+", plain))
    sounds = "".join(_sound(character) for word in words for character in word)
    return re.sub(r"(.)\1+", r"\1", sounds)


def _nasal(found: re.Match[str]) -> str:
    following = found.string[found.end() : found.end() + 2].strip("<")[:1]
    return "म" if following in _LABIALS else "न"


def _sound(character: str) -> str:
    if character.isascii():
        return character if character.isalpha() else ""
    return _DEVANAGARI.get(character, _URDU.get(character, ""))
