"""What a revoked key opens is exposed until it is sealed anew, whatever else becomes of it."""

from __future__ import annotations

from dataclasses import replace

from controller.offering import Others
from controller.reconcile import is_done, outline, plan
from controller.settings import Settings
from controller.status import EXPOSED, READY, Condition, Status
from sealer.crypto.scope import Scope
from sealer.manifests.models import Manifest, Metadata, SealedSecret, Secret
from sealer.resealing import rewrap, with_recipients
from sealer.sealing import seal, with_items
from tests.unit.controller.world import (
    FIRST,
    LATER,
    LATER_STAMP,
    NOW,
    OTHER,
    SECOND,
    STAMP,
    Cluster,
    CountingKey,
    keyring,
    leaked,
    observe,
    sealed,
)

BOTH = keyring(FIRST, SECOND)


def resealed(manifest: Manifest) -> Manifest:
    """The same values, and not under the first key any more."""
    one = SealedSecret.read(manifest)
    entries = [name for name, entry in one.seals.items() if entry.recipients[0].key == FIRST.id]
    new = rewrap(one, {FIRST.id: FIRST}, to=dict.fromkeys(entries, (SECOND.public,)))
    return with_recipients(one, new, dropped=frozenset({FIRST.id})).to_manifest()


def entry_of(manifest: Manifest) -> str:
    [entry] = SealedSecret.read(manifest).seals
    return entry


def exposed(status: Status) -> Condition:
    condition = status.condition(EXPOSED)
    assert condition is not None
    return condition


def test_object_that_was_never_exposed_says_nothing_of_it() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), BOTH)
    assert [condition.type for condition in cluster.status.conditions] == [READY]
    assert "exposed" not in cluster.status.to_manifest()


def test_object_under_a_revoked_key_is_exposed_and_stays_open() -> None:
    cluster, manifest = Cluster(), sealed({"password": b"made-up", "user": b"made-up"})
    cluster.converge(manifest, BOTH)
    writes = cluster.writes
    cluster.converge(manifest, leaked(BOTH))
    assert cluster.status.is_ready
    assert exposed(cluster.status) == Condition(
        type="Exposed",
        status=True,
        reason="UnderRevokedKey",
        message=(
            "rotate these values and seal them anew, a reseal is not enough: "
            f"password, user (sealed to revoked key {FIRST.id})"
        ),
        observed_generation=1,
        since=STAMP,
    )
    assert cluster.status.exposed == {entry_of(manifest): FIRST.id}
    assert cluster.writes == writes


def test_what_is_exposed_already_takes_no_key() -> None:
    cluster, manifest, counting = Cluster(), sealed(), CountingKey(FIRST)
    cluster.converge(manifest, leaked(BOTH))
    again = leaked(keyring(FIRST, SECOND, counting=counting))
    assert cluster.converge(manifest, again).status == cluster.status
    assert counting.count == 0


def test_reseal_does_not_end_it() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, leaked(BOTH))
    cluster.converge(resealed(manifest), leaked(BOTH), generation=2)
    assert cluster.status.is_exposed
    assert exposed(cluster.status).observed_generation == 2
    assert cluster.status.exposed == {entry_of(manifest): FIRST.id}
    assert cluster.status.keys == (SECOND.id,)


def test_key_that_is_gone_from_the_keyring_does_not_end_it() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, leaked(BOTH))
    cluster.converge(resealed(manifest), keyring(SECOND), generation=2)
    assert cluster.status.is_exposed


def test_status_that_was_read_again_remembers() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, leaked(BOTH))
    cluster.status = Status.read(cluster.status.to_manifest(), namespace="shop")
    cluster.converge(resealed(manifest), keyring(SECOND), generation=2)
    assert cluster.status.is_exposed


