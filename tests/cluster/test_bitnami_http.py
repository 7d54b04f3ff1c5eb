"""The HTTP side of kubeseal's endpoints: sizes, numbers, and what an accident says."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from controller import relay as relaying
from controller.bitnami_answers import MAX_BODY_BYTES, Keys
from controller.bitnami_endpoints import MAX_AT_A_TIME, serving
from controller.relay import Relay
from sealer.crypto.bitnami import Certificate
from sealer.errors import UsageError
from tests import rsa_keys
from tests.cluster.harness.processes import free_port

NOW = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
KEYS = Keys(certificate=Certificate.from_pem(rsa_keys.NEW.certificate()))
BODY = b"{}"
GRACE_SECONDS = 20
"""Less than a pod is given to end, 30 s, and than a body may take to arrive."""
Answer = tuple[int, str]


class _Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self.url = session, url

    async def get(self, path: str) -> Answer:
        async with self._session.get(self.url + path) as answer:
            return answer.status, await answer.text()

    async def post(self, path: str, body: Any = BODY, **headers: str) -> aiohttp.ClientResponse:  # noqa: ANN401 - bytes, or a generator of them
        async with self._session.post(self.url + path, data=body, headers=headers) as answer:
            await answer.read()
            return answer


def _served(
    work: Callable[[_Client], Awaitable[None]],
    *,
    rate: float = 1000,
    keys: Callable[[], Keys | None] = lambda: KEYS,
) -> None:
    async def run() -> None:
        port = free_port()
        async with (
            serving(f"127.0.0.1:{port}", rate=rate, keys=keys, now=lambda: NOW),
            aiohttp.ClientSession() as session,
        ):
            await work(_Client(session, f"http://127.0.0.1:{port}"))

    asyncio.run(run())


def test_the_paths_are_those_that_kubeseal_asks_for() -> None:
    async def work(client: _Client) -> None:
        assert await client.get("/healthz") == (200, "ok\n")
        assert await client.get("/v1/cert.pem") == (200, rsa_keys.NEW.certificate())
        for path in ("/v1/verify", "/v1/rotate", "/v1/native"):
            assert (await client.post(path)).status == 400
            assert (await client.get(path))[0] == 405
        assert (await client.get("/metrics"))[0] == 404

    _served(work)


@pytest.mark.parametrize("path", ["/v1/verify", "/v1/rotate", "/v1/native"])
def test_a_body_is_limited_whether_it_says_its_length_or_not(path: str) -> None:
    async def pieces() -> Any:  # noqa: ANN401 - an iterator
        for _ in range(5):
            yield bytes(MAX_BODY_BYTES // 4)

    async def work(client: _Client) -> None:
        assert (await client.post(path, BytesIO(bytes(MAX_BODY_BYTES)))).status == 400
        assert (await client.post(path, BytesIO(bytes(MAX_BODY_BYTES + 1)))).status == 413
        assert (await client.post(path, pieces())).status == 413

    _served(work)


def test_a_body_that_is_small_only_because_it_is_compressed_is_refused() -> None:
    async def work(client: _Client) -> None:
        bomb = gzip.compress(bytes(64 << 20))
        answer = await client.post("/v1/verify", bomb, **{"Content-Encoding": "gzip"})
        assert answer.status == 415

    _served(work)


def test_a_flood_is_told_when_to_come_again() -> None:
    async def work(client: _Client) -> None:
        answers = [await client.post("/v1/verify") for _ in range(20)]
        assert Counter(answer.status for answer in answers) == {400: 1, 429: 19}
        waits = [int(answer.headers["Retry-After"]) for answer in answers[1:]]
        assert waits == sorted(waits, reverse=True)
        assert 90 <= waits[-1] <= waits[0] <= 100
        assert (await client.get("/v1/cert.pem"))[0] == 200
        assert (await client.get("/healthz"))[0] == 200

    _served(work, rate=0.01)


def test_a_flood_of_certificates_is_limited_too() -> None:
    async def work(client: _Client) -> None:
        statuses = Counter([(await client.get("/v1/cert.pem"))[0] for _ in range(50)])
        assert statuses[429] >= 40
        assert statuses[200] >= 1

    _served(work, rate=0.05)


def test_who_is_slow_to_send_a_body_does_not_keep_the_controller_from_ending() -> None:
    async def run() -> None:
        port = free_port()
        async with (
            asyncio.timeout(GRACE_SECONDS),
            aiohttp.ClientSession() as session,
            serving(f"127.0.0.1:{port}", rate=1000, keys=lambda: KEYS, now=lambda: NOW),
        ):
            client = _Client(session, f"http://127.0.0.1:{port}")
            slow = await _slow(client)
            await client.get("/healthz")  # by then the other is being read
        slow.close()

    asyncio.run(run())


def test_who_is_slow_to_send_a_body_holds_few_places_and_no_certificate(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work(client: _Client) -> None:
        slow = [await _slow(client) for _ in range(MAX_AT_A_TIME)]
        busy = await _until(client, lambda status: status == 429)
        assert busy.headers["Retry-After"] == "1"
        assert (await client.get("/v1/cert.pem"))[0] == 200
        for writer in slow:
            writer.close()
            await writer.wait_closed()
        await _until(client, lambda status: status != 429)

    _served(work)
    assert not [each.getMessage() for each in caplog.records if each.levelname == "ERROR"]


async def _until(client: _Client, wanted: Callable[[int], bool]) -> aiohttp.ClientResponse:
    async with asyncio.timeout(300):
        while True:
            answer = await client.post("/v1/verify")
            if wanted(answer.status):
                return answer


def test_who_is_slow_to_send_a_body_keeps_no_certificate_from_being_passed_on() -> None:
    async def check(relay: _Client) -> None:
        slow = [await _slow(relay) for _ in range(relaying.MAX_AT_A_TIME)]
        await _until(relay, lambda status: status == 429)
        assert (await relay.get("/v1/cert.pem"))[0] == 200
        for writer in slow:
            writer.close()

    async def work(client: _Client) -> None:
        await asyncio.to_thread(_relayed, check, client.url)

    _served(work)


async def _slow(client: _Client) -> asyncio.StreamWriter:
    host, port = client.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /v1/verify HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{")
    await writer.drain()
    return writer


def test_before_the_keys_are_loaded_nothing_is_said_not_to_open() -> None:
    async def work(client: _Client) -> None:
        assert (await client.get("/healthz"))[0] == 200
        assert (await client.get("/v1/cert.pem"))[0] == 503
        assert (await client.post("/v1/verify")).status == 503

    _served(work, keys=lambda: None)


def test_an_accident_is_an_answer_that_repeats_nothing() -> None:
    async def work(client: _Client) -> None:
        answer = await client.post("/v1/verify", json.dumps(_SEALED).encode())
        assert answer.status == 500
        assert "nobody is to be shown" not in await answer.text()
        assert (await client.get("/healthz"))[0] == 200

    _served(work, keys=lambda: Keys(opening=_broken()))


class _Broken:
    @property
    def wrapped_bytes(self) -> int:
        raise RuntimeError("what nobody is to be shown")


def _broken() -> Any:  # noqa: ANN401 - what is no key
    return [_Broken()]


_SEALED = {
    "apiVersion": "bitnami.com/v1alpha1",
    "kind": "SealedSecret",
    "metadata": {"name": "db", "namespace": "shop"},
    "spec": {"encryptedData": {"user": "AAEA" + "A" * 64}},
}


def test_an_address_that_is_taken_is_told() -> None:
    async def work(client: _Client) -> None:
        address = client.url.removeprefix("http://")
        with pytest.raises(UsageError, match="cannot listen"):
            async with serving(address, rate=1, keys=lambda: KEYS, now=lambda: NOW):
                pass

    _served(work)


def _relayed(work: Callable[[_Client], Awaitable[None]], target: str) -> None:
    async def run() -> None:
        runner = web.AppRunner(Relay(target).application(), auto_decompress=False)
        await runner.setup()
        port = free_port()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            async with aiohttp.ClientSession() as session:
                await work(_Client(session, f"http://127.0.0.1:{port}"))
        finally:
            await runner.cleanup()

    asyncio.run(run())


def test_what_passes_requests_on_says_what_the_controller_says() -> None:
    async def check(relay: _Client) -> None:
        assert await relay.get("/v1/cert.pem") == (200, rsa_keys.NEW.certificate())
        answer = await relay.post("/v1/verify")
        assert answer.status == 400
        assert answer.headers["Content-Type"] == "text/plain"
        busy = await _until(relay, lambda status: status == 429)
        assert 1 <= int(busy.headers["Retry-After"]) <= 10
        large = BytesIO(bytes(MAX_BODY_BYTES + 1))
        assert (await relay.post("/v1/rotate", large)).status == 413
        assert (await relay.get("/metrics"))[0] == 404
        assert (await relay.post("/v1/cert.pem")).status == 405

    async def work(client: _Client) -> None:
        await asyncio.to_thread(_relayed, check, client.url)

    _served(work, rate=0.1)


def test_what_passes_requests_on_is_alive_without_the_controller_and_says_that_it_is_gone() -> None:
    async def check(relay: _Client) -> None:
        assert await relay.get("/healthz") == (200, "ok\n")
        assert (await relay.get("/v1/cert.pem"))[0] == 502
        assert (await relay.post("/v1/verify")).status == 502

    _relayed(check, f"http://127.0.0.1:{free_port()}")
