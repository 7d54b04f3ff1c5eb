"""What the controller does where the API server takes its token for none."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from kopf._cogs.structs.credentials import AiohttpSession
from kopf._core.intents.causes import Activity

from controller import handlers
from controller.connection import Bearer, Connection
from controller.liveness import Pulse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_TAKEN = "second-made-up"


@asynccontextmanager
async def _way(bearer: Bearer) -> AsyncIterator[Connection]:
    """Lead to a server that takes one token only."""

    async def answer(request: web.Request) -> web.Response:
        is_taken = request.headers["Authorization"] == f"Bearer {_TAKEN}"
        return web.Response(status=200 if is_taken else 401)

    app = web.Application()
    app.router.add_get("/sealedsecrets", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield Connection(server=site.name, tls=ssl.create_default_context(), bearer=bearer)
    finally:
        await runner.cleanup()


def test_token_that_is_not_taken_is_read_again_at_once(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first-made-up")

    async def run() -> list[int]:
        found = []
        async with (
            _way(Bearer(file=tmp_path / "token")) as way,
            way.session() as session,
        ):
            for text in ("first-made-up", _TAKEN, _TAKEN):
                (tmp_path / "token").write_text(text)
                async with session.get(f"{way.server}/sealedsecrets") as answer:
                    found.append(answer.status)
        return found

    assert asyncio.run(run()) == [401, 200, 200]


def test_watch_that_is_refused_counts_as_cut_off() -> None:
    async def run(token: str) -> bool:
        pulse = Pulse(asyncio.get_running_loop().time)
        async with _way(Bearer(token)) as way:
            registry = handlers.registry_of({"sealedsecrets": lambda *_: None}, way, pulse)
            (login,) = registry._activities.get_handlers(activity=Activity.AUTHENTICATION)
            given = await login.fn()
            assert isinstance(given, AiohttpSession)
            async with given.aiohttp_session as session:
                url = f"{way.server}/sealedsecrets"
                async with session.get(url, params={"watch": "true"}) as answer:
                    await answer.read()
        return pulse.is_connected("sealedsecrets")

    assert asyncio.run(run(_TAKEN))
    assert not asyncio.run(run("first-made-up"))
