"""How the server and its workers write their log: lines for people or JSON for machines, a request's id in both."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Any

FORMATS = ("text", "json")

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def begin(level: str, format: str, who: str = "") -> None:
    """Log to stderr from `level` on; `who` is named in every line where it isn't the server itself."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(who) if format == "json" else TextLines(who))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def about(**fields: Any) -> dict[str, Any]:
    """The `extra` of a log call: what a JSON line tells beside its message."""
    return {"fields": fields}


class TextLines(logging.Formatter):
    """One line a message, whatever it repeats of a request: nobody may write lines of their own into the log."""

    def __init__(self, who: str = "") -> None:
        super().__init__(f"%(asctime)s %(levelname)s {who + ': ' if who else ''}%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), super().formatMessage(record))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, and what the call told `about`."""

    def __init__(self, who: str = "") -> None:
        super().__init__()
        self._who = who or "server"

    def format(self, record: logging.LogRecord) -> str:
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
