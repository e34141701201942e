"""Convert text to IPA with espeak-ng's letter-to-sound rules, through its C interface.

The library and its voice data come in the wheel of `espeakng-loader`; nothing has to be installed on the system.
espeak-ng keeps its state in globals, so a lock admits one call at a time.
"""

import ctypes
import re
import threading
from functools import lru_cache

import espeakng_loader  # type: ignore[import-untyped]

_SYNCHRONOUS = 2  # AUDIO_OUTPUT_SYNCHRONOUS: no sound device is opened
_DONT_EXIT = 0x8000  # espeakINITIALIZE_DONT_EXIT: report missing data as an error instead of exiting the process
_UTF8 = 1  # espeakCHARS_UTF8
_IPA_TIED = 0x82 | ord("^") << 8  # IPA, with ^ between the letters of one sound
_MAX_WORD_LENGTH = 40  # characters; espeak drops what a word has beyond about 160 sounds
_LANGUAGE_SWITCH = re.compile(
    r"\(\^?[a-z^-]+\)"
)  # "(en)…(fr)" around a word that espeak read with another language's rules

_lock = threading.Lock()  # espeak-ng keeps the voice and the text in globals


class Espeak:
    """Hold the espeak-ng library, loaded on first use and kept: it cannot be loaded twice in one process."""

    def __init__(self) -> None:
        self._library: ctypes.CDLL | None = None
        self._voice = ""

    def to_ipa(self, text: str, voice: str) -> str:
        """Return the IPA of `text`: words separated by spaces, the letters of one sound tied by ^. Thread-safe.

        Args:
            text: Text of any length; words over 40 characters are split.
            voice: File name in espeak's `lang` folder: `fr`, `en-us` (British is `en`).

        Raises:
            ValueError: If espeak has no such voice.
            RuntimeError: If espeak's data cannot be read.
        """
        with _lock:
            library = self._library or self._load()
            self._set_voice(library, voice)
            return _LANGUAGE_SWITCH.sub("", _convert_clauses(library, _split_long_words(text)))

    def _load(self) -> ctypes.CDLL:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        library.espeak_TextToPhonemes.argtypes = [ctypes.POINTER(ctypes.c_char_p), ctypes.c_int, ctypes.c_int]
        data = espeakng_loader.get_data_path()
        if library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), _DONT_EXIT) <= 0:
            raise RuntimeError(f"espeak-ng cannot read its data in {data}")
        self._library = library
        return library

    def _set_voice(self, library: ctypes.CDLL, voice: str) -> None:
        if voice == self._voice:
            return
        if library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise ValueError(f"espeak-ng has no voice {voice!r}")
        self._voice = voice


def _convert_clauses(library: ctypes.CDLL, text: str) -> str:
    """Convert `text` clause by clause: each C call consumes one clause and advances the pointer, to NULL at the end."""
    buffer = ctypes.create_string_buffer(text.encode("utf-8", "replace"))
    rest = ctypes.c_char_p(ctypes.addressof(buffer))
    clauses = []
    while rest.value:
        clauses.append((library.espeak_TextToPhonemes(ctypes.byref(rest), _UTF8, _IPA_TIED) or b"").decode())
    return " ".join(clause for clause in clauses if clause)


def _split_long_words(text: str) -> str:
    """Return `text` with spaces inserted into words that are longer than espeak can handle."""
    text = text.replace("\0", " ")
    return re.sub(rf"\S{{{_MAX_WORD_LENGTH}}}(?=\S)", r"\g<0> ", text)


_espeak = Espeak()


@lru_cache(maxsize=20_000)
def to_ipa(text: str, voice: str) -> str:
    """Return the IPA of `text` (see `Espeak.to_ipa`), cached: rare words recur within a text."""
    return _espeak.to_ipa(text, voice)
