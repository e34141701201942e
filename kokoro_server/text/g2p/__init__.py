"""Convert text to phonemes in Kokoro's nine languages.

`Phonemizer` converts text to `PhonemeWord`s, `split_for_model` cuts these into runs that fit the network, and
`encode_phonemes` turns a run into the network's token ids.
"""

from kokoro_server.text.g2p.phoneme_words import TOKEN_LIMIT, PhonemeWord, join_phonemes, split_for_model
from kokoro_server.text.g2p.phonemizer import LANGUAGES, ForeignRun, Phonemizer, is_phonemic
from kokoro_server.text.g2p.vocabulary import VOCABULARY, encode_phonemes, to_model_symbols

__all__ = [
    "LANGUAGES",
    "TOKEN_LIMIT",
    "VOCABULARY",
    "ForeignRun",
    "PhonemeWord",
    "Phonemizer",
    "encode_phonemes",
    "is_phonemic",
    "join_phonemes",
    "split_for_model",
    "to_model_symbols",
]
