"""Define every error of a request, with its HTTP status and its names in responses.

SpeechError                 500  a fault of the server unless a subclass says otherwise
├── BadRequest              400  a field is missing, of the wrong type or out of range
│   ├── UnsupportedMedia    415  the body is not JSON
│   └── TooLarge            413  the body exceeds its limit
├── Unauthorized            401  the API key is missing or wrong
├── Forbidden               403  this web page's origin is not allowed
├── NotFound                404  the resource does not exist
│   └── ModelNotFound       404  the model is not Kokoro
├── Conflict                409  not possible in the resource's present state
├── Busy                    429  the queue is full
├── SynthesisFailed         500  the engine failed during synthesis
│   └── WorkerLost          500  the worker process ended during synthesis
├── Unsupported             501  this server's engine does not support it
├── WorkerUnavailable       503  no engine is available now
├── StorageUnavailable      503  a folder of the server cannot be used
├── TimedOut                504  the time limit was exceeded
├── StorageFull             507  the disk space for books is used up
└── ClientGone              499  the client has disconnected (never sent)
"""

from __future__ import annotations

from collections.abc import Sequence

MAX_VALUE_CHARACTERS = 80
"""Maximum number of characters of a rejected value that an error repeats."""


class SpeechError(Exception):
    """Report an error to the client.

    `status` is the HTTP status; `title`, `code` and `kind` go into the response body (`kind` is OpenAI's `type`).
    `retry_after` is in seconds; `field` names the request's field that caused the error.
    """

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
    """Reject a request, naming the field, its value (shortened) and the allowed values."""

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
        self.value = shorten_value(value)
        self.allowed = allowed


class UnsupportedMedia(BadRequest):
    """Reject a body that is not JSON."""

    status = 415
    code = "unsupported_media_type"


class TooLarge(BadRequest):
    """Reject a body that exceeds its limit."""

    status = 413
    code = "request_too_large"


class Unauthorized(SpeechError):
    """Reject a request whose API key is missing or wrong."""

    status = 401
    title = "Unauthorized"
    code = "invalid_api_key"
    kind = "invalid_request_error"


class Forbidden(SpeechError):
    """Reject a request of a web page whose origin is not allowed."""

    status = 403
    title = "Forbidden"
    code = "origin_not_allowed"
    kind = "invalid_request_error"


class NotFound(SpeechError):
    """Report that a resource does not exist."""

    status = 404
    title = "Not found"
    code = "not_found"
    kind = "invalid_request_error"


class ModelNotFound(NotFound):
    """Reject the name of a model other than Kokoro."""

    code = "model_not_found"

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


class Conflict(SpeechError):
    """Reject a request that the resource's present state does not allow."""

    status = 409
    title = "Conflict"
    code = "conflict"
    kind = "invalid_request_error"


class Busy(SpeechError):
    """Reject a request because the queue is full; `retry_after` is in seconds."""

    status = 429
    title = "Too many requests"
    code = "rate_limit_exceeded"
    kind = "rate_limit_error"

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SynthesisFailed(SpeechError):
    """Report that the engine failed during synthesis."""

    status = 500
    title = "TTS synthesis failed"
    code = "synthesis_failed"


class WorkerLost(SynthesisFailed):
    """Report that the worker process ended, perhaps not because of the text.

    Another worker may retry the utterance if none of its audio has been sent.
    """


class Unsupported(SpeechError):
    """Reject a request that the configured engine does not support."""

    status = 501
    title = "Not supported"
    code = "not_supported"


class WorkerUnavailable(SpeechError):
    """Report that no engine is available now."""

    status = 503
    title = "Service unavailable"
    code = "engine_unavailable"
    retry_after = 5.0


class StorageUnavailable(SpeechError):
    """Report that a folder of the server cannot be used."""

    status = 503
    title = "Service unavailable"
    code = "storage_unavailable"
    retry_after = 60.0


class StorageFull(SpeechError):
    """Report that the disk space for audiobooks is used up."""

    status = 507
    title = "Insufficient storage"
    code = "storage_full"


class TimedOut(SpeechError):
    """Report that a request exceeded its time limit."""

    status = 504
    title = "TTS synthesis timed out"
    code = "timeout"


class ClientGone(SpeechError):
    """Report that the client has disconnected; it is logged, never sent."""

    status = 499
    title = "Client closed request"
    code = "client_gone"


def shorten_value(value: object) -> object:
    """Return a rejected value for an error: JSON scalars unchanged, all else as text; both of limited length."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float) and abs(value) < 1e15:
        return value
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= MAX_VALUE_CHARACTERS else text[: MAX_VALUE_CHARACTERS - 1] + "…"


class Cancelled(Exception):
    """A computation was stopped because its caller cancelled it."""
