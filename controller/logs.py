"""Log lines, as text for people or as JSON for machines, on stderr.

A line may carry the object it is about and key ids as fields of its own; one of the audit says who
did what, and is shown whatever the level is. Exceptions are shown by their type and place, never by
their text, because a text that is not ours could repeat a value.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sealer.wording import printable

_FIELDS = ("object", "reason", "keys")
"""Fields that a line may carry (`extra=`)."""
AUDIT = "sealer.audit"
"""The logger of acts of people; its lines carry `audit`, a mapping of further fields."""
_ASYNCIO = "asyncio"
_CHATTY = ("kopf", "aiohttp", _ASYNCIO)

logger = logging.getLogger(__name__)


class LogFormat(StrEnum):
    """How log lines look."""

    TEXT = "text"
    JSON = "json"


def start(form: LogFormat, level: str) -> None:
    """Send log lines to stderr from now on.

    Args:
        form: how they look.
        level: the least that is shown of our own; of libraries, warnings and worse.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form is LogFormat.JSON else _Text())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("controller").setLevel(level.upper())
    logging.getLogger(AUDIT).setLevel(logging.INFO)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    _take_over_what_python_prints()


def _take_over_what_python_prints() -> None:
    """Of exceptions that nobody catches, which Python shows with their text."""

    def log(where: str) -> Callable[..., None]:
        def hook(*args: Any) -> None:  # noqa: ANN401 - three values, or one that has them
            error = args[1] if len(args) > 1 else args[0].exc_value
            logger.error("an error that nobody expected, %s", where, exc_info=error)

        return hook

    sys.excepthook = log("at the end")
    threading.excepthook = log("in a thread")
    sys.unraisablehook = log("while something was cleared away")


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        about = getattr(record, "object", "")
        keys = getattr(record, "keys", ())
        parts = [
            _time(record),
            record.levelname,
            f"{about}:" if about else f"{record.name}:",
            printable(_message(record)),  # a name with a newline in it makes no second line
            f"(key {', '.join(keys)})" if keys else "",
            _audited(record),
        ]
        return " ".join(part for part in parts if part) + _exception(record)


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _message(record) + _exception(record),
        }
        line |= {name: getattr(record, name) for name in _FIELDS if getattr(record, name, None)}
        if audit := getattr(record, "audit", None):
            line |= {"audit": True, **audit}
        return json.dumps(line)


def _message(record: logging.LogRecord) -> str:
    text = record.getMessage()
    if record.name == _ASYNCIO:
        # From the second line on it shows tasks, and with them the text of what they ended by.
        return text.partition("\n")[0]
    if record.name.startswith("kopf") and record.exc_info:
        return text.partition(": ")[0]  # behind it comes that text
    return text


def _audited(record: logging.LogRecord) -> str:
    """In one line and in ASCII, whatever people wrote as a reason."""
    audit = getattr(record, "audit", None)
    return json.dumps({**audit, "reason": getattr(record, "reason", "")}) if audit else ""


def _time(record: logging.LogRecord) -> str:
    time = datetime.fromtimestamp(record.created, UTC).replace(tzinfo=None)
    return f"{time.isoformat(timespec='milliseconds')}Z"


def _exception(record: logging.LogRecord) -> str:
    if not record.exc_info or record.exc_info[0] is None:
        return ""
    kind, _, trace = record.exc_info
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(trace)[-5:]]
    return f" [{kind.__name__} at {' < '.join(reversed(places))}]"
