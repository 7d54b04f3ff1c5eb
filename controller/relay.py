"""Passes on what kubeseal asks in another namespace: `python -m controller.relay`.

A Service has pods of its own namespace only, and kubeseal looks in kube-system, where the keys of
this controller must not be. So a pod there takes its requests and hands them on. It has no key, no
token and no right; it passes on the paths of kubeseal and nothing else, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Final

import aiohttp
from aiohttp import web

from controller.bitnami_answers import MAX_BODY_BYTES
from controller.server import listening
from sealer.errors import SealerError, UsageError

_TO: Final = "SEALER_RELAY_TO"
_LISTEN: Final = "SEALER_RELAY_LISTEN"
MAX_AT_A_TIME: Final = 16
"""Requests with a body; who is slow to send one keeps no certificate back."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, sock_connect=5)
_GET: Final = ("/v1/cert.pem",)
_POST: Final = ("/v1/verify", "/v1/rotate", "/v1/native")
_ASKED: Final = ("Content-Type", "Content-Encoding")
_ANSWERED: Final = ("Content-Type", "Retry-After", "X-Content-Type-Options")


class Relay:
    """The way to one controller."""

    def __init__(self, target: str) -> None:
        """Nothing is sent yet.

        Args:
            target: such as `http://sealed-secrets-controller.sealer-system:8080`.
        """
        self._target = target.rstrip("/")
        self._places = asyncio.Semaphore(MAX_AT_A_TIME)

    def application(self) -> web.Application:
        """What serves it."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/healthz", _healthy)
        for path in _GET:
            app.router.add_get(path, self._pass_on)
        for path in _POST:
            app.router.add_post(path, self._pass_on_in_turn)
        return app

    async def _pass_on_in_turn(self, request: web.Request) -> web.Response:
        if self._places.locked():
            return web.Response(status=429, text="busy\n", headers={"Retry-After": "1"})
        async with self._places:
            return await self._pass_on(request)

    async def _pass_on(self, request: web.Request) -> web.Response:
        try:
            async with asyncio.timeout(_TIMEOUT.total):
                return await self._answer(request, await request.read())
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            return web.Response(status=502, text="the controller does not answer\n")

    async def _answer(self, request: web.Request, body: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT, auto_decompress=False) as session,
            session.request(
                request.method,
                self._target + request.path,
                data=body or None,
                headers=headers,
                allow_redirects=False,
            ) as answer,
        ):
            kept = {name: answer.headers[name] for name in _ANSWERED if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def _healthy(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


def main() -> None:
    """Pass on until told to stop by SIGTERM or SIGINT."""
    try:
        target = os.environ.get(_TO, "")
        if not target.startswith("http://"):
            raise UsageError(f"{_TO} is no http:// address")
        asyncio.run(_serve(Relay(target), os.environ.get(_LISTEN, ":8080")))
    except SealerError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


async def _serve(relay: Relay, address: str) -> None:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with listening(relay.application(), address, auto_decompress=False):
        await stopping.wait()


if __name__ == "__main__":
    main()
