"""Format the log of the server and its workers as text or JSON lines, with the id of the request."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

FORMATS = ("text", "json")
"""Values of the setting for the log format."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Control characters and Unicode line separators, which TextFormatter escapes."""


def begin(level: str, format: str, who: str = "") -> None:
    """Log to stderr from `level` on; every line names `process_name`, which is empty for the server."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(who) if format == "json" else TextLines(who))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def about(**fields: Any) -> dict[str, Any]:
    """Return the `extra` argument of a log call: fields that a JSON line has beside its message."""
    return {"fields": fields}


class TextLines(logging.Formatter):
    """Format each record as one line of text.

    Control characters are escaped, so that text of a request cannot forge lines of the log.
    """

    def __init__(self, who: str = "") -> None:
        super().__init__(f"%(asctime)s %(levelname)s {who + ': ' if who else ''}%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format the record with control characters escaped."""
        return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), super().formatMessage(record))


class JsonLines(logging.Formatter):
    """Format each record as one JSON object a line: time (UTC), level, process, logger, message, log_fields()."""

    def __init__(self, who: str = "") -> None:
        super().__init__()
        self._who = who or "server"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON, with the traceback under "exception"."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._who,
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)
