"""The HTTP endpoints that an unmodified kubeseal uses, on a port of their own, and one of ours.

Everybody with an account may reach them, so a body is limited in size and time, requests are
limited in number, and no request keeps anything else waiting: what is computed is computed in one
thread of its own, which leaves the event loop and the opening of objects alone.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Final

from aiohttp import web

from controller import bitnami_answers
from controller.bitnami_answers import MAX_BODY_BYTES, Keys, Reply
from controller.pacing import Pace
from controller.server import listening

MAX_AT_A_TIME: Final = 8
"""Requests with a body; each may take up to 4 MiB while it is read."""
_READ_SECONDS: Final = 30.0
_STARTING: Final = Reply(503, "the keys are not loaded yet")
_BURST_SECONDS: Final = 2
_BUSY_SECONDS: Final = 1
_CERTIFICATES: Final = 10
"""How many certificates may be fetched for each object that may be asked about."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def serving(
    address: str,
    *,
    rate: float,
    keys: Callable[[], Keys | None],
    now: Callable[[], datetime],
) -> AsyncIterator[None]:
    """Serve `/v1/cert.pem`, `/v1/verify`, `/v1/rotate`, `/v1/native` and `/healthz` for a block.

    Args:
        address: `HOST:PORT`; without a host on all addresses.
        rate: objects that may be asked about in a second, by all together.
        keys: those to work with, at the moment of asking; None while they are not loaded.
        now: the time, UTC.

    Raises:
        UsageError: nobody can listen there.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="bitnami-endpoints")
    endpoints = _Endpoints(rate=rate, keys=keys, now=now, pool=pool)
    try:
        async with listening(endpoints.application(), address, auto_decompress=False):
            yield
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True, kw_only=True)
class _Endpoints:
    rate: float
    keys: Callable[[], Keys | None]
    now: Callable[[], datetime]
    pool: ThreadPoolExecutor
    _opening: Pace = field(init=False)
    _certificates: Pace = field(init=False)
    _running: int = 0

    def __post_init__(self) -> None:
        self._opening, self._certificates = _pace(self.rate), _pace(self.rate * _CERTIFICATES)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/healthz", self._healthy)
        app.router.add_get("/v1/cert.pem", self._certificate)
        for path, answer in (
            ("/v1/verify", bitnami_answers.verify),
            ("/v1/rotate", bitnami_answers.rotate),
            ("/v1/native", self._native),
        ):
            app.router.add_post(path, self._answering(answer))
        return app

    async def _healthy(self, _: web.Request) -> web.Response:
        return _response(Reply(200, "ok"))

    async def _certificate(self, _: web.Request) -> web.Response:
        if wait := self._certificates.wait(_clock()):
            return _busy(wait)
        keys = self.keys()
        return _response(bitnami_answers.certificate(keys) if keys else _STARTING)

    def _native(self, body: bytes, keys: Keys) -> Reply:
        return bitnami_answers.native(body, keys, now=self.now())

    def _answering(
        self, answer: Callable[[bytes, Keys], Reply]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if wait := self._opening.wait(_clock()):
                return _busy(wait)
            if self._running >= MAX_AT_A_TIME:
                return _busy(_BUSY_SECONDS)
            self._running += 1
            try:
                return _response(await self._answer(request, answer))
            finally:
                self._running -= 1

        return handle

    async def _answer(self, request: web.Request, answer: Callable[[bytes, Keys], Reply]) -> Reply:
        keys = self.keys()
        if keys is None:
            return _STARTING
        if request.headers.get("Content-Encoding", "identity") != "identity":
            return Reply(415, "send the body as it is, not compressed")
        try:
            async with asyncio.timeout(_READ_SECONDS):
                body = await request.read()
        except TimeoutError:
            return Reply(408, "the body did not arrive in time")
        except (ConnectionError, web.RequestPayloadError):
            return Reply(400, "the body did not arrive")  # nobody hears it, and no log needs it
        work = partial(answer, body, keys)
        try:
            return await asyncio.get_running_loop().run_in_executor(self.pool, work)
        except Exception:
            # By the log, which shows its type and place: its text could be anything.
            logger.exception("%s ended by an error that nobody expected", request.path)
            return Reply(500, "an error that nobody expected; the controller's log has its place")


def _pace(rate: float) -> Pace:
    return Pace(rate=rate, burst=max(1, math.ceil(rate * _BURST_SECONDS)))


def _clock() -> float:
    return asyncio.get_running_loop().time()


def _busy(wait: float) -> web.Response:
    response = _response(Reply(429, "too many requests at a time"))
    response.headers["Retry-After"] = str(math.ceil(wait))
    return response


def _response(reply: Reply) -> web.Response:
    text = (
        f"{reply.text}\n"
        if reply.content_type == bitnami_answers.TEXT and reply.text
        else reply.text
    )
    headers = {"Content-Type": reply.content_type, "X-Content-Type-Options": "nosniff"}
    return web.Response(status=reply.status, body=text.encode(errors="replace"), headers=headers)
