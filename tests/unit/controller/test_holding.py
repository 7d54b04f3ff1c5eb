from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from controller.holding import (
    MAX_LISTED,
    Held,
    TakeOver,
    held,
    holding_actions,
    listed,
    remembered,
)
from controller.live import Glimpse
from controller.status import Ref
from controller.targets import Create, Delete, Live, Owner
from sealer.errors import NotOwned, Refused
from sealer.manifests.models import Metadata, Secret, SharedSecret

REF = Ref("Secret", "shop", "db")
OWNER = Owner("SharedSecret", "db", "u-1")
FORMER = Owner("SharedSecret", "db", "u-0")
LABELS = {"app.kubernetes.io/managed-by": "sealer", "sealer.dev/target": "true"}
MANAGED = {"sealer.dev/managed": "true"}
SHARED = SharedSecret(metadata=Metadata(namespace="shop", name="db"))


def live(
    *owners: Owner,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **fields: Any,  # noqa: ANN401 - fields of Secret
) -> Live:
    metadata = Metadata(
        namespace="shop", name="db", labels=labels or {}, annotations=annotations or {}
    )
    secret = Secret(metadata=metadata, data={"b": b"made-up-1", "a": b"made-up-2"}, **fields)
    references: Any = [owner.to_manifest() for owner in owners]
    return Live(
        ref=REF,
        uid="s-1",
        resource_version="7",
        owners=frozenset(owner.uid for owner in owners),
        owned_by=frozenset(owners),
        secret=secret,
        kept={"ownerReferences": references} if references else {},
    )


def test_where_there_is_none_an_empty_one_is_made() -> None:
    (action,) = holding_actions(SHARED, OWNER, None)
    assert isinstance(action, Create)
    assert (action.ref, action.owner) == (REF, OWNER)
    metadata: Any = action.manifest["metadata"]
    assert metadata["labels"] == LABELS
    assert not action.manifest.get("data")


def test_it_has_the_name_that_the_shared_secret_gives_it() -> None:
    (action,) = holding_actions(replace(SHARED, secret_name="values"), OWNER, None)  # noqa: S106
    assert action.ref.name == "values"


def test_one_of_its_own_is_left_as_it_is() -> None:
    assert holding_actions(SHARED, OWNER, live(OWNER, labels=LABELS)) == []


def test_one_of_its_own_without_our_labels_has_them_again() -> None:
    (action,) = holding_actions(SHARED, OWNER, live(OWNER))
    assert isinstance(action, TakeOver)
    assert action.metadata["labels"] == LABELS


def test_one_that_says_so_is_taken_over_by_its_metadata() -> None:
    (action,) = holding_actions(SHARED, OWNER, live(annotations=MANAGED))
    assert isinstance(action, TakeOver)
    assert (action.uid, action.resource_version) == ("s-1", "7")
    assert action.metadata == {"labels": LABELS, "ownerReferences": [OWNER.to_manifest()]}
    assert "made-up" not in repr(action)


def test_owners_that_do_not_control_it_stay() -> None:
    other = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "c-1"}
    theirs = replace(live(annotations=MANAGED), kept={"ownerReferences": [other]})
    (action,) = holding_actions(SHARED, OWNER, theirs)
    assert isinstance(action, TakeOver)
    assert action.metadata["ownerReferences"] == [other, OWNER.to_manifest()]


@pytest.mark.parametrize(
    "annotations", [{}, {"sealer.dev/managed": "yes"}, {"sealer.dev/patch": "true"}]
)
def test_somebody_elses_is_not_taken(annotations: dict[str, str]) -> None:
    with pytest.raises(NotOwned, match="is not owned"):
        holding_actions(SHARED, OWNER, live(annotations=annotations))


def test_one_that_another_object_controls_is_not_taken_even_if_it_says_so() -> None:
    sealed = Owner("SealedSecret", "db", "u-9")
    with pytest.raises(NotOwned, match="controlled by another"):
        holding_actions(SHARED, OWNER, live(sealed, annotations=MANAGED))


@pytest.mark.parametrize("owners", [(), (OWNER,)])
def test_the_token_of_a_service_account_is_not_shared(owners: tuple[Owner, ...]) -> None:
    token = live(*owners, annotations=MANAGED, type="kubernetes.io/service-account-token")
    with pytest.raises(Refused, match="token of a service account"):
        holding_actions(SHARED, OWNER, token)


def test_what_a_former_one_of_its_name_left_is_made_anew() -> None:
    first, second = holding_actions(SHARED, OWNER, live(FORMER, labels=LABELS))
    assert first == Delete(ref=REF, uid="s-1")
    assert isinstance(second, Create)


def test_a_former_owner_beside_itself_changes_nothing() -> None:
    assert holding_actions(SHARED, OWNER, live(OWNER, FORMER, labels=LABELS)) == []


def test_it_holds_what_it_owns_and_nothing_else() -> None:
    assert held(live(OWNER), "u-1") == Held(
        ref=REF, uid="s-1", resource_version="7", keys=("a", "b")
    )
    assert held(live(FORMER), "u-1") is None
    assert held(None, "u-1") is None


def test_the_status_remembers_the_secret() -> None:
    status = {
        "secretName": "db",
        "secret": {"uid": "s-1", "resourceVersion": "7"},
        "keys": ["a", "b"],
    }
    assert remembered({"status": status}, REF) == held(live(OWNER), "u-1")
    assert remembered({"status": {**status, "secretName": "other"}}, REF) is None
    assert remembered({"status": {"secretName": "db"}}, REF) is None
    assert remembered({}, REF) is None


@pytest.mark.parametrize("length", [1, 11, 253])
def test_a_status_that_may_not_list_all_keys_is_not_relied_on(length: int) -> None:
    many = [f"{number:x}".rjust(length, "k")[:length] for number in range(20_000)]
    told = listed(many)
    assert told == many[: len(told)]
    assert len(told) <= 16_384  # as schemas/crds bounds them
    assert sum(map(len, told)) <= MAX_LISTED
    status = {"secretName": "db", "secret": {"uid": "s-1", "resourceVersion": "7"}}
    assert remembered({"status": {**status, "keys": told}}, REF) is None
    some = tuple(told[:-20])
    found = remembered({"status": {**status, "keys": some}}, REF)
    assert found is not None
    assert found.keys == some


def test_the_secret_is_the_same_while_version_and_owner_are() -> None:
    known = Held(ref=REF, uid="s-1", resource_version="7", keys=())
    assert known.is_as(Glimpse("s-1", "7", frozenset({"u-1"})), OWNER)
    assert not known.is_as(Glimpse("s-1", "8", frozenset({"u-1"})), OWNER)
    assert not known.is_as(Glimpse("s-2", "7", frozenset({"u-1"})), OWNER)
    assert not known.is_as(Glimpse("s-1", "7"), OWNER)
