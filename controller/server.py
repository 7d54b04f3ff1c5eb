"""Three HTTP answers: alive, ready, and numbers. Nothing is taken in, and nothing names a value.

Whatever reaches these ports may ask, as often and as slowly as it likes. So connections are bounded
in number and time, numbers are not computed anew for each who asks, and nobody is waited for when
the process is to end: what matters is that objects go on being opened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from controller.metrics import CONTENT_TYPE
from sealer.errors import UsageError

Troubles = Callable[[], list[str]]
"""Says what is the matter, a line each; nothing if all is well."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_CONNECTIONS: Final = 256
"""On one port. One more has the oldest closed, so that who holds them all keeps nobody out."""
_IDLE_SECONDS: Final = 60.0
"""How long a connection may be without a whole request's head: at first, and after an answer."""
_LAST_SECONDS: Final = 2.0
"""How long requests are waited for at the end; a Lease is to be given up after that."""
_REST: Final = 20
"""How many times as long as computing the numbers took they are handed out again."""


@asynccontextmanager
async def serving(
    address: str, *, alive: Troubles, ready: Troubles, metrics: Callable[[], bytes]
) -> AsyncIterator[None]:
    """Serve `/healthz`, `/readyz` and `/metrics` for the length of a block.

    Args:
        address: `HOST:PORT`; without a host on all addresses.
        alive: why this process should be restarted.
        ready: why it cannot do its work at the moment.
        metrics: Prometheus' text.

    Raises:
        UsageError: nobody can listen there.
    """
    app = web.Application()
    app.router.add_get("/healthz", _check(alive))
    app.router.add_get("/readyz", _check(ready))
    app.router.add_get("/metrics", _metrics(metrics))
    async with listening(app, address):
        yield


@asynccontextmanager
async def listening(
    app: web.Application, address: str, *, auto_decompress: bool = True
) -> AsyncIterator[None]:
    """Have an application answer for the length of a block.

    Args:
        app: what answers.
        address: `HOST:PORT`; without a host on all addresses.
        auto_decompress: whether compressed bodies are unpacked before the application sees them.

    Raises:
        UsageError: nobody can listen there.
    """
    host, port = parse_address(address)
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=auto_decompress,
        keepalive_timeout=_IDLE_SECONDS,
        shutdown_timeout=_LAST_SECONDS,
    )
    await runner.setup()
    assert runner.server is not None  # noqa: S101 - it was set up
    try:
        try:
            loop = asyncio.get_running_loop()
            listener = await loop.create_server(_bounded(runner.server), host or None, port)
        except OSError as error:
            raise UsageError(f"cannot listen on {address}: {error.strerror}") from None
        try:
            yield
        finally:
            listener.close()
    finally:
        await runner.cleanup()


def parse_address(text: str) -> tuple[str, int]:
    """Host (may be empty) and port of `HOST:PORT`.

    Raises:
        UsageError: it is not of that form.
    """
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) not in range(65536):
        raise UsageError(f"not an address: {text}", hint="write HOST:PORT or :PORT")
    return host.removeprefix("[").removesuffix("]"), int(port)


def _bounded(server: web.Server) -> Callable[[], asyncio.Protocol]:
    """Makes connections, and closes the oldest ones where there are too many."""

    def connect() -> asyncio.Protocol:
        there = server.connections
        for oldest in there[: max(0, len(there) + 1 - MAX_CONNECTIONS)]:
            oldest.force_close()
        return server()

    return connect


def _check(troubles: Troubles) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        found = troubles()
        return web.Response(text="\n".join(found or ["ok"]) + "\n", status=503 if found else 200)

    return answer


def _metrics(text: Callable[[], bytes]) -> Handler:
    kept = _Kept(text)

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=kept.read(), headers={"Content-Type": CONTENT_TYPE})

    return answer


@dataclass(slots=True)
class _Kept:
    """A text that takes a twentieth of the time at most, however often it is asked for."""

    compute: Callable[[], bytes]
    _text: bytes = b""
    _until: float = float("-inf")

    def read(self) -> bytes:
        clock = asyncio.get_running_loop().time
        if (began := clock()) >= self._until:
            self._text = self.compute()
            self._until = clock() + _REST * (clock() - began)
        return self._text
