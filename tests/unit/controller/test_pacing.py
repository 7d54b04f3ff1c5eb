"""How many requests are taken."""

from __future__ import annotations

import pytest

from controller.pacing import Pace


def test_some_are_taken_at_once_and_then_so_many_as_time_goes_on() -> None:
    pace = Pace(rate=2, burst=3)
    assert [pace.wait(100.0) for _ in range(5)] == [0, 0, 0, 0.5, 0.5]
    assert pace.wait(100.5) == 0
    assert pace.wait(100.5) == 0.5


def test_after_a_pause_no_more_than_the_burst_is_taken() -> None:
    pace = Pace(rate=2, burst=3)
    assert [pace.wait(10.0**9) > 0 for _ in range(4)] == [False, False, False, True]
    assert [pace.wait(10.0**12) > 0 for _ in range(4)] == [False, False, False, True]


def test_what_is_refused_costs_nothing_so_that_a_flood_keeps_nobody_out_for_longer() -> None:
    pace = Pace(rate=1, burst=1)
    assert pace.wait(0) == 0
    for _ in range(1000):
        assert pace.wait(0.5) == pytest.approx(0.5)
    assert pace.wait(1.0) == 0


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    pace = Pace(rate=1, burst=1)
    assert pace.wait(10) == 0
    assert pace.wait(5) == 1
