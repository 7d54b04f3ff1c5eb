"""Times have one form only, in both directions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sealer.errors import InvalidManifest
from sealer.manifests.times import format_time, parse_time


def test_a_time_is_written_in_utc_and_whole_seconds() -> None:
    time = datetime(2026, 11, 22, 12, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_time(time) == "2026-11-22T10:00:00Z"


def test_a_time_without_a_zone_is_an_error_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="without a zone"):
        format_time(datetime(2026, 11, 22))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00Z",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2028-02-29T00:00:00Z",
    ],
)
def test_what_is_read_is_written_the_same(text: str) -> None:
    time = parse_time(text)
    assert time.tzinfo is UTC
    assert format_time(time) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22 10:00:00Z",
        "2026-11-22T10:00:00",
        "2026-11-22t10:00:00z",
        "2026-11-22T10:00:00+00:00",
        "2026-11-22T10:00:00.0Z",
        "2026-11-22T10:00:00Z\n",
        " 2026-11-22T10:00:00Z",
        "2026-1-22T10:00:00Z",
        "2026-02-29T00:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-06-30T23:59:60Z",
        "0000-01-01T00:00:00Z",
        "２026-11-22T10:00:00Z",  # noqa: RUF001 - a digit that is not ASCII
    ],
)
def test_every_other_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidManifest, match="YYYY-MM-DDTHH:MM:SSZ"):
        parse_time(text)