def test_it_ends_when_the_last_value_is_sealed_anew() -> None:
    cluster, manifest = Cluster(), sealed({"password": b"made-up", "user": b"made-up"})
    one = SealedSecret.read(manifest)
    half = with_items(one, {"password": b"another made-up"}, to=[SECOND.public], now=NOW)
    whole = with_items(half, {"user": b"another made-up"}, to=[SECOND.public], now=NOW)
    cluster.converge(manifest, leaked(BOTH))
    cluster.converge(half.to_manifest(), leaked(BOTH), generation=2)
    assert "user (sealed to" in exposed(cluster.status).message
    assert "password" not in exposed(cluster.status).message
    seen = observe(whole.to_manifest(), status=cluster.status, generation=3)
    status = plan(seen, leaked(BOTH), Settings(), now=LATER).status
    assert exposed(status) == Condition(
        type="Exposed",
        status=False,
        reason="SealedAnew",
        message="nothing in it is exposed any more",
        observed_generation=3,
        since=LATER_STAMP,
    )
    assert status.exposed == {}
    assert "exposed" not in status.to_manifest()


def test_end_of_it_is_something_to_do_once() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, leaked(BOTH))
    anew = with_items(
        SealedSecret.read(manifest), {"password": b"another"}, to=[SECOND.public], now=NOW
    ).to_manifest()
    cluster.converge(anew, leaked(BOTH), generation=2)
    seen = observe(anew, status=cluster.status, generation=2, live=dict(cluster.objects))
    assert not cluster.status.is_exposed
    assert is_done(seen, leaked(BOTH), Settings())
    assert plan(seen, leaked(BOTH), Settings(), now=LATER).status == cluster.status


def test_object_that_does_not_open_is_exposed_all_the_same() -> None:
    manifest = seal(
        Secret(metadata=Metadata(namespace="shop", name="db"), data={"password": b"made-up"}),
        to=[OTHER.public, FIRST.public],
        scope=Scope.STRICT,
        now=LATER,
    ).to_manifest()
    keys = leaked(keyring(SECOND, FIRST))
    late = replace(keys.keys[1].record, revoked_at=NOW)
    keys = keys.changed(replace(keys.keys[1], record=late))
    decided = plan(observe(manifest), keys, Settings(), now=LATER)
    assert decided.error is not None
    ready = decided.status.condition(READY)
    assert ready is not None
    assert ready.reason == "KeyRevoked"
    assert decided.status.is_exposed


def test_manifest_that_cannot_be_read_forgets_nothing() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, leaked(BOTH))
    before = cluster.status
    cluster.converge({**manifest, "spec": "made up"}, leaked(BOTH), generation=2)
    assert not cluster.status.is_ready
    assert exposed(cluster.status) == exposed(before)
    assert cluster.status.exposed == before.exposed


def test_revoked_recovery_key_exposes_too() -> None:
    one = SealedSecret.read(sealed())
    [(entry_id, entry)] = one.seals.items()
    to = rewrap(one, {FIRST.id: FIRST}, to={entry_id: (OTHER.public,)})
    manifest = with_recipients(one, to, dropped=frozenset()).to_manifest()
    assert len(entry.recipients) == 1
    others = Others(revoked=frozenset({OTHER.id}))
    decided = plan(observe(manifest, others=others), keyring(FIRST), Settings(), now=NOW)
    assert decided.status.exposed == {entry_id: OTHER.id}


def test_outline_of_an_object_is_enough_to_tell() -> None:
    cluster, manifest = Cluster(), sealed()
    cluster.converge(manifest, BOTH)
    kept = outline(SealedSecret.read(manifest))
    seen = observe({}, status=cluster.status, live=dict(cluster.objects))
    assert is_done(seen, BOTH, Settings(), sealed=kept)
    assert not is_done(seen, leaked(BOTH), Settings(), sealed=kept)


def test_message_names_some_of_many_items_and_every_key() -> None:
    one = SealedSecret.read(sealed({f"item-{number:02}": b"made-up" for number in range(12)}))
    both = with_items(one, {"other": b"made-up"}, to=[SECOND.public], now=NOW).to_manifest()
    keys = leaked(leaked(keyring(FIRST, SECOND, OTHER)), SECOND)
    message = exposed(plan(observe(both), keys, Settings(), now=NOW).status).message
    assert f"item-09 and 2 more (sealed to revoked key {FIRST.id})" in message
    assert f"other (sealed to revoked key {SECOND.id})" in message


def test_message_fits() -> None:
    many = sealed({f"{number:02}{'x' * 240}": b"made-up" for number in range(12)})
    message = exposed(plan(observe(many), leaked(BOTH), Settings(), now=NOW).status).message
    assert len(message) == 1024
    assert message.endswith("…")
