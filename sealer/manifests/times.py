"""Times as they stand in manifests: UTC, whole seconds, `2026-11-22T10:00:00Z`. One form only."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from sealer.errors import InvalidManifest

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z", re.ASCII)


def format_time(time: datetime) -> str:
    """The text of an aware time; fractions of a second are dropped.

    Raises:
        ValueError: the time has no zone.
    """
    if time.tzinfo is None:
        raise ValueError("a time without a zone")
    # Not strftime: the platform's own does not always pad the year to four digits.
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


def parse_time(text: str) -> datetime:
    """The reverse of `format_time`.

    Raises:
        InvalidManifest: another form, or no such time.
    """
    try:
        time = datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        time = None
    if time is None or not _SHAPE.fullmatch(text):
        raise InvalidManifest(
            "not a time of the form YYYY-MM-DDTHH:MM:SSZ", hint="write UTC, whole seconds, quoted"
        )
    return time
