"""Derive limits from the settings: for requests, bodies and books, and the address to listen on."""

from __future__ import annotations

from kokoro_server.api.audiobook_jobs import get_max_upload_bytes
from kokoro_server.api.schemas import RequestLimits
from kokoro_server.api.server.serving import ServerOptions
from kokoro_server.audiobooks.formats.book import BookLimits
from kokoro_server.audiobooks.service import AudiobookSettings
from kokoro_server.config import Config
from kokoro_server.core.pronunciations import PronunciationFile, PronunciationFileError
from kokoro_server.setup import StartupError

JSON_OVERHEAD_BYTES = 65_536
"""Bytes of a JSON body in addition to its text: the other fields and their syntax."""
MAX_JSON_BYTES_PER_CHARACTER = 12
"""Most bytes that JSON needs for one character: a surrogate pair, written as two \\u escapes of 6 bytes."""
LOOPBACK_NAMES = ("127.0.0.1", "[::1]", "localhost")
"""Host names of this machine: always trusted, since its own health check uses them."""
BYTES_PER_MEGABYTE = 1_000_000
SECONDS_PER_DAY = 86_400


def make_request_limits(config: Config) -> RequestLimits:
    """Build the limits of a speech request. Raises StartupError when the pronunciation dictionary cannot be used."""
    try:
        dictionary = PronunciationFile(config.PRONUNCIATIONS)
    except PronunciationFileError as exc:
        raise StartupError(str(exc)) from exc
    return RequestLimits(
        config.MAX_TEXT_LENGTH,
        config.ALLOWED_VOICES,
        config.DEFAULT_VOICE,
        dictionary.get_entries,
        config.UNKNOWN_TAGS == "ignore",
        config.EMOJI == "named",
    )


def get_max_body_bytes(config: Config) -> int:
    """Return the maximum size of a JSON body in bytes, enough for a text of MAX_TEXT_LENGTH characters."""
    return config.MAX_TEXT_LENGTH * MAX_JSON_BYTES_PER_CHARACTER + JSON_OVERHEAD_BYTES


def make_server_address(config: Config) -> ServerOptions:
    """Build the address to listen on, with its limits: connections, largest body in bytes, and grace in seconds."""
    longest = max(get_max_body_bytes(config), get_max_upload_bytes(vars(config)))
    return ServerOptions(config.HOST, config.PORT, config.CONNECTIONS, longest, config.GRACE)


def get_trusted_hosts(config: Config) -> list[str] | None:
    """Return the Host headers to accept; None accepts any."""
    return [*config.ALLOWED_HOSTS, *LOOPBACK_NAMES] if config.ALLOWED_HOSTS else None


def make_audiobook_settings(config: Config) -> AudiobookSettings:
    """Build the audiobook settings: limits of an uploaded book, and how long jobs are kept (None: forever)."""
    most = BookLimits(config.UNPACKED_MB * BYTES_PER_MEGABYTE, config.BOOK_PAGES, config.BOOK_LENGTH)
    keep = config.JOB_DAYS * SECONDS_PER_DAY if config.JOB_DAYS else None
    return AudiobookSettings(config.DATA_DIR, most, config.JOBS, config.JOBS_MB * BYTES_PER_MEGABYTE, keep)
