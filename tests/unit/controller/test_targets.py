"""Desired and live objects compared: what is done about the difference, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.bitnami_targets import owner_of
from controller.targets import (
    Create,
    Delete,
    Live,
    Owner,
    Replace,
    owned_manifest,
    secret_actions,
    secret_manifest,
    shared_actions,
)
from sealer.errors import NotOwned
from sealer.manifests.models import AccessRule, Manifest, Metadata, SharedSecret
from tests.unit.controller.world import (
    LABELS,
    OWNER,
    PASSWORD,
    SECRET_REF,
    SHARED_REF,
    UID,
    live,
    secret,
)

OWNED = frozenset({UID})
MANIFEST: Manifest = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "db", "namespace": "shop", "labels": LABELS},
    "type": "Opaque",
    "data": {"password": "bWFkZS11cCBwYXNzd29yZA=="},
}
SHARED = SharedSecret(metadata=Metadata(namespace="shop", name="db"), display_name="Database")
LABELLED = replace(SHARED, metadata=replace(SHARED.metadata, labels=LABELS))


def described(labels: dict[str, str], annotations: dict[str, str] | None = None) -> Metadata:
    return Metadata(
        namespace="shop", name="db", labels={**LABELS, **labels}, annotations=annotations or {}
    )


def annotated(**annotations: str) -> Metadata:
    keys = {f"sealer.dev/{name}": value for name, value in annotations.items()}
    return Metadata(namespace="shop", name="db", annotations=keys)


def replacement(manifest: Manifest, *, owner: Owner | None = OWNER) -> Replace:
    return Replace(
        ref=SECRET_REF,
        manifest=manifest,
        owner=owner,
        uid="uid-of-secret",
        resource_version="7",
    )


def only_replacement(desired: Any, there: Live) -> Replace:  # noqa: ANN401 - a Secret
    [action] = secret_actions(desired, there, OWNER)
    assert isinstance(action, Replace)
    return action


# --- Secrets


def test_secret_that_is_not_there_is_made() -> None:
    assert secret_actions(secret(), None, OWNER) == [
        Create(ref=SECRET_REF, manifest=MANIFEST, owner=OWNER)
    ]


def test_secret_that_is_right_is_left_alone() -> None:
    assert secret_actions(secret(), live(secret(), owners=OWNED), OWNER) == []


def test_changed_value_of_an_owned_secret_is_put_right() -> None:
    there = live(secret(data={"password": b"changed by hand", "extra": b"x"}), owners=OWNED)
    assert secret_actions(secret(), there, OWNER) == [replacement(MANIFEST)]


def test_foreign_secret_is_refused_with_the_way_out() -> None:
    with pytest.raises(NotOwned, match="Secret shop/db exists and is not owned") as caught:
        secret_actions(secret(), live(secret(), owners=frozenset({"another"})), OWNER)
    assert 'sealer.dev/managed: "true"' in caught.value.hint


@pytest.mark.parametrize("word", ["True", "yes", ""])
def test_only_the_word_true_gives_a_secret_away(word: str) -> None:
    for there in (annotated(managed=word), annotated(patch=word)):
        with pytest.raises(NotOwned):
            secret_actions(secret(), live(secret(metadata=there)), OWNER)


def test_managed_secret_is_taken_over_and_loses_its_data() -> None:
    there = live(secret(metadata=annotated(managed="true"), data={"old": b"x"}))
    metadata: Manifest = {
        "name": "db",
        "namespace": "shop",
        "labels": LABELS,
        "annotations": {"sealer.dev/managed": "true"},
    }
    expected = replacement({**MANIFEST, "metadata": metadata})
    assert secret_actions(secret(), there, OWNER) == [expected]


def test_managed_secret_with_the_right_content_is_taken_over_all_the_same() -> None:
    there = live(secret(metadata=described({}, {"sealer.dev/managed": "true"})))
    assert only_replacement(secret(), there).owner == OWNER


def test_patched_secret_keeps_its_data_and_its_owner() -> None:
    there = live(
        secret(
            metadata=annotated(patch="true"),
            data={"password": b"theirs", "other": b"x"},
            type="example.com/x",
        )
    )
    action = only_replacement(secret(), there)
    assert action.owner is None
    assert action.manifest["data"] == {"password": MANIFEST["data"]["password"], "other": "eA=="}  # type: ignore[index,call-overload]
    assert action.manifest["type"] == "example.com/x"


def test_patched_secret_that_has_it_all_is_left_alone() -> None:
    metadata = described({}, {"sealer.dev/patch": "true"})
    there = live(secret(metadata=metadata, data={"password": PASSWORD, "other": b"x"}))
    assert secret_actions(secret(), there, OWNER) == []


def test_item_that_was_patched_in_goes_with_the_manifests() -> None:
    metadata = described({}, {"sealer.dev/patch": "true"})
    data = {"password": PASSWORD, "former": b"x", "theirs": b"y"}
    there = live(secret(metadata=metadata, data=data), patched=frozenset({"password", "former"}))
    data_after = only_replacement(secret(), there).manifest["data"]
    assert isinstance(data_after, dict)
    assert set(data_after) == {"password", "theirs"}


def test_managed_and_patched_secret_is_ours_and_keeps_its_data() -> None:
    there = live(secret(metadata=annotated(managed="true", patch="true"), data={"other": b"x"}))
    action = only_replacement(secret(), there)
    assert action.owner == OWNER
    data = action.manifest["data"]
    assert isinstance(data, dict)
    assert set(data) == {"other", "password"}


def test_labels_of_others_stay_and_ours_follow_the_manifest() -> None:
    there = live(
        secret(metadata=described({"team": "theirs", "tier": "gold"}, {"note": "old"})),
        owners=OWNED,
        ours=frozenset({"tier", "note", *LABELS}),
    )
    action = only_replacement(secret(metadata=described({"app": "shop"})), there)
    assert action.manifest["metadata"] == {
        "name": "db",
        "namespace": "shop",
        "labels": {**LABELS, "team": "theirs", "app": "shop"},
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"type": "example.com/old"}, {}),
        ({"immutable": True, "data": {"password": b"old"}}, {"immutable": True}),
        ({"immutable": True}, {}),
    ],
    ids=["another type", "immutable with other data", "no longer immutable"],
)
def test_what_cannot_be_updated_is_deleted_and_made_anew(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    desired = secret(**after)
    assert secret_actions(desired, live(secret(**before), owners=OWNED), OWNER) == [
        Delete(ref=SECRET_REF, uid="uid-of-secret"),
        Create(ref=SECRET_REF, manifest=secret_manifest(desired), owner=OWNER),
    ]


def test_immutable_secret_that_is_right_is_left_alone() -> None:
    there = live(secret(immutable=True), owners=OWNED)
    assert secret_actions(secret(immutable=True), there, OWNER) == []


def test_labels_of_an_immutable_secret_can_be_updated() -> None:
    there = live(secret(immutable=True, metadata=described({"old": "x"})), owners=OWNED)
    action = only_replacement(
        secret(immutable=True), replace(there, ours=frozenset({"old", *LABELS}))
    )
    assert action.manifest["immutable"] is True


def test_secret_can_become_immutable() -> None:
    action = only_replacement(secret(immutable=True), live(secret(), owners=OWNED))
    assert action.manifest["immutable"] is True


def test_what_is_not_owned_is_never_deleted() -> None:
    there = live(secret(metadata=annotated(managed="true"), type="example.com/old"))
    with pytest.raises(NotOwned, match="has another type or is immutable") as caught:
        secret_actions(secret(), there, OWNER)
    assert caught.value.hint == "delete it, and it is made anew"


def test_owner_that_is_yet_to_be_made_owns_nothing() -> None:
    there = live(secret(), owners=frozenset({""}))
    with pytest.raises(NotOwned):
        secret_actions(secret(), there, Owner("SharedSecret", "db", ""))


def test_finalizers_and_other_owners_stay() -> None:
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "their-uid"}
    kept: Manifest = {"finalizers": ["example.com/wait"], "ownerReferences": [theirs]}
    there = live(secret(data={}), owners=OWNED, kept=kept)
    action = only_replacement(secret(), there)
    metadata = owned_manifest(action.manifest, action.owner)["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["finalizers"] == ["example.com/wait"]
    assert metadata["ownerReferences"] == [theirs, OWNER.to_manifest()]


# --- SharedSecrets


def test_shared_secret_that_is_not_there_is_made() -> None:
    [action] = shared_actions(SHARED, None, OWNER)
    assert action == Create(ref=SHARED_REF, manifest=LABELLED.to_manifest(), owner=OWNER)


def test_shared_secret_that_is_right_is_left_alone() -> None:
    assert shared_actions(SHARED, live(LABELLED, owners=OWNED), OWNER) == []


def test_changed_shared_secret_is_put_right() -> None:
    rule = AccessRule(name="everybody", verbs=("view",), users=("mallory",))
    there = live(replace(LABELLED, access=(rule,)), owners=OWNED)
    assert shared_actions(SHARED, there, OWNER) == [
        Replace(
            ref=SHARED_REF,
            manifest=LABELLED.to_manifest(),
            owner=OWNER,
            uid="uid-of-shared",
            resource_version="7",
        )
    ]


def test_foreign_shared_secret_is_refused() -> None:
    with pytest.raises(NotOwned, match="SharedSecret shop/db exists and is not owned"):
        shared_actions(SHARED, live(LABELLED), OWNER)


def test_managed_shared_secret_is_taken_over() -> None:
    there = live(replace(SHARED, metadata=annotated(managed="true")))
    [action] = shared_actions(SHARED, there, OWNER)
    assert isinstance(action, Replace)
    assert action.owner == OWNER


def test_shared_secret_of_ours_with_its_values_elsewhere_is_made_anew() -> None:
    there = live(replace(LABELLED, secret_name="other"), owners=OWNED)  # noqa: S106 - a name
    first, second = shared_actions(SHARED, there, OWNER)
    assert first == Delete(ref=SHARED_REF, uid="uid-of-shared")
    assert isinstance(second, Create)


def test_managed_shared_secret_with_its_values_elsewhere_is_not_taken_over() -> None:
    there = replace(SHARED, metadata=annotated(managed="true"), secret_name="other")  # noqa: S106
    with pytest.raises(NotOwned, match="has a secretName, which cannot be changed"):
        shared_actions(SHARED, live(there), OWNER)


# --- owner references


def test_owner_reference_is_added_once_and_there_is_one_controller() -> None:
    other: Manifest = {"uid": "other", "kind": "X", "apiVersion": "v1", "name": "x"}
    manifest: Manifest = {
        "metadata": {"ownerReferences": [other, {"uid": UID}, {**other, "controller": True}]}
    }
    metadata = owned_manifest(manifest, OWNER)["metadata"]
    assert metadata == {"ownerReferences": [other, OWNER.to_manifest()]}
    assert owned_manifest(manifest, None) == manifest


def test_owner_is_the_controller_in_our_group() -> None:
    assert OWNER.to_manifest() == {
        "apiVersion": "sealer.dev/v1alpha1",
        "kind": "SealedSecret",
        "name": "db",
        "uid": UID,
        "controller": True,
    }


def test_no_repr_shows_a_value() -> None:
    there = live(secret(data={}), owners=OWNED)
    shown = repr([*secret_actions(secret(), None, OWNER), *secret_actions(secret(), there, OWNER)])
    assert "bWFkZS11cC" not in shown
    assert "made-up" not in shown


# --- after sealed-secrets

_THEIRS = owner_of("db", "uid-of-theirs")
_REFERENCE = {"ownerReferences": [_THEIRS.to_manifest()]}


def _their_secret(content: Any = None, **about: Any) -> Live:  # noqa: ANN401 - a Secret
    known = {"owners": frozenset({"uid-of-theirs"}), "owned_by": frozenset({_THEIRS})}
    return live(content or secret(), **{**known, "kept": _REFERENCE, **about})


def test_secret_of_the_object_that_this_one_comes_after_is_taken_in_place() -> None:
    action = only_replacement(secret(), _their_secret())
    assert action.owner == OWNER
    taken = owned_manifest(action.manifest, action.owner)["metadata"]
    assert isinstance(taken, dict)
    assert taken["ownerReferences"] == [OWNER.to_manifest()]


def test_secret_of_another_object_of_sealed_secrets_is_somebody_elses() -> None:
    other = owner_of("other", "uid-of-other")
    with pytest.raises(NotOwned):
        secret_actions(secret(), _their_secret(owned_by=frozenset({other})), OWNER)


def test_shared_secret_does_not_come_after_an_object_of_sealed_secrets() -> None:
    behind = Owner("SharedSecret", "db", "uid-of-shared")
    with pytest.raises(NotOwned):
        secret_actions(secret(), _their_secret(), behind)


def test_taken_secret_of_another_type_is_made_anew() -> None:
    delete, create = secret_actions(secret(type="shop.example/x"), _their_secret(), OWNER)
    assert isinstance(delete, Delete)
    assert isinstance(create, Create)


@pytest.mark.parametrize("word", ["managed", "patch"])
def test_what_was_said_to_sealed_secrets_holds(word: str) -> None:
    said = {f"sealedsecrets.bitnami.com/{word}": "true"}
    metadata = Metadata(namespace="shop", name="db", annotations=said)
    there = live(secret(metadata=metadata, data={"z": b"made-up"}))
    action = only_replacement(secret(), there)
    assert action.owner == (OWNER if word == "managed" else None)
    data = action.manifest["data"]
    assert isinstance(data, dict)
    assert ("z" in data) == (word == "patch")
