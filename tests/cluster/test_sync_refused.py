"""What is not synced, and what people are told about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.cluster.harness.processes import eventually
from tests.cluster.running import Controller, Namespace
from tests.cluster.syncing import ADA, Shared, ask, events, has, own, share, sync_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.harness.api_server import ApiServer
    from tests.cluster.harness.fixtures import NamespaceFactory

_VALUES: Final = {"a": "made-up-1", "b": "made-up-2"}


@pytest.fixture(scope="module")
def shared(
    installed_sealer: ApiServer, controller: Controller, new_namespace: NamespaceFactory
) -> Shared:
    """Provide a SharedSecret that Ada may sync."""
    del controller
    shop = Namespace(installed_sealer, new_namespace("shop"))
    return share(shop, "db", _VALUES, sync_line(ADA))


@pytest.fixture
def web(shared: Shared, namespace: str) -> Iterator[Namespace]:
    """Provide a namespace that Ada owns; a status does not list the targets of all tests."""
    own(shared.shop.api, namespace, ADA)
    yield Namespace(shared.shop.api, namespace)
    shared.shop.api.request("DELETE", f"/api/v1/namespaces/{namespace}/secrets")


def _says(target: Namespace, name: str) -> tuple[str, str]:
    """Wait for an Event about a target; reason and note."""
    ((kind, reason, note), *_) = eventually(lambda: events(target, name), what="an Event")
    assert kind == "Warning"
    return reason, note


def test_namespace_without_owner(shared: Shared, web: Namespace) -> None:
    own(web.api, web.name)
    ask(web, "mine", shared)
    message = shared.troubles(web, "mine", "NoOwner")
    assert "a cluster admin says whose it is: annotation sealer.dev/owner" in message
    own(web.api, web.name, ADA)
    has(web, "mine", _VALUES)


@pytest.mark.parametrize("text", ["ada", '{"user": "system:kube-controller-manager"}', "{}"])
def test_owner_that_cannot_be_one(shared: Shared, web: Namespace, text: str) -> None:
    change = {"metadata": {"annotations": {"sealer.dev/owner": text}}}
    path, merge = f"/api/v1/namespaces/{web.name}", "application/merge-patch+json"
    assert web.api.request("PATCH", path, change, content_type=merge).status == 200
    ask(web, "mine", shared)
    assert "annotation sealer.dev/owner" in shared.troubles(web, "mine", "InvalidManifest")


def test_unknown_key(shared: Shared, web: Namespace) -> None:
    ask(web, "mine", shared, annotations={"sealer.dev/shared-secret-keys": "X=a,Y=nothing"})
    message = shared.troubles(web, "mine", "Refused")
    assert message == "the SharedSecret has no key nothing; it has a, b"
    change = {"metadata": {"annotations": {"sealer.dev/shared-secret-keys": "X=a,b"}}}
    web.patch("Secret", "mine", change)
    has(web, "mine", {"X": "made-up-1", "b": "made-up-2"})


@pytest.mark.parametrize("rule", ["a,a", "not a key", "=a", "a=", "x=a=b", ","])
def test_keys_that_cannot_be_read(shared: Shared, web: Namespace, rule: str) -> None:
    ask(web, "mine", shared, annotations={"sealer.dev/shared-secret-keys": rule})
    shared.troubles(web, "mine", "InvalidManifest")


def test_wrong_type(shared: Shared, web: Namespace) -> None:
    kind, data = "kubernetes.io/dockerconfigjson", {".dockerconfigjson": '{"auths": {}}'}
    ask(web, "mine", shared, data=data, type_=kind)
    message = shared.troubles(web, "mine", "InvalidManifest")
    assert message == (
        f"key .dockerconfigjson: type {kind} needs this item; annotation "
        "sealer.dev/shared-secret-keys picks and renames keys; or make it anew with another type"
    )
    assert web.values("mine") == {".dockerconfigjson": b'{"auths": {}}'}


def test_typed_target_that_fits(shared: Shared, web: Namespace) -> None:
    rule = {"sealer.dev/shared-secret-keys": "username=a,password=b"}
    kind, before = "kubernetes.io/basic-auth", {"username": "x"}
    ask(web, "mine", shared, data=before, annotations=rule, type_=kind)
    has(web, "mine", {"username": "made-up-1", "password": "made-up-2"})


@pytest.mark.parametrize(
    "type_", ["kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"]
)
def test_types_that_let_one_into_the_cluster(shared: Shared, web: Namespace, type_: str) -> None:
    path = f"/api/v1/namespaces/{web.name}/serviceaccounts"
    web.api.request("POST", path, {"metadata": {"name": "job"}})
    about = {"kubernetes.io/service-account.name": "job"}
    ask(web, "mine", shared, annotations=about, type_=type_)
    assert f"type {type_}" in shared.troubles(web, "mine", "Refused")
    assert not set(_VALUES) & set(web.values("mine"))


def test_immutable_one_with_other_values(shared: Shared, web: Namespace) -> None:
    ask(web, "mine", shared, data={"a": "old"}, immutable=True)
    message = shared.troubles(web, "mine", "NotOwned")
    assert message == "it is immutable and has other values; delete it and make it anew"


def test_one_that_something_else_controls(shared: Shared, web: Namespace) -> None:
    owner: dict[str, Any] = {"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "u"}
    ask(web, "mine", shared, metadata={"ownerReferences": [{**owner, "controller": True}]})
    assert "it is controlled by ConfigMap x" in shared.troubles(web, "mine", "NotOwned")


def test_one_that_a_sealed_secret_makes(shared: Shared, web: Namespace) -> None:
    web.give("mine", {"a": b"made-up-3"})
    web.patch("Secret", "mine", {"metadata": {"labels": shared.labels}})
    shared.troubles(web, "mine", "NotOwned")
    assert web.values("mine") == {"a": b"made-up-3"}


def test_shared_secrets_that_would_be_synced_in_a_circle(shared: Shared, web: Namespace) -> None:
    other = share(web, "own", {"a": "made-up-4"}, sync_line(ADA))
    other.says(total=0, synced=0)
    eventually(lambda: web.get("Secret", "own")["metadata"].get("ownerReferences"), what="owner")
    web.patch("Secret", "own", {"metadata": {"labels": shared.labels}})
    message = shared.troubles(web, "own", "SyncCycle")
    assert "it is for the values of SharedSecret own" in message
    assert web.values("own") == {"a": b"made-up-4"}


def test_target_that_becomes_a_source_is_not_written_any_more(
    shared: Shared, web: Namespace
) -> None:
    ask(web, "mine", shared, annotations={"sealer.dev/managed": "true"})
    has(web, "mine", _VALUES)
    path = f"/apis/sealer.dev/v1alpha1/namespaces/{web.name}/sharedsecrets"
    body = {"apiVersion": "sealer.dev/v1alpha1", "kind": "SharedSecret", "spec": {}}
    assert web.api.request("POST", path, {**body, "metadata": {"name": "mine"}}).status == 201
    shared.troubles(web, "mine", "SyncCycle")


def test_targets_beside_the_controllers_keys(shared: Shared) -> None:
    keys = Namespace(shared.shop.api, "sealer-system")
    own(keys.api, keys.name, ADA)
    try:
        ask(keys, "mine", shared)
        assert "controller's own namespace" in shared.troubles(keys, "mine", "Refused")
        assert keys.values("mine") == {}
    finally:
        keys.delete("Secret", "mine")
        own(keys.api, keys.name)


def test_half_of_the_labels(shared: Shared, web: Namespace) -> None:
    labels = {"sealer.dev/shared-secret": shared.name}
    web.make_secret("mine", {"a": "their own"}, metadata={"labels": labels})
    reason, note = _says(web, "mine")
    assert reason == "InvalidManifest"
    assert "not sealer.dev/shared-secret-namespace" in note


def test_shared_secret_that_is_not_there_looks_like_one_that_is_not_theirs(
    shared: Shared, web: Namespace
) -> None:
    secret = share(shared.shop, f"of-bob-{web.name}", {"a": "made-up-5"}, sync_line("bob"))
    nothing = Shared(shared.shop, "nothing")
    ask(web, "theirs", secret)
    ask(web, "missing", nothing)
    reason, theirs = _says(web, "theirs")
    assert reason == "NotPermitted"
    assert _says(web, "missing") == (reason, theirs.replace(secret.name, "nothing"))


def test_shared_secret_that_is_not_there_yet(shared: Shared, web: Namespace) -> None:
    own(web.api, web.name, "root", groups=["system-admins"])
    name = f"later-{web.name}"
    ask(web, "mine", Shared(shared.shop, name))
    _says(web, "mine")
    share(shared.shop, name, {"a": "made-up-6"}, sync_line("root"))
    has(web, "mine", {"a": "made-up-6"})


def test_shared_secret_without_values_empties_nothing(shared: Shared, web: Namespace) -> None:
    name = f"empty-{web.name}"
    other = share(shared.shop, name, {"a": "made-up-7"}, sync_line(ADA))
    ask(web, "mine", other)
    has(web, "mine", {"a": "made-up-7"})
    shared.shop.delete("Secret", name)  # which is made anew, empty
    message = other.troubles(web, "mine", "NoSharedSecret")
    assert "has no values now" in message
    assert web.values("mine") == {"a": b"made-up-7"}
    eventually(lambda: shared.shop.exists("Secret", name), what="it to be made anew")
    other.change({"a": "made-up-8"})
    has(web, "mine", {"a": "made-up-8"})


def test_sync_can_be_switched_off_on_either_side(shared: Shared, web: Namespace) -> None:
    name = f"off-{web.name}"
    off: dict[str, Any] = {"metadata": {"annotations": {"sealer.dev/disable-sync": "true"}}}
    on: dict[str, Any] = {"metadata": {"annotations": {"sealer.dev/disable-sync": None}}}
    other = share(shared.shop, name, {"a": "made-up-7"}, sync_line(ADA))
    ask(web, "mine", other)
    ask(web, "second", other)
    has(web, "mine", {"a": "made-up-7"})
    has(web, "second", {"a": "made-up-7"})
    web.patch("Secret", "mine", off)
    other.troubles(web, "mine", "SyncDisabled")
    other.change({"a": "made-up-8"})
    has(web, "second", {"a": "made-up-8"})
    assert web.values("mine") == {"a": b"made-up-7"}
    web.patch("Secret", "mine", on)
    has(web, "mine", {"a": "made-up-8"})
    shared.shop.patch("SharedSecret", name, off)
    other.troubles(web, "second", "SyncDisabled")
    other.change({"a": "made-up-9"})
    other.says(total=2, synced=0)
    assert web.values("mine") == web.values("second") == {"a": b"made-up-8"}
    shared.shop.patch("SharedSecret", name, on)
    for each in ("mine", "second"):
        has(web, each, {"a": "made-up-9"})
