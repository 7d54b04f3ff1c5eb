"""What the operator may be told, where it takes some reading."""

from __future__ import annotations

import pytest

from controller.settings import parse_duration
from sealer.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("720h", 2_592_000), ("30d", 2_592_000), ("1h30m", 5400), ("3s", 3), ("0h", 0)],
)
def test_a_duration_is_written_as_for_sealed_secrets(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "720", "h", "-1h", "1.5h", "1h ", "1w", "1h30", "1" * 10 + "h"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a duration"):
        parse_duration(text)
