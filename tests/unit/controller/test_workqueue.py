from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable

import pytest

from controller.workqueue import Backoff, TurnLimit, WorkQueue
from tests.unit.controller.virtual_time import clock, run

_BACKOFF = Backoff(first=1, cap=8)
Work = Callable[[str], Awaitable[bool]]


async def _for(seconds: float, queue: WorkQueue[str], *, workers: int = 1) -> None:
    """Let a queue run for a while."""
    running = asyncio.create_task(queue.run(workers))
    await asyncio.sleep(seconds)
    running.cancel()
    await asyncio.wait({running})


def test_key_that_is_put_in_often_before_its_turn_has_one_turn() -> None:
    worked: list[str] = []

    async def work(key: str) -> bool:
        worked.append(key)
        return True

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        for key in ("a", "b", "a", "a"):
            queue.add(key)
        assert queue.depth == 2
        await _for(1, queue)
        assert queue.idle

    run(scenario())
    assert worked == ["a", "b"]


def test_key_that_is_put_in_during_its_turn_has_another_one_afterwards() -> None:
    spans: list[tuple[float, float]] = []

    async def work(_: str) -> bool:
        began = clock()
        await asyncio.sleep(10)
        spans.append((began, clock()))
        return True

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        queue.add("a")
        asyncio.get_running_loop().call_later(5, queue.add, "a")
        asyncio.get_running_loop().call_later(6, queue.add, "a")
        await _for(100, queue, workers=4)

    run(scenario())
    assert spans == [(0, 10), (10, 20)]


def test_as_many_keys_are_worked_on_at_a_time_as_there_are_workers() -> None:
    ended: list[float] = []

    async def work(_: str) -> bool:
        await asyncio.sleep(1)
        ended.append(clock())
        return True

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        for number in range(12):
            queue.add(str(number))
        await _for(100, queue, workers=4)

    run(scenario())
    assert ended == [1] * 4 + [2] * 4 + [3] * 4


@pytest.mark.parametrize("raises", [False, True], ids=["says so", "raises"])
def test_failed_key_comes_back_ever_later_up_to_a_limit_and_for_ever(raises: bool) -> None:  # noqa: FBT001
    times: list[float] = []

    async def work(_: str) -> bool:
        times.append(clock())
        if raises:
            raise ValueError("made-up-value")
        return False

    async def scenario() -> WorkQueue[str]:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        queue.add("a")
        await _for(10_000, queue)
        return queue

    queue = run(scenario())
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps[:6] == [1, 2, 4, 8, 8, 8]
    assert set(gaps[6:]) == {8}
    assert queue.retries == len(times)


def test_success_forgets_the_failures_before_it() -> None:
    times: list[float] = []

    async def work(_: str) -> bool:
        times.append(clock())
        return len(times) == 3

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        queue.add("a")
        asyncio.get_running_loop().call_later(50, queue.add, "a")
        await _for(52, queue)

    run(scenario())
    assert times == [0, 1, 3, 50, 51]


def test_news_about_a_waiting_key_are_worked_on_at_once_and_only_once() -> None:
    times: list[float] = []

    async def work(_: str) -> bool:
        times.append(clock())
        return len(times) == 4

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        queue.add("a")
        asyncio.get_running_loop().call_later(4, queue.add, "a")  # the next try would be at 7
        await _for(100, queue)

    run(scenario())
    assert times == [0, 1, 3, 4]


def test_failing_key_does_not_stop_others() -> None:
    worked: list[str] = []

    async def work(key: str) -> bool:
        worked.append(key)
        if key == "bad":
            raise RuntimeError
        return True

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        for key in ("bad", "one", "two"):
            queue.add(key)
        await _for(0.5, queue)

    run(scenario())
    assert worked == ["bad", "one", "two"]


def test_text_of_an_exception_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def work(_: str) -> bool:
        raise ValueError("made-up-value")

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF)
        queue.add("shop/db")
        await _for(0.5, queue)

    with caplog.at_level(logging.DEBUG):
        run(scenario())
    assert "made-up-value" not in caplog.text
    assert "work on shop/db failed: ValueError at " in caplog.text
    assert "test_workqueue.py:" in caplog.text


def test_backoff_of_many_failures_is_the_cap() -> None:
    assert Backoff(first=0.5, cap=60).after(10_000) == 60


def test_key_that_is_undone_each_time_has_so_many_turns_in_a_while_and_others_are_not_held_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns: dict[str, list[float]] = {"a": [], "b": []}

    async def scenario() -> None:
        async def work(key: str) -> bool:
            turns[key].append(clock())
            if key == "a":
                asyncio.get_running_loop().call_later(0.01, queue.add, "a")
            return True

        queue = WorkQueue[str](work, backoff=_BACKOFF, limit=TurnLimit(turns=5, within=10))
        queue.add("a")
        for at in range(0, 99, 3):
            asyncio.get_running_loop().call_later(at, queue.add, "b")
        await _for(99, queue)

    run(scenario())
    assert [round(at - turns["b"][0]) for at in turns["b"]] == list(range(0, 99, 3))
    assert len(turns["a"]) == 50
    for earlier, later in zip(turns["a"], turns["a"][5:], strict=False):
        assert later - earlier > 9.99
    lines = {record.getMessage() for record in caplog.records}
    assert lines == {"a changes all the time: somebody else undoes what is done"}


def test_turns_that_are_long_past_are_forgotten() -> None:
    async def scenario() -> int:
        async def work(_: str) -> bool:
            return True

        queue = WorkQueue[str](work, backoff=_BACKOFF, limit=TurnLimit())
        for number in range(1000):
            asyncio.get_running_loop().call_later(number, queue.add, str(number))
        await _for(1000, queue)
        return len(queue._turns._taken)

    assert run(scenario()) <= 12


def test_a_group_of_very_many_keys_keeps_no_other_waiting() -> None:
    worked: list[str] = []

    async def work(key: str) -> bool:
        worked.append(key)
        await asyncio.sleep(1)
        return True

    async def scenario() -> None:
        queue = WorkQueue[str](work, backoff=_BACKOFF, group=lambda key: key[:3])
        for number in range(1000):
            queue.add(f"many-{number}")
        for key in ("few-0", "few-1", "one"):
            queue.add(key)
        assert queue.depth == 1003
        await _for(2000, queue)
        assert (queue.depth, queue.idle) == (0, True)

    run(scenario())
    assert worked[:6] == ["many-0", "few-0", "one", "many-1", "few-1", "many-2"]
    assert worked[6:] == [f"many-{number}" for number in range(3, 1000)]
