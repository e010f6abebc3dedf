"""The server's log as JSON, a line an event, for ``PORTOLAN_LOG=json``; unset, it is the plain text that it always was."""

import json
import logging
import os
import sys
from datetime import UTC, datetime

from core.domain.tracing import JOB, REQUEST

CHOSEN = "PORTOLAN_LOG"
OTHERS = ("uvicorn", "streamlit")
"""Libraries that bring handlers of their own."""
SECRETIVE = "uvicorn.access"
"""Would write whole paths, in which signed links stand."""


class Lines(logging.Formatter):
    """One JSON object a record: time, level, logger, message, the ids of request and job, and the fields that were given."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request": REQUEST.get(),
            "job": JOB.get(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps({key: value for key, value in line.items() if value is not None}, default=str)


def chosen() -> bool:
    """Say whether the log is JSON."""
    return os.environ.get(CHOSEN) == "json"


def begin() -> None:
    """Send every record to stderr as JSON, where that is chosen; again after a library brought handlers of its own."""
    if not chosen():
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in ("portolan", "core"):
        logging.getLogger(name).setLevel(logging.INFO)
    for name in list(logging.root.manager.loggerDict):
        if name.split(".")[0] in OTHERS:
            library = logging.getLogger(name)
            library.handlers.clear()
            library.propagate = name != SECRETIVE
