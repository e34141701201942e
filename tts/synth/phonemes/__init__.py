"""Convert text to phonemes in Kokoro's nine languages.

`Phonemizer` converts text to `PhonemeWord`s, `split_for_model` cuts these into runs that fit the network, and
`encode_phonemes` turns a run into the network's token ids.
"""

from tts.synth.phonemes.phonemizer import LANGUAGES, Phonemizer
from tts.synth.phonemes.spoken import TOKEN_LIMIT, Spoken, joined, pieces
from tts.synth.phonemes.vocabulary import VOCABULARY, known, tokens

__all__ = [
    "LANGUAGES",
    "TOKEN_LIMIT",
    "VOCABULARY",
    "Phonemizer",
    "Spoken",
    "joined",
    "known",
    "pieces",
    "tokens",
]
