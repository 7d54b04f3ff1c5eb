"""Three HTTP answers: alive, ready, and numbers. Nothing is taken in, and nothing names a value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from controller.metrics import CONTENT_TYPE
from sealer.errors import UsageError

_PARTING_SECONDS = 3.0
"""For answers that are under way at the end: a pod has 30 s, and other things to do in them."""

Troubles = Callable[[], list[str]]
"""Says what is the matter, a line each; nothing if all is well."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


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
        shutdown_timeout=_PARTING_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host or None, port).start()
        except OSError as error:
            raise UsageError(f"cannot listen on {address}: {error.strerror}") from None
        yield
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


def _check(troubles: Troubles) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        found = troubles()
        return web.Response(text="\n".join(found or ["ok"]) + "\n", status=503 if found else 200)

    return answer


def _metrics(text: Callable[[], bytes]) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=text(), headers={"Content-Type": CONTENT_TYPE})

    return answer
