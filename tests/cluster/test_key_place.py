"""A cluster is a place where keys can be kept, and others write there too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from sealer import lifecycle
from sealer.apiserver import ApiServer as Access
from sealer.apiserver import Changed
from sealer.backup import Backup, clashing, plan_restore
from sealer.cluster_keys import ClusterKeyring
from sealer.crypto.keys import UnsealingKey
from sealer.errors import ClusterError, Refused
from sealer.keyring import HeldKey, Keyring, KeyState
from sealer.kubeconfig import Connection
from sealer.lifecycle import Add, Change, Delete, Make, Record
from tests.cluster.running import GROUP, key_secret, sealing_key
from tests.key_place_contract import CONTRACT, FIRST, NOW, SECOND, WHOLE

if TYPE_CHECKING:
    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

_LATER = NOW + timedelta(days=1)
_OWN = UnsealingKey(bytes([77]) * 32)


@pytest.fixture
def place(installed_sealer: ApiServer, namespace: str) -> ClusterKeyring:
    access = Access(Connection(kubeconfig=installed_sealer.admin))
    return ClusterKeyring(access, namespace, "prod")


def _secrets(place: ClusterKeyring) -> str:
    return f"/api/v1/namespaces/{place.namespace}/secrets"


@pytest.mark.parametrize("rule", CONTRACT)
def test_cluster_keeps_the_contract(rule: str, place: ClusterKeyring) -> None:
    CONTRACT[rule](place)


def test_clock_of_a_laptop_that_is_ahead_is_known_by_the_answers(place: ClusterKeyring) -> None:
    """What is asked for now by such a clock is asked for later, as the controller sees it."""
    hour, now = timedelta(hours=1), datetime.now(UTC)
    assert place.api.no_later(now + hour) == now + hour  # nobody has said anything yet
    place.user()
    assert now - hour < place.api.no_later(now + hour) < now + hour
    assert place.api.no_later(now - hour) == now - hour


def test_keys_are_made_by_the_controller_alone(place: ClusterKeyring) -> None:
    with pytest.raises(Refused, match="made by its controller"):
        place.change(lambda _: [Make(ordinal=1, state=KeyState.ACTIVE)], now=NOW)


def test_decision_is_taken_again_where_somebody_was_faster(
    place: ClusterKeyring, installed_sealer: ApiServer
) -> None:
    place.change(lambda _: [Add(FIRST), Add(SECOND)], now=NOW)
    seen: list[Keyring] = []

    def decide(ring: Keyring) -> Sequence[Change]:
        if not seen:
            noted = {"metadata": {"annotations": {"sealer.dev/reason": "of somebody else"}}}
            installed_sealer.request(
                "PATCH",
                f"{_secrets(place)}/unsealing-key-2",
                noted,
                content_type="application/merge-patch+json",
            )
        seen.append(ring)
        return lifecycle.backed_up(ring, [SECOND.id], now=_LATER)

    record = place.change(decide, now=_LATER).find(SECOND.id).record
    assert len(seen) == 2
    assert (record.backed_up_at, record.reason) == (_LATER, "of somebody else")
    assert place.held().find(SECOND.id).record == record


def test_key_of_a_number_that_somebody_takes_meanwhile_is_not_overwritten(
    place: ClusterKeyring, installed_sealer: ApiServer
) -> None:
    other = key_secret(UnsealingKey.generate(), ordinal=2, state="Active")
    tries = 0

    def decide(_: Keyring) -> Sequence[Change]:
        nonlocal tries
        if not tries:
            assert installed_sealer.request("POST", _secrets(place), other).status == 201
        tries += 1
        return [Add(SECOND)]

    with pytest.raises(Changed, match="made by somebody else"):
        place.change(decide, now=NOW)
    assert tries == 5
    data = installed_sealer.request("GET", f"{_secrets(place)}/unsealing-key-2").body["data"]
    assert data == other["data"]


def test_secret_that_is_not_labelled_is_in_the_way_and_named(
    place: ClusterKeyring, installed_sealer: ApiServer
) -> None:
    other = {"metadata": {"name": "unsealing-key-2"}}
    assert installed_sealer.request("POST", _secrets(place), other).status == 201
    with pytest.raises(ClusterError, match="not labelled as a key") as caught:
        place.change(lambda _: [Add(SECOND)], now=NOW)
    assert caught.value.obj == f"Secret {place.namespace}/unsealing-key-2"


def test_key_that_was_made_anew_meanwhile_is_not_deleted(
    place: ClusterKeyring, installed_sealer: ApiServer
) -> None:
    place.change(lambda _: [Add(FIRST), Add(SECOND)], now=NOW)
    path = f"{_secrets(place)}/unsealing-key-2"
    other = key_secret(UnsealingKey.generate(), ordinal=2, state="Active")

    def decide(ring: Keyring) -> Sequence[Change]:
        key = ring.get(SECOND.id)
        if key is None:
            return ()
        installed_sealer.request("DELETE", path)
        assert installed_sealer.request("POST", _secrets(place), other).status == 201
        return [Delete(key)]

    assert place.change(decide, now=NOW).get(SECOND.id) is None
    assert installed_sealer.request("GET", path).body["data"] == other["data"]


class _Killed(BaseException):
    """The end of the process, before a write."""


class _Mortal(Access):
    """A way to the API server whose user is killed before one of its writes."""

    def __init__(self, connection: Connection, *, dies_at: int) -> None:
        super().__init__(connection)
        self.left = dies_at

    def _ask(self, act: str, verb: str, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as it is
        if verb in ("create", "patch", "delete"):
            self.left -= 1
            if not self.left:
                raise _Killed
        return super()._ask(act, verb, *arguments, **named)


def _public(api: ApiServer, *keys: HeldKey) -> None:
    for key in keys:
        api.request("POST", f"{GROUP}/sealingkeys", sealing_key(key.public))


def _replaced(ring: Keyring) -> Sequence[Change]:
    backup = Backup(name="prod", made_at=NOW, keyring=WHOLE)
    return plan_restore(backup, ring, replaceable=[key.id for key in clashing(backup, ring)])


def _noted(ring: Keyring) -> Sequence[Change]:
    unnoted = [key.id for key in ring.keys if key.record.backed_up_at != _LATER]
    return lifecycle.backed_up(ring, unnoted, now=_LATER)


OWN = replace(FIRST, public=_OWN.public, unwrapper=_OWN)
"""A key that a new controller has made."""
_ACTS: dict[str, tuple[Sequence[HeldKey], Callable[[Keyring], Sequence[Change]], Keyring]] = {
    "restore": ([], _replaced, WHOLE),
    "restore over a new key": ([OWN], _replaced, WHOLE),
    "note a backup": (WHOLE.keys, _noted, WHOLE),
    "delete": (WHOLE.keys, lambda ring: [Delete(key) for key in ring.keys[:-1]], WHOLE),
}


@pytest.mark.parametrize("act", _ACTS)
def test_killed_before_any_write_nothing_is_lost_and_doing_it_again_ends_well(
    act: str, installed_sealer: ApiServer, new_namespace: NamespaceFactory
) -> None:
    before, decide, goal = _ACTS[act]
    connection = Connection(kubeconfig=installed_sealer.admin)
    for dies_at in range(1, 20):
        place = ClusterKeyring(Access(connection), new_namespace("killed"), "prod")
        place.change(lambda _: [Add(key) for key in before], now=NOW)
        _public(installed_sealer, *before)
        mortal = _Mortal(connection, dies_at=dies_at)
        survived = True
        try:
            ClusterKeyring(mortal, place.namespace, "prod").change(decide, now=_LATER)
        except _Killed:
            survived = False
        _check_nothing_lost(place.held(), before, act)
        after = place.change(decide, now=_LATER)
        ids = [key.id for key in after.keys]
        assert ids == [key.id for key in goal.keys if act != "delete" or key.id == SECOND.id]
        if survived:
            assert dies_at > 1
            return
    pytest.fail("it never ended")


def _check_nothing_lost(found: Keyring, before: Sequence[HeldKey], act: str) -> None:
    """Only what is to be deleted may be gone, and whatever is there is whole."""
    for key in before:
        if key.id != OWN.id and not (act == "delete" and key.id == FIRST.id):
            assert found.get(key.id)
    for key in found.keys:
        wanted = next(each for each in (*WHOLE.keys, OWN) if each.id == key.id)
        assert (key.record.ordinal, key.record.state) == (
            wanted.record.ordinal,
            wanted.record.state,
        )


def test_what_is_recorded_of_a_key_that_is_gone_is_not_written(
    place: ClusterKeyring, installed_sealer: ApiServer
) -> None:
    place.change(lambda _: [Add(SECOND)], now=NOW)

    def decide(ring: Keyring) -> Sequence[Change]:
        installed_sealer.request("DELETE", f"{_secrets(place)}/unsealing-key-2")
        return [Record(ring.find(SECOND.id))]

    with pytest.raises(ClusterError, match="cannot change Secret"):
        place.change(decide, now=NOW)
    assert place.held() == Keyring()
