"""Parts of speech of English words, in Penn Treebank's tags, by HanTa's bundled model."""

from collections.abc import Sequence

from HanTa.HanoverTagger import HanoverTagger  # type: ignore[import-untyped]

# HanTa speaks the BNC's C5 tags; the lexicon asks for Penn's. What is missing is a noun.
_PENN = {
    "VVD": "VBD", "VVI": "VB", "VVB": "VBP", "VVN": "VBN", "VVG": "VBG", "VVZ": "VBZ", "VBB": "VBP", "VBD": "VBD",
    "VBG": "VBG", "VBI": "VB", "VBN": "VBN", "VBZ": "VBZ", "VDB": "VBP", "VDD": "VBD", "VDI": "VB", "VDN": "VBN",
    "VDZ": "VBZ", "VDG": "VBG", "VHB": "VBP", "VHD": "VBD", "VHI": "VB", "VHN": "VBN", "VHZ": "VBZ", "VHG": "VBG",
    "VM0": "MD", "NN0": "NN", "NN1": "NN", "NN2": "NNS", "NP0": "NNP", "AJ0": "JJ", "AJC": "JJR", "AJS": "JJS",
    "ORD": "JJ", "AV0": "RB", "AVP": "RP", "AVQ": "WRB", "XX0": "RB", "AT0": "DT", "DT0": "DT", "DTQ": "WDT",
    "DPS": "PRP$", "PNP": "PRP", "PNX": "PRP", "PNI": "NN", "PNQ": "WP", "PRP": "IN", "PRF": "IN", "CJC": "CC",
    "CJS": "IN", "CJT": "IN", "TO0": "TO", "EX0": "EX", "POS": "POS", "ITJ": "UH", "CRD": "CD",
}  # fmt: skip

_LONGEST = 24  # the model's work grows with the cube of an unknown word's length, and no known word is longer
_SENTENCE = 60  # words; a "sentence" without an end is tagged in parts of this size
_OBJECTS = "the a an this that these those my your his her its our their it him them me us"
_VERBS = "close read live lead wind tear bow use record present object"


class Tagger:
    """HanTa with its English model, which is loaded here: about 0.15 s."""

    def __init__(self) -> None:
        self._model = HanoverTagger("morphmodel_en.pgz")

    def tags(self, words: Sequence[str]) -> list[str]:
        """A Penn tag for each word or mark of one sentence."""
        tags: list[str] = []
        for at in range(0, len(words), _SENTENCE):
            tags += self._tags(words[at : at + _SENTENCE])
        return tags

    def _tags(self, words: Sequence[str]) -> list[str]:
        found = self._model.tag_sent([word if len(word) <= _LONGEST else "thing" for word in words], taglevel=0)
        tags = [_PENN.get(tag.split("-")[0].split("(")[0], "NN") for tag in found]
        if _is_order(words):
            tags[0] = "VB"
        for at in range(1, len(words)):
            if words[at - 1].lower() == "no" and tags[at] in ("VB", "VBP", "VBD"):
                tags[at] = "NN"  # "it's no use": the model takes it for a verb
        return tags


def _is_order(words: Sequence[str]) -> bool:
    """Whether the sentence begins like "Close the door": the model takes such a first word for an adjective."""
    return len(words) > 1 and words[0].lower() in _VERBS.split() and words[1].lower() in _OBJECTS.split()
