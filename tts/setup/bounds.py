"""Derive limits from the settings: for requests, bodies and books, and the address to listen on."""

from __future__ import annotations

from config import Config
from tts.api.bodies import Limits
from tts.api.jobs import upload_limit
from tts.api.serving import Address
from tts.books.book import BookLimits
from tts.books.library import Terms
from tts.setup import StartFailed
from tts.speech.pronunciations import BadDictionary, Dictionary

BODY_SLACK = 65_536
"""Bytes of a JSON body in addition to its text: the other fields and their syntax."""
BYTES_A_CHARACTER = 12
"""Most bytes that JSON needs for one character: a surrogate pair, written as two \\u escapes of 6 bytes."""
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
"""Host names of this machine: always trusted, since its own health check uses them."""
MEGABYTE = 1_000_000
DAY = 86_400


def limits(config: Config) -> Limits:
    """Build the limits of a speech request. Raises StartupError when the pronunciation dictionary cannot be used."""
    try:
        dictionary = Dictionary(config.PRONUNCIATIONS)
    except BadDictionary as exc:
        raise StartFailed(str(exc)) from exc
    return Limits(
        config.MAX_TEXT_LENGTH,
        config.ALLOWED_VOICES,
        config.DEFAULT_VOICE,
        dictionary.entries,
        config.UNKNOWN_TAGS == "ignore",
        config.EMOJI == "named",
    )


def body_limit(config: Config) -> int:
    """Return the maximum size of a JSON body in bytes, enough for a text of MAX_TEXT_LENGTH characters."""
    return config.MAX_TEXT_LENGTH * BYTES_A_CHARACTER + BODY_SLACK


def address(config: Config) -> Address:
    """Build the address to listen on, with its limits: connections, largest body in bytes, and grace in seconds."""
    longest = max(body_limit(config), upload_limit(vars(config)))
    return Address(config.HOST, config.PORT, config.CONNECTIONS, longest, config.GRACE)


def trusted_hosts(config: Config) -> list[str] | None:
    """Return the Host headers to accept; None accepts any."""
    return [*config.ALLOWED_HOSTS, *LOOPBACK] if config.ALLOWED_HOSTS else None


def terms(config: Config) -> Terms:
    """Build the audiobook settings: limits of an uploaded book, and how long jobs are kept (None: forever)."""
    most = BookLimits(config.UNPACKED_MB * MEGABYTE, config.BOOK_PAGES, config.BOOK_LENGTH)
    keep = config.JOB_DAYS * DAY if config.JOB_DAYS else None
    return Terms(config.DATA_DIR, most, config.JOBS, config.JOBS_MB * MEGABYTE, keep)
