"""Text to phonemes: `Phonemizer` reads, `pieces` cuts for the network, `tokens` gives it its ids."""

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
