"""What the settings allow: in a request, in a body, in a book, and where the server listens."""

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
"""Bytes of a JSON body beyond its text."""
BYTES_A_CHARACTER = 12
"""Longest that JSON writes one character: two \\u escapes."""
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
"""What this machine calls itself: its own health check asks by these names, whatever strangers must use."""
MEGABYTE = 1_000_000
DAY = 86_400


def limits(config: Config) -> Limits:
    """What a request may ask for. Raises StartFailed when the dictionary can't be used."""
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
    """Bytes that a JSON body with the longest text can have."""
    return config.MAX_TEXT_LENGTH * BYTES_A_CHARACTER + BODY_SLACK


def address(config: Config) -> Address:
    """Where the server listens, and what it takes from there."""
    longest = max(body_limit(config), upload_limit(vars(config)))
    return Address(config.HOST, config.PORT, config.CONNECTIONS, longest, config.GRACE)


def trusted_hosts(config: Config) -> list[str] | None:
    """Names that the server may be called by; none is any."""
    return [*config.ALLOWED_HOSTS, *LOOPBACK] if config.ALLOWED_HOSTS else None


def terms(config: Config) -> Terms:
    """What books may be handed in, and how long they are kept."""
    most = BookLimits(config.UNPACKED_MB * MEGABYTE, config.BOOK_PAGES, config.BOOK_LENGTH)
    keep = config.JOB_DAYS * DAY if config.JOB_DAYS else None
    return Terms(config.DATA_DIR, most, config.JOBS, config.JOBS_MB * MEGABYTE, keep)
