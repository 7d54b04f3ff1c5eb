"""From SealedSecret to Secret and SharedSecret in a real cluster."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest

from sealer.crypto.scope import Scope
from tests.cluster.harness.processes import eventually
from tests.cluster.running import USER, conditions

if TYPE_CHECKING:
    from tests.cluster.running import Controller, Namespace


def test_new_object_costs_one_secret_one_status_and_no_read(shop: Namespace) -> None:
    mark = shop.api.audit.mark()
    opened = shop.give("db", {"password": b"made-up-1", "username": b"shop"})
    assert shop.values("db") == {"password": b"made-up-1", "username": b"shop"}
    asked = shop.api.audit.requests(since=mark, user=USER, namespace=shop.name)
    assert [(request.verb, request.resource) for request in asked] == [
        ("create", "secrets"),
        ("patch", "sealedsecrets/status"),
    ]
    secret = shop.get("Secret", "db")["metadata"]
    status = opened["status"]
    assert status["target"] == {
        "kind": "Secret",
        "name": "db",
        "uid": secret["uid"],
        "resourceVersion": secret["resourceVersion"],
    }
    assert conditions(opened)["Ready"]["reason"] == "Opened"
    assert "Stalled" not in conditions(opened)
    assert status["observedGeneration"] == opened["metadata"]["generation"]


def test_secret_is_owned_labelled_and_as_the_template_says(shop: Namespace) -> None:
    sealed = shop.seal(
        "db",
        {"password": b"made-up-2"},
        labels={"app": "shop"},
        annotations={"team": "payments"},
        type="example.com/database",
    )
    sealed["spec"]["template"]["data"] = {"URL": "postgres://db:{{ password }}@db/shop"}
    shop.apply(sealed)
    owner = shop.opened("db")["metadata"]
    secret = shop.get("Secret", "db")
    assert secret["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "sealer.dev/v1alpha1",
            "kind": "SealedSecret",
            "name": "db",
            "uid": owner["uid"],
            "controller": True,
        }
    ]
    assert secret["metadata"]["labels"] == {
        "app": "shop",
        "app.kubernetes.io/managed-by": "sealer",
        "sealer.dev/target": "true",
    }
    assert secret["metadata"]["annotations"] == {"team": "payments"}
    assert secret["type"] == "example.com/database"
    assert shop.values("db")["URL"] == b"postgres://db:made-up-2@db/shop"


@pytest.mark.parametrize("scope", list(Scope))
def test_every_scope_is_opened(shop: Namespace, scope: Scope) -> None:
    shop.give("db", {"password": b"made-up-3"}, scope=scope)
    assert shop.values("db") == {"password": b"made-up-3"}


def test_edit_replaces_the_secret_and_removed_items_and_labels_go(shop: Namespace) -> None:
    shop.give("db", {"a": b"made-up-a", "b": b"made-up-b"}, labels={"one": "1", "two": "2"})
    before = shop.get("Secret", "db")["metadata"]["uid"]
    shop.patch("Secret", "db", {"metadata": {"labels": {"theirs": "stays"}}})
    shop.opened("db")
    shop.give("db", {"a": b"made-up-new"}, labels={"one": "1"})
    assert shop.values("db") == {"a": b"made-up-new"}
    metadata = shop.get("Secret", "db")["metadata"]
    assert metadata["uid"] == before
    assert metadata["labels"] == {
        "one": "1",
        "theirs": "stays",
        "app.kubernetes.io/managed-by": "sealer",
        "sealer.dev/target": "true",
    }


def test_changed_type_makes_the_secret_anew(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-4"})
    before = shop.get("Secret", "db")["metadata"]["uid"]
    shop.give("db", {"password": b"made-up-4"}, type="example.com/database")
    secret = shop.get("Secret", "db")
    assert (secret["type"], secret["metadata"]["uid"] != before) == ("example.com/database", True)


def test_changed_data_of_an_immutable_secret_makes_it_anew(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-5"}, immutable=True)
    before = shop.get("Secret", "db")
    assert before["immutable"] is True
    shop.give("db", {"password": b"made-up-6"}, immutable=True)
    assert shop.values("db") == {"password": b"made-up-6"}
    assert shop.get("Secret", "db")["metadata"]["uid"] != before["metadata"]["uid"]


def test_shared_secret_owns_the_secret_with_its_values(shop: Namespace) -> None:
    opened = shop.give("db", {"password": b"made-up-7"}, shared=True)
    shared, secret = shop.get("SharedSecret", "db"), shop.get("Secret", "db")
    assert shared["metadata"]["ownerReferences"][0]["uid"] == opened["metadata"]["uid"]
    assert secret["metadata"]["ownerReferences"][0]["uid"] == shared["metadata"]["uid"]
    assert shop.values("db") == {"password": b"made-up-7"}
    target = opened["status"]["target"]
    assert (target["kind"], target["secret"]["uid"]) == ("SharedSecret", secret["metadata"]["uid"])


@pytest.mark.usefixtures("kubernetes_controllers")
def test_changed_kind_goes_both_ways(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-8"})
    shop.give("db", {"password": b"made-up-9"}, shared=True)
    assert shop.get("Secret", "db")["metadata"]["ownerReferences"][0]["kind"] == "SharedSecret"
    shop.give("db", {"password": b"made-up-8"})
    assert shop.get("Secret", "db")["metadata"]["ownerReferences"][0]["kind"] == "SealedSecret"
    assert not shop.exists("SharedSecret", "db")
    assert shop.values("db") == {"password": b"made-up-8"}


@pytest.mark.usefixtures("kubernetes_controllers")
def test_deleted_object_takes_its_secret_with_it(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-10"})
    shop.delete("SealedSecret", "db")
    eventually(lambda: not shop.exists("Secret", "db"), what="the Secret to be collected")


@pytest.mark.usefixtures("kubernetes_controllers")
def test_deleted_shared_secret_comes_back_with_its_values(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-11"}, shared=True)
    before = shop.get("SharedSecret", "db")["metadata"]["uid"]
    shop.delete("SharedSecret", "db")

    def came_back() -> bool:
        shared, secret = shop.get("SharedSecret", "db"), shop.get("Secret", "db")
        owner = secret["metadata"]["ownerReferences"][0]["uid"]
        return shared["metadata"]["uid"] not in ("", before) and owner == shared["metadata"]["uid"]

    eventually(came_back, what="the SharedSecret and its Secret")
    shop.opened("db")
    assert shop.values("db") == {"password": b"made-up-11"}


def test_object_made_anew_does_not_wait_for_the_garbage_collector(shop: Namespace) -> None:
    before = shop.give("db", {"password": b"made-up-18"})
    shop.delete("SealedSecret", "db")
    after = shop.give("db", {"password": b"made-up-19"})
    assert shop.values("db") == {"password": b"made-up-19"}
    owner = shop.get("Secret", "db")["metadata"]["ownerReferences"][0]["uid"]
    assert owner == after["metadata"]["uid"] != before["metadata"]["uid"]
    events = f"/apis/events.k8s.io/v1/namespaces/{shop.name}/events"
    assert shop.api.request("GET", events).body["items"] == []


@pytest.mark.parametrize(
    "drift",
    [
        {"data": {"password": base64.b64encode(b"changed by hand").decode()}},
        {"data": {"password": None}},
        {"data": {"another": base64.b64encode(b"added by hand").decode()}},
        {"metadata": {"labels": {"sealer.dev/target": None}}},
        {"metadata": {"labels": {"app": "changed"}}},
    ],
    ids=["value", "removed", "added", "our label", "template label"],
)
def test_drift_is_repaired(shop: Namespace, drift: dict[str, object]) -> None:
    shop.give("db", {"password": b"made-up-12"}, labels={"app": "shop"})
    shop.patch("Secret", "db", drift)

    def repaired() -> bool:
        labels = shop.get("Secret", "db")["metadata"]["labels"]
        good = labels.get("app") == "shop" and labels.get("sealer.dev/target") == "true"
        return good and shop.values("db") == {"password": b"made-up-12"}

    eventually(repaired, what="the Secret to be as it was")


def test_deleted_secret_comes_back(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-13"})
    before = shop.get("Secret", "db")["metadata"]["uid"]
    shop.delete("Secret", "db")
    eventually(
        lambda: shop.get("Secret", "db")["metadata"]["uid"] != before, what="the Secret to be back"
    )
    assert shop.values("db") == {"password": b"made-up-13"}


def test_finalizers_and_owners_of_others_survive_an_edit(shop: Namespace) -> None:
    other = shop.api.request(
        "POST", f"/api/v1/namespaces/{shop.name}/configmaps", {"metadata": {"name": "other"}}
    ).body["metadata"]["uid"]
    shop.give("db", {"password": b"made-up-14"})
    owners = shop.get("Secret", "db")["metadata"]["ownerReferences"]
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "name": "other", "uid": other}
    change = {"ownerReferences": [*owners, theirs], "finalizers": ["example.com/hold"]}
    shop.patch("Secret", "db", {"metadata": change})
    shop.give("db", {"password": b"made-up-15"})
    metadata = shop.get("Secret", "db")["metadata"]
    assert metadata["finalizers"] == ["example.com/hold"]
    assert {owner["kind"] for owner in metadata["ownerReferences"]} == {
        "ConfigMap",
        "SealedSecret",
    }
    assert shop.values("db") == {"password": b"made-up-15"}
    shop.patch("Secret", "db", {"metadata": {"finalizers": None}})


def test_object_of_full_size_is_opened(shop: Namespace, controller: Controller) -> None:
    data = {f"item-{number:04}": bytes([number % 256]) * 1024 for number in range(500)}
    data["big"] = b"x" * (450 * 1024)
    shop.give("big", data)
    assert shop.values("big") == data
    assert controller.answer("/healthz")[0] == 200


def test_object_without_items_makes_an_empty_secret(shop: Namespace) -> None:
    shop.give("empty", {})
    assert shop.values("empty") == {}


def test_two_field_managers_do_not_mix_entries(shop: Namespace) -> None:
    shop.give("db", {"password": b"made-up-16"})
    other = shop.seal("db", {"username": b"made-up-17"})
    refused = shop.apply(other, manager="another", force=False)
    assert refused.status == 409
    taken = shop.apply(other, manager="another")
    shop.opened("db", generation=taken.body["metadata"]["generation"])
    assert shop.values("db") == {"username": b"made-up-17"}
