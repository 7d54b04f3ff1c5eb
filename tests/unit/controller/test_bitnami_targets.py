"""Secrets of sealed-secrets, desired and live: whose they are, and what is done about it."""
# ruff: noqa: ANN401 - builders pass on the fields of what they build

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.bitnami_targets import Desired, is_added_to, owner_of, secret_actions
from controller.live import read_live
from controller.status import Ref
from controller.targets import Create, Delete, Live, Replace
from sealer.crypto.encoding import encode_base64
from sealer.errors import NotOwned, Refused
from sealer.manifests.bitnami import MANAGED, PATCH, SKIP_OWNER
from sealer.manifests.models import Metadata, Secret

REF = Ref("Secret", "shop", "db")
OWNER = owner_of("db", "uid-of-sealed")
FORMER = owner_of("db", "uid-of-former")
DATA = {"a": b"made-up 1"}
NATIVE = {
    "apiVersion": "sealer.dev/v1alpha1",
    "kind": "SealedSecret",
    "name": "db",
    "uid": "uid-of-native",
    "controller": True,
}
OTHER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "uid-of-x"}


def desired(data: dict[str, bytes] | None = None, **fields: Any) -> Desired:
    asked = {name: fields.pop(name) for name in list(fields) if name in Desired.__slots__}
    metadata = Metadata(
        namespace="shop",
        name="db",
        labels=fields.pop("labels", {}),
        annotations=fields.pop("annotations", {}),
    )
    secret = Secret(metadata=metadata, data=DATA if data is None else data, **fields)
    return Desired(**{"secret": secret, "owner": OWNER, "changed": False, **asked})


def there(
    data: dict[str, bytes] | None = None, *, says: tuple[str, ...] = (), **fields: Any
) -> Live:
    metadata = {
        "namespace": "shop",
        "name": "db",
        "uid": "uid-of-secret",
        "resourceVersion": "7",
        "labels": fields.pop("labels", {}),
        "annotations": fields.pop("annotations", {}) | dict.fromkeys(says, "true"),
        "ownerReferences": fields.pop("owners", [OWNER.to_manifest()]),
        "finalizers": fields.pop("finalizers", []),
        "managedFields": fields.pop("managed", []),
    }
    values = {key: encode_base64(value) for key, value in (DATA if data is None else data).items()}
    item = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    return read_live(REF, item | {"data": values} | fields)


def replaced(wanted: Desired, live: Live) -> Any:
    [action] = secret_actions(wanted, live)
    assert isinstance(action, Replace)
    assert (action.uid, action.resource_version) == ("uid-of-secret", "7")
    assert action.owner is None
    return action.manifest


def test_secret_that_is_not_there_is_made_with_nothing_of_ours_on_it() -> None:
    [action] = secret_actions(desired(labels={"team": "shop"}), None)
    assert action == Create(
        ref=REF,
        manifest={
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "db", "namespace": "shop", "labels": {"team": "shop"}},
            "type": "Opaque",
            "data": {"a": encode_base64(DATA["a"])},
        },
        owner=OWNER,
    )


def test_secret_is_made_with_finalizers_and_without_owner_where_that_is_asked_for() -> None:
    [action] = secret_actions(desired(finalizers=("example.com/hold",), unowned=True), None)
    assert isinstance(action, Create)
    assert action.owner is None
    assert action.manifest["metadata"] == {
        "name": "db",
        "namespace": "shop",
        "finalizers": ["example.com/hold"],
    }


def test_secret_that_is_right_is_left_alone() -> None:
    assert secret_actions(desired(changed=True), there()) == []
    assert secret_actions(desired(), there()) == []


def test_changed_value_is_put_right_and_others_keep_their_hold() -> None:
    manifest = replaced(desired(), there({"a": b"x", "b": b"y"}, finalizers=["example.com/hold"]))
    assert manifest["data"] == {"a": encode_base64(DATA["a"])}
    assert manifest["metadata"]["finalizers"] == ["example.com/hold"]
    assert manifest["metadata"]["ownerReferences"] == [OWNER.to_manifest()]


def test_metadata_of_others_stays_until_the_object_changes() -> None:
    live = there(labels={"a": "1"}, annotations={"b": "2"})
    assert secret_actions(desired(), live) == []
    metadata = replaced(desired(labels={"team": "shop"}), live)["metadata"]
    assert metadata["labels"] == {"a": "1", "team": "shop"}
    assert metadata["annotations"] == {"b": "2"}
    metadata = replaced(desired(labels={"team": "shop"}, changed=True), live)["metadata"]
    assert metadata["labels"] == {"team": "shop"}
    assert "annotations" not in metadata


def test_marks_that_do_not_travel_are_compared_too() -> None:
    marks = {"argocd.argoproj.io/tracking-id": "made-up"}
    assert secret_actions(desired(annotations=marks, changed=True), there(annotations=marks)) == []


@pytest.mark.parametrize("owners", [[], [OTHER], [owner_of("x", "u").to_manifest()]])
def test_secret_of_somebody_else_is_refused(owners: list[object]) -> None:
    with pytest.raises(NotOwned, match="not managed by this SealedSecret") as caught:
        secret_actions(desired(), there(owners=owners))
    assert MANAGED in caught.value.hint


