"""Tag English words with Penn Treebank parts of speech, using HanTa's bundled model."""

from collections.abc import Sequence

from HanTa.HanoverTagger import HanoverTagger  # type: ignore[import-untyped]

from kokoro_server.text.g2p.homographs import correct_tags

# HanTa returns the BNC's C5 tags, the lexicon expects Penn tags. A tag that is missing here counts as a noun (NN).
_C5_TO_PENN = {
    "VVD": "VBD", "VVI": "VB", "VVB": "VBP", "VVN": "VBN", "VVG": "VBG", "VVZ": "VBZ", "VBB": "VBP", "VBD": "VBD",
    "VBG": "VBG", "VBI": "VB", "VBN": "VBN", "VBZ": "VBZ", "VDB": "VBP", "VDD": "VBD", "VDI": "VB", "VDN": "VBN",
    "VDZ": "VBZ", "VDG": "VBG", "VHB": "VBP", "VHD": "VBD", "VHI": "VB", "VHN": "VBN", "VHZ": "VBZ", "VHG": "VBG",
    "VM0": "MD", "NN0": "NN", "NN1": "NN", "NN2": "NNS", "NP0": "NNP", "AJ0": "JJ", "AJC": "JJR", "AJS": "JJS",
    "ORD": "JJ", "AV0": "RB", "AVP": "RP", "AVQ": "WRB", "XX0": "RB", "AT0": "DT", "DT0": "DT", "DTQ": "WDT",
    "DPS": "PRP$", "PNP": "PRP", "PNX": "PRP", "PNI": "NN", "PNQ": "WP", "PRP": "IN", "PRF": "IN", "CJC": "CC",
    "CJS": "IN", "CJT": "IN", "TO0": "TO", "EX0": "EX", "POS": "POS", "ITJ": "UH", "CRD": "CD",
}  # fmt: skip

_MAX_WORD_LENGTH = (
    24  # characters; HanTa's time grows with the cube of an unknown word's length, and no known word is longer
)
_MAX_SENTENCE_WORDS = 60  # words; a longer sentence is tagged in parts of this size


class Tagger:
    """Tag sentences with HanTa's English model, loaded on construction (about 0.15 s)."""

    def __init__(self) -> None:
        self._model = HanoverTagger("morphmodel_en.pgz")

    def tag_words(self, words: Sequence[str]) -> list[str]:
        """Return a Penn tag for each word or mark of one sentence, corrected by `correct_tags`."""
        tags: list[str] = []
        for at in range(0, len(words), _MAX_SENTENCE_WORDS):
            tags += self._tag_part(words[at : at + _MAX_SENTENCE_WORDS])
        return tags

    def _tag_part(self, words: Sequence[str]) -> list[str]:
        # An overlong word is tagged as if it were "thing", a plain noun. Both splits drop what may follow the
        # C5 tag, as in the ambiguity tag AJ0-NN1.
        found = self._model.tag_sent([word if len(word) <= _MAX_WORD_LENGTH else "thing" for word in words], taglevel=0)
        return correct_tags(words, [_C5_TO_PENN.get(tag.split("-")[0].split("(")[0], "NN") for tag in found])
