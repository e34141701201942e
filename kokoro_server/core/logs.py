"""Format the log of the server and its workers as text or JSON lines, with the id of the request."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

LOG_FORMATS = ("text", "json")
"""Values of the setting for the log format."""

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and Unicode line separators, which TextFormatter escapes."""


def configure_logging(level: str, log_format: str, process_name: str = "") -> None:
    """Log to stderr from `level` on; every line names `process_name`, which is empty for the server."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(process_name) if log_format == "json" else TextFormatter(process_name))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def log_fields(**fields: Any) -> dict[str, Any]:
    """Return the `extra` argument of a log call: fields that a JSON line has beside its message."""
    return {"fields": fields}


class TextFormatter(logging.Formatter):
    """Format each record as one line of text.

    Control characters are escaped, so that text of a request cannot forge lines of the log.
    """

    def __init__(self, process_name: str = "") -> None:
        super().__init__(f"%(asctime)s %(levelname)s {process_name + ': ' if process_name else ''}%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as logging calls it
        """Format the record with control characters escaped."""
        return _CONTROL_CHARACTERS.sub(
            lambda found: found[0].encode("unicode_escape").decode(), super().formatMessage(record)
        )


class JsonFormatter(logging.Formatter):
    """Format each record as one JSON object a line: time (UTC), level, process, logger, message, log_fields()."""

    def __init__(self, process_name: str = "") -> None:
        super().__init__()
        self._process_name = process_name or "server"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON, with the traceback under "exception"."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process_name,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