def test_managed_secret_is_taken_over_whole() -> None:
    live = there(
        {"z": b"1"},
        says=(MANAGED,),
        owners=[OTHER, {**OTHER, "controller": True}],
        labels={"a": "1"},
    )
    manifest = replaced(desired(), live)
    assert manifest["metadata"] == {
        "name": "db",
        "namespace": "shop",
        "ownerReferences": [OTHER, OWNER.to_manifest()],
    }
    assert manifest["data"].keys() == {"a"}


def test_managed_secret_stays_unowned_where_that_is_asked_for() -> None:
    live = there(says=(MANAGED,), owners=[OTHER, OWNER.to_manifest()])
    metadata = replaced(desired(unowned=True), live)["metadata"]
    assert metadata["ownerReferences"] == [OTHER]


def test_secret_that_was_made_without_an_owner_is_kept_true() -> None:
    skip = {SKIP_OWNER: "true"}
    wanted = desired(annotations=skip, unowned=True)
    assert secret_actions(wanted, there(annotations=skip, owners=[])) == []
    mended = replaced(wanted, there({"a": b"x"}, annotations={**skip, "b": "2"}, owners=[]))
    assert mended["metadata"]["annotations"] == {**skip, "b": "2"}
    with pytest.raises(NotOwned):
        secret_actions(desired(), there(annotations=skip, owners=[]))


def test_patched_secret_is_added_to_and_stays_its_owners() -> None:
    live = there({"a": b"x", "z": b"1"}, says=(PATCH,), owners=[OTHER], labels={"a": "1"})
    manifest = replaced(desired(labels={"team": "shop"}), live)
    assert manifest["data"].keys() == {"a", "z"}
    assert manifest["metadata"]["labels"] == {"a": "1", "team": "shop"}
    assert manifest["metadata"]["annotations"] == {PATCH: "true"}
    assert manifest["metadata"]["ownerReferences"] == [OTHER]
    assert is_added_to(live, OWNER)


def test_item_that_was_added_goes_with_the_object() -> None:
    managed = {"manager": "sealer", "operation": "Update", "fieldsV1": {"f:data": {"f:old": {}}}}
    live = there({"old": b"1", "z": b"2"}, says=(PATCH,), owners=[], managed=[managed])
    assert replaced(desired(), live)["data"].keys() == {"a", "z"}


def test_managed_and_patched_secret_is_owned_and_keeps_its_data() -> None:
    live = there({"z": b"1"}, says=(PATCH, MANAGED), owners=[])
    manifest = replaced(desired(), live)
    assert manifest["data"].keys() == {"a", "z"}
    assert manifest["metadata"]["ownerReferences"] == [OWNER.to_manifest()]
    assert not is_added_to(live, OWNER)


def test_patched_secret_of_its_own_stays_its_own() -> None:
    live = there(says=(PATCH,))
    assert secret_actions(desired(), live) == []
    assert not is_added_to(live, OWNER)


def test_secret_of_a_former_object_of_the_name_is_kept() -> None:
    manifest = replaced(desired(), there(owners=[FORMER.to_manifest(), OTHER]))
    assert manifest["metadata"]["ownerReferences"] == [OTHER, OWNER.to_manifest()]


@pytest.mark.parametrize("says", [(), (MANAGED,), (PATCH,)])
def test_secret_that_a_native_object_has_is_left_to_it(says: tuple[str, ...]) -> None:
    with pytest.raises(NotOwned, match=r"the sealer\.dev object of this name"):
        secret_actions(desired(), there({}, says=says, owners=[NATIVE]))


def test_changed_type_makes_an_owned_secret_anew() -> None:
    delete, create = secret_actions(desired(type="shop.example/licence"), there())
    assert delete == Delete(ref=REF, uid="uid-of-secret")
    assert isinstance(create, Create)


def test_changed_type_of_a_secret_that_is_not_owned_is_refused() -> None:
    with pytest.raises(NotOwned, match="another type"):
        secret_actions(desired(type="shop.example/licence"), there(says=(MANAGED,), owners=[]))


def test_type_of_a_patched_secret_stays_unless_another_is_asked_for() -> None:
    live = there({}, says=(PATCH,), owners=[], type="shop.example/licence")
    assert replaced(desired(), live)["type"] == "shop.example/licence"


def test_change_of_an_immutable_secret_is_refused() -> None:
    with pytest.raises(Refused, match="Secret shop/db is immutable"):
        secret_actions(desired({"a": b"x"}, immutable=True), there(immutable=True))


def test_immutable_secret_stays_immutable_and_its_labels_follow() -> None:
    manifest = replaced(desired(labels={"a": "1"}, changed=True), there(immutable=True))
    assert manifest["immutable"] is True


def test_secret_becomes_immutable_with_a_change_of_the_object_only() -> None:
    """Theirs never does this; at a take-over nothing may change."""
    assert secret_actions(desired(immutable=True), there()) == []
    assert replaced(desired(immutable=True, changed=True), there())["immutable"] is True


def test_no_repr_shows_a_value() -> None:
    actions = [*secret_actions(desired(), None), *secret_actions(desired(), there({"a": b"x"}))]
    assert "made-up" not in repr(actions)
    assert encode_base64(DATA["a"]) not in repr(actions)
    assert "made-up" not in repr(replace(desired(), unowned=True))
