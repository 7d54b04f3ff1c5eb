"""The plan: what is there, keys and time in; actions and status out, compared as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from controller.reconcile import Plan, conclude, is_done, outline, plan
from controller.settings import Settings
from controller.status import Condition, Status, Written
from controller.targets import Create, Delete, Live, Owner, Replace
from sealer.crypto.keys import UnsealingKey
from sealer.crypto.scope import Scope
from sealer.errors import KeyProviderError
from sealer.keyring import Keyring
from sealer.manifests.models import Manifest, Recipient, SealedSecret, SharedSecret
from sealer.opening import unseal
from sealer.resealing import with_recipients
from sealer.sealing import with_items
from tests.unit.controller.world import (
    FIRST,
    LABELS,
    LATER,
    LATER_STAMP,
    NOW,
    OTHER,
    OWNER,
    PASSWORD,
    SECOND,
    SECRET_REF,
    SHARED_REF,
    STAMP,
    UID,
    Cluster,
    CountingKey,
    keyring,
    live,
    observe,
    sealed,
    secret,
    without,
)

KEYS = keyring(FIRST)
SETTINGS = Settings()
SECRET_MANIFEST: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "shop", "labels": LABELS},
    "type": "Opaque",
    "data": {"password": "bWFkZS11cCBwYXNzd29yZA=="},
}
SHARED_MANIFEST: Manifest = {
    "apiVersion": "sealer.dev/v1alpha1",
    "kind": "SharedSecret",
    "metadata": {"name": "db", "namespace": "shop", "labels": LABELS},
    "spec": {"displayName": "Database"},
}


def ready(message: str = "1 item", *, generation: int = 1, since: str = STAMP) -> Condition:
    return Condition(
        type="Ready",
        status=True,
        reason="Opened",
        message=message,
        observed_generation=generation,
        since=since,
    )


def fails(manifest: Manifest, keys: Keyring = KEYS, settings: Settings = SETTINGS) -> Condition:
    """The Ready condition of an object that is expected not to open, with nothing done."""
    decided = plan(observe(manifest), keys, settings, now=NOW)
    assert decided.error is not None
    assert decided.actions == ()
    [condition, *_] = decided.status.conditions
    assert not condition.status
    return condition


# --- what is made


def test_new_object_becomes_a_secret() -> None:
    assert plan(observe(sealed()), KEYS, SETTINGS, now=NOW) == Plan(
        actions=(Create(ref=SECRET_REF, manifest=SECRET_MANIFEST, owner=OWNER),),
        status=Status(observed_generation=1, conditions=(ready(),), keys=(FIRST.id,)),
        wants=(SECRET_REF,),
    )


def test_shared_secret_comes_out_as_its_own_object_and_the_secret_of_its_values() -> None:
    manifest = sealed(shared=True, display_name="Database")
    assert plan(observe(manifest), KEYS, SETTINGS, now=NOW) == Plan(
        actions=(
            Create(ref=SHARED_REF, manifest=SHARED_MANIFEST, owner=OWNER),
            Create(ref=SECRET_REF, manifest=SECRET_MANIFEST, owner=Owner("SharedSecret", "db", "")),
        ),
        status=Status(observed_generation=1, conditions=(ready(),), keys=(FIRST.id,)),
        wants=(SECRET_REF, SHARED_REF),
    )


def test_templates_and_everything_else_of_the_template_come_out() -> None:
    manifest = sealed(
        {"user": b"made-up", "pin": b"0000"},
        type="example.com/db",
        immutable=True,
        labels={"app": "shop"},
        annotations={"note": "x"},
        data={"URL": "db://{{ user }}:{{ pin }}@db"},
    )
    decided = plan(observe(manifest), KEYS, SETTINGS, now=NOW)
    [action] = decided.actions
    assert isinstance(action, Create)
    assert action.manifest == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": "db",
            "namespace": "shop",
            "labels": {**LABELS, "app": "shop"},
            "annotations": {"note": "x"},
        },
        "type": "example.com/db",
        "immutable": True,
        "data": {
            "URL": "ZGI6Ly9tYWRlLXVwOjAwMDBAZGI=",
            "pin": "MDAwMA==",
            "user": "bWFkZS11cA==",
        },
    }
    assert decided.status.conditions == (ready("3 items"),)


def test_object_without_items_becomes_an_empty_secret() -> None:
    decided = plan(observe(sealed({})), KEYS, SETTINGS, now=NOW)
    assert decided.status.conditions == (ready("0 items"),)
    assert decided.status.keys == ()


def test_no_repr_of_a_plan_shows_a_value() -> None:
    shown = repr(plan(observe(sealed()), KEYS, SETTINGS, now=NOW))
    assert "bWFkZS11cC" not in shown
    assert "made-up" not in shown


# --- what is true already costs nothing


@pytest.mark.parametrize("shared", [False, True], ids=["Secret", "SharedSecret"])
def test_restart_decrypts_nothing_and_writes_nothing(*, shared: bool) -> None:
    counting = CountingKey(FIRST)
    keys = keyring(FIRST, counting=counting)
    manifest = sealed(shared=shared)
    cluster = Cluster()
    cluster.converge(manifest, keys)
    assert counting.count == 1
    known, writes = cluster.status, cluster.writes
    # After a restart the status is what stands in the object.
    cluster.status = Status.read(known.to_manifest(), namespace="shop")
    decided = cluster.converge(manifest, keys)
    assert decided == Plan(status=known, wants=decided.wants)
    assert (counting.count, cluster.writes, cluster.status) == (1, writes, known)


def test_what_is_done_is_told_without_the_content_of_the_secret() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    glimpse = {SECRET_REF: replace(cluster.objects[SECRET_REF], secret=None)}
    observed = observe(sealed(), status=cluster.status, live=glimpse)
    assert is_done(observed, keyring(), SETTINGS)


def test_secret_that_was_touched_and_is_right_is_only_remembered_anew() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    cluster.touch(SECRET_REF)
    decided = cluster.converge(sealed(), KEYS)
    assert (decided.actions, cluster.writes) == ((), 1)
    assert is_done(observe(sealed(), status=cluster.status, live=cluster.objects), KEYS, SETTINGS)


def test_moved_to_another_file_keeps_its_secret() -> None:
    cluster = Cluster()
    manifest = sealed()
    cluster.converge(manifest, KEYS, generation=1)
    before = cluster.objects[SECRET_REF]
    cluster.converge(manifest, KEYS, generation=2)
    assert cluster.objects[SECRET_REF] is before
    assert cluster.status.observed_generation == 2


@pytest.mark.parametrize(
    "change",
    [
        lambda seen: replace(seen, generation=2),
        lambda seen: replace(seen, live={}),
        lambda seen: replace(seen, status=Status()),
        lambda seen: replace(seen, status=replace(seen.status, written=())),
        lambda seen: replace(seen, live={SECRET_REF: replace(seen.live[SECRET_REF], uid="x")}),
        lambda seen: replace(
            seen, live={SECRET_REF: replace(seen.live[SECRET_REF], resource_version="x")}
        ),
        lambda seen: replace(seen, manifest={"kind": "SealedSecret"}),
        lambda seen: replace(seen, manifest=sealed(shared=True)),
    ],
    ids=[
        "generation",
        "secret gone",
        "status lost",
        "nothing written",
        "another uid",
        "another version",
        "malformed",
        "another kind",
    ],
)
def test_any_change_is_something_to_do(change: Callable[[Any], Any]) -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    seen = observe(sealed(), status=cluster.status, live=cluster.objects)
    assert is_done(seen, KEYS, SETTINGS)
    assert not is_done(change(seen), KEYS, SETTINGS)


def test_scope_that_is_no_longer_allowed_is_something_to_do() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    seen = observe(sealed(), status=cluster.status, live=cluster.objects)
    settings = Settings(allowed_scopes=frozenset({Scope.CLUSTER_WIDE}))
    assert not is_done(seen, KEYS, settings)


def test_outline_is_enough_to_tell_what_is_done() -> None:
    for shared in (False, True):
        cluster = Cluster()
        manifest = sealed(shared=shared)
        cluster.converge(manifest, keyring(FIRST, SECOND))
        short = outline(SealedSecret.read(manifest))
        seen = observe({}, status=cluster.status.outline(), live=cluster.objects)
        assert is_done(seen, keyring(FIRST, SECOND), SETTINGS, sealed=short)
        assert not is_done(seen, keyring(FIRST, SECOND, OTHER), SETTINGS, sealed=short)


# --- drift


@pytest.mark.parametrize("shared", [False, True], ids=["Secret", "SharedSecret"])
def test_drift_of_the_secret_is_repaired(*, shared: bool) -> None:
    cluster = Cluster()
    manifest = sealed(shared=shared)
    cluster.converge(manifest, KEYS)
    cluster.touch(SECRET_REF, secret=secret(data={"password": b"changed by hand"}))
    cluster.converge(manifest, KEYS)
    assert cluster.objects[SECRET_REF].secret == secret()


@pytest.mark.parametrize("shared", [False, True], ids=["Secret", "SharedSecret"])
def test_secret_that_was_deleted_comes_back(*, shared: bool) -> None:
    cluster = Cluster()
    manifest = sealed(shared=shared)
    cluster.converge(manifest, KEYS)
    del cluster.objects[SECRET_REF]
    cluster.converge(manifest, KEYS)
    assert cluster.objects[SECRET_REF].secret == secret()


def test_drift_of_the_shared_secret_is_repaired() -> None:
    cluster = Cluster()
    manifest = sealed(shared=True, display_name="Database")
    cluster.converge(manifest, KEYS)
    right = cluster.objects[SHARED_REF].shared
    assert isinstance(right, SharedSecret)
    cluster.touch(SHARED_REF, shared=replace(right, display_name="Changed"))
    decided = cluster.converge(manifest, KEYS)
    assert [type(action) for action in decided.actions] == [Replace]
    assert cluster.objects[SHARED_REF].shared == right


def test_shared_secret_that_was_deleted_comes_back_with_its_secret() -> None:
    cluster = Cluster()
    manifest = sealed(shared=True)
    cluster.converge(manifest, KEYS)
    cluster.objects.clear()
    cluster.converge(manifest, KEYS)
    assert set(cluster.objects) == {SECRET_REF, SHARED_REF}


def test_shared_secret_taken_by_another_owner_is_something_to_do_and_stalls() -> None:
    cluster = Cluster()
    manifest = sealed(shared=True)
    cluster.converge(manifest, KEYS)
    cluster.touch(SHARED_REF, owners=frozenset({"another"}))
    decided = cluster.converge(manifest, KEYS)
    assert decided.actions == ()
    assert cluster.status.conditions[0].reason == "NotOwned"


@pytest.mark.parametrize("shared", [False, True], ids=["Secret now", "SharedSecret still"])
def test_secret_whose_shared_secret_went_does_not_wait_for_garbage_collection(
    *, shared: bool
) -> None:
    cluster = Cluster()
    cluster.converge(sealed(shared=True), KEYS)
    del cluster.objects[SHARED_REF]
    decided = cluster.converge(sealed(shared=shared), KEYS, generation=2)
    assert decided.actions[0] == Delete(ref=SECRET_REF, uid="uid-3")
    assert cluster.status.is_ready


# --- changes of kind and type


def test_secret_becomes_a_shared_secret_and_back() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    there = cluster.converge(sealed(shared=True), KEYS, generation=2)
    assert [(type(a), a.ref) for a in there.actions] == [
        (Delete, SECRET_REF),
        (Create, SHARED_REF),
        (Create, SECRET_REF),
    ]
    assert cluster.objects[SECRET_REF].owners == {cluster.objects[SHARED_REF].uid}
    back = cluster.converge(sealed(), KEYS, generation=3)
    # The garbage collector has or has not been there; here it was not yet.
    assert [(type(a), a.ref) for a in back.actions] == [
        (Delete, SHARED_REF),
        (Delete, SECRET_REF),
        (Create, SECRET_REF),
    ]


def test_value_sealed_for_one_kind_does_not_become_the_other() -> None:
    manifest = sealed()
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    altered = {**manifest, "spec": {**spec, "template": {"kind": "SharedSecret"}}}
    assert fails(altered).reason == "WrongBinding"


def test_changed_type_deletes_what_is_owned_and_makes_it_anew() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    decided = cluster.converge(sealed(type="example.com/db"), KEYS, generation=2)
    assert [type(action) for action in decided.actions] == [Delete, Create]


# --- what belongs to somebody else


def test_foreign_secret_stalls_and_is_left_alone() -> None:
    decided = plan(observe(sealed(), live={SECRET_REF: live(secret())}), KEYS, SETTINGS, now=NOW)
    assert decided.actions == ()
    assert [(c.type, c.status, c.reason) for c in decided.status.conditions] == [
        ("Ready", False, "NotOwned"),
        ("Stalled", True, "NotOwned"),
    ]
    assert "sealer.dev/managed" in decided.status.conditions[0].message


def test_foreign_secret_keeps_a_shared_secret_from_being_half_made() -> None:
    there = {SECRET_REF: live(secret())}
    decided = plan(observe(sealed(shared=True), live=there), KEYS, SETTINGS, now=NOW)
    assert decided.actions == ()


def test_foreign_shared_secret_of_the_name_does_not_matter_to_a_secret() -> None:
    cluster = Cluster()
    metadata = secret().metadata
    cluster.objects[SHARED_REF] = live(SharedSecret(metadata=metadata))
    cluster.converge(sealed(), KEYS)
    assert cluster.status.is_ready
    assert SHARED_REF in cluster.objects


def test_shared_secret_that_went_without_its_secret_is_finished() -> None:
    cluster = Cluster()
    cluster.converge(sealed(shared=True), KEYS)
    # The Secret belongs to somebody else by now: only the SharedSecret goes, and then it stalls.
    cluster.touch(SECRET_REF, owners=frozenset({"another"}))
    decided = cluster.converge(sealed(), KEYS, generation=2)
    assert decided.actions == ()
    assert cluster.status.conditions[0].reason == "NotOwned"


# --- what cannot be opened is a plan too


def test_failure_says_what_is_the_matter_and_does_nothing() -> None:
    decided = plan(observe(sealed(to=OTHER)), KEYS, SETTINGS, now=NOW)
    message = (
        f"key password: sealed to {OTHER.id}, and no such key is here; "
        "restore that key, or seal the value anew to a key that is here"
    )
    broken = Condition(
        type="Ready",
        status=False,
        reason="UnknownKey",
        message=message,
        observed_generation=1,
        since=STAMP,
    )
    stalled = replace(broken, type="Stalled", status=True)
    assert decided.error is not None
    assert decided == Plan(
        status=Status(observed_generation=1, conditions=(broken, stalled)), error=decided.error
    )
    assert conclude(decided, {}, {SECRET_REF: live(secret())}) == decided.status


def test_what_was_open_before_a_failure_stays_as_it_is() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    before = dict(cluster.objects)
    cluster.converge(sealed(to=OTHER), KEYS, generation=2)
    assert cluster.objects == before
    assert cluster.status.written != ()
    assert not cluster.status.is_ready


def test_value_moved_to_another_name_is_refused() -> None:
    manifest = {**sealed(place=("shop", "other")), "metadata": sealed()["metadata"]}
    condition = fails(manifest)
    assert (condition.reason, condition.message.split(":")[0]) == ("WrongBinding", "key password")


def test_template_error_names_the_key_and_no_value() -> None:
    condition = fails(sealed(data={"URL": "{{ pasword }}"}))
    assert condition.reason == "InvalidTemplate"
    assert condition.message.startswith("key template.data.URL: line 1: ")
    assert "made-up" not in condition.message


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ({"kind": "SealedSecret"}, "InvalidManifest"),
        ({**sealed(), "extra": 1}, "InvalidManifest"),
        (without(sealed(scope=Scope.CLUSTER_WIDE), "metadata", "namespace"), "InvalidManifest"),
        (sealed(type="kubernetes.io/service-account-token"), "Refused"),
    ],
    ids=["no object", "unknown field", "no namespace", "refused type"],
)
def test_what_is_wrong_with_a_manifest_is_its_reason(manifest: Manifest, reason: str) -> None:
    assert fails(manifest).reason == reason


def test_scope_that_is_not_allowed_is_refused_before_anything_is_opened() -> None:
    counting = CountingKey(FIRST)
    settings = Settings(allowed_scopes=frozenset({Scope.STRICT, Scope.NAMESPACE_WIDE}))
    keys = keyring(FIRST, counting=counting)
    condition = fails(sealed(scope=Scope.CLUSTER_WIDE), keys, settings)
    assert condition.reason == "Refused"
    assert condition.message == (
        "key spec.scope: scope cluster-wide is not allowed here; "
        "seal it with scope namespace-wide or strict"
    )
    assert counting.count == 0


def test_controllers_own_namespace_is_refused_unless_allowed() -> None:
    manifest = sealed(place=("sealer-system", "db"))
    assert fails(manifest).reason == "Refused"
    allowed = Settings(allow_own_namespace=True)
    place = {"namespace": "sealer-system", "name": "db"}
    decided = plan(observe(manifest, **place), KEYS, allowed, now=NOW)
    assert decided.error is None


def test_transient_failure_does_not_stall() -> None:
    class Absent:
        id = FIRST.id

        def unwrap(self, wrapped: bytes, *, info: bytes) -> bytes:
            raise KeyProviderError(f"no answer to {len(wrapped)} and {len(info)} bytes")

    held = replace(KEYS.keys[0], unwrapper=Absent())
    decided = plan(observe(sealed()), Keyring((held,)), SETTINGS, now=NOW)
    assert [condition.type for condition in decided.status.conditions] == ["Ready"]


def test_mended_object_is_ready_from_then_on() -> None:
    cluster = Cluster()
    cluster.converge(sealed(to=OTHER), KEYS)
    seen = observe(sealed(), status=cluster.status, generation=2)
    decided = plan(seen, KEYS, SETTINGS, now=LATER)
    assert decided.status.conditions == (ready(generation=2, since=LATER_STAMP),)


# --- what is offered for resealing


def stale_manifest() -> Manifest:
    """Two entries: one to the first key, one to the second."""
    first = SealedSecret.read(sealed())
    return with_items(first, {"pin": b"0000"}, to=[SECOND.public], now=NOW).to_manifest()


def test_stale_entry_is_offered_to_the_newest_key_and_opens_with_it() -> None:
    keys = keyring(FIRST, SECOND)
    manifest = stale_manifest()
    decided = plan(observe(manifest), keys, SETTINGS, now=NOW)
    [(entry, [offer])] = decided.status.rewrapped.items()
    assert offer.key == SECOND.id
    sealed_there = SealedSecret.read(manifest)
    resealed = with_recipients(sealed_there, {entry: [offer]}, dropped=frozenset({FIRST.id}))
    assert unseal(resealed, {SECOND.id: SECOND}).secret.data["password"] == PASSWORD


def test_what_is_on_the_newest_key_is_not_offered() -> None:
    keys = keyring(SECOND, FIRST)
    assert plan(observe(sealed()), keys, SETTINGS, now=NOW).status.rewrapped == {}


def test_nothing_is_offered_where_the_setting_says_so() -> None:
    settings = Settings(offer_rewrapped=False)
    decided = plan(observe(sealed()), keyring(FIRST, SECOND), settings, now=NOW)
    assert decided.status.rewrapped == {}


def test_no_more_is_offered_at_a_time_than_a_status_has_room_for_and_that_is_done() -> None:
    made = SealedSecret.read(sealed())
    for number in range(40):
        made = with_items(made, {f"k{number}": b"0000"}, to=[FIRST.public], now=NOW)
    cluster = Cluster()
    cluster.converge(made.to_manifest(), keyring(FIRST, SECOND))
    assert len(made.seals) == 41
    assert len(cluster.status.rewrapped) == 32
    counting = CountingKey(FIRST)
    cluster.converge(made.to_manifest(), keyring(FIRST, SECOND, counting=counting))
    assert counting.count == 0


def test_newer_key_is_something_to_do_once() -> None:
    cluster = Cluster()
    cluster.converge(sealed(), KEYS)
    renewed = keyring(FIRST, SECOND)
    manifest = sealed()
    cluster.converge(manifest, KEYS, generation=2)
    cluster.converge(manifest, renewed, generation=2)
    offered = cluster.status.rewrapped
    assert [each.key for [each] in offered.values()] == [SECOND.id]
    counting = CountingKey(FIRST)
    cluster.converge(manifest, keyring(FIRST, SECOND, counting=counting), generation=2)
    assert counting.count == 0
    assert cluster.status.rewrapped == offered


def test_offer_that_still_holds_stays_as_it_is() -> None:
    cluster = Cluster()
    manifest = sealed()
    keys = keyring(FIRST, SECOND)
    cluster.converge(manifest, keys)
    offered = cluster.status.rewrapped
    cluster.converge(manifest, keys, generation=2)
    assert cluster.status.rewrapped == offered


def test_unused_entry_is_neither_offered_nor_in_the_way() -> None:
    manifest = sealed()
    spec = manifest["spec"]
    assert isinstance(spec, dict)
    seals = spec["seals"]
    assert isinstance(seals, dict)
    [(used, entry)] = seals.items()
    garbage = {**entry, "recipients": [{"key": FIRST.id, "wrapped": "A" * 1556 + "AA=="}]}
    broken = {**manifest, "spec": {**spec, "seals": {used: entry, "aaaaaaaa": garbage}}}
    keys = keyring(FIRST, SECOND)
    decided = plan(observe(broken), keys, SETTINGS, now=NOW)
    assert decided.error is None
    assert set(decided.status.rewrapped) == {used}


def test_keyring_without_an_active_key_takes_an_offer_back() -> None:
    offered = Status(rewrapped={"aaaaaaaa": (Recipient(SECOND.id, ""),)})
    seen = observe(sealed({}), status=offered)
    assert plan(seen, keyring(), SETTINGS, now=NOW).status.rewrapped == {}


# --- interrupted


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, sealed()),
        (None, sealed(shared=True)),
        (sealed(), sealed(shared=True)),
        (sealed(shared=True), sealed()),
        (sealed(), sealed(type="example.com/db")),
        (sealed({"pin": b"0000"}), sealed({"pin": b"1111"})),
        (sealed(immutable=True), sealed({"pin": b"1"}, immutable=True)),
    ],
    ids=["new", "new shared", "to shared", "from shared", "type", "value", "immutable"],
)
def test_interrupted_between_any_two_actions_the_next_look_finishes(
    before: Manifest | None, after: Manifest
) -> None:
    undisturbed = _after(before, after, stop=None)
    for stop in range(4):
        interrupted = _after(before, after, stop=stop)
        assert _content(interrupted) == _content(undisturbed)
        assert interrupted.status.conditions == undisturbed.status.conditions


def _after(before: Manifest | None, after: Manifest, *, stop: int | None) -> Cluster:
    cluster = Cluster()
    if before is not None:
        cluster.converge(before, KEYS, generation=1)
    if stop is not None:  # some of the actions are done, and nothing is remembered of them
        seen = observe(after, status=cluster.status, live=dict(cluster.objects), generation=2)
        cluster.apply(plan(seen, KEYS, SETTINGS, now=NOW).actions[:stop])
    cluster.converge(after, KEYS, generation=2)
    return cluster


def _content(cluster: Cluster) -> set[tuple[object, ...]]:
    def show(item: Live) -> tuple[object, ...]:
        content = item.secret or item.shared
        assert content is not None
        data = sorted(item.secret.data.items()) if item.secret else []
        owned = item.owners == {UID} or item.owners == {cluster.objects[SHARED_REF].uid}
        return (item.ref, str(data), getattr(content, "type", ""), owned)

    return {show(item) for item in cluster.objects.values()}


def test_what_was_written_wins_over_what_was_seen() -> None:
    decided = plan(observe(sealed(shared=True)), KEYS, SETTINGS, now=NOW)
    fresh = Written(ref=SECRET_REF, uid="new", resource_version="2")
    seen = {
        SECRET_REF: live(secret()),
        SHARED_REF: live(SharedSecret(metadata=secret().metadata)),
    }
    assert conclude(decided, {SECRET_REF: fresh}, seen).written == (
        fresh,
        Written(ref=SHARED_REF, uid="uid-of-shared", resource_version="7"),
    )


def test_every_key_of_a_ring_opens_whatever_its_state() -> None:
    for key in (FIRST, SECOND, OTHER):
        assert plan(observe(sealed(to=key)), _all(), SETTINGS, now=NOW).error is None


def _all() -> Keyring:
    return keyring(*(UnsealingKey(key.seed) for key in (FIRST, SECOND, OTHER)))
