"""Define the 114 symbols of Kokoro-82M with their ids, and map every other symbol to the nearest of them."""

import logging
import re
import unicodedata

log = logging.getLogger(__name__)

# Kokoro v1.0's `config.json` ("vocab"). Missing ids belong to symbols that the released network was not trained on.
VOCABULARY: dict[str, int] = {
    ";": 1, ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "—": 9, "…": 10, '"': 11, "(": 12, ")": 13, "“": 14, "”": 15,
    " ": 16, "\u0303": 17, "ʣ": 18, "ʥ": 19, "ʦ": 20, "ʨ": 21, "ᵝ": 22, "\uab67": 23, "A": 24, "I": 25, "O": 31,
    "Q": 33, "S": 35, "T": 36, "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "b": 44, "c": 45, "d": 46, "e": 47, "f": 48,
    "h": 50, "i": 51, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56, "o": 57, "p": 58, "q": 59, "r": 60, "s": 61,
    "t": 62, "u": 63, "v": 64, "w": 65, "x": 66, "y": 67, "z": 68, "ɑ": 69, "ɐ": 70, "ɒ": 71, "æ": 72, "β": 75,
    "ɔ": 76, "ɕ": 77, "ç": 78, "ɖ": 80, "ð": 81, "ʤ": 82, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɟ": 90, "ɡ": 92,
    "ɥ": 99, "ɨ": 101, "ɪ": 102, "ʝ": 103, "ɯ": 110, "ɰ": 111, "ŋ": 112, "ɳ": 113, "ɲ": 114, "ɴ": 115, "ø": 116,
    "ɸ": 118, "θ": 119, "œ": 120, "ɹ": 123, "ɾ": 125, "ɻ": 126, "ʁ": 128, "ɽ": 129, "ʂ": 130, "ʃ": 131, "ʈ": 132,
    "ʧ": 133, "ʊ": 135, "ʋ": 136, "ʌ": 138, "ɣ": 139, "ɤ": 140, "χ": 142, "ʎ": 143, "ʒ": 147, "ʔ": 148, "ˈ": 156,
    "ˌ": 157, "ː": 158, "ʰ": 162, "ʲ": 164, "↓": 169, "→": 171, "↗": 172, "↘": 173, "ᵻ": 177,
}  # fmt: skip

# IPA symbols that espeak or a user may write, and the nearest sound that the network was trained on.
_NEAREST_SYMBOLS = {
    "g": "ɡ", "ɝ": "ɜɹ", "ɫ": "l", "ɬ": "l", "ɭ": "l", "ɮ": "l", "ʟ": "l", "ʐ": "ʒ", "ʑ": "ʒ", "ɵ": "o", "ɘ": "ə",
    "ʉ": "u", "ɱ": "m", "ʍ": "w", "ħ": "h", "ɦ": "h", "ʕ": "ʔ", "ɓ": "b", "ɗ": "d", "ɠ": "ɡ", "ɢ": "ɡ", "ʀ": "ʁ",
    "ʏ": "y", "ɶ": "œ", "ɞ": "ɜ", "ʙ": "b", "ʛ": "ɡ", "ɧ": "ʃ", "ɺ": "ɾ", "ʄ": "ɟ", "ɼ": "r", "\u0361": "",
    "\u035c": "", "^": "", "-": "", "'": "ˈ", "’": "ˈ", "ʼ": "", "\u0329": "", "\u032f": "", "\u032a": "",
    "\u031e": "", "\u0325": "", "\u030a": "", "\u0324": "", "\u02de": "ɹ", "ˑ": "", "ʷ": "w", "‿": "", "|": ",",
    "‖": ".", "–": "—", "¡": "", "¿": "", "«": "“", "»": "”", "[": "(", "]": ")", "\u200d": "", "\u200c": "",
    "\u0306": "", "\u032c": "", "\u0320": "", "\u031f": "", "\u033a": "", "ˤ": "", "ˠ": "ɣ",
}  # fmt: skip

_UNKNOWN_SYMBOL = re.compile("[^" + re.escape("".join(VOCABULARY)) + "]")


def to_model_symbols(phonemes: str) -> str:
    """Return `phonemes` in the network's symbols only: other symbols are replaced by their nearest sound.

    Symbols without one are dropped and counted in one warning, which names code points but never the text.
    """
    if not _UNKNOWN_SYMBOL.search(phonemes):
        return phonemes
    lost: list[str] = []
    clean = _UNKNOWN_SYMBOL.sub(lambda found: _find_nearest(found[0], lost), unicodedata.normalize("NFD", phonemes))
    clean = clean.replace("c\u0327", "ç")  # NFD has split the one precomposed letter of the vocabulary
    if lost:
        points = ", ".join(sorted({f"U+{ord(symbol):04X}" for symbol in lost}))
        log.warning("left out %d symbols that the network does not know: %s", len(lost), points)
    return clean


def _find_nearest(symbol: str, lost: list[str]) -> str:
    if symbol.isspace():
        return " "
    nearest = _NEAREST_SYMBOLS.get(symbol)
    if nearest is None:
        lost.append(symbol)
    return nearest or ""


def encode_phonemes(phonemes: str) -> list[int]:
    """Return the network's token ids of a phoneme string, without the zero that the network expects at both ends."""
    return [VOCABULARY[symbol] for symbol in to_model_symbols(phonemes)]
