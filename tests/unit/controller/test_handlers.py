"""Which of kopf's tasks we end ourselves."""

from __future__ import annotations

import asyncio

from kopf._cogs.aiokits import aiotasks

from controller import handlers


def test_of_kopfs_tasks_the_lasting_ones_are_known_and_those_below_them_left_to_them() -> None:
    """A scheduler that is closed waits for its own tasks, for ever if somebody else ended them."""

    async def scenario() -> None:
        lasting = aiotasks.create_guarded_task(asyncio.sleep(3600), "made up", cancellable=True)
        scheduler = aiotasks.Scheduler()
        await scheduler.spawn(asyncio.sleep(3600))
        assert set(handlers._kopfs_own()) == {lasting}
        lasting.cancel()
        await asyncio.wait({lasting})
        await scheduler.close()

    asyncio.run(scenario())
