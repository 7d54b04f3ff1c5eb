"""To whom data keys are offered besides the newest key, and where nothing is offered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from controller.offering import MAX_OFFERS, Offering, Others
from controller.reconcile import is_done, outline, plan
from controller.settings import Settings
from sealer.crypto.keys import UnsealingKey
from sealer.keyring import Keyring, KeyState
from sealer.label_selectors import LabelSelector
from sealer.manifests.models import Manifest, SealedSecret
from sealer.manifests.times import format_time
from sealer.opening import unseal
from sealer.resealing import with_recipients
from sealer.sealing import with_items
from tests.unit.controller.world import (
    FIRST,
    NOW,
    OTHER,
    PASSWORD,
    SECOND,
    Cluster,
    CountingKey,
    keyring,
    leaked,
    observe,
    sealed,
)

RECOVERY, PEER = OTHER, UnsealingKey(b"4" * 32)
KEYS = keyring(FIRST)
LABELS = {"env": "prod"}


def published(
    key: UnsealingKey, role: str, *, state: str = "Active", **spec: object
) -> dict[str, Any]:
    """A SealingKey as the API server has it."""
    return {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealingKey",
        "metadata": {"name": key.id},
        "spec": {"format": "v1", "publicKey": key.public.to_pem(), "role": role, **spec},
        "status": {"state": state},
    }


def offered(manifest: Manifest, others: Others, keys: Keyring = KEYS) -> dict[str, list[str]]:
    """Which keys each entry is offered."""
    decided = plan(observe(manifest, others=others), keys, Settings(), now=NOW)
    assert decided.error is None
    return {
        entry: [recipient.key for recipient in recipients]
        for entry, recipients in decided.status.rewrapped.items()
    }


def asking(manifest: Manifest, answer: str = "true") -> Manifest:
    """The object with the annotation that asks for what is under revoked keys."""
    metadata = manifest["metadata"]
    assert isinstance(metadata, Mapping)
    return {
        **manifest,
        "metadata": {**metadata, "annotations": {"sealer.dev/reseal-revoked": answer}},
    }


# --- who is registered


def test_recovery_keys_are_for_everybody_and_peers_for_whom_they_select() -> None:
    selector = {"matchLabels": LABELS}
    offering = Offering.of(
        [
            published(RECOVERY, "Recovery"),
            published(PEER, "Peer", namespaceSelector=selector),
            published(FIRST, "Cluster"),
        ],
        now=NOW,
    )
    assert offering == Offering((RECOVERY.public,), ((PEER.public, LabelSelector(LABELS)),))
    assert offering.others(None) == Others((RECOVERY.public,))
    assert offering.others({}) == Others((RECOVERY.public,))
    assert offering.others(LABELS) == Others((RECOVERY.public, PEER.public))


def test_peer_that_selects_everything_gets_nothing_where_labels_are_not_known() -> None:
    offering = Offering.of([published(PEER, "Peer", namespaceSelector={})], now=NOW)
    assert offering.others(None).wanted == ()
    assert offering.others({}).wanted == (PEER.public,)


def test_peer_without_a_selector_gets_nothing() -> None:
    assert Offering.of([published(PEER, "Peer")], now=NOW) == Offering()


@pytest.mark.parametrize("role", ["Recovery", "Peer"])
@pytest.mark.parametrize(
    "fault",
    [
        {"state": "Retired"},
        {"state": "Pending"},
        {"notAfter": format_time(NOW)},
        {"notBefore": format_time(NOW + timedelta(seconds=1))},
        {"publicKey": "made up"},
    ],
    ids=["retired", "pending", "expired", "too early", "malformed"],
)
def test_key_that_is_not_good_is_given_nothing(role: str, fault: dict[str, Any]) -> None:
    item = published(RECOVERY, role, **{"namespaceSelector": {}, **fault})
    assert Offering.of([item], now=NOW) == Offering()


@pytest.mark.parametrize("role", ["Recovery", "Peer", "Cluster"])
def test_key_that_leaked_is_given_nothing_and_known(role: str) -> None:
    offering = Offering.of([published(RECOVERY, role, state="Revoked")], now=NOW)
    assert offering == Offering(revoked=frozenset({RECOVERY.id}))


def test_decision_counts_before_the_status_says_so() -> None:
    item = published(RECOVERY, "Recovery", reason="made up")
    item["spec"]["state"] = "Revoked"
    assert Offering.of([item], now=NOW).revoked == {RECOVERY.id}


# --- what they are offered


def test_entry_that_lacks_a_recovery_key_is_offered_that_alone_and_opens_with_it() -> None:
    manifest = sealed()
    others = Others((RECOVERY.public,))
    decided = plan(observe(manifest, others=others), KEYS, Settings(), now=NOW)
    [(entry, [offer])] = decided.status.rewrapped.items()
    assert offer.key == RECOVERY.id
    one = with_recipients(
        SealedSecret.read(manifest), {entry: [offer]}, dropped=frozenset({RECOVERY.id})
    )
    assert unseal(one, {RECOVERY.id: RECOVERY}).secret.data == {"password": PASSWORD}
    assert unseal(one, {FIRST.id: FIRST}).secret.data == {"password": PASSWORD}
    assert offered(one.to_manifest(), others) == {}


def test_stale_entry_is_offered_the_newest_key_and_what_it_lacks() -> None:
    [keys] = offered(
        sealed(), Others((RECOVERY.public, PEER.public)), keyring(FIRST, SECOND)
    ).values()
    assert keys == [SECOND.id, RECOVERY.id, PEER.id]


def test_registered_key_is_something_to_do_once() -> None:
    cluster, counting, manifest = Cluster(), CountingKey(FIRST), sealed()
    keys, others = keyring(FIRST, counting=counting), Others((RECOVERY.public,))
    cluster.converge(manifest, keys)
    kept = outline(SealedSecret.read(manifest))
    seen = observe({}, status=cluster.status, live=dict(cluster.objects))
    assert not is_done(replace(seen, others=others), keys, Settings(), sealed=kept)
    cluster.converge(manifest, keys, others=others)
    count = counting.count
    cluster.converge(manifest, keys, others=others)
    assert counting.count == count
    cluster.converge(manifest, keys)  # and taken back where it is registered no more
    assert cluster.status.rewrapped == {}


def test_status_has_room_for_so_many_wrapped_keys_and_takes_whole_entries() -> None:
    made = SealedSecret.read(sealed())
    for number in range(MAX_OFFERS):
        made = with_items(made, {f"k{number}": b"0000"}, to=[FIRST.public], now=NOW)
    others = Others((RECOVERY.public, PEER.public))
    found = offered(made.to_manifest(), others, keyring(FIRST, SECOND))
    assert len(found) == MAX_OFFERS // 3
    assert all(len(keys) == 3 for keys in found.values())


def test_nothing_is_offered_without_an_active_key() -> None:
    held = KEYS.keys[0]
    retired = Keyring.of([replace(held, record=replace(held.record, state=KeyState.RETIRED))])
    assert offered(sealed(), Others((RECOVERY.public,)), retired) == {}


# --- what is under a revoked key


@pytest.mark.parametrize("answer", ["", "false", "True"])
def test_entry_under_a_revoked_key_is_not_offered(answer: str) -> None:
    keys = leaked(keyring(FIRST, SECOND))
    manifest = asking(sealed(), answer) if answer else sealed()
    assert offered(manifest, Others((RECOVERY.public,)), keys) == {}


def test_other_entries_of_the_object_are_offered() -> None:
    one = SealedSecret.read(sealed())
    both = with_items(one, {"pin": b"0000"}, to=[PEER.public], now=NOW)
    keys = leaked(keyring(FIRST, PEER, SECOND))
    [keys_offered] = offered(both.to_manifest(), Others(), keys).values()
    assert keys_offered == [SECOND.id]


def test_object_that_asks_is_offered_it_and_stays_exposed() -> None:
    keys = leaked(keyring(FIRST, SECOND))
    cluster, manifest = Cluster(), asking(sealed())
    cluster.converge(manifest, keys)
    assert [each.key for [each] in cluster.status.rewrapped.values()] == [SECOND.id]
    assert cluster.status.is_exposed
    kept = outline(SealedSecret.read(manifest))
    seen = observe({}, status=cluster.status, live=dict(cluster.objects))
    assert is_done(seen, keys, Settings(), sealed=kept)


def test_entry_under_a_revoked_recovery_key_is_not_offered_either() -> None:
    manifest = sealed()
    others = Others(revoked=frozenset({FIRST.id}))
    assert offered(manifest, others, keyring(FIRST, SECOND)) == {}
