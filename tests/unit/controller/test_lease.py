from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from controller.apiserver import Answer, ApiServer
from controller.lease import LeadershipLost, Lease
from sealer.errors import ClusterError
from tests.unit.controller.virtual_time import clock, run

_START = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


class _Leases(ApiServer):
    """An API server that holds one Lease."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.hangs = False
        self.forbidden = False
        self.slow = 0.0
        self.written = 0.0

    async def request(self, method: str, path: str, body: object = None, **_: object) -> Answer:
        del path  # there is one Lease
        await asyncio.sleep(0.01)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.down:
            raise ClusterError("the API server cannot be reached")
        if self.forbidden:
            return Answer(403, {"reason": "Forbidden"})
        if method == "GET":
            return Answer(200, self.lease) if self.lease else Answer(404, {})
        assert isinstance(body, Mapping)
        if method == "POST" and self.lease is not None:
            return Answer(409, {})
        if method == "PUT" and body["metadata"]["resourceVersion"] != str(self.version):
            return Answer(409, {})
        self.write(body["spec"])
        await asyncio.sleep(self.slow)
        return Answer(200, self.lease)

    def write(self, spec: Mapping[str, Any]) -> None:
        self.version, self.written = self.version + 1, clock()
        self.lease = {"metadata": {"resourceVersion": str(self.version)}, "spec": dict(spec)}

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        return dict(self.lease["spec"])


def _lease(api: ApiServer, identity: str) -> Lease:
    return Lease(
        api=api,
        path="/leases",
        name="it",
        identity=identity,
        duration=15,
        clock=clock,
        now=lambda: _START + timedelta(seconds=clock()),
    )


def test_absent_lease_is_taken_at_once() -> None:
    async def scenario() -> tuple[float, dict[str, Any]]:
        api = _Leases()
        await _lease(api, "one").acquire()
        return clock(), api.spec

    took, spec = run(scenario())
    assert took < 1
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("one", 15)
    assert spec["renewTime"].startswith("2026-11-22T10:00:00.")


def test_lease_that_is_renewed_is_waited_for_and_the_holder_is_known() -> None:
    async def scenario() -> str:
        api = _Leases()
        one, two = _lease(api, "one"), _lease(api, "two")
        await one.acquire()
        keeping = asyncio.create_task(one.keep())
        waiting = asyncio.create_task(two.acquire())
        await asyncio.sleep(300)
        assert not waiting.done()
        assert not keeping.done()
        for task in (keeping, waiting):
            task.cancel()
        return two.holder

    assert run(scenario()) == "one"


def test_lease_whose_holder_is_gone_is_taken_when_it_has_run_out_and_not_before() -> None:
    async def scenario() -> tuple[float, int]:
        api = _Leases()
        await _lease(api, "one").acquire()
        began = clock()
        await _lease(api, "two").acquire()
        return clock() - began, api.spec["leaseTransitions"]

    waited, transitions = run(scenario())
    assert 15 <= waited < 18
    assert transitions == 2


def test_clock_of_the_other_does_not_matter() -> None:
    async def scenario() -> float:
        api = _Leases()
        ancient = {"holderIdentity": "one", "renewTime": "1990-01-01T00:00:00.0Z"}
        api.write({**ancient, "leaseDurationSeconds": 15})
        await _lease(api, "two").acquire()
        return clock()

    assert run(scenario()) >= 15


def test_lease_that_was_given_up_is_taken_at_once() -> None:
    async def scenario() -> float:
        api = _Leases()
        one = _lease(api, "one")
        await one.acquire()
        await one.release()
        assert not one.held
        began = clock()
        await _lease(api, "two").acquire()
        return clock() - began

    assert run(scenario()) < 1


def test_only_one_of_two_takes_a_lease_that_has_run_out() -> None:
    async def scenario() -> list[bool]:
        api = _Leases()
        api.write({"holderIdentity": "gone", "renewTime": "x", "leaseDurationSeconds": 15})
        pair = [_lease(api, "one"), _lease(api, "two")]
        tasks = [asyncio.create_task(each.acquire()) for each in pair]
        await asyncio.sleep(17)
        done = [task.done() for task in tasks]
        for task in tasks:
            task.cancel()
        return sorted(done)

    assert run(scenario()) == [False, True]


@pytest.mark.parametrize("fault", ["down", "hangs", "forbidden"])
def test_leader_that_cannot_renew_stops_before_another_may_begin(fault: str) -> None:
    async def scenario() -> float:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        began = clock()
        setattr(api, fault, True)
        with pytest.raises(LeadershipLost):
            await lease.keep()
        return clock() - began

    assert 9.9 < run(scenario()) < 15


def test_lease_counts_from_the_write_and_not_from_an_answer_that_came_late() -> None:
    async def scenario() -> float:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        api.slow = 7
        keeping = asyncio.create_task(lease.keep())
        await asyncio.sleep(3)
        api.hangs = True  # after the write, of which the answer is on its way
        with pytest.raises(LeadershipLost):
            await keeping
        return clock() - api.written

    assert run(scenario()) < 15


def test_lease_that_ran_out_before_the_answer_came_is_asked_for_once_more() -> None:
    async def scenario() -> float:
        api = _Leases()
        api.slow = 20
        lease = _lease(api, "one")
        acquiring = asyncio.create_task(lease.acquire())
        await asyncio.sleep(1)
        api.slow = 0
        await acquiring
        return clock() - api.written

    assert run(scenario()) < 1


def test_short_outage_does_not_cost_the_lease() -> None:
    async def scenario() -> bool:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        keeping = asyncio.create_task(lease.keep())
        await asyncio.sleep(30)
        api.down = True
        await asyncio.sleep(6)
        api.down = False
        await asyncio.sleep(30)
        done = keeping.done()
        keeping.cancel()
        return done

    assert run(scenario()) is False


def test_leader_whose_lease_is_taken_stops() -> None:
    async def scenario() -> str:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        api.write({"holderIdentity": "two", "renewTime": "x", "leaseDurationSeconds": 15})
        with pytest.raises(LeadershipLost) as caught:
            await lease.keep()
        return str(caught.value)

    assert run(scenario()) == "two holds the lease now"


def test_lease_edited_by_somebody_is_renewed_all_the_same() -> None:
    async def scenario() -> bool:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        keeping = asyncio.create_task(lease.keep())
        for _ in range(20):
            await asyncio.sleep(2.005)
            api.write(api.spec)  # now and then between its read and its write
        done = keeping.done()
        keeping.cancel()
        return done

    assert run(scenario()) is False


def test_lease_of_another_is_not_released() -> None:
    async def scenario() -> str:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        api.write({"holderIdentity": "two"})
        await lease.release()
        return str(api.spec["holderIdentity"])

    assert run(scenario()) == "two"


def test_release_that_fails_is_no_error() -> None:
    async def scenario() -> bool:
        api = _Leases()
        lease = _lease(api, "one")
        await lease.acquire()
        api.down = True
        await lease.release()
        return lease.held

    assert run(scenario()) is False
