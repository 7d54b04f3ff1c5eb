from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from controller.settings import ClusterSettings, read_cutoff, read_duration
from sealer.errors import UsageError

_TIME = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        ("720h", timedelta(days=30)),
        ("720h0m0s", timedelta(days=30)),
        ("30d", timedelta(days=30)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("250ms", timedelta(milliseconds=250)),
    ],
)
def test_duration_is_read_as_go_programs_read_it_and_in_days(text: str, means: timedelta) -> None:
    assert read_duration(text) == means


@pytest.mark.parametrize("text", ["", "30", "-1h", "h", "1 h", "1w", "1h!", "٣h", "9" * 30 + "d"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_duration(text)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00Z",
        "Sun, 22 Nov 2026 10:00:00 +0000",
        "Sun, 22 Nov 2026 12:00:00 +0200",
    ],
)
def test_cutoff_is_read_in_our_form_and_that_of_sealed_secrets(text: str) -> None:
    assert read_cutoff(text) == _TIME


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 22 Nov 2026 10:00:00", "2026-11-22"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_cutoff(text)


def test_policy_is_what_the_settings_say() -> None:
    assert ClusterSettings().key_policy.renew_every == timedelta(days=30)
    assert ClusterSettings(key_renew_period=timedelta(0)).key_policy.renew_every is None
    policy = ClusterSettings(key_cutoff_time=_TIME, key_activation_delay=timedelta(1)).key_policy
    assert (policy.made_before, policy.activation_delay) == (_TIME, timedelta(days=1))
