"""What kopf is given, and which of its tasks we end ourselves."""

from __future__ import annotations

import asyncio
import ssl

from kopf._cogs.aiokits import aiotasks
from kopf._cogs.structs.credentials import AiohttpSession
from kopf._core.intents.causes import Activity

from controller import handlers
from controller.connection import Bearer, Connection
from controller.liveness import Pulse
from tests.unit.controller.virtual_time import clock, run


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


def test_watches_of_kopf_are_asked_for_anew_before_they_would_count_as_hanging() -> None:
    """What a watch brings is not heard of, only that it is asked for."""
    passed = [0.0]
    pulse = Pulse(lambda: passed[0])
    pulse.up("sealedsecrets")
    lasts = handlers.settings().watching.server_timeout
    assert lasts is not None
    passed[0] = 1.5 * lasts  # the API server may be slow to end one and begin another
    assert not pulse.hanging()


def test_kopf_gets_a_session_at_once_and_the_next_ones_no_faster_than_they_are_any_use() -> None:
    """It asks for one each time that the API server says 401, without a pause of its own."""
    connection = Connection(
        server="https://127.0.0.1", tls=ssl.create_default_context(), bearer=Bearer()
    )

    async def scenario() -> list[float]:
        registry = handlers.registry_of({}, connection, Pulse(lambda: 0.0))
        (login,) = registry._activities.get_handlers(activity=Activity.AUTHENTICATION)
        times = []
        for _ in range(3):
            session = await login.fn()
            assert isinstance(session, AiohttpSession)
            await session.aiohttp_session.close()
            times.append(clock())
        return times

    first, second, third = run(scenario())
    assert first == 0
    assert second - first > 1
    assert third - second > 1
