"""A way to an API server that answers with something else, or puts a line of its own into watches.

It passes everything else on as it is. Bearer tokens are passed on; client certificates end here.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp import web

from tests.cluster.harness.access import Credentials, write_kubeconfig
from tests.cluster.harness.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cluster.harness.api_server import ApiServer

_KEPT: Final = frozenset({"accept", "authorization", "content-type"})
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)


class FaultyProxy:
    """The proxy.

    Attributes:
        kubeconfig: leads to the API server by way of it, with a token.
        instead: what is answered with 200 to everybody, if not None.
        refusing: whether everybody is answered 401, as with a token that has run out.
        lines: by resource (plural), the line that comes next in watches of it.
        lasts: by resource, for how many seconds its last watch was asked for, as text.
    """

    def __init__(self, api: ApiServer, *, name: str, token: str) -> None:
        self._url, self._directory = api.url, api.directory
        self._port = free_port()
        self._ended = asyncio.Event()
        self._upstream = ssl.create_default_context(cadata=api.authority.certificate.decode())
        self.instead: bytes | None = None
        self.refusing = False
        self.lines: dict[str, bytes] = {}
        self.lasts: dict[str, str] = {}
        self.kubeconfig: Path = write_kubeconfig(
            api.directory / f"{name}.kubeconfig",
            url=f"https://127.0.0.1:{self._port}",
            ca=api.authority.certificate,
            credentials=Credentials(token=token),
        )

    def run(self, listens: threading.Event) -> None:
        """Pass requests on until closed."""
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            runner.run(self._serve(listens))

    def close(self) -> None:
        """End it."""
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _serve(self, listens: threading.Event) -> None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(self._directory / "serving.crt", self._directory / "serving.key")
        connector = aiohttp.TCPConnector(limit=0, ssl=self._upstream)
        async with aiohttp.ClientSession(connector=connector, timeout=_NO_TIMEOUT) as self._session:
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", self._pass_on)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port, ssl_context=tls).start()
            listens.set()
            await self._ended.wait()
            await runner.cleanup()

    async def _pass_on(self, request: web.Request) -> web.StreamResponse:
        if self.instead is not None:
            return web.Response(body=self.instead, content_type="application/json")
        if self.refusing:
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        headers = {name: text for name, text in request.headers.items() if name.lower() in _KEPT}
        async with self._session.request(
            request.method,
            self._url + request.raw_path,
            data=await request.read() or None,
            headers=headers,
        ) as answer:
            response = web.StreamResponse(status=answer.status)
            response.content_type = answer.content_type
            resource = request.path.rpartition("/")[2] if "watch" in request.query else ""
            self.lasts[resource] = request.query.get("timeoutSeconds", "")
            with suppress(ConnectionError):  # who asked may be gone
                await response.prepare(request)
                async for part in answer.content.iter_any():
                    await response.write(self.lines.pop(resource, b"") + part)
            return response


@contextmanager
def faulty_proxy(api: ApiServer, *, name: str, token: str) -> Iterator[FaultyProxy]:
    """Run a proxy for the length of a `with` block.

    Args:
        api: where it leads.
        name: of its kubeconfig, which no other has.
        token: of whoever goes this way.
    """
    proxy = FaultyProxy(api, name=name, token=token)
    listens = threading.Event()
    thread = threading.Thread(target=proxy.run, args=(listens,), daemon=True)
    thread.start()
    listens.wait()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
