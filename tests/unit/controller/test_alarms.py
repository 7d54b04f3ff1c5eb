"""Calls after a while."""

from __future__ import annotations

import asyncio

from controller.alarms import Alarms
from tests.unit.controller.virtual_time import clock, run


def test_a_key_that_is_set_many_times_is_called_once() -> None:
    async def work() -> list[tuple[str, float]]:
        rung: list[tuple[str, float]] = []
        began = clock()
        alarms = Alarms[str](lambda key: rung.append((key, clock() - began)), after=2.0)
        alarms.set("a")
        await asyncio.sleep(1)
        alarms.set("a")
        alarms.set("b")
        await asyncio.sleep(5)
        alarms.set("a")
        await asyncio.sleep(5)
        return [(key, round(at, 3)) for key, at in rung]

    assert run(work()) == [("a", 2), ("b", 3), ("a", 8)]
