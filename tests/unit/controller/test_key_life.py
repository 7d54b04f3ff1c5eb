"""Months in the life of keys, with a clock that is set, and everything that can come between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.key_life import KeyLife
from controller.renewal import Rules
from sealer.errors import ClusterError, Refused
from sealer.lifecycle import Policy
from tests.unit.controller.kept import recovery, seen, slk
from tests.unit.controller.key_server import KeyServer, Killed
from tests.unit.sealer.lifecycle_keys import DAY, NOW, held

_DELAY = timedelta(days=2)


def _life(
    server: KeyServer,
    now: datetime = NOW,
    *,
    delay: timedelta = _DELAY,
    **parts: Any,  # noqa: ANN401
) -> KeyLife:
    return KeyLife(
        api=server,
        namespace="sealer-system",
        rules=Rules(policy=Policy(activation_delay=delay)),
        name="prod",
        now=lambda: now,
        **parts,
    )


def _server(*, with_recovery: bool = True) -> KeyServer:
    server = KeyServer()
    if with_recovery:
        item = recovery()
        server.published[item["metadata"]["name"]] = item
    return server


def _settle(server: KeyServer, now: datetime = NOW, *, delay: timedelta = _DELAY) -> None:
    asyncio.run(_life(server, now, delay=delay).settle())


def _is_safe(server: KeyServer) -> bool:
    """Whether every key that anybody seals to has its copy."""
    return all(
        f"{name}-backup" in server.secrets
        for name in server.secrets
        if not name.endswith("-backup") and server.annotations(name)["sealer.dev/state"] == "Active"
    )


def test_months_pass_and_there_is_always_one_key_to_seal_to() -> None:
    server = _server()
    for day in range(100):
        _settle(server, NOW + day * DAY)
        assert server.states().count("Active") == 1
        assert _is_safe(server)
    assert server.states() == ["Retired", "Retired", "Retired", "Active"]
    times = [server.annotations(f"unsealing-key-{n}")["sealer.dev/activated-at"] for n in (1, 2, 3)]
    assert times == ["2026-11-22T10:00:00Z", "2026-12-24T10:00:00Z", "2027-01-23T10:00:00Z"]


def test_nothing_is_written_where_nothing_is_due() -> None:
    server = _server()
    _settle(server)
    written = server.versions
    _settle(server, NOW + DAY)
    assert server.versions == written


def _killing(server: KeyServer, number: int) -> Callable[[str, str], None]:
    left = [number]

    def tell(_method: str, _name: str) -> None:
        assert _is_safe(server), "a key was in use before it had its copy"
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return tell


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_killed_at_every_write_nothing_is_lost_and_nothing_is_early(*, done: bool) -> None:
    for number in range(12):
        server = _server()
        _settle(server)
        tell = _killing(server, number)
        server.before, server.after = (server.before, tell) if done else (tell, server.after)
        for day in (30, 32):
            try:
                _settle(server, NOW + day * DAY)
            except Killed:
                break
        server.before = server.after = lambda _method, _name: None
        for day in (30, 32, 34):
            _settle(server, NOW + day * DAY)
            assert _is_safe(server)
        assert server.states() == ["Retired", "Active"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_two_at_once_make_one_key(method: str) -> None:
    server = _server()
    _settle(server)
    later = NOW + 30 * DAY
    busy: list[str] = []

    def somebody_else(doing: str, _name: str) -> None:
        if doing == method and not busy:
            busy.append(doing)
            other = KeyServer(server.secrets, server.published, versions=server.versions)
            _drain(_life(other, later, delay=timedelta(0)).settle())
            server.versions = other.versions

    server.before = somebody_else
    _settle(server, later, delay=timedelta(0))
    assert busy
    assert server.states() == ["Retired", "Active"]


def _drain(work: Any) -> None:  # noqa: ANN401 - a coroutine that waits for nothing
    with pytest.raises(StopIteration):
        work.send(None)


def test_late_write_of_one_that_was_paused_is_refused() -> None:
    server = _server(with_recovery=False)
    _settle(server)

    def meanwhile(method: str, name: str) -> None:
        if method == "PATCH":
            server.touch(name)

    server.before = meanwhile
    with pytest.raises(ClusterError, match="do not come to rest"):
        _settle(server, NOW + 33 * DAY, delay=timedelta(0))
    assert server.states() == ["Active", "Pending"]


def test_copy_that_cannot_be_written_holds_back_its_key_and_nothing_else() -> None:
    server = _server()
    _settle(server)
    first = next(iter(server.secrets))
    in_the_way = {"metadata": {"name": "unsealing-key-2-backup", "labels": {}, "annotations": {}}}
    server.secrets["unsealing-key-2-backup"] = in_the_way
    with pytest.raises(ClusterError):
        _settle(server, NOW + 32 * DAY)
    assert server.states() == ["Active", "Pending"]
    key_id = server.annotations(f"{first}-backup")["sealer.dev/key"]
    decided = {"state": "Revoked", "reason": "made-up leak", "decidedBy": "kim"}
    item = slk(held(1))
    item["metadata"]["name"], item["spec"] = key_id, {**item["spec"], **decided}
    server.published[key_id] = item
    with pytest.raises(ClusterError):
        _settle(server, NOW + 32 * DAY)
    assert server.states() == ["Revoked", "Pending"]


def test_what_the_api_server_refuses_is_an_error() -> None:
    server = _server()
    server.status = 403
    with pytest.raises(Refused, match="unsealing-key-1"):
        _settle(server)


def test_glance_that_finds_nothing_to_do_asks_nobody() -> None:
    server = _server()
    asyncio.run(_life(server, glance=lambda: seen(held(1))).settle())
    assert server.secrets == {}
    asyncio.run(_life(server, glance=seen).settle())
    assert server.states() == ["Active"]
