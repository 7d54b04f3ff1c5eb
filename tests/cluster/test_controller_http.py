"""The HTTP side of the controller's health and numbers: who asks often or slowly stops nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web

from controller import server
from controller.server import MAX_CONNECTIONS, listening, serving
from tests.cluster.harness.processes import free_port

_HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"
_MORE = 64


def _metrics() -> bytes:
    return b"made_of_nothing 1\n"


@asynccontextmanager
async def _served(metrics: Callable[[], bytes] = _metrics) -> AsyncIterator[int]:
    port = free_port()
    async with serving(f"127.0.0.1:{port}", alive=list, ready=list, metrics=metrics):
        yield port


def _run(work: Callable[[], Awaitable[None]]) -> None:
    async def in_time() -> None:
        async with asyncio.timeout(300):
            await work()

    asyncio.run(in_time())


@asynccontextmanager
async def _opened(port: int, sent: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await writer.drain()
    try:
        yield reader
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def test_connections_that_ask_nothing_keep_nobody_out() -> None:
    async def work() -> None:
        async with _served() as port, AsyncExitStack() as stack:
            held = [
                await stack.enter_async_context(_opened(port, _HEAD))
                for _ in range(MAX_CONNECTIONS + _MORE)
            ]
            async with _opened(port, _HEAD + b"\r\n") as reader:
                assert await reader.readline() == b"HTTP/1.1 200 OK\r\n"
            assert [await oldest.read() for oldest in held[:_MORE]] == [b""] * _MORE

    _run(work)


@pytest.mark.parametrize("sent", [b"", _HEAD, _HEAD + b"\r\n"])
def test_a_connection_is_closed_where_no_request_comes(
    sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_IDLE_SECONDS", 0.2)

    async def work() -> None:
        async with _served() as port, _opened(port, sent) as reader:
            await reader.read()

    _run(work)


def test_numbers_are_not_computed_anew_for_each_who_asks() -> None:
    computed = []

    def slow() -> bytes:
        loop = asyncio.get_running_loop()
        end = loop.time() + 0.05  # as long as it takes with some thousand objects
        while loop.time() < end:
            pass
        computed.append(loop.time())
        return b"made_of_nothing 1\n"

    async def work() -> None:
        async with (
            _served(slow) as port,
            aiohttp.ClientSession(f"http://127.0.0.1:{port}") as asker,
        ):
            while len(computed) < 3:
                async with asker.get("/metrics") as answer:
                    assert (await answer.read(), answer.status) == (b"made_of_nothing 1\n", 200)
        between = [later - earlier for earlier, later in pairwise(computed)]
        assert min(between) > 1

    _run(work)


def test_the_end_does_not_wait_for_who_is_slow_to_send_a_body() -> None:
    begun = asyncio.Event()

    async def read(request: web.Request) -> web.Response:
        begun.set()
        await request.read()
        return web.Response()

    async def work() -> None:
        app = web.Application()
        app.router.add_post("/", read)
        port = free_port()
        async with AsyncExitStack() as stack, listening(app, f"127.0.0.1:{port}"):
            request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n"
            await stack.enter_async_context(_opened(port, request))
            await begun.wait()
            ending = asyncio.get_running_loop().time()
        assert asyncio.get_running_loop().time() - ending < 30  # it would be given a minute

    _run(work)
