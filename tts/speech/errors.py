"""Everything that can go wrong with a request, each with its HTTP status and its names on the wire.

SpeechError                 500  server's fault unless a subclass says otherwise
├── BadRequest              400  a field that is missing, of the wrong type or out of range
│   ├── UnsupportedMedia    415  the body isn't JSON
│   └── TooLarge            413  the body is over its limit
├── Unauthorized            401  the API key is missing or wrong
├── Forbidden               403  this page may not ask that
├── NotFound                404  no such thing here
│   └── ModelNotFound       404  a model that isn't Kokoro
├── Conflict                409  not possible in the state that the thing is in
├── Busy                    429  the waiting line is full
├── SynthesisFailed         500  the engine broke while it spoke
│   └── WorkerLost          500  its process ended in the midst of it
├── Unsupported             501  this server's engine can't do that at all
├── WorkerUnavailable       503  no engine can speak now
├── StorageUnavailable      503  a folder of the server's can't be used
├── TimedOut                504  the time limit was hit
├── StorageFull             507  the disk space for books is used up
└── ClientGone              499  nobody is listening any more (never sent)
"""

from __future__ import annotations

from collections.abc import Sequence

SHOWN = 80
"""Characters of a refused value that a message repeats."""


class SpeechError(Exception):
    """An error that the client is told; `status`, `title` and `code` are what the wire says."""

    status = 500
    title = "Internal server error"
    code = "internal_error"
    kind = "server_error"
    retry_after: float | None = None
    field: str | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(SpeechError):
    """The request can't be spoken as it stands; names the field, its value and what is allowed."""

    status = 400
    title = "Invalid request"
    code = "invalid_value"
    kind = "invalid_request_error"

    def __init__(
        self,
        message: str,
        field: str | None = None,
        value: object = None,
        allowed: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.field = field
        self.value = shown(value)
        self.allowed = allowed


class UnsupportedMedia(BadRequest):
    status = 415
    code = "unsupported_media_type"


class TooLarge(BadRequest):
    status = 413
    code = "request_too_large"


class Unauthorized(SpeechError):
    status = 401
    title = "Unauthorized"
    code = "invalid_api_key"
    kind = "invalid_request_error"


class Forbidden(SpeechError):
    status = 403
    title = "Forbidden"
    code = "origin_not_allowed"
    kind = "invalid_request_error"


class NotFound(SpeechError):
    status = 404
    title = "Not found"
    code = "not_found"
    kind = "invalid_request_error"


class ModelNotFound(NotFound):
    code = "model_not_found"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Conflict(SpeechError):
    status = 409
    title = "Conflict"
    code = "conflict"
    kind = "invalid_request_error"


class Busy(SpeechError):
    """The waiting line is full; `retry_after` is in seconds."""

    status = 429
    title = "Too many requests"
    code = "rate_limit_exceeded"
    kind = "rate_limit_error"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SynthesisFailed(SpeechError):
    status = 500
    title = "TTS synthesis failed"
    code = "synthesis_failed"


class WorkerLost(SynthesisFailed):
    """The worker's process ended, maybe by no fault of the text's: another may be tried where nothing was heard."""


class Unsupported(SpeechError):
    status = 501
    title = "Not supported"
    code = "not_supported"


class WorkerUnavailable(SpeechError):
    status = 503
    title = "Service unavailable"
    code = "engine_unavailable"
    retry_after = 5.0


class StorageUnavailable(SpeechError):
    status = 503
    title = "Service unavailable"
    code = "storage_unavailable"
    retry_after = 60.0


class StorageFull(SpeechError):
    status = 507
    title = "Insufficient storage"
    code = "storage_full"


class TimedOut(SpeechError):
    status = 504
    title = "TTS synthesis timed out"
    code = "timeout"


class ClientGone(SpeechError):
    status = 499
    title = "Client closed request"
    code = "client_gone"


def shown(value: object) -> object:
    """A refused value as a message may repeat it: JSON scalars as they are, the rest and long ones shortened."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 1e15:
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
