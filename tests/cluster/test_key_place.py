"""A cluster is a place where keys can be kept, and others write there too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from sealer import lifecycle
from sealer.apiserver import ApiServer as Access
from sealer.apiserver import Changed, Connection
from sealer.cluster_keys import ClusterKeyring
from sealer.crypto.keys import UnsealingKey
from sealer.errors import ClusterError, Refused
from sealer.keyring import Keyring, KeyState
from sealer.lifecycle import Add, Change, Delete, Make, Record
from tests.cluster.running import key_secret
from tests.key_place_contract import CONTRACT, FIRST, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.cluster.harness.api_server import ApiServer

_LATER = NOW + timedelta(days=1)


@pytest.fixture
def place(installed_sealer: ApiServer, namespace: str) -> ClusterKeyring:
    access = Access(Connection(kubeconfig=installed_sealer.admin))
    return ClusterKeyring(access, namespace, "prod")


def _secrets(place: ClusterKeyring) -> str:
    return f"/api/v1/namespaces/{place.namespace}/secrets"


@pytest.mark.parametrize("rule", CONTRACT)
def test_cluster_keeps_the_contract(rule: str, place: ClusterKeyring) -> None:
    CONTRACT[rule](place)


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
