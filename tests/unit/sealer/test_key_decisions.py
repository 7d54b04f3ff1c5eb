"""Decisions about the keys of a cluster, told from its SealingKeys alone."""

from __future__ import annotations

from typing import Any

import pytest

from sealer import lifecycle
from sealer.errors import KeyProviderError, Refused
from sealer.key_decisions import ClusterKeys, decision_spec, renewal_spec
from sealer.keyring import KeyState
from sealer.lifecycle import Decision
from tests.unit.sealer.lifecycle_keys import ACTIVE, NOW, PENDING, RETIRED, REVOKED, held

BY_ALICE = Decision(at=NOW, reason="a laptop was stolen", by="alice")


def _item(ordinal: int, now: KeyState, **status: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    key = held(ordinal, now)
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": key.id, "resourceVersion": f"7{ordinal}", "generation": 2},
        "spec": {"format": "v1", "publicKey": key.public.to_pem(), "role": "Cluster"},
        "status": {
            "observedGeneration": 2,
            "conditions": [],
            "objects": 3,
            "backedUp": "no",
            **key.record.to_manifest(),
            **status,
        },
    }


def _ready(status: str, reason: str, message: str) -> list[dict[str, str]]:
    return [{"type": "Ready", "status": status, "reason": reason, "message": message}]


ITEMS = [_item(2, ACTIVE), _item(1, RETIRED)]
ID = held(2).id


def test_keys_are_known_as_their_controller_says_that_they_are() -> None:
    keys = ClusterKeys.read(ITEMS)
    assert [(key.record.ordinal, key.record.state) for key in keys.keyring.keys] == [
        (1, RETIRED),
        (2, ACTIVE),
    ]
    assert keys.version(ID) == "72"
    assert keys.has_become(ID, ACTIVE)
    assert not keys.has_become(ID, RETIRED)
    assert not keys.has_become(held(7).id, ACTIVE)


def test_what_people_decided_does_not_count_before_it_is_carried_out() -> None:
    item = _item(2, ACTIVE)
    item["spec"] |= {"state": "Revoked", "reason": "made up"}
    assert ClusterKeys.read([item]).has_become(ID, ACTIVE)


def test_private_halves_are_not_here() -> None:
    (key,) = ClusterKeys.read([_item(2, ACTIVE)]).keyring.keys
    with pytest.raises(KeyProviderError, match="in the cluster"):
        key.unwrapper.unwrap(b"", info=b"")


@pytest.mark.parametrize(
    "item",
    [
        _item(2, ACTIVE) | {"status": {"observedGeneration": -1}},
        _item(2, ACTIVE, createdAt=None),
        _item(2, ACTIVE, state=None),
        _item(2, ACTIVE) | {"spec": {"format": "v1", "publicKey": "no key", "role": "Cluster"}},
        _item(2, ACTIVE)
        | {"spec": {"format": "v1", "publicKey": held(2).public.to_pem(), "role": "Peer"}},
    ],
    ids=["no status", "no time", "no state", "malformed", "of a peer"],
)
def test_what_is_no_key_of_the_cluster_is_left_out(item: dict[str, Any]) -> None:
    item["status"] = {name: value for name, value in item["status"].items() if value is not None}
    assert [key.id for key in ClusterKeys.read([item, *ITEMS[1:]]).keyring.keys] == [held(1).id]


def test_copy_beside_a_key_counts_as_a_backup() -> None:
    pending = [_item(1, ACTIVE), _item(2, PENDING, backedUp="yes")]
    ring = ClusterKeys.read(pending).keyring
    assert lifecycle.activate(ring, ID, Decision(at=NOW), needs_backup=True)
    without = ClusterKeys.read([_item(1, ACTIVE), _item(2, PENDING)]).keyring
    with pytest.raises(Refused, match="in no backup"):
        lifecycle.activate(without, ID, Decision(at=NOW), needs_backup=True)


def test_decision_stands_in_the_spec_with_its_reason_and_who_decided() -> None:
    assert decision_spec(REVOKED, BY_ALICE) == {
        "state": "Revoked",
        "reason": "a laptop was stolen",
        "decidedBy": "alice",
    }
    assert decision_spec(ACTIVE, Decision(at=NOW)) == {
        "state": "Active",
        "reason": None,
        "decidedBy": None,
    }
    assert renewal_spec(BY_ALICE) == {"renewAt": "2026-11-22T10:00:00Z", "decidedBy": "alice"}


def test_decision_that_is_asked_for_already_is_known() -> None:
    item = _item(2, ACTIVE)
    item["spec"] |= decision_spec(RETIRED, BY_ALICE)
    keys = ClusterKeys.read([item])
    assert keys.is_asked_for(ID, decision_spec(RETIRED, BY_ALICE))
    assert not keys.is_asked_for(ID, decision_spec(REVOKED, BY_ALICE))
    assert ClusterKeys.read([_item(2, ACTIVE)]).is_asked_for(ID, {"reason": None})


def test_refusal_is_told_once_the_controller_has_looked() -> None:
    conditions = _ready("False", "Refused", "it is in no backup yet")
    assert ClusterKeys.read([_item(2, ACTIVE, conditions=conditions)]).refusal(ID)
    stale = _item(2, ACTIVE, conditions=conditions, observedGeneration=1)
    assert not ClusterKeys.read([stale]).refusal(ID)
    other = _ready("False", "InvalidKey", "something else")
    assert not ClusterKeys.read([_item(2, ACTIVE, conditions=other)]).refusal(ID)
    assert not ClusterKeys.read(ITEMS).refusal(ID)


def test_what_a_pending_key_waits_for_is_told() -> None:
    waiting = _item(2, PENDING, conditions=_ready("True", "Published", "its delay"))
    assert ClusterKeys.read([waiting]).waits_for(ID) == "its delay"
    refused = _item(2, PENDING, conditions=_ready("False", "Refused", "no"))
    assert ClusterKeys.read([refused]).waits_for(ID) == ""


@pytest.mark.parametrize("states", [(RETIRED, ACTIVE), (REVOKED, ACTIVE, PENDING)])
def test_keys_are_settled_once_one_alone_is_sealed_to(states: tuple[KeyState, ...]) -> None:
    assert _keys(states).is_settled()


@pytest.mark.parametrize("states", [(ACTIVE, ACTIVE), (PENDING, ACTIVE), (RETIRED, REVOKED)])
def test_keys_are_not_settled_while_something_is_to_follow(states: tuple[KeyState, ...]) -> None:
    assert not _keys(states).is_settled()


def _keys(states: tuple[KeyState, ...]) -> ClusterKeys:
    return ClusterKeys.read(_item(ordinal, state) for ordinal, state in enumerate(states, 1))
