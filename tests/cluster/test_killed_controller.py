"""The controller is killed before every single write, and started again: nothing is lost or early.

It goes to the API server by way of a proxy that kills it (SIGKILL) before its n-th write from the
moment that there is something to do, for n = 1, 2, … until it has nothing more to write. Each round
is another renewal or revocation on top of all that came before, and has to end as an undisturbed
one does; what was so in between is read from the history of the objects.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from sealer.crypto.scope import Scope
from sealer.install import DEFAULT_NAMESPACE
from sealer.keyring import KeyRecord, KeyState
from sealer.manifests.models import Metadata, Secret
from sealer.sealing import seal
from tests.cluster.harness.api_server import running_api_server
from tests.cluster.harness.chronicle import chronicle
from tests.cluster.harness.deadly_proxy import DeadlyProxy, deadly_proxy
from tests.cluster.harness.processes import eventually
from tests.cluster.installing import SERVICE_ACCOUNT, apply_stream
from tests.cluster.key_months import BEGINNING, KEYS, MERGE, Months
from tests.cluster.key_proofs import check_keys, check_never_early, check_never_lost, held
from tests.cluster.running import SECRETS, Controller, Namespace, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sealer.crypto.keys import SealingKey
    from tests.cluster.harness.api_server import Programs
    from tests.cluster.harness.chronicle import Chronicle

DELAY = "key_activation_delay=86400"
MOST_WRITES = 60
VALUE = b"made-up-of-a-killed-controller"

Steps = Callable[[str], bool]
"""Which writes are counted, by their paths."""
WALKS: dict[str, Steps] = {
    "keys": lambda path: "/secrets" in path,
    "the rest": lambda path: "/secrets" not in path,
}


@dataclass(slots=True)
class Doomed:
    """A cluster whose controller can be killed at its writes."""

    months: Months
    proxy: DeadlyProxy
    controller: Controller
    shop: Namespace

    def arm(self, number: int, steps: Steps) -> None:
        """Have it killed before its write of that number from now on; at 0, at none."""
        self.proxy.disarm()
        if not self.controller.server.running:
            self.controller.start()
        self.proxy.arm(self._kill, at=number, counts=steps)

    def reach(self, check: Callable[[], None], *, what: str) -> None:
        """Wait for something; where the controller is killed before, start it and wait again."""

        def is_over() -> bool:
            if not self.proxy.fell or self.controller.server.running:
                check()
            return True

        def is_so() -> bool:
            check()
            return True

        eventually(is_over, what=what)
        if not self.controller.server.running:
            self.controller.start()
            eventually(is_so, what=f"{what} after it was killed {self.proxy.fell}")

    def is_spared(self) -> bool:
        """Whether it was not killed; from now on it is not, and works."""
        self.proxy.disarm()
        if not self.controller.server.running:
            self.controller.start()
        return not self.proxy.fell

    def _kill(self) -> None:
        self.controller.server.stop(grace=0)

    def newest(self) -> SealingKey:
        """The key to seal to."""
        items = self.months.api.request("GET", SECRETS).body["items"]
        keys = [item for item in items if not item["metadata"]["name"].endswith("-backup")]
        return max((held(item) for item in keys), key=lambda key: key.record.ordinal).public

    def give(self, name: str, key: SealingKey) -> None:
        """Have an object of a fixed value, sealed to a key before all else began, and open."""
        secret = Secret(
            metadata=Metadata(namespace=self.shop.name, name=name), data={"password": VALUE}
        )
        sealed = seal(secret, to=[key], scope=Scope.STRICT, now=BEGINNING - timedelta(days=1))
        answer = self.shop.apply(dict(sealed.to_manifest()))
        assert answer.status in (200, 201), answer.body
        self.shop.opened(name, generation=answer.body["metadata"]["generation"])

    def check_open(self) -> None:
        """Check that the controller opens an object of each key there ever was, once more."""
        items = self.months.api.request("GET", SECRETS).body["items"]
        keys = [held(item) for item in items if not item["metadata"]["name"].endswith("-backup")]
        for key in keys:
            name = f"under-{key.record.ordinal}"
            self.give(name, key.public)
            assert self.shop.values(name) == {"password": VALUE}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, programs: Programs) -> Iterator[Months]:
    folder = tmp_path_factory.mktemp("killed")
    with running_api_server(folder, programs) as api:
        apply_stream(api)
        yield Months(api, folder / "clock")


@pytest.fixture
def doomed(cluster: Months, request: pytest.FixtureRequest) -> Iterator[Doomed]:
    api, name = cluster.api, re.sub("[^a-z]+", "-", request.node.name).strip("-")
    cluster.clear()
    cluster.with_recovery()
    api.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    token = api.service_account_token(DEFAULT_NAMESPACE, SERVICE_ACCOUNT)
    with deadly_proxy(api, name=name, token=token) as proxy:
        controller = cluster.forked(DELAY, way=proxy.kubeconfig)
        try:
            controller.start()
            cluster.become("Active")
            yield Doomed(cluster, proxy, controller, Namespace(api, name))
        finally:
            controller.server.stop(grace=0)


def _made(days: int, ordinal: int) -> KeyRecord:
    """A key that is in use from the day on which it was made."""
    made = BEGINNING + timedelta(days=days)
    return KeyRecord(ordinal=ordinal, state=KeyState.ACTIVE, created_at=made, activated_at=made)


@pytest.mark.parametrize("walk", WALKS)
def test_renewal_is_killed_before_every_write(walk: str, doomed: Doomed) -> None:
    months, goal = doomed.months, [_made(0, 1)]
    doomed.give("db", doomed.newest())
    with chronicle(months.api, SECRETS, KEYS) as history:
        for number in range(MOST_WRITES):  # the first round is undisturbed
            days = 31 * len(goal)
            new = _made(days, len(goal) + 1)
            waiting = replace(new, state=KeyState.PENDING, activated_at=None)
            later = BEGINNING + timedelta(days=days + 1)
            doomed.arm(number, WALKS[walk])
            months.at(days)
            doomed.reach(partial(_check_renewed, doomed, [*goal, waiting]), what="a pending key")
            goal[-1] = replace(goal[-1], state=KeyState.RETIRED, retired_at=later)
            goal.append(replace(new, activated_at=later))
            months.at(days + 1)
            doomed.reach(partial(_check_renewed, doomed, goal), what="a renewed key")
            if doomed.is_spared() and number:
                break
        assert 5 < number < MOST_WRITES - 1
        _check_history(doomed, history, made=len(goal))


@pytest.mark.parametrize("walk", WALKS)
def test_revocation_is_killed_before_every_write(walk: str, doomed: Doomed) -> None:
    months, goal = doomed.months, [_made(0, 1)]
    with chronicle(months.api, SECRETS, KEYS) as history:
        for number in range(MOST_WRITES):  # the first round is undisturbed
            days, leaked = len(goal), doomed.newest()
            doomed.give("db", leaked)
            goal[-1] = replace(
                goal[-1],
                state=KeyState.REVOKED,
                revoked_at=BEGINNING + timedelta(days=days),
                reason=f"made public on day {days}",
                decided_by="admin",
            )
            goal.append(_made(days, len(goal) + 1))
            doomed.arm(number, WALKS[walk])
            months.at(days)
            decision = {"state": "Revoked", "reason": f"made public on day {days}"}
            revoked = {"spec": {**decision, "decidedBy": "admin"}}
            path = f"{KEYS}/{leaked.id}"
            assert months.api.request("PATCH", path, revoked, content_type=MERGE).status == 200
            doomed.reach(
                partial(_check_revoked, doomed, goal, leaked.id), what="a key in its place"
            )
            if doomed.is_spared() and number:
                break
        assert 5 < number < MOST_WRITES - 1
        _check_history(doomed, history, made=len(goal))


def _check_renewed(doomed: Doomed, goal: Sequence[KeyRecord]) -> None:
    check_keys(doomed.months.api, goal, doomed.months.recovery)
    if goal[-1].state is KeyState.ACTIVE:
        offered = doomed.shop.get("SealedSecret", "db")["status"]["rewrapped"]
        assert doomed.newest().id in str(offered)


def _check_revoked(doomed: Doomed, goal: Sequence[KeyRecord], leaked: str) -> None:
    check_keys(doomed.months.api, goal, doomed.months.recovery)
    item = doomed.shop.get("SealedSecret", "db")
    assert conditions(item)["Exposed"]["status"] == "True"
    assert conditions(item)["Ready"]["status"] == "True"
    assert leaked in item["status"]["exposed"].values()
    told = f"Revoke by admin: {goal[-2].reason}"
    assert ("Warning", "Revoked", told) in doomed.months.events(leaked)


def _check_history(doomed: Doomed, history: Chronicle, *, made: int) -> None:
    worlds = history.worlds()
    check_never_early(worlds)
    check_never_lost(worlds, made=made)
    doomed.check_open()
