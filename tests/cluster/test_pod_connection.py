"""Whom the controller takes for the API server, in a pod whose certificate authorities change."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from controller import connection
from controller.apiserver import ApiServer
from controller.connection import Bearer, Connection, in_pod
from sealer.errors import ClusterError
from tests.cluster.harness.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def _in_a_pod(tmp_path: Path, authority: bytes, monkeypatch: pytest.MonkeyPatch) -> Connection:
    files = {"token": b"not-a-real-token", "namespace": b"made-up", "ca.crt": authority}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.setattr(connection, "_POD", tmp_path)
    found = in_pod({"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": "0"})
    assert found is not None
    return found


def test_server_that_gets_another_authority_is_reached_once_the_pods_file_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Authority("first"), Authority("second")
    way = _in_a_pod(tmp_path, first.certificate, monkeypatch)

    async def reached(session: aiohttp.ClientSession, authority: Authority) -> bool:
        async with _serving(authority, tmp_path) as url:
            try:
                async with session.get(url) as answer:
                    return answer.status == 200
            except aiohttp.ClientConnectorCertificateError:
                return False

    async def run() -> None:
        async with way.session() as session:
            assert await reached(session, first)
            assert not await reached(session, second)
            (tmp_path / "ca.crt").write_bytes(second.certificate)
            assert not await reached(session, second)  # it was looked at a moment ago
            monkeypatch.setattr(connection, "_TOKEN_SECONDS", 0.0)
            assert await reached(session, second)
            (tmp_path / "ca.crt").write_text("half of it")
            assert await reached(session, second)

    asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_token_and_values_follow_no_redirection(status: int) -> None:
    reached: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        reached.append(request.path)
        elsewhere = f"http://127.0.0.1:{request.url.port}/elsewhere"
        return web.Response(status=status, headers={"Location": elsewhere})

    async def run() -> None:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        async with TestServer(app) as server:
            tls = ssl.create_default_context()
            here = f"http://localhost:{server.port}"
            way = Connection(server=here, tls=tls, bearer=Bearer("not-a-real-token"))
            async with way.session() as session:
                api = ApiServer(session, here)
                with pytest.raises(ClusterError, match="Redirected"):
                    await api.request("POST", "/here", {"data": "made-up-value"})
                with pytest.raises(ClusterError, match="Redirected"):
                    async with api.stream("/there", {}, accept="application/json", silence=60):
                        pass

    asyncio.run(run())
    assert reached == ["/here", "/there"]


@asynccontextmanager
async def _serving(authority: Authority, folder: Path) -> AsyncIterator[str]:
    pair = authority.issue_server(["127.0.0.1"])
    (folder / "serving.crt").write_bytes(pair.certificate)
    (folder / "serving.key").write_bytes(pair.key)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "serving.crt", folder / "serving.key")
    app = web.Application()
    app.router.add_get("/", _greet)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    try:
        yield f"https://127.0.0.1:{site.port}/"
    finally:
        await runner.cleanup()


async def _greet(_: web.Request) -> web.Response:
    return web.Response()


def test_pod_whose_authorities_are_none_has_no_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ClusterError, match=r"cannot be used$"):
        _in_a_pod(tmp_path, b"half of it", monkeypatch)
